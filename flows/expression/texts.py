"""Splitting, matching and replacing in strings, by text or by regular expression."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from flows.errors import DefinitionError
from flows.expression.arguments import argument
from flows.expression.convert import fail, number_of, text_of
from flows.expression.fuel import Fuel
from flows.expression.numerals import to_uint32
from flows.expression.pattern import Match, Pattern, make_pattern
from flows.expression.utf16 import joined, units
from flows.expression.values import UNDEFINED, Function

_MARK: Final = re.compile(r"\$(?:([$&`'])|([0-9]{1,2})|<([^>]*)>)")


def split(fuel: Fuel, this: str, given: list[Any]) -> list[Any]:
    separator = argument(given, 0)
    limit = 2**32 - 1 if argument(given, 1) is UNDEFINED else to_uint32(number_of(argument(given, 1), fuel))
    if not isinstance(separator, Pattern):
        text = text_of(separator, fuel)
        if limit == 0:
            return []
        return [this] if separator is UNDEFINED else _split_text(fuel, units(this), units(text), limit)
    if limit == 0:
        return []
    return _split_pattern(fuel, this, separator, limit)


def _split_text(fuel: Fuel, spread: str, separator: str, limit: int) -> list[Any]:
    fuel.burn(1 + (len(spread) >> 5))
    count = spread.count(separator) + 1 if separator else len(spread)
    fuel.items(count)
    fuel.burn(count >> 1)
    pieces = spread.split(separator) if separator else list(spread)
    return [joined(piece) for piece in pieces[:limit]]


def _split_pattern(fuel: Fuel, this: str, separator: Pattern, limit: int) -> list[Any]:
    spread = units(this)
    fuel.burn(1 + (len(spread) >> 4))
    if not spread:
        return [] if next(separator.matches(this, fuel, sticky=False), None) else [this]
    pieces: list[Any] = []
    last = 0
    for match in separator.matches(this, fuel, sticky=False):
        if match.start >= len(spread):
            break
        if match.end == last or (match.end == match.start == last):
            continue
        pieces.append(joined(spread[last : match.start]))
        pieces.extend(UNDEFINED if group is None else group for group in match.groups[1:])
        last = match.end
        fuel.items(len(pieces) if len(pieces) > 100_000 else 1)
        if len(pieces) >= limit:
            return pieces[:limit]
    pieces.append(joined(spread[last:]))
    return pieces[:limit]


def match(fuel: Fuel, this: str, given: list[Any]) -> Any:
    pattern = _pattern(fuel, given)
    if "g" not in pattern.flags:
        found = next(pattern.matches(this, fuel), None)
        return None if found is None else pattern.array(found, this)
    texts = [each.groups[0] for each in _counted(fuel, pattern.matches(this, fuel))]
    return texts or None


def match_all(fuel: Fuel, this: str, given: list[Any]) -> list[Any]:
    pattern = _pattern(fuel, given, "g")
    if "g" not in pattern.flags:
        raise fail("matchAll() needs the flag g")
    return [pattern.array(each, this) for each in _counted(fuel, pattern.matches(this, fuel))]


def search(fuel: Fuel, this: str, given: list[Any]) -> int:
    found = next(_pattern(fuel, given).matches(this, fuel), None)
    return -1 if found is None else found.start


def _counted(fuel: Fuel, matches: Iterator[Match]) -> Iterator[Match]:
    for count, each in enumerate(matches):
        fuel.burn(1)
        if count % 1000 == 0:
            fuel.items(count)
        yield each


def _pattern(fuel: Fuel, given: list[Any], flags: str = "") -> Pattern:
    """The argument as a pattern; a string is the source of one, as in JavaScript."""
    value = argument(given, 0)
    if isinstance(value, Pattern):
        return value
    source = "(?:)" if value is UNDEFINED else text_of(value, fuel)
    if len(source) > 1000:
        raise fail("a pattern made from a string is longer than 1,000 characters")
    fuel.burn(1000)
    try:
        return make_pattern(source or "(?:)", flags, 0)
    except DefinitionError as error:
        raise fail(f"the pattern is not possible: {error.problems[0].problem}") from None


def replace(fuel: Fuel, this: str, given: list[Any]) -> str:
    return _replace(fuel, this, given, every=False)


def replace_all(fuel: Fuel, this: str, given: list[Any]) -> str:
    if isinstance(argument(given, 0), Pattern) and "g" not in argument(given, 0).flags:
        raise fail("replaceAll() needs the flag g")
    return _replace(fuel, this, given, every=True)


def _replace(fuel: Fuel, this: str, given: list[Any], *, every: bool) -> str:
    target = argument(given, 0)
    if isinstance(target, Pattern):
        matches = target.matches(this, fuel)
        every = "g" in target.flags
    else:
        matches = _places(fuel, units(this), units(text_of(target, fuel)))
    replacement = argument(given, 1)
    if not isinstance(replacement, Function):
        replacement = text_of(replacement, fuel)
    spread = units(this)
    pieces: list[str] = []
    last = 0
    for each in matches:
        pieces.append(spread[last : each.start])
        pieces.append(_replacement(fuel, each, this, spread, target, replacement))
        last = each.end
        fuel.burn(1 + (len(pieces[-1]) >> 4))
        if not every:
            break
    pieces.append(spread[last:])
    fuel.text(sum(map(len, pieces)))
    return joined("".join(pieces))


def _places(fuel: Fuel, spread: str, needle: str) -> Iterator[Match]:
    place = spread.find(needle)
    while place >= 0:
        fuel.burn(1)
        yield Match(place, place + len(needle), (needle,))
        place = spread.find(needle, place + (len(needle) or 1)) if place < len(spread) or needle else -1


def _replacement(fuel: Fuel, each: Match, this: str, spread: str, target: Any, replacement: Any) -> str:
    named = target.named(each) if isinstance(target, Pattern) else UNDEFINED
    if isinstance(replacement, Function):
        groups = [UNDEFINED if group is None else joined(group) for group in each.groups]
        more = [] if named is UNDEFINED else [named]
        return units(text_of(replacement.call(fuel, [*groups, each.start, this, *more]), fuel))
    if "$" not in replacement:
        return units(replacement)
    fuel.burn(len(replacement) >> 3)
    size = 0

    def expand(mark: re.Match[str]) -> str:
        nonlocal size
        text = _expanded(mark, each, spread, named, fuel)
        size += len(text)
        fuel.text(size)
        return text

    return _MARK.sub(expand, units(replacement))


def _expanded(mark: re.Match[str], each: Match, spread: str, named: Any, fuel: Fuel) -> str:
    sign, digits, name = mark.groups()
    if sign:
        return {"$": "$", "&": units(each.groups[0] or ""), "`": spread[: each.start], "'": spread[each.end :]}[sign]
    if name is not None:
        if named is UNDEFINED:
            return mark[0]
        value = named.get(joined(name), UNDEFINED)
        return "" if value is UNDEFINED else units(text_of(value, fuel))
    for count in (2, 1):
        number = int(digits[:count])
        if len(digits) >= count and 0 < number < len(each.groups):
            return units(each.groups[number] or "") + digits[count:]
    return mark[0]


TEXTS: Final[dict[str, Callable[[Fuel, Any, list[Any]], Any]]] = {
    "match": match,
    "matchAll": match_all,
    "replace": replace,
    "replaceAll": replace_all,
    "search": search,
    "split": split,
}
