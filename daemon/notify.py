"""What the service manager is told: systemd's notifications, lines of text in a datagram.

Where no manager listens (NOTIFY_SOCKET is not set) everything here does nothing.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager, contextmanager

import structlog

log = structlog.get_logger()

MARGIN_S = 15.0  # how long each EXTEND_TIMEOUT_USEC reaches: three times as far as the next one is away
EXTEND_EVERY_S = 5.0
STATUS_CHARACTERS = 200  # of a status line: it stands in `systemctl status`, beside other things


class Notifier:
    """One service manager's socket. A message that cannot be sent is never waited for: it is said in the log, once."""

    def __init__(self, address: str | None = None, watchdog_s: float | None = None) -> None:
        """`address`: a path, or `@name` of an abstract socket; None: nobody listens.

        `watchdog_s`: within this time the manager wants to hear from us; None: it does not.
        """
        self._address = address
        self.watchdog_s = watchdog_s
        self._socket: socket.socket | None = None
        self._failed = False
        self._describe: Callable[[], str] = lambda: "ready"

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str] | None = None) -> Notifier:
        """Take the manager's variables out of the environment: a child that had them could speak in our name."""
        environment = os.environ if environment is None else environment
        address = environment.pop("NOTIFY_SOCKET", None)
        every_us, process = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
        if address is not None and not address.startswith(("/", "@")):
            log.warning("service.not_notified", reason=f"NOTIFY_SOCKET is {address[:100]!r}, neither a path nor an abstract name")
            address = None
        ours = process in {"", str(os.getpid())}
        wanted = ours and every_us.isascii() and every_us.isdigit() and int(every_us) > 0
        return cls(address, int(every_us) / 1e6 if wanted else None)

    def ready(self, describe: Callable[[], str]) -> None:
        """Everything is open. `describe` gives the status, now and after each reload."""
        self._describe = describe
        self._send("READY=1", _status(describe()))

    def status(self, status: str) -> None:
        self._send(_status(status))

    def alive(self) -> None:
        """For the watchdog."""
        self._send("WATCHDOG=1")

    def stopping(self, status: str) -> None:
        self._send("STOPPING=1", _status(status))

    def extend(self) -> None:
        """A start or a stop goes on for longer than the unit allows, and is meant to: called every EXTEND_EVERY_S."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(MARGIN_S * 1e6)}")

    @contextmanager
    def reloading(self, status: str = "reloading") -> Iterator[None]:
        """Around a reload that SIGHUP asked for. On leaving, also by an exception, the manager is told that we serve."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", _status(status))
        try:
            yield
        finally:
            self._send("READY=1", _status(self._describe()))

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
            self._socket.sendto(
                "\n".join(lines).encode(), self._address.replace("@", "\0", 1) if self._abstract else self._address
            )
        except OSError as error:
            if not self._failed:
                log.warning("service.not_notified", reason=str(error))
            self._failed = True
        else:
            self._failed = False

    @property
    def _abstract(self) -> bool:
        return self._address is not None and self._address.startswith("@")


@asynccontextmanager
async def extended(notifier: Notifier) -> AsyncIterator[None]:
    """Inside, a start or a stop may take as long as it does: our own limits hold, not the unit's."""

    async def keep_extending() -> None:
        while True:
            notifier.extend()
            await asyncio.sleep(EXTEND_EVERY_S)

    extending = asyncio.create_task(keep_extending(), name="extending")
    try:
        yield
    finally:
        extending.cancel()
        await asyncio.wait((extending,))


def _status(text: str) -> str:
    """One line: what is a line break would begin another assignment."""
    return "STATUS=" + " ".join(text.split())[:STATUS_CHARACTERS]
