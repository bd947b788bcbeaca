"""Log lines on their way out: gathered, written without ever waiting for whoever reads them.

Guarantee: a reader that has stopped, a terminal that is held, a full disk or a pipe that nobody reads costs lines, never the daemon.
"""

from __future__ import annotations

import asyncio
import os
import select
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime

import orjson

KEPT_BYTES = 1024 * 1024  # of what cannot be written now; newer lines are dropped, counted, and the count is told
AGAIN_S = 0.1  # how soon it is tried again
CHUNK_BYTES = 4096  # PIPE_BUF: what a pipe that says it can be written to takes without blocking
PARTING_S = 1.0  # how long the end of the process waits for a reader that is slow


class Lines:
    """Writes what one turn of the loop said at once: a write for each run's line would be a twentieth of an event's cost.

    What is a warning or worse is written before the call returns, with all that was said before it, as far as it is taken.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._lock = threading.Lock()  # sources log from their threads
        self._waiting: list[bytes] = []
        self._left = b""  # of a write that was not taken whole
        self._kept_bytes = 0
        self._dropped = 0
        self._trying = False  # it is tried again in a moment

    def info(self, line: bytes | str) -> None:
        if not self._keep(line) or len(self._waiting) > 1:
            return
        try:
            asyncio.get_running_loop().call_soon(self.flush)
        except RuntimeError:  # no loop: a command, a thread
            self.flush()

    def warning(self, line: bytes | str) -> None:
        self._keep(line)
        self.flush()

    def flush(self) -> None:
        """Write what is taken now; what is not is tried again in a moment."""
        with self._lock:
            self._write(wait_s=0.0)
        if self._left and not self._trying:
            with suppress(RuntimeError):  # no loop here: it is tried with the next line
                asyncio.get_running_loop().call_later(AGAIN_S, self._try_again)
                self._trying = True

    def _try_again(self) -> None:
        self._trying = False
        self.flush()

    def close(self) -> None:
        """The process ends: a last try, with some patience."""
        with self._lock:
            self._write(wait_s=PARTING_S)

    def _keep(self, line: bytes | str) -> bool:
        raw = line if isinstance(line, bytes) else line.encode("utf-8", "backslashreplace")
        if self._kept_bytes + len(raw) > KEPT_BYTES:
            self._dropped += 1
            return False
        self._waiting.append(raw)
        self._kept_bytes += len(raw) + 1
        return True

    def _write(self, *, wait_s: float) -> None:
        waiting, self._waiting = self._waiting, []
        if self._dropped and not self._left:
            waiting.append(_told_of(self._dropped))
            self._dropped = 0
        out = memoryview(self._left + b"".join(line + b"\n" for line in waiting))
        at, until = 0, time.monotonic() + wait_s
        try:
            while at < len(out) and self._poll.poll(max(0.0, until - time.monotonic()) * 1000):
                at += os.write(self._descriptor, out[at : at + CHUNK_BYTES])
        except OSError:  # nobody reads any more, or a disk is full: there is no place left to say so
            self._dropped += bytes(out[at:]).count(b"\n")
            at = len(out)
        self._left = bytes(out[at:])
        self._kept_bytes = len(self._left)

    debug = info
    error = critical = exception = fatal = failure = err = warn = log = msg = warning


def _told_of(dropped: int) -> bytes:
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return orjson.dumps({"event": "log.dropped", "count": dropped, "level": "warning", "timestamp": at})
