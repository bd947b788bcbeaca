"""JSON.parse and JSON.stringify, without recursion: data may be thousands of levels deep."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from flows.depth import MAX_HANDED_DEPTH, deeper_than
from flows.errors import ExpressionError
from flows.expression.convert import fail
from flows.expression.fuel import Fuel, limit
from flows.expression.numerals import decimal, number_text
from flows.expression.values import UNDEFINED, Function, Opaque, is_array, own_keys

_ESCAPES: Final = {
    **{code: f"\\u{code:04x}" for code in (*range(32), *range(0xD800, 0xE000))},
    34: '\\"',
    92: "\\\\",
    8: "\\b",
    12: "\\f",
    10: "\\n",
    13: "\\r",
    9: "\\t",
}


def parse(text: str, fuel: Fuel) -> Any:
    """JSON.parse. Raises ExpressionError where it is not JSON, or where it is nested too deeply."""
    fuel.burn(len(text) >> 3)
    try:
        value = json.loads(text, parse_int=_integer, parse_float=decimal, parse_constant=_refuse)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise fail(f"JSON.parse: this is not JSON: {str(error)[:80]}") from None
    if text.count("[") + text.count("{") > MAX_HANDED_DEPTH and deeper_than(value, MAX_HANDED_DEPTH):
        raise _too_deep()
    return value


def _too_deep() -> ExpressionError:
    return limit("JSON.parse: the text is nested too deeply", f"more than {MAX_HANDED_DEPTH} levels")


def _integer(text: str) -> float:
    if text == "-0":
        return -0.0
    return int(text) if len(text) <= 15 else decimal(text)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def quoted(text: str) -> str:
    """A string as JSON writes it; halves of pairs as escapes."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return f'"{text.translate(_ESCAPES)}"'


def stringify(value: Any, fuel: Fuel, indent: str = "", only: frozenset[str] | None = None) -> str | None:
    """JSON.stringify; None for what JSON cannot say. `only`: the keys to keep."""
    if not _sayable(value):
        return None
    writer = _Writer(fuel, indent, only)
    writer.write(value)
    return "".join(writer.pieces)


def _sayable(value: Any) -> bool:
    return value is not UNDEFINED and not isinstance(value, Function)


class _Writer:
    def __init__(self, fuel: Fuel, indent: str, only: frozenset[str] | None) -> None:
        self.fuel, self.indent, self.only = fuel, indent, only
        self.pieces: list[str] = []
        self.size = 0

    def _say(self, piece: str) -> None:
        self.pieces.append(piece)
        self.size += len(piece)
        self.fuel.burn(1 + (len(piece) >> 4))
        if self.size > 10_000_000:
            self.fuel.text(self.size)

    def write(self, value: Any) -> None:
        todo: list[tuple[Iterator[tuple[str | None, Any]], str]] = []
        first = self._open(value, todo)
        while todo:
            entries, close = todo[-1]
            entry = next(entries, None)
            if entry is None:
                todo.pop()
                self._break(len(todo), empty=first)
                self._say(close)
                first = False
                continue
            if not first:
                self._say(",")
            self._break(len(todo), empty=False)
            key, item = entry
            if key is not None:
                self._say(quoted(key) + (": " if self.indent else ":"))
            first = self._open(item, todo)
        self.fuel.text(self.size)

    def _break(self, depth: int, *, empty: bool) -> None:
        if self.indent and not empty:
            self._say("\n" + self.indent * depth)

    def _open(self, value: Any, todo: list[tuple[Iterator[tuple[str | None, Any]], str]]) -> bool:
        """Write a leaf, or begin an array or object: True when that was begun."""
        if is_array(value):
            self._say("[")
            todo.append((((None, item if _sayable(item) else None) for item in value), "]"))
            return True
        if isinstance(value, dict):
            self._say("{")
            keys = own_keys(value)
            self.fuel.burn(len(keys))
            kept = keys if self.only is None else [key for key in keys if key in self.only]
            todo.append((((key, value[key]) for key in kept if _sayable(value[key])), "}"))
            return True
        self._say(_leaf(value))
        return False


def _leaf(value: Any) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value) if isinstance(value, int) or math.isfinite(value) else "null"
    return "{}" if isinstance(value, Opaque) else "null"


def compact(value: Any, most: int) -> str:
    """JSON for a person, cut off after `most` characters."""
    if value is UNDEFINED:
        return "undefined"
    if isinstance(value, str):
        value = value[: most + 1]
    writer = _Writer(Fuel(20_000), "", None)
    with suppress(ExpressionError):  # what was written before it ran out is enough
        writer.write(value)
    text = "".join(writer.pieces)
    return text if len(text) <= most else f"{text[: most - 1]}…"
