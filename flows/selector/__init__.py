"""JSONPath: checked at load, compiled to closures, RFC 9535's meaning.

`$.headers.x-id` is accepted beside RFC 9535's grammar; everything else that the grammar does not have is refused with its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import takewhile
from typing import Any

from flows.errors import DefinitionError, SelectorError
from flows.selector.filters import compile_filter
from flows.selector.grammar import MAX_TEXT, read_name, read_segments
from flows.selector.reader import Reader
from flows.selector.tree import Name, Query, Segment
from flows.selector.walk import MAX_FOUND, MAX_STEPS, MISSING, Missing, Walk, compile_steps, plain_walk

_DOTTED = re.compile(r"\$(?:\.[A-Za-z_][A-Za-z0-9_]*){1,16}", re.ASCII)  # `$.body.a`: most of the paths that people write

__all__ = ["MAX_FOUND", "MAX_STEPS", "MISSING", "Missing", "Selector", "compile_selector", "read_selector_at"]


@dataclass(frozen=True, slots=True)
class Selector:
    """One JSONPath, ready to look things up. Both functions raise SelectorError and nothing else, whatever the data."""

    text: str  # as written
    single: bool  # whether its form lets it match one place at most
    segments: tuple[str | int, ...]  # the keys and indexes it begins with, up to the first step that can match many
    get: Callable[[Any], Any]  # root → with `single` the value or MISSING, else the list of all values
    find: Callable[[Any], list[Any]]  # root → all values, in the order of RFC 9535


def compile_selector(text: str, *, fold_headers: bool = False) -> Selector:
    """Raises DefinitionError, code SELECTOR_SYNTAX, with the offset of what is wrong.

    `fold_headers`: the root is an event, whose header names are in lower case, so `$.headers['X-Id']` looks for `x-id`.
    """
    if not isinstance(text, str):
        raise DefinitionError.at((), f"a path is text, not {text!r:.40}", 'write "$.body.key"', code="SELECTOR_SYNTAX")
    if len(text) <= MAX_TEXT and _DOTTED.fullmatch(text):
        names = text.split(".")[1:]
        if fold_headers and names[0] == "headers":
            names[1:2] = [name.lower() for name in names[1:2]]
        return _single(text, tuple(names))
    return _read(text, fold_headers)


@lru_cache(maxsize=1024)  # the same headers stand in the triggers of a whole home
def _read(text: str, fold_headers: bool) -> Selector:  # noqa: FBT001 - lru_cache keys by position at half the cost
    reader = Reader(text)
    _check_begin(reader)
    reader.at = 1
    segments = read_segments(reader)
    if reader.at < len(text):
        _fail_behind(reader)
    return _make(text, _folded(segments) if fold_headers else segments)


def read_selector_at(text: str, at: int, *, fold_headers: bool = False) -> tuple[Selector, int]:
    """The selector that begins at `at` inside a longer text, and where it ends. Raises as compile_selector does.

    Without `$` it begins with a key: `a`, `a.b[0]`.
    """
    reader = Reader(text, at)
    first = () if reader.take("$") else (Segment((Name(read_name(reader)),)),)
    segments = (*first, *read_segments(reader))
    if reader.at - at > MAX_TEXT:
        reader.fail(f"the path has {reader.at - at:,} characters", f"at most {MAX_TEXT:,}", at=at + MAX_TEXT)
    return _make(text[at : reader.at], _folded(segments) if fold_headers else segments), reader.at


def _check_begin(reader: Reader) -> None:
    text = reader.text
    if len(text) > MAX_TEXT:
        reader.fail(f"the path has {len(text):,} characters", f"at most {MAX_TEXT:,}", at=MAX_TEXT)
    if not text.strip():
        reader.fail("the path is empty", "write $ for the whole, $.body.key for a part")
    if text[0].isspace():
        reader.fail("the path begins with a blank", "write it without")
    if text[0] == "@":
        reader.fail("a path begins with $", "@ is the node that a filter tests: [?@.key == 1]")
    if text[0] != "$":
        joint = "" if text[0] in ".[" else "."
        reader.fail("a path begins with $", f"write ${joint}{text.strip()}" if len(text) < 80 else None)


def _fail_behind(reader: Reader) -> None:
    """Say what is wrong with what follows a path that was complete."""
    rest = reader.text[reader.at :]
    if not rest.strip():
        reader.fail("the path ends with a blank", "write it without")
    if reader.at == 1 and not rest[0].isspace():
        reader.fail(
            f"«{rest[0]}» cannot follow $", f"write $.{rest}" if rest[0].isalpha() and len(rest) < 80 else "a dot or [ follows"
        )
    reader.skip_blanks()
    if reader.next in tuple("+-*/%=<>!&|?"):
        reader.fail(f"{reader.shown} cannot stand in a path: it only looks up", "to calculate or compare, write an expression")
    reader.fail(f"{reader.shown} cannot stand here", "a dot or [ must follow, or nothing")


def _folded(segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
    if len(segments) < 2 or segments[0].plain != "headers" or segments[1].descend:
        return segments
    parts = tuple(Name(part.key.lower()) if isinstance(part, Name) else part for part in segments[1].parts)
    return (segments[0], replace(segments[1], parts=parts), *segments[2:])


def _make(text: str, segments: tuple[Segment, ...]) -> Selector:
    begins = tuple(takewhile(lambda step: step is not None, (segment.plain for segment in segments)))
    known = tuple(step for step in begins if step is not None)
    if Query(segments).single:
        return _single(text, known)
    steps = compile_steps(segments, compile_filter)

    def find(root: Any) -> list[Any]:
        try:
            return steps(Walk(root, text), root)
        except SelectorError:
            raise
        except Exception as error:  # jsonpath-ng is a stranger's code, and the data a stranger's as well
            raise SelectorError(f"{text} could not be evaluated: {error!r:.200}", path=text) from error

    return Selector(text, False, known, find, find)


def _single(text: str, steps: tuple[str | int, ...]) -> Selector:
    get = plain_walk(steps) if steps else _itself

    def find(root: Any) -> list[Any]:
        value = get(root)
        return [] if value is MISSING else [value]

    return Selector(text, True, steps, get, find)


def _itself(root: Any) -> Any:
    return root
