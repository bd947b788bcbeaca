"""JavaScript's conversions and comparisons: what +, ==, <, String() and Number() rest on."""

from __future__ import annotations

import math
from typing import Any

from flows.errors import ExpressionError
from flows.expression.fuel import Fuel
from flows.expression.numerals import double, number_text, parse_number, to_integer
from flows.expression.utf16 import before, concat
from flows.expression.values import UNDEFINED, Opaque, is_array, type_of


def same(left: Any, right: Any) -> bool:
    """===: no conversion; objects are the same only when they are one."""
    kind = type(left)
    if kind is type(right):
        if kind is str or kind is float or kind is bool:
            return bool(left == right)
        if kind is int:
            return left == right or double(left) == double(right)
        return left is right
    kinds = type_of(left)
    if kinds != type_of(right):
        return False
    if kinds == "number":
        return double(left) == double(right)
    return bool(left == right) if kinds in {"string", "boolean"} else left is right


def same_value_zero(left: Any, right: Any) -> bool:
    """includes(): === but NaN is NaN."""
    return same(left, right) or (is_nan(left) and is_nan(right))


def is_nan(value: Any) -> bool:
    return isinstance(value, float) and value != value  # noqa: PLR0124 - NaN is not itself


def is_primitive(value: Any) -> bool:
    return type_of(value) not in {"array", "object", "function"}


def text_of(value: Any, fuel: Fuel) -> str:
    """String(value), at any depth and within the fuel."""
    if type(value) is str:
        return value
    if is_array(value):
        return array_text(value, ",", fuel)
    return _leaf_text(value)


def _leaf_text(value: Any) -> str:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value)
    if value is None:
        return "null"
    if value is UNDEFINED:
        return "undefined"
    return value.text if isinstance(value, Opaque) else "[object Object]"


def array_text(array: Any, separator: str, fuel: Fuel) -> str:
    """join(): null and undefined are blank; arrays inside are joined with commas. Without recursion: data may be deep."""
    pieces: list[str] = []
    size = 0
    todo: list[tuple[Any, int, str]] = [(array, 0, separator)]
    while todo:
        items, index, between = todo.pop()
        if index == len(items):
            continue
        if index:
            pieces.append(between)
            size += len(between)
        fuel.burn(1)
        todo.append((items, index + 1, between))
        item = items[index]
        if is_array(item):
            todo.append((item, 0, ","))
        elif item is not None and item is not UNDEFINED:
            pieces.append(_leaf_text(item))
            size += len(pieces[-1])
        if size > _CHECKED:
            fuel.text(size)
    fuel.text(size)
    return glue(pieces)


_CHECKED = 10_000_000  # from here on each piece is checked: what is joined in the end must fit into memory


def glue(pieces: list[str]) -> str:
    """Texts put together, with halves of pairs joined across the seams."""
    text = "".join(pieces)
    if text.isascii():
        return text
    whole = ""
    parts: list[str] = []
    for piece in pieces:
        if parts and piece and "\udc00" <= piece[0] <= "\udfff" and parts[-1] and "\ud800" <= parts[-1][-1] <= "\udbff":
            whole = concat(parts.pop(), piece)
            parts.append(whole)
        elif piece:
            parts.append(piece)
    return "".join(parts)


def primitive(value: Any, fuel: Fuel) -> Any:
    """ToPrimitive: objects become text."""
    return value if is_primitive(value) else text_of(value, fuel)


def number_of(value: Any, fuel: Fuel) -> float:
    """Number(value)."""
    if isinstance(value, int | float):
        return double(value)
    if value is None:
        return 0.0
    if is_array(value):
        value = text_of(value, fuel)
    if isinstance(value, str):
        fuel.burn(len(value) >> 5)
        return parse_number(value)
    return math.nan


def integer_of(value: Any, fuel: Fuel) -> float:
    """ToIntegerOrInfinity: an index, a count."""
    return to_integer(number_of(value, fuel))


def loosely_same(left: Any, right: Any, fuel: Fuel) -> bool:
    """==, with its conversions."""
    if left is None or left is UNDEFINED:
        return right is None or right is UNDEFINED
    if right is None or right is UNDEFINED:
        return False
    plain_left, plain_right = is_primitive(left), is_primitive(right)
    if not plain_left and not plain_right:
        return left is right
    if not plain_left:
        left = text_of(left, fuel)
    elif not plain_right:
        right = text_of(right, fuel)
    if isinstance(left, str) and isinstance(right, str):
        fuel.burn(len(left) >> 8)
        return left == right
    return number_of(left, fuel) == number_of(right, fuel)


def less(left: Any, right: Any, fuel: Fuel) -> bool | None:
    """Left < right; None where one of them is not a number."""
    left, right = primitive(left, fuel), primitive(right, fuel)
    if isinstance(left, str) and isinstance(right, str):
        fuel.burn((len(left) + len(right)) >> 7)
        return before(left, right)
    first, second = number_of(left, fuel), number_of(right, fuel)
    return None if math.isnan(first) or math.isnan(second) else first < second


def key_of(key: Any, fuel: Fuel) -> str:
    """ToPropertyKey: what a[key] looks for."""
    return key if type(key) is str else text_of(key, fuel)


def fail(message: str) -> ExpressionError:
    """What JavaScript throws as a TypeError, RangeError or SyntaxError at run."""
    return ExpressionError(message)
