"""JSON and text as columns: whatever JSON can hold comes out as it went in."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson

from flows.depth import MAX_STORED_DEPTH, deeper_than

_NOT_STORED = '{"$notStored":"the value was too deep, or held a number of thousands of digits"}'


def encode(value: Any) -> str:
    """JSON text of any JSON value. What orjson refuses or loses (lone surrogates, integers over 64 bits, NaN) goes the slow way.

    Never fails: a value that is too deep for any parser is replaced by a note that says so, so that a run can still end.
    """
    try:
        text = orjson.dumps(value).decode()
    except TypeError:  # orjson's JSONEncodeError
        return _encode_slowly(value)
    if "null" in text and _holds_nonfinite(value):  # orjson writes NaN as null: only a text with a null can have lost one
        return _encode_slowly(value)
    return text


def encode_document(value: Any) -> str:
    """The same for an event's document, whose numbers are finite: every source reads JSON strictly. Spares a walk over it."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return _encode_slowly(value)


def decode(text: str | None) -> Any:
    """What encode() was given. None (SQL NULL) is None. Python's own parser: orjson's rounds integers over 64 bits."""
    return None if text is None else json.loads(text)


def _encode_slowly(value: Any) -> str:
    try:
        if deeper_than(value, MAX_STORED_DEPTH):
            return _NOT_STORED
        return json.dumps(value, separators=(",", ":"))
    except (RecursionError, ValueError):
        return _NOT_STORED


def plain(text: str | None) -> str | None:
    r"""Text for a text column: a NUL or a lone surrogate, which databases refuse, becomes its backslash form."""
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def _holds_nonfinite(value: Any) -> bool:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, float):
            if not math.isfinite(item):
                return True
        elif isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, list | tuple):
            pending.extend(item)
    return False
