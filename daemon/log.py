"""Logs: structlog lines on standard error, for people on a terminal and as JSON otherwise."""

from __future__ import annotations

import asyncio
import atexit
import json
import logging
import sys
import threading
import time
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, BinaryIO

import orjson
import structlog

from daemon.terminal import wants_colours

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def set_up_logs(level: str = "info", form: str = "auto") -> None:
    """From now on every logger, ours and those of libraries, writes to standard error in one form."""
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    processors: list[Any] = [
        structlog.processors.add_log_level,
        Stamp(),
    ]
    factory: Any
    if console:
        processors.append(
            structlog.dev.ConsoleRenderer(colors=wants_colours(sys.stderr), exception_formatter=structlog.dev.plain_traceback)
        )
        factory = structlog.PrintLoggerFactory(sys.stderr)
    else:
        processors += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_dump)]
        lines = Lines(sys.stderr.buffer)
        atexit.register(lines.flush)
        factory = lambda *_: lines  # noqa: E731 - structlog asks for a logger by this name
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=factory,
        cache_logger_on_first_use=True,  # a line costs a third without the lookup
    )
    root = logging.getLogger()
    root.handlers[:] = [_Forward()]
    # Libraries say at info what is ours to say; their own debug lines come with ours.
    root.setLevel(logging.DEBUG if level == "debug" else max(LEVELS[level], logging.WARNING))
    logging.captureWarnings(capture=True)


class Stamp:
    """Says when: the text of a second is made once, for structlog's own stamper takes a fifth of a line's time."""

    def __init__(self) -> None:
        self._kept = (-1, "")  # a second and its text, swapped at once: threads log too

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        now = time.time()
        second = int(now)
        kept, text = self._kept
        if second != kept:
            text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            self._kept = (second, text)
        event["timestamp"] = f"{text}.{int((now - second) * 1e6):06d}Z"
        return event


class Lines:
    """Writes what one turn of the loop said at once: a write for each run's line would be a twentieth of an event's cost.

    What is a warning or worse is written before the call returns, with all that was said before it.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()  # sources log from their threads
        self._waiting: list[bytes] = []

    def info(self, line: bytes) -> None:
        self._waiting.append(line)
        if len(self._waiting) > 1:
            return
        try:
            asyncio.get_running_loop().call_soon(self.flush)
        except RuntimeError:  # no loop: a command, a thread
            self.flush()

    def warning(self, line: bytes) -> None:
        self._waiting.append(line)
        self.flush()

    def flush(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
            if waiting:
                self._stream.write(b"\n".join(waiting) + b"\n")
                self._stream.flush()

    debug = info
    error = critical = exception = fatal = failure = err = warn = log = msg = warning


class _Forward(logging.Handler):
    """A library's line, told in our form as `library.logged`."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            said = record.getMessage()
        except (TypeError, ValueError):  # a library's format string does not fit its arguments
            said = str(record.msg)
        structlog.get_logger().log(
            record.levelno, "library.logged", logger=record.name, said=said, exc_info=record.exc_info or None
        )


def _dump(value: Any, **_: Any) -> bytes:
    try:
        return orjson.dumps(value, default=str)
    except TypeError:  # a lone surrogate, an integer over 64 bits: the line is told all the same
        return json.dumps(value, default=str).encode()
