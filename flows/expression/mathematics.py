"""Math: functions on doubles, without Math.random (an expression always gives the same answer)."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

from flows.expression.arguments import argument
from flows.expression.convert import number_of
from flows.expression.fuel import Fuel
from flows.expression.numerals import to_int32, to_uint32
from flows.expression.operators import raised
from flows.expression.values import Function, Opaque


def _defined(function: Callable[[float], float], overflow: float = math.inf) -> Callable[[float], float]:
    """Python raises where JavaScript gives NaN or Infinity."""

    def safe(value: float) -> float:
        try:
            return function(value)
        except ValueError:
            return math.nan
        except OverflowError:
            return math.copysign(overflow, value) if overflow > 0 else -overflow

    return safe


def _kept(function: Callable[[float], int]) -> Callable[[float], float]:
    """To an integer, keeping infinities, NaN and the sign of zero."""
    return lambda value: math.copysign(float(function(value)), value) if math.isfinite(value) else value


def _rounded(value: float) -> float:
    if not math.isfinite(value) or value == math.floor(value):
        return value
    whole = float(math.floor(value))
    return math.copysign(whole + 1 if value - whole >= 0.5 else whole, value)


def _sign(value: float) -> float:
    return value if value == 0 or math.isnan(value) else math.copysign(1.0, value)


def _logarithm(function: Callable[[float], float]) -> Callable[[float], float]:
    return lambda value: -math.inf if value == 0 else math.nan if value < 0 else function(value)


def _log1p(value: float) -> float:
    return -math.inf if value == -1 else _defined(math.log1p)(value)


def _atanh(value: float) -> float:
    return math.copysign(math.inf, value) if abs(value) == 1 else _defined(math.atanh)(value)


def _fround(value: float) -> float:
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def _cube_root(fuel: Fuel, given: list[Any]) -> float:
    value = number_of(argument(given, 0), fuel)
    fuel.burn(20)
    near = math.cbrt(value)
    if near == 0 or not math.isfinite(near):
        return near
    # The C library may be one unit off; the nearest of the neighbours is what people see elsewhere.
    exact = Fraction(value)
    return min(
        (near, math.nextafter(near, 0.0), math.nextafter(near, 2 * near)), key=lambda root: abs(Fraction(root) ** 3 - exact)
    )


def _leading_zeros(value: float) -> float:
    return 32 - to_uint32(value).bit_length()


_ONE: Final[dict[str, Callable[[float], float]]] = {
    "abs": abs,
    "acos": _defined(math.acos),
    "acosh": _defined(math.acosh),
    "asin": _defined(math.asin),
    "asinh": math.asinh,
    "atan": math.atan,
    "atanh": _atanh,
    "ceil": _kept(math.ceil),
    "clz32": _leading_zeros,
    "cos": _defined(math.cos),
    "cosh": _defined(math.cosh, -math.inf),
    "exp": _defined(math.exp, -math.inf),
    "expm1": _defined(math.expm1, -math.inf),
    "floor": _kept(math.floor),
    "fround": _fround,
    "log": _logarithm(math.log),
    "log10": _logarithm(math.log10),
    "log1p": _log1p,
    "log2": _logarithm(math.log2),
    "round": _rounded,
    "sign": _sign,
    "sin": _defined(math.sin),
    "sinh": _defined(math.sinh),
    "sqrt": _defined(math.sqrt),
    "tan": _defined(math.tan),
    "tanh": math.tanh,
    "trunc": _kept(math.trunc),
}


def _of_one(function: Callable[[float], float]) -> Callable[[Fuel, list[Any]], Any]:
    return lambda fuel, given: function(number_of(argument(given, 0), fuel))


def _numbers(fuel: Fuel, given: list[Any]) -> list[float]:
    fuel.burn(len(given))
    return [number_of(value, fuel) for value in given]


def most(fuel: Fuel, given: list[Any]) -> float:
    numbers = _numbers(fuel, given)
    if any(map(math.isnan, numbers)):
        return math.nan
    return max(numbers, key=lambda number: (number, math.copysign(1.0, number)), default=-math.inf)


def least(fuel: Fuel, given: list[Any]) -> float:
    numbers = _numbers(fuel, given)
    if any(map(math.isnan, numbers)):
        return math.nan
    return min(numbers, key=lambda number: (number, math.copysign(1.0, number)), default=math.inf)


def hypotenuse(fuel: Fuel, given: list[Any]) -> float:
    return math.hypot(*_numbers(fuel, given))


def angle(fuel: Fuel, given: list[Any]) -> float:
    return math.atan2(number_of(argument(given, 0), fuel), number_of(argument(given, 1), fuel))


def power(fuel: Fuel, given: list[Any]) -> float:
    return raised(number_of(argument(given, 0), fuel), number_of(argument(given, 1), fuel))


def product(fuel: Fuel, given: list[Any]) -> int:
    left, right = (to_int32(number_of(argument(given, index), fuel)) for index in (0, 1))
    low = (left * right) & 0xFFFFFFFF
    return low - 2**32 if low >= 2**31 else low


_SEVERAL: Final = {
    "atan2": angle,
    "cbrt": _cube_root,
    "hypot": hypotenuse,
    "imul": product,
    "max": most,
    "min": least,
    "pow": power,
}

MATH: Final = Opaque(
    "[object Math]",
    {
        "E": math.e,
        "LN10": math.log(10),
        "LN2": math.log(2),
        "LOG10E": 0.4342944819032518,
        "LOG2E": 1.4426950408889634,
        "PI": math.pi,
        "SQRT1_2": math.sqrt(0.5),
        "SQRT2": math.sqrt(2),
        **{name: Function(f"function {name}() {{ [native code] }}", _of_one(function)) for name, function in _ONE.items()},
        **{name: Function(f"function {name}() {{ [native code] }}", function) for name, function in _SEVERAL.items()},
    },
)
