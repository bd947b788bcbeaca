"""Which functions a value has, by its type. JSON objects have none but a few that only look at their own keys."""

from __future__ import annotations

import math
from difflib import get_close_matches
from typing import Any, Final

from flows.expression.arguments import argument, integer, text_argument
from flows.expression.arrays import ARRAYS
from flows.expression.convert import fail, key_of, text_of
from flows.expression.fuel import Fuel
from flows.expression.numerals import double, exponential_text, fixed_text, number_text, precision_text, radix_text
from flows.expression.pattern import Pattern
from flows.expression.read import has
from flows.expression.strings import STRINGS, Method
from flows.expression.values import UNDEFINED, MatchArray, Opaque, type_of


def number_to_string(fuel: Fuel, this: Any, given: list[Any]) -> str:
    radix = integer(fuel, given, 0, 10)
    if not 2 <= radix <= 36:
        raise fail("toString() takes a base from 2 to 36")
    value = double(this)
    if radix == 10 or not math.isfinite(value):
        return number_text(value)
    fuel.burn(8 if 1e-6 < abs(value) < 2**53 else 250)  # up to 1,100 digits, one by one
    return radix_text(value, int(radix))


def _places(fuel: Fuel, given: list[Any], name: str, least: int) -> int:
    count = integer(fuel, given, 0)
    if not least <= count <= 100:
        raise fail(f"{name}() takes {least} to 100 digits")
    fuel.burn(6)
    return int(count)


def to_fixed(fuel: Fuel, this: Any, given: list[Any]) -> str:
    places, value = _places(fuel, given, "toFixed", 0), double(this)
    return fixed_text(value, places) if abs(value) < 1e21 else number_text(value)


def to_precision(fuel: Fuel, this: Any, given: list[Any]) -> str:
    value = double(this)
    if argument(given, 0) is UNDEFINED or not math.isfinite(value):
        return number_text(value)
    return precision_text(value, _places(fuel, given, "toPrecision", 1))


def to_exponential(fuel: Fuel, this: Any, given: list[Any]) -> str:
    value = double(this)
    if not math.isfinite(value):
        return number_text(value)
    return exponential_text(value, None if argument(given, 0) is UNDEFINED else _places(fuel, given, "toExponential", 0))


def itself(_fuel: Fuel, this: Any, _given: list[Any]) -> Any:
    return this


def as_text(fuel: Fuel, this: Any, _given: list[Any]) -> str:
    return text_of(this, fuel)


def has_own(fuel: Fuel, this: Any, given: list[Any]) -> bool:
    return has(this, key_of(argument(given, 0), fuel))


def test(fuel: Fuel, this: Pattern, given: list[Any]) -> bool:
    return this.search(text_argument(fuel, given, 0), fuel)


def execute(fuel: Fuel, this: Pattern, given: list[Any]) -> Any:
    text = text_argument(fuel, given, 0)
    found = next(this.matches(text, fuel), None)
    return None if found is None else this.array(found, text)


_COMMON: Final[dict[str, Method]] = {"toString": as_text, "valueOf": itself}
_OWN: Final[dict[str, Method]] = {"hasOwnProperty": has_own}
_METHODS: Final[dict[str, dict[str, Method]]] = {
    "string": STRINGS,
    "array": {**_COMMON, **_OWN, **ARRAYS},
    "number": {
        **_COMMON,
        "toExponential": to_exponential,
        "toFixed": to_fixed,
        "toPrecision": to_precision,
        "toString": number_to_string,
    },
    "boolean": _COMMON,
    "object": {**_COMMON, **_OWN},
    "function": _COMMON,
}
_PATTERN: Final[dict[str, Method]] = {**_COMMON, "exec": execute, "test": test}
METHOD_NAMES: Final = sorted({name for table in (*_METHODS.values(), _PATTERN) for name in table})


def method_of(this: Any, name: str) -> Method | None:
    """The built-in that `this.name(…)` calls, None where there is none or the value has something of its own there."""
    kind = type(this)
    if kind is str:
        return STRINGS.get(name)
    if kind is Pattern:
        return _PATTERN.get(name)
    if isinstance(this, dict | Opaque | MatchArray) and name in (this if isinstance(this, dict) else this.members):
        return None
    return _METHODS.get(type_of(this), {}).get(name)


def hint_for(name: str) -> str:
    """What may have been meant."""
    meant = {"contains": "includes", "size": "length", "len": "length", "has": "hasOwnProperty"}.get(name)
    near = [meant] if meant else get_close_matches(name, METHOD_NAMES, 1) if len(name) <= 40 else []
    return f" (did you mean `{near[0]}`)" if near and near[0] != name else ""
