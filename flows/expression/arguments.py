"""How built-ins read their arguments: absent ones are undefined, positions may be negative or NaN."""

from __future__ import annotations

from typing import Any

from flows.expression.convert import fail, integer_of, text_of
from flows.expression.fuel import Fuel
from flows.expression.values import UNDEFINED, Function


def argument(given: list[Any], index: int) -> Any:
    """The argument at `index`, UNDEFINED where it was not given."""
    return given[index] if index < len(given) else UNDEFINED


def text_argument(fuel: Fuel, given: list[Any], index: int) -> str:
    return text_of(argument(given, index), fuel)


def integer(fuel: Fuel, given: list[Any], index: int, default: float = 0) -> float:
    """An integer or an infinity; `default` where it is undefined."""
    value = argument(given, index)
    return default if value is UNDEFINED else integer_of(value, fuel)


def clamped(fuel: Fuel, given: list[Any], index: int, size: int, default: int) -> int:
    """A position from 0 to `size`; what is negative is 0."""
    return int(min(max(integer(fuel, given, index, default), 0), size))


def relative(fuel: Fuel, given: list[Any], index: int, size: int, default: int) -> int:
    """A position from 0 to `size`; what is negative counts from the end."""
    value = integer(fuel, given, index, default)
    return int(max(size + value, 0)) if value < 0 else int(min(value, size))


def callback(given: list[Any], name: str) -> Function:
    """The function that an array function was given."""
    function = argument(given, 0)
    if not isinstance(function, Function):
        raise fail(f"{name}() needs a function, such as x => x.id")
    return function
