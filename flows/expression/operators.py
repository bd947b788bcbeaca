"""The operators on values: arithmetic in doubles, never in Python's unbounded integers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from flows.errors import MissingPath
from flows.expression.convert import fail, is_primitive, key_of, less, loosely_same, number_of, primitive, same, text_of
from flows.expression.fuel import Fuel
from flows.expression.numerals import to_int32, to_uint32
from flows.expression.read import has
from flows.expression.utf16 import concat
from flows.expression.values import UNDEFINED, type_of

Operator = Callable[[Any, Any, Fuel], Any]


def add(left: Any, right: Any, fuel: Fuel) -> Any:
    if type(left) is not str or type(right) is not str:  # two texts, the common case, are spared the conversions
        left, right = primitive(left, fuel), primitive(right, fuel)
        if isinstance(left, str) or isinstance(right, str):
            left, right = text_of(left, fuel), text_of(right, fuel)
    if isinstance(left, str):
        fuel.text(len(left) + len(right))
        return concat(left, right)
    return number_of(left, fuel) + number_of(right, fuel)


def subtract(left: Any, right: Any, fuel: Fuel) -> float:
    return number_of(left, fuel) - number_of(right, fuel)


def multiply(left: Any, right: Any, fuel: Fuel) -> float:
    return number_of(left, fuel) * number_of(right, fuel)


def divide(left: Any, right: Any, fuel: Fuel) -> float:
    over, under = number_of(left, fuel), number_of(right, fuel)
    if under != 0:
        return over / under
    if over == 0 or math.isnan(over):
        return math.nan
    return math.copysign(math.inf, over) * math.copysign(1.0, under)


def remainder(left: Any, right: Any, fuel: Fuel) -> float:
    over, under = number_of(left, fuel), number_of(right, fuel)
    if under == 0 or math.isinf(over) or math.isnan(over) or math.isnan(under):
        return math.nan
    return math.fmod(over, under)


def power(left: Any, right: Any, fuel: Fuel) -> float:
    return raised(number_of(left, fuel), number_of(right, fuel))


def raised(base: float, exponent: float) -> float:
    """Base ** exponent in doubles: overflow is Infinity, and 1 ** Infinity is NaN."""
    if math.isnan(exponent) or (abs(base) == 1 and math.isinf(exponent)):
        return math.nan
    odd = math.isfinite(exponent) and exponent % 2 in {1, -1}
    sign = -1.0 if odd and math.copysign(1.0, base) < 0 else 1.0
    if base == 0 and exponent < 0:
        return sign * math.inf
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return sign * math.inf
    except ValueError:
        return math.nan


def bit_and(left: Any, right: Any, fuel: Fuel) -> int:
    return to_int32(number_of(left, fuel)) & to_int32(number_of(right, fuel))


def bit_or(left: Any, right: Any, fuel: Fuel) -> int:
    return to_int32(number_of(left, fuel)) | to_int32(number_of(right, fuel))


def bit_xor(left: Any, right: Any, fuel: Fuel) -> int:
    return to_int32(number_of(left, fuel)) ^ to_int32(number_of(right, fuel))


def shift_left(left: Any, right: Any, fuel: Fuel) -> int:
    return to_int32(float(to_int32(number_of(left, fuel)) << (to_uint32(number_of(right, fuel)) & 31)))


def shift_right(left: Any, right: Any, fuel: Fuel) -> int:
    return to_int32(number_of(left, fuel)) >> (to_uint32(number_of(right, fuel)) & 31)


def shift_unsigned(left: Any, right: Any, fuel: Fuel) -> int:
    return to_uint32(number_of(left, fuel)) >> (to_uint32(number_of(right, fuel)) & 31)


def less_than(left: Any, right: Any, fuel: Fuel) -> bool:
    return less(left, right, fuel) is True


def more_than(left: Any, right: Any, fuel: Fuel) -> bool:
    return less(right, left, fuel) is True


def at_most(left: Any, right: Any, fuel: Fuel) -> bool:
    return less(right, left, fuel) is False


def at_least(left: Any, right: Any, fuel: Fuel) -> bool:
    return less(left, right, fuel) is False


def equal(left: Any, right: Any, fuel: Fuel) -> bool:
    return loosely_same(left, right, fuel)


def not_equal(left: Any, right: Any, fuel: Fuel) -> bool:
    return not loosely_same(left, right, fuel)


def identical(left: Any, right: Any, fuel: Fuel) -> bool:
    if type(left) is str and type(right) is str:
        fuel.burn(len(left) >> 10)
    return same(left, right)


def not_identical(left: Any, right: Any, fuel: Fuel) -> bool:
    return not identical(left, right, fuel)


def within(left: Any, right: Any, fuel: Fuel) -> bool:
    """`key in object`. The right side being missing is a walk into nothing; the compiler knows its text."""
    if right is UNDEFINED or right is None:
        raise MissingPath("the right side of `in` is missing", path="")
    if is_primitive(right):
        raise fail(f"`in` asks an object or an array for a key, not a {type_of(right)}")
    return has(right, key_of(left, fuel))


OPERATORS: Final[dict[str, Operator]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": remainder,
    "**": power,
    "&": bit_and,
    "|": bit_or,
    "^": bit_xor,
    "<<": shift_left,
    ">>": shift_right,
    ">>>": shift_unsigned,
    "<": less_than,
    ">": more_than,
    "<=": at_most,
    ">=": at_least,
    "==": equal,
    "!=": not_equal,
    "===": identical,
    "!==": not_identical,
    "in": within,
}


def type_name(value: Any) -> str:
    """typeof: null and arrays are objects."""
    kind = type_of(value)
    return "object" if kind in {"null", "array"} else kind


def negative(value: Any, fuel: Fuel) -> float:
    return -number_of(value, fuel)


def positive(value: Any, fuel: Fuel) -> float:
    return number_of(value, fuel)


def inverted(value: Any, fuel: Fuel) -> int:
    return ~to_int32(number_of(value, fuel))


UNARY: Final[dict[str, Callable[[Any, Fuel], Any]]] = {"-": negative, "+": positive, "~": inverted}
