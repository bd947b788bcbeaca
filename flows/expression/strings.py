"""The functions of strings, counted in UTF-16 code units."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable
from typing import Any, Final

from flows.expression.arguments import argument, clamped, integer, relative, text_argument
from flows.expression.convert import fail, glue, number_of, text_of
from flows.expression.fuel import Fuel
from flows.expression.pattern import Pattern
from flows.expression.texts import TEXTS
from flows.expression.utf16 import WHITESPACE, joined, length, units
from flows.expression.values import UNDEFINED

Method = Callable[[Fuel, Any, list[Any]], Any]


def _spread(fuel: Fuel, text: str) -> str:
    fuel.burn(len(text) >> (7 if text.isascii() else 3))
    return units(text)


def char_at(fuel: Fuel, this: str, given: list[Any]) -> str:
    return _unit(_spread(fuel, this), integer(fuel, given, 0)) or ""


def _unit(spread: str, index: float) -> str | None:
    return spread[int(index)] if 0 <= index < len(spread) else None


def at(fuel: Fuel, this: str, given: list[Any]) -> Any:
    spread, index = _spread(fuel, this), integer(fuel, given, 0)
    found = _unit(spread, index + len(spread) if index < 0 else index)
    return UNDEFINED if found is None else found


def char_code_at(fuel: Fuel, this: str, given: list[Any]) -> float:
    found = _unit(_spread(fuel, this), integer(fuel, given, 0))
    return math.nan if found is None else ord(found)


def code_point_at(fuel: Fuel, this: str, given: list[Any]) -> Any:
    spread, index = _spread(fuel, this), integer(fuel, given, 0)
    if not 0 <= index < len(spread):
        return UNDEFINED
    return ord(joined(spread[int(index) : int(index) + 2])[0])


def _needle(fuel: Fuel, given: list[Any], name: str) -> str:
    if isinstance(argument(given, 0), Pattern):
        raise fail(f"{name}() looks for a string; use test() for a regular expression")
    return _spread(fuel, text_argument(fuel, given, 0))


def includes(fuel: Fuel, this: str, given: list[Any]) -> bool:
    spread, needle = _spread(fuel, this), _needle(fuel, given, "includes")
    start = clamped(fuel, given, 1, len(spread), 0)
    return needle in (spread[start:] if start else spread)


def starts_with(fuel: Fuel, this: str, given: list[Any]) -> bool:
    spread, needle = _spread(fuel, this), _needle(fuel, given, "startsWith")
    return spread.startswith(needle, clamped(fuel, given, 1, len(spread), 0))


def ends_with(fuel: Fuel, this: str, given: list[Any]) -> bool:
    spread, needle = _spread(fuel, this), _needle(fuel, given, "endsWith")
    return spread[: clamped(fuel, given, 1, len(spread), len(spread))].endswith(needle)


def index_of(fuel: Fuel, this: str, given: list[Any]) -> int:
    spread, needle = _spread(fuel, this), _spread(fuel, text_argument(fuel, given, 0))
    return spread.find(needle, clamped(fuel, given, 1, len(spread), 0))


def last_index_of(fuel: Fuel, this: str, given: list[Any]) -> int:
    spread, needle = _spread(fuel, this), _spread(fuel, text_argument(fuel, given, 0))
    number = number_of(argument(given, 1), fuel)
    start = len(spread) if math.isnan(number) else int(min(max(number, 0), len(spread)))
    fuel.burn(len(spread) * min(len(needle), 64) >> 10)
    return spread.rfind(needle, 0, start + len(needle))


def cut(fuel: Fuel, this: str, given: list[Any]) -> str:
    spread = _spread(fuel, this)
    start = relative(fuel, given, 0, len(spread), 0)
    return joined(spread[start : relative(fuel, given, 1, len(spread), len(spread))])


def substring(fuel: Fuel, this: str, given: list[Any]) -> str:
    spread = _spread(fuel, this)
    start, end = clamped(fuel, given, 0, len(spread), 0), clamped(fuel, given, 1, len(spread), len(spread))
    return joined(spread[min(start, end) : max(start, end)])


def substr(fuel: Fuel, this: str, given: list[Any]) -> str:
    spread = _spread(fuel, this)
    start = relative(fuel, given, 0, len(spread), 0)
    count = min(max(integer(fuel, given, 1, len(spread)), 0), len(spread) - start)
    return joined(spread[start : start + int(count)])


def upper(fuel: Fuel, this: str, _given: list[Any]) -> str:
    fuel.text(3 * len(this))
    return this.upper()


def lower(fuel: Fuel, this: str, _given: list[Any]) -> str:
    fuel.text(3 * len(this))
    return this.lower()


def trim(fuel: Fuel, this: str, _given: list[Any]) -> str:
    fuel.burn(len(this) >> 6)
    return this.strip(WHITESPACE)


def trim_start(fuel: Fuel, this: str, _given: list[Any]) -> str:
    fuel.burn(len(this) >> 6)
    return this.lstrip(WHITESPACE)


def trim_end(fuel: Fuel, this: str, _given: list[Any]) -> str:
    fuel.burn(len(this) >> 6)
    return this.rstrip(WHITESPACE)


def _padding(fuel: Fuel, this: str, given: list[Any]) -> str:
    wanted = integer(fuel, given, 0) - length(this)
    filler = " " if argument(given, 1) is UNDEFINED else _spread(fuel, text_argument(fuel, given, 1))
    if wanted <= 0 or not filler:
        return ""
    fuel.text(_count(wanted + len(this)))
    count = int(wanted)
    return (filler * (count // len(filler) + 1))[:count]


def _count(number: float) -> int:
    return int(min(number, 2**53))


def pad_start(fuel: Fuel, this: str, given: list[Any]) -> str:
    return joined(_padding(fuel, this, given) + units(this))


def pad_end(fuel: Fuel, this: str, given: list[Any]) -> str:
    return joined(units(this) + _padding(fuel, this, given))


def repeat(fuel: Fuel, this: str, given: list[Any]) -> str:
    count = integer(fuel, given, 0)
    if count < 0 or math.isinf(count):
        raise fail("repeat() needs a count that is neither negative nor infinite")
    if not this:
        return ""
    fuel.text(_count(count * len(this)))
    return joined(units(this) * int(count))


def concat(fuel: Fuel, this: str, given: list[Any]) -> str:
    pieces = [this, *(text_of(value, fuel) for value in given)]
    fuel.text(sum(map(len, pieces)))
    return glue(pieces)


def own_text(_fuel: Fuel, this: str, _given: list[Any]) -> str:
    return this


def normalize(fuel: Fuel, this: str, given: list[Any]) -> str:
    form = "NFC" if argument(given, 0) is UNDEFINED else text_argument(fuel, given, 0)
    if form not in {"NFC", "NFD", "NFKC", "NFKD"}:
        raise fail("normalize() takes NFC, NFD, NFKC or NFKD")
    fuel.text(18 * len(this))  # the most that one character becomes
    return unicodedata.normalize(form, this)  # type: ignore[arg-type]  # checked above


def well_formed(_fuel: Fuel, this: str, _given: list[Any]) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in this)


def to_well_formed(fuel: Fuel, this: str, _given: list[Any]) -> str:
    fuel.text(len(this))
    return "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in this)


STRINGS: Final[dict[str, Method]] = {
    "at": at,
    "charAt": char_at,
    "charCodeAt": char_code_at,
    "codePointAt": code_point_at,
    "concat": concat,
    "endsWith": ends_with,
    "includes": includes,
    "indexOf": index_of,
    "isWellFormed": well_formed,
    "lastIndexOf": last_index_of,
    "normalize": normalize,
    "padEnd": pad_end,
    "padStart": pad_start,
    "repeat": repeat,
    "slice": cut,
    "startsWith": starts_with,
    "substr": substr,
    "substring": substring,
    "toLocaleLowerCase": lower,
    "toLocaleUpperCase": upper,
    "toLowerCase": lower,
    "toString": own_text,
    "toUpperCase": upper,
    "toWellFormed": to_well_formed,
    "trim": trim,
    "trimEnd": trim_end,
    "trimLeft": trim_start,
    "trimRight": trim_end,
    "trimStart": trim_start,
    "valueOf": own_text,
    **TEXTS,
}
