"""The functions of RFC 9535 that a filter may call: length, count, value, match, search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import re2

MAX_PATTERN = 1000  # characters: patterns may come from an event, and each is compiled
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False  # a bad pattern is an answer, not a line on stderr


@dataclass(frozen=True, slots=True)
class Function:
    """`call` is given a list for each argument: the nodes of its path, or its one value, or nothing. It gives a list, too."""

    arguments: int
    call: Callable[..., list[Any]]
    takes_nodes: bool = False  # True: its argument may be a path that matches many
    answers: bool = False  # True: it holds or it does not, so it is a test and no value


def _length(found: list[Any]) -> list[Any]:
    return [len(value) for value in found if isinstance(value, (str, list, dict))]


def _count(found: list[Any]) -> list[Any]:
    return [len(found)]


def _value(found: list[Any]) -> list[Any]:
    return found if len(found) == 1 else []


def _match(found: list[Any], patterns: list[Any]) -> list[Any]:
    return [True] if _tries(found, patterns, whole=True) else []


def _search(found: list[Any], patterns: list[Any]) -> list[Any]:
    return [True] if _tries(found, patterns, whole=False) else []


def _tries(found: list[Any], patterns: list[Any], *, whole: bool) -> bool:
    if not (found and patterns and isinstance(found[0], str) and isinstance(patterns[0], str)):
        return False
    regex = compile_pattern(patterns[0])
    if regex is None:
        return False
    try:
        return bool(regex.fullmatch(found[0]) if whole else regex.search(found[0]))
    except UnicodeEncodeError:  # a lone surrogate, which no pattern can name
        return False


@lru_cache(maxsize=256)
def compile_pattern(pattern: str) -> Any:
    """A pattern in the sense of RFC 9485, on an engine of linear time; None where it is none."""
    if len(pattern) > MAX_PATTERN:
        return None
    try:
        return re2.compile(_dots_of_one_line(pattern), _OPTIONS)
    except (re2.error, UnicodeEncodeError):
        return None


def _dots_of_one_line(pattern: str) -> str:
    """A dot of RFC 9485 matches neither a line feed nor a carriage return; re2's matches the latter."""
    made, in_class, escaped = [], False, False
    for character in pattern:
        made.append("[^\\n\\r]" if character == "." and not in_class and not escaped else character)
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character in "[]":
            in_class = character == "["
    return "".join(made)


FUNCTIONS = {
    "length": Function(1, _length),
    "count": Function(1, _count, takes_nodes=True),
    "value": Function(1, _value, takes_nodes=True),
    "match": Function(2, _match, answers=True),
    "search": Function(2, _search, answers=True),
}
