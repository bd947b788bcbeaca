"""Values on their way out: to JSON that can be stored, and to text."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from flows.expression.convert import text_of
from flows.expression.fuel import Fuel, limit
from flows.expression.numerals import SAFE, double
from flows.expression.values import UNDEFINED, Function, Opaque, is_array, own_keys

MAX_VALUES: Final = 1_000_000  # values in one result: small arrays that hold each other many times can stand for billions
MAX_TEXT: Final = 100_000_000  # characters of all texts in one result: a long one may stand in many places


def to_text(value: Any) -> str:
    """String(value). Raises ExpressionError EXPRESSION_LIMIT where that would be too long."""
    return text_of(value, Fuel())


def to_json(value: Any) -> Any:
    """What JSON.stringify would keep, as Python has it: undefined is dropped from objects and is null elsewhere.

    NaN and infinities are null, -0 is 0, whole numbers are ints up to 2^53 and floats beyond. Arrays and objects are new.
    Raises ExpressionError EXPRESSION_LIMIT where there are too many values, or too much text.
    """
    return rebuilt(value, _stored)


def _stored(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        number = double(value)
        if not math.isfinite(number):
            return None
        return int(number) if number == math.floor(number) and abs(number) <= SAFE else number
    return {} if isinstance(value, Opaque) and not isinstance(value, Function) else None


def rebuilt(value: Any, leaf: Callable[[Any], Any]) -> Any:
    """A copy with each number, undefined and opaque object turned by `leaf`. Without recursion: it may be deep."""
    top: list[Any] = [None]
    todo: list[tuple[Any, Any, Any]] = [(value, top, 0)]
    count = text = 0
    while todo:
        here, parent, place = todo.pop()
        count += 1
        if count > MAX_VALUES:
            raise limit("the result is too large", f"more than {MAX_VALUES:,} values")
        if isinstance(here, str):
            parent[place] = here
            text += len(here)
            if text > MAX_TEXT:
                raise limit("the result is too large", f"more than {MAX_TEXT:,} characters")
        elif is_array(here):
            parent[place] = made = [None] * len(here)
            todo.extend((item, made, index) for index, item in enumerate(here))
        elif isinstance(here, dict):
            kept = [key for key in own_keys(here) if not _dropped(here[key])]
            entries = dict.fromkeys(kept)
            parent[place] = entries
            todo.extend((here[key], entries, key) for key in kept)
        else:
            parent[place] = leaf(here)
    return top[0]


def _dropped(value: Any) -> bool:
    return value is UNDEFINED or isinstance(value, Function)
