"""JSON definitions: the standard reader, with duplicate keys, NaN and comments refused where they stand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from flows.document.places import Place, Style
from flows.document.refuse import MAX_DEPTH, refuse

# The closing quote is optional, so that an open text is one token and not tried again at each of its quotes.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{},:]|[^\s\[\]{},:"]+', re.DOTALL)
_BAD_NUMBER = re.compile(r"-?(?:NaN|Infinity|[0-9.eE+-]+)")

# How the reader's messages begin, and what a person is told; {} is what stands there.
_BETTER: dict[str, tuple[str, str | None]] = {
    "Illegal trailing comma": ("there is a comma too many", "no comma after the last one"),
    "Expecting ',' delimiter": ("a comma is missing before {}", None),
    "Expecting ':' delimiter": ("a colon is missing before {}", None),
    "Expecting property name": ("a key must stand here, not {}", 'keys stand in double quotes: "key"'),
    "Expecting value": ("a value must stand here, not {}", None),
    "Extra data": ("there is more after the end of the document", "one file holds one definition"),
    "Unterminated string": ("a text is not closed", 'close it with "'),
    "Invalid control character": ("a line ends or a control character stands inside quotes", r"write \n, or close the quotes"),
    "Invalid \\escape": ("a backslash stands before a character that it cannot escape", r"write \\ for a backslash"),
    "Invalid \\uXXXX": (r"\u must have four hexadecimal digits", None),
}


class _Found(Exception):  # noqa: N818 - it carries what was found out of the reader's hooks, which know no place
    """A key or number that is refused."""


def parse_json(text: str) -> Any:
    """The value; raises DefinitionError with line and column."""
    if not text.strip():
        refuse("the file is empty", None, text, 0)
    _check_depth(text)
    try:
        return _READER.decode(text)
    except json.JSONDecodeError as error:
        _refuse_syntax(text, error)
    except _Found as found:
        _refuse_found(text, str(found))


def _refuse_syntax(text: str, error: json.JSONDecodeError) -> NoReturn:
    at = min(error.pos, len(text))
    before = text[:at].rstrip()
    if text[at : at + 1] in ("}", "]", ",") and before.endswith(","):
        refuse("there is a comma too many", "no comma after the last one", text, len(before) - 1)  # where Python 3.13 is already
    said, hint = _seen(text, at) or next(
        (better for begin, better in _BETTER.items() if error.msg.startswith(begin)),
        (error.msg[:1].lower() + error.msg[1:], None),
    )
    refuse(said.replace("{}", _word(text, at)), hint, text, at)


def _seen(text: str, at: int) -> tuple[str, str | None] | None:
    """What is wrong, where the character itself tells."""
    here = text[at : at + 1]
    if here == "#" or text[at : at + 2] in ("//", "/*"):
        return "JSON has no comments", "delete it, or write the definition in YAML"
    if here == "'":
        return "JSON texts stand in double quotes", 'write "…"'
    return None if here else ("the text ends too early", "a bracket or quote is not closed")


def _word(text: str, at: int) -> str:
    found = re.compile(r'"[^"\n]{0,30}"?|[^\s,:\[\]{}"]{1,30}|.', re.DOTALL).match(text, at)
    return found[0] if found else "the end"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise _Found("duplicate")
    return made


def _constant(_name: str) -> NoReturn:
    raise _Found("number")


def _float(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise _Found("number")
    return number


def _int(digits: str) -> int:
    if len(digits) > 1000:  # far below where int() refuses, and beyond what any definition means
        raise _Found("number")
    return int(digits)


_READER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float, parse_int=_int)


def _refuse_found(text: str, what: str) -> NoReturn:
    """Find the place that the reader's hooks could not know."""
    if what == "duplicate":
        for _ in _scan(text, unique=True):
            pass  # raises where the second key stands
    for token in _TOKEN.finditer(text):
        if _BAD_NUMBER.fullmatch(token[0]) and not _fits(token[0]):
            refuse(f"{token[0][:40]} is no number that JSON can hold", None, text, token.start())
    refuse("a number is too large, or a key stands twice", None, text, 0)


def _fits(digits: str) -> bool:
    try:
        return len(digits) <= 1000 and abs(float(digits)) < float("inf")
    except ValueError:
        return True


def _check_depth(text: str) -> None:
    """The standard reader recurses; this does not."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                refuse(f"brackets are nested more than {MAX_DEPTH} deep", None, text, token.start())
        elif token[0] in "]}":
            depth -= 1


def json_places(text: str) -> Place:
    """The places of a text that parse_json took."""
    root = Place(0, len(text))
    for _, place in _scan(text, unique=False):
        root = place
    return root


def _scan(text: str, *, unique: bool) -> Iterator[tuple[int, Place]]:
    """Each value as it ends, with its depth; the last is the whole. `unique`: refuse a key that stands twice."""
    stack: list[tuple[Place, bool]] = []  # open containers, and whether each is an object
    key: list[str | int] = []  # the key or index that the next value of each has
    waiting = False  # a key was read in the innermost object, its value comes next
    key_at = 0  # where that key begins
    for token in _TOKEN.finditer(text):
        said = token[0]
        if said in ",:":
            continue
        if said in "]}":
            place, _ = stack.pop()
            place.end = token.end()
            key.pop()
        elif stack and stack[-1][1] and not waiting:
            name = json.loads(said)
            if unique and name in stack[-1][0].inside:
                refuse(f"the key {said[:60]} stands twice in one object", "keep one of them", text, token.start())
            key[-1], waiting, key_at = name, True, token.start()
            continue
        else:
            style: Style = "json" if said[0] == '"' else "other"
            place = Place(token.start(), token.end(), style, key=key_at if waiting else None)
            _put(stack, key, place)
            waiting = False
            if said in "[{":
                stack.append((place, said == "{"))
                key.append("" if said == "{" else 0)
                continue
        yield len(stack), place


def _put(stack: list[tuple[Place, bool]], key: list[str | int], place: Place) -> None:
    if not stack:
        return
    stack[-1][0].inside[key[-1]] = place
    if isinstance(key[-1], int):
        key[-1] += 1
