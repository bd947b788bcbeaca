"""`--batch`: one line of JSON in, one line of JSON out, in order and at once; no line ends it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import orjson

MAX_LINE_BYTES = 64 * 1024 * 1024  # a line is held in memory with its value and its answer


def answer_lines(answer: Callable[[Any], dict[str, Any]]) -> None:
    """Answer every line of standard input. A blank line is passed over; one that is not JSON gets an answer that says so."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while raw := source.readline(MAX_LINE_BYTES + 1):
        too_long = len(raw) > MAX_LINE_BYTES
        while too_long and not raw.endswith(b"\n") and (raw := source.readline(MAX_LINE_BYTES)):
            pass  # the rest of the line is no line of its own
        if not too_long and not raw.strip():
            continue
        said = _refused(f"the line is longer than {MAX_LINE_BYTES} bytes") if too_long else _answer(raw, answer)
        sink.write(said + b"\n")
        sink.flush()


def _answer(raw: bytes, answer: Callable[[Any], dict[str, Any]]) -> bytes:
    try:
        line = json.loads(raw, parse_int=_whole)  # not orjson: whole numbers keep their size, and a lone surrogate is a value
    except RecursionError:
        return _refused("the line is nested too deep")
    except ValueError as error:
        return _refused(f"the line is not JSON: {error}")
    try:
        return _text(answer(line))
    except RecursionError:
        return _refused("the answer is nested too deep")


def _refused(said: str) -> bytes:
    return _text({"id": None, "ok": False, "code": "LINE", "error": said})


def _text(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # a lone surrogate becomes its escape, a whole number keeps its size
        return json.dumps(value, separators=(",", ":")).encode()


def _whole(digits: str) -> int | float:
    """A whole number; one that no double holds is Infinity, as JavaScript reads it."""
    return int(digits) if len(digits) <= 400 else float(digits)
