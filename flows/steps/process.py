"""One child process: started in a group of its own, read to a limit, and ended with everything it started."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
import subprocess
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from flows.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

DRAIN_S = 1.0  # a leader that is gone leaves at most buffered output; who still holds the pipe after this is a leftover
CLOSE_S = 0.2  # what was killed has let go by then; who has not left the group before and keeps the pipe
REAP_S = 5.0  # a killed process that is not reaped by then hangs in the kernel: nobody can wait for it

End = Literal["exited", "timeout", "output_limit"]


@dataclass(frozen=True, slots=True)
class Finished:
    """How a child came out. Nothing of its process group runs any more."""

    end: End
    status: int  # the exit status; negative: the signal that killed it
    stdout: bytes  # at most the limit
    stderr: bytes  # at most the limit
    leftovers: bool  # True: something it started still held its output after it had ended, and was killed


async def run_process(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    timeout_s: float,
    grace_s: float,
    max_output_bytes: int,
    stdin: bytes = b"",
) -> Finished:
    """Run `argv` to its end with exactly the environment `env`. Its stdin is a file that holds `stdin`, so nobody has to feed it.

    At `timeout_s`, and when the caller is cancelled, its group gets SIGTERM and, `grace_s` later, SIGKILL; when one of
    stdout and stderr passes `max_output_bytes` it gets SIGKILL at once. Only what left the group by itself (setsid)
    outlives this call. Raises StepError where the child cannot be started.
    """
    child = _Child(max_output_bytes, stdin)
    try:
        await _start(child, argv, env, cwd)
        end = await _watch(child, timeout_s)
        leftovers = False
        if end == "exited":
            leftovers = not await child.wait_closed(DRAIN_S)
        elif end == "timeout":
            await child.terminate(grace_s)
    except asyncio.CancelledError:
        await child.terminate(grace_s)
        raise
    finally:
        child.kill()
        await child.let_go()
    if end == "exited" and child.overflowed:
        end = "output_limit"
    status = -signal.SIGKILL if child.status is None else child.status
    return Finished(end, status, bytes(child.output[1]), bytes(child.output[2]), leftovers)


class _Child:
    """A child and the loop's side of it: what it wrote, and whether it and its pipes have ended."""

    def __init__(self, max_output_bytes: int, stdin: bytes) -> None:
        loop = asyncio.get_running_loop()
        self._stdin = stdin
        self._max_bytes = max_output_bytes
        self._open = {1, 2}
        self._process: subprocess.Popen[bytes] | None = None
        self._transports: list[asyncio.BaseTransport] = []
        self._closed: asyncio.Future[None] = loop.create_future()
        self.turned: asyncio.Future[None] = loop.create_future()  # it ended, or wrote too much
        self.output = {1: bytearray(), 2: bytearray()}
        self.overflowed = False
        self.hurried = False  # who cancels has lost patience already
        self.status: int | None = None

    async def start(self, program: str, argv: Sequence[str], env: Mapping[str, str], cwd: Path) -> None:
        """Start it and listen to it. Raises OSError.

        Not by the loop's own means: uvloop's children have sockets for pipes, so that /dev/stdout cannot be opened, and second
        descriptors of them, so that what was sent to the background still holds them. Both loops block until the child runs.
        """
        loop = asyncio.get_running_loop()
        with _opened(self._stdin) as stdin:
            process = self._process = subprocess.Popen(  # noqa: ASYNC220 - see above
                [program, *argv[1:]],
                bufsize=0,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )
        self._await_exit(loop, process)
        await _finish(self, loop.create_task(self._listen(loop, process), name=f"listen to {program}"))

    async def _listen(self, loop: asyncio.AbstractEventLoop, process: subprocess.Popen[bytes]) -> None:
        for number, pipe in ((1, process.stdout), (2, process.stderr)):
            transport, _ = await loop.connect_read_pipe(partial(_Stream, self, number), pipe)
            self._transports.append(transport)

    def _await_exit(self, loop: asyncio.AbstractEventLoop, process: subprocess.Popen[bytes]) -> None:
        try:
            descriptor = os.pidfd_open(process.pid)
        except OSError:  # an old kernel, or a sandbox that has never heard of it: a thread waits
            threading.Thread(target=lambda: _tell(loop, self._exited, process.wait()), daemon=True).start()
            return

        def ended() -> None:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            self._exited(process.wait())

        loop.add_reader(descriptor, ended)

    def _exited(self, status: int) -> None:
        self.status = status
        _resolve(self.turned)
        self._settle()

    def received(self, number: int, data: bytes) -> None:
        kept = self.output[number]
        room = self._max_bytes - len(kept)
        kept += data[:room]
        if len(data) > room and not self.overflowed:
            self.overflowed = True
            _resolve(self.turned)

    def lost(self, number: int) -> None:
        """The last who held this pipe has closed it, or we have."""
        self._open.discard(number)
        self._settle()

    def _settle(self) -> None:
        if self.status is not None and not self._open:
            _resolve(self._closed)

    async def wait_closed(self, within_s: float) -> bool:
        """True once the child has ended and nobody holds its pipes; False when that takes longer than `within_s`."""
        if not self._closed.done() and self._process is not None:
            await asyncio.wait((self._closed,), timeout=within_s)
        return self._closed.done()

    async def terminate(self, grace_s: float) -> None:
        """Ask the group to end and give it `grace_s` to do so; the caller kills it afterwards. Cancelling cuts it short."""
        self._signal(signal.SIGTERM)
        await self.wait_closed(0 if self.hurried else grace_s)

    def kill(self) -> None:
        """Kill the whole group, also where its leader has ended: what a step starts ends with the step."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        with suppress(ProcessLookupError, PermissionError):  # nobody is left, or it has become another user's
            os.killpg(self._process.pid, number)

    async def let_go(self) -> None:
        """Wait for the killed child to be reaped, then close our ends of its pipes, whoever else still holds them."""
        try:
            await self.wait_closed(REAP_S if self.status is None else CLOSE_S)
        finally:
            for transport in self._transports:
                transport.close()


@contextmanager
def _opened(data: bytes) -> Iterator[int]:
    """A descriptor that reads `data` from memory. Raises OSError."""
    if not data:
        yield subprocess.DEVNULL
        return
    with os.fdopen(os.memfd_create("stdin"), "wb", buffering=0) as file:
        left = memoryview(data)
        while left:
            left = left[file.write(left) :]
        file.seek(0)
        yield file.fileno()


class _Stream(asyncio.Protocol):
    """One of a child's pipes."""

    def __init__(self, child: _Child, number: int) -> None:
        self._child = child
        self._number = number

    def data_received(self, data: bytes) -> None:
        self._child.received(self._number, data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        self._child.lost(self._number)


def _tell(loop: asyncio.AbstractEventLoop, hear: Callable[[int], None], status: int) -> None:
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(hear, status)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _watch(child: _Child, timeout_s: float) -> End:
    done, _ = await asyncio.wait((child.turned,), timeout=timeout_s)
    if not done:
        return "timeout"
    return "output_limit" if child.overflowed else "exited"


async def _start(child: _Child, argv: Sequence[str], env: Mapping[str, str], cwd: Path) -> None:
    _check_text(argv, env)
    program = _find(argv[0], env, cwd)
    try:
        await child.start(program, argv, env, cwd)
    except OSError as error:
        raise _not_started(error, argv, env) from error


async def _finish(child: _Child, task: asyncio.Task[None]) -> None:
    """Wait for a short task whose half-done work nobody could undo. Cancelling comes after."""
    cancelled: list[asyncio.CancelledError] = []
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancelled.append(error)
    failed = task.exception()
    if cancelled:
        child.hurried = len(cancelled) > 1
        raise cancelled[0]
    if failed is not None:
        raise failed


def _find(name: str, env: Mapping[str, str], cwd: Path) -> str:
    if not cwd.is_dir():
        raise StepError(f"the folder {cwd} to run in does not exist", code="CWD_NOT_FOUND", retryable=False)
    path = env.get("PATH", os.defpath)
    program = shutil.which(name, path=path)
    if program is None:
        raise StepError(f"{name} was not found on PATH ({path})", code="BINARY_MISSING", retryable=False)
    return program


def _check_text(argv: Sequence[str], env: Mapping[str, str]) -> None:
    """The operating system's texts end at a NUL and are bytes: what cannot be handed over is refused with its name."""
    named = [("the command", part) for part in argv] + [(f"the environment variable {name}", text) for name, text in env.items()]
    for what, text in named:
        if "\0" in text:
            raise StepError(
                f"{what} contains a NUL character, which no command can be given", code="NUL_CHARACTER", retryable=False
            )
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise StepError(
                f"{what} contains half a character (a lone surrogate)", code="TEXT_ENCODING", retryable=False
            ) from error


def _not_started(error: OSError, argv: Sequence[str], env: Mapping[str, str]) -> StepError:
    if error.errno == errno.E2BIG:
        sizes = {"the command": max(len(part.encode()) for part in argv)}
        sizes |= {f"the environment variable {name}": len(text.encode()) for name, text in env.items()}
        largest = max(sizes, key=lambda what: sizes[what])
        return StepError(
            f"the system refuses a command of this size: {largest} has {sizes[largest]} bytes; "
            'pass it through a file: env {"NAME": {"json": …}}',
            code="COMMAND_TOO_LONG",
            retryable=False,
        )
    if isinstance(error, FileNotFoundError):
        return StepError(f"{argv[0]} could not be started: {error}", code="BINARY_MISSING", retryable=False)
    return StepError(f"{argv[0]} could not be started: {error.strerror or error}", code="START_FAILED")
