"""Logs: structlog lines on standard error, for people on a terminal and as JSON otherwise."""

from __future__ import annotations

import atexit
import json
import logging
import re
import sys
import time
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog

from daemon.log_lines import Lines
from daemon.terminal import wants_colours

# What JSON lets stand and some terminals obey: DEL, the second set of control characters, line separators, changes of direction.
_STEERING = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]|\xe2\x81[\xa6-\xa9]")
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def set_up_logs(level: str = "info", form: str = "auto") -> None:
    """From now on every logger, ours and those of libraries, writes to standard error in one form."""
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    processors: list[Any] = _for_people() if console else [Json()]
    lines = Lines(_descriptor())
    atexit.register(lines.close)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,  # a line costs a third without the lookup
    )
    root = logging.getLogger()
    root.handlers[:] = [_Forward()]
    # Libraries say at info what is ours to say; their own debug lines come with ours.
    root.setLevel(logging.DEBUG if level == "debug" else max(LEVELS[level], logging.WARNING))
    logging.captureWarnings(capture=True)


def _descriptor() -> int:
    """Of standard error; the process's own where what stands for it in Python has none, as inside other programs."""
    try:
        return sys.stderr.fileno()
    except OSError:
        return 2


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


class Json:
    """A whole line at once: as four processors level, time, traceback and text took a fifth more."""

    def __init__(self) -> None:
        self._stamp = Stamp()

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> bytes:
        event["level"] = method
        event = self._stamp(logger, method, event)
        if "exc_info" in event:
            event = structlog.processors.format_exc_info(logger, method, event)
        return _dump(event)


def _for_people() -> list[Any]:
    renderer = structlog.dev.ConsoleRenderer(colors=wants_colours(sys.stderr), exception_formatter=structlog.dev.plain_traceback)
    return [structlog.processors.add_log_level, Stamp(), _plain_exception, renderer]


def _dump(value: Any) -> bytes:
    try:
        line = orjson.dumps(value, default=str)
    except TypeError:  # a lone surrogate, an integer over 64 bits: the line is told all the same
        return json.dumps(value, default=str).encode()
    if line.isascii() and b"\x7f" not in line:  # nearly always, and 0.2 µs where the pattern takes 0.7
        return line
    return _STEERING.sub(_escaped, line)


def _escaped(found: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(found[0].decode())


def _plain_exception(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A traceback for people, whose message cannot steer the terminal."""
    event = structlog.processors.format_exc_info(_logger, _method, event)
    if "exception" in event:
        event["exception"] = re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "�", str(event["exception"]))
    return event
