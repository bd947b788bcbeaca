"""The engine's child processes: started when a script needs one, kept for the next, killed when a script does not end.

A script leaves nothing behind in a child, so whoever comes next may have it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from flows.errors import StepError

HERE = Path(__file__).parent
IDLE_S = 60.0  # a child that nobody needed for so long has ended its work
GRACE_S = 1.0  # the engine's own clock counts what was computed: on a busy machine that is less than what has passed
START_S = 10.0  # more than a start takes on the slowest machine: 20 ms here
READ_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Answer:
    """What a child said of one script: {code, message, line, column, said}, and the value as JSON."""

    told: dict[str, Any]
    body: bytes


class Gone(Exception):  # noqa: N818 - a fact about a child, and never leaves this file
    """The child ended without an answer."""

    def __init__(self, status: int) -> None:
        self.status = status  # negative: the signal that ended it
        super().__init__(status)

    def as_failure(self) -> StepError:
        if self.status == -signal.SIGXCPU:
            return StepError("it was still running when its time was over, and its process was killed", code="SCRIPT_TIMEOUT")
        how = f"by signal {-self.status}" if self.status < 0 else f"with status {self.status}"
        return StepError(f"the script's process was ended {how}", code="SCRIPT_CRASHED")


class Children:
    """At most `most` of them. Nothing runs until the first script is asked for."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._idle: list[_Child] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._free = asyncio.Semaphore(most)
        self._timer: asyncio.TimerHandle | None = None

    async def ask(self, request: dict[str, Any], names: bytes, *, within_s: float) -> Answer:
        """Raises StepError SCRIPT_TIMEOUT or SCRIPT_CRASHED where there is no answer. When cancelled, the child is killed."""
        self._begin()
        async with self._free:
            kept = self._take()
            try:
                return await self._ask_one(kept or _Child(), request, names, within_s)
            except Gone as gone:
                if kept is None or gone.status != -signal.SIGKILL:
                    raise gone.as_failure() from None
            try:  # somebody else killed it, perhaps while it was idle; a script touches nothing, so it may run again
                return await self._ask_one(_Child(), request, names, within_s)
            except Gone as gone:
                raise gone.as_failure() from None

    def _begin(self) -> None:
        """Waiting belongs to a loop; children do not, and go on with the next one."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._free, self._timer = loop, asyncio.Semaphore(self._most), None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _ask_one(self, child: _Child, request: dict[str, Any], names: bytes, within_s: float) -> Answer:
        answer = None
        try:
            await child.ready()
            async with asyncio.timeout(within_s + GRACE_S):
                answer = await child.ask(request, names)
        except TimeoutError:
            said = "it was still running when its time was over, and its process was killed"
            raise StepError(said, code="SCRIPT_TIMEOUT") from None
        finally:
            if answer is None or answer.told["tired"]:
                await child.end()
            else:
                self._idle.append(child)
                self._rest()
        return answer

    def _take(self) -> _Child | None:
        """One that is idle and alive."""
        while self._idle:
            child = self._idle.pop()
            if child.is_alive():
                return child
            child.release()
        return None

    def _rest(self) -> None:
        if self._loop is not None and self._timer is None:
            self._timer = self._loop.call_later(IDLE_S, self._retire)

    def _retire(self) -> None:
        self._timer = None
        for child in self._idle:
            child.release()
        self._idle.clear()

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        idle, self._idle = self._idle, []
        for child in idle:
            await child.end()


class _Child:
    """One process, and our end of the socket that is its standard input and output."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            self._process = subprocess.Popen(
                _command(),
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={"TZ": os.environ["TZ"]} if "TZ" in os.environ else {},
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise StepError(f"a process for the script could not be started: {error}", code="START_FAILED") from error
        finally:
            theirs.close()
        self._socket = ours
        self._is_ready = False
        self.release = weakref.finalize(self, _end, self._process, ours)

    async def ready(self) -> None:
        """Wait until it has started. Raises StepError START_FAILED, and Gone."""
        if self._is_ready:
            return
        try:
            async with asyncio.timeout(START_S):
                await self._read(1)
        except TimeoutError:
            raise StepError(f"a process for the script did not start within {START_S:g} s", code="START_FAILED") from None
        self._is_ready = True

    async def ask(self, request: dict[str, Any], names: bytes) -> Answer:
        """Raises Gone. After anything else that is raised the child is of no more use."""
        loop = asyncio.get_running_loop()
        head = orjson.dumps({**request, "size": len(names)})
        try:
            await loop.sock_sendall(self._socket, len(head).to_bytes(4, "big") + head)
            await loop.sock_sendall(self._socket, names)
            told = orjson.loads(await self._read(int.from_bytes(await self._read(4), "big")))
            return Answer(told, bytes(await self._read(told["size"])))
        except OSError as error:
            raise Gone(await self._status()) from error

    def is_alive(self) -> bool:
        return self._process.poll() is None

    async def _read(self, size: int) -> bytearray:
        loop = asyncio.get_running_loop()
        data = bytearray()
        while len(data) < size:
            more = await loop.sock_recv(self._socket, min(size - len(data), READ_BYTES))
            if not more:
                raise Gone(await self._status())
            data += more
        return data

    async def _status(self) -> int:
        return await asyncio.to_thread(self._process.wait)

    async def end(self) -> None:
        """Kill it. Taking away what it had may take the system a while: that happens beside the loop."""
        await asyncio.shield(asyncio.to_thread(self.release))


def _end(process: subprocess.Popen[bytes], ours: socket.socket) -> None:
    ours.close()
    process.kill()
    process.wait()


def _command() -> list[str]:
    """Without site: a child needs one extension and half of the time to start."""
    found = importlib.util.find_spec("_quickjs")
    if found is None or found.origin is None:
        raise StepError("the JavaScript engine (quickjs-ng) is not installed", code="START_FAILED", retryable=False)
    scripts = [str(HERE / name) for name in ("prelude.js", "modules.js", "locale.js")]
    return [sys.executable, "-I", "-S", str(HERE / "child.py"), found.origin, *scripts]
