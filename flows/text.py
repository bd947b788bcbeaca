"""How values are written into texts: as text, and as JSON text."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from flows.errors import TemplateError
from flows.expression import to_text

MAX_PIECES = 2_000_000  # values and marks in one JSON text: values that hold each other many times can stand for billions

_EXPONENT_FROM = 10**21  # JavaScript writes numbers from here with an exponent
_SURROGATE = re.compile("[\ud800-\udfff]")


class _Mark(str):
    """A piece of JSON's own spelling, told from a text that is a value."""

    __slots__ = ()


_COMMA, _COLON = _Mark(","), _Mark(":")


def as_text(value: Any) -> str:
    """A JSON value where no pipe says otherwise: null is nothing, objects and lists are JSON, numbers as JavaScript has them.

    Whole numbers keep every digit: JavaScript would round an id of 19 digits.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _number(value) if isinstance(value, (int, float)) else as_json(value)


def as_json(value: Any) -> str:
    """Compact JSON: keys in their order, NaN as null, halves of characters as escapes. Depth costs memory, not stack."""
    pieces: list[str] = []
    todo: list[Any] = [value]
    while todo:
        if len(pieces) > MAX_PIECES:
            raise TemplateError(f"the value has more than {MAX_PIECES:,} parts", code="TEMPLATE_LIMIT")
        here = todo.pop()
        if isinstance(here, _Mark):
            pieces.append(here)
        elif isinstance(here, dict):
            pieces.append("{")
            todo.append(_Mark("}"))
            for number, (key, each) in enumerate(reversed(here.items())):
                todo.extend([_COMMA] * (number > 0))
                todo.extend((each, _COLON, str(key)))
        elif isinstance(here, (list, tuple)):
            pieces.append("[")
            todo.append(_Mark("]"))
            for number, each in enumerate(reversed(here)):
                todo.extend([_COMMA] * (number > 0))
                todo.append(each)
        else:
            pieces.append(_leaf(here))
    return "".join(pieces)


def _leaf(value: Any) -> str:
    if isinstance(value, str):
        return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        said = _number(value)
        return "null" if "n" in said else said  # an integer beyond all floats
    return "null"


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) and abs(value) < _EXPONENT_FROM else to_text(value)
