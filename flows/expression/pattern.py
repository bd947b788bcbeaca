"""Regular expressions on a linear-time engine: JavaScript's pattern in, RE2's program out, positions in code units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import re2

from flows.expression import utf16
from flows.expression.fuel import Fuel
from flows.expression.lexer import refuse
from flows.expression.translate import Translator
from flows.expression.utf16 import joined
from flows.expression.values import UNDEFINED, MatchArray, Opaque

MAX_PROGRAM: Final = 5_000  # instructions: with a text of n bytes, at most so many × n steps of the engine
_FLAGS: Final = frozenset("dgimsuy")


@dataclass(frozen=True, slots=True)
class Match:
    """One match, in code units."""

    start: int
    end: int
    groups: tuple[str | None, ...]  # the whole match first; None: the group took no part


class Pattern(Opaque):
    """A regular expression value. It has no state: a search always begins where the caller says."""

    __slots__ = ("any_line_end", "flags", "names", "program", "size", "source", "sticky", "unicode")

    def __init__(self, source: str, flags: str, program: Any, names: dict[str, int], *, any_line_end: bool) -> None:
        flags = "".join(sorted(flags))
        marks = {
            "hasIndices": "d",
            "global": "g",
            "ignoreCase": "i",
            "multiline": "m",
            "dotAll": "s",
            "unicode": "u",
            "sticky": "y",
        }
        members: dict[str, Any] = {name: flag in flags for name, flag in marks.items()}
        super().__init__(f"/{source}/{flags}", {"source": source, "flags": flags, "lastIndex": 0, **members})
        self.source, self.flags, self.program, self.names = source, flags, program, names
        self.unicode = "u" in flags
        self.sticky = "y" in flags
        self.any_line_end = any_line_end  # ^ and $ stand at carriage returns too, which the engine only knows of line feeds
        self.size = max(1, program.programsize)

    def search(self, text: str, fuel: Fuel) -> bool:
        """Is there a match at all? The quick way, without positions."""
        if self.sticky:
            return next(self.matches(text, fuel), None) is not None
        data = self.encoded(text)
        fuel.burn(1 + (len(data) * self.size >> 7))
        return self.program.search(self._seen(data)) is not None

    def _seen(self, data: bytes) -> bytes:
        return data.replace(b"\r", b"\n") if self.any_line_end else data

    def encoded(self, text: str) -> bytes:
        """What the engine reads: without the flag u one character for each code unit."""
        return (text if self.unicode else utf16.units(text)).encode("utf-8", "surrogatepass")

    def matches(self, text: str, fuel: Fuel, *, sticky: bool | None = None) -> Iterator[Match]:
        """Matches from left to right; after an empty one the next begins one character further. `sticky` None: as the flag y says."""
        data = self.encoded(text)
        ascii_only = len(data) == len(text)
        find = self.program.match if (self.sticky if sticky is None else sticky) else self.program.search
        place = done = counted = 0
        seen = self._seen(data)
        while place <= len(data):
            fuel.burn(1 + ((len(data) - place) * self.size >> 7))
            found = find(seen, place)
            if found is None:
                return
            first, last = found.span()
            if first == last and first < len(data) and data[first] & 0xC0 == 0x80:
                place = _following(data, first)  # the engine takes \B inside a character for a place
                continue
            groups = tuple(_text(data, found.span(index)) for index in range(len(found.groups()) + 1))
            if ascii_only:
                yield Match(first, last, groups)
            else:
                begin = counted + _count(data[done:first])
                counted, done = begin + _count(data[first:last]), last
                yield Match(begin, counted, groups)
            place = last if last > first else _following(data, last)

    def array(self, match: Match, text: str) -> MatchArray:
        """What match() and exec() give."""
        items = [UNDEFINED if group is None else group for group in match.groups]
        return MatchArray(items, {"index": match.start, "input": text, "groups": self.named(match)})

    def named(self, match: Match) -> Any:
        """The named groups, UNDEFINED where the pattern has none."""
        if not self.names:
            return UNDEFINED
        return {name: UNDEFINED if match.groups[index] is None else match.groups[index] for name, index in self.names.items()}


def _following(data: bytes, place: int) -> int:
    place += 1
    while place < len(data) and data[place] & 0xC0 == 0x80:
        place += 1
    return place


def _count(data: bytes) -> int:
    return utf16.length(data.decode("utf-8", "surrogatepass"))


def _text(data: bytes, span: tuple[int, int]) -> str | None:
    return None if span[0] < 0 else joined(data[span[0] : span[1]].decode("utf-8", "surrogatepass"))


def make_pattern(source: str, flags: str, offset: int) -> Pattern:
    """Compile a literal that begins at `offset` of the expression. Raises DefinitionError."""
    after = offset + len(source) + 2
    for index, flag in enumerate(flags):
        if flag not in _FLAGS or flag in flags[:index]:
            refuse(
                f"`{flag}` is not a flag of regular expressions, or is there twice",
                after + index,
                "the flags are g, i, m, s, u and y",
            )
    translator = Translator(source, flags, offset + 1)
    written = translator.whole()
    options = re2.Options()
    options.log_errors = False
    try:
        program = re2.compile(written.encode("utf-8", "surrogatepass"), options)
    except re2.error as error:
        _refused(str(error), offset)
    if program.programsize > MAX_PROGRAM:
        _refused("pattern too large", offset)
    any_line_end = translator.line_anchors and not translator.tells_line_ends
    return Pattern(source, flags, program, translator.names, any_line_end=any_line_end)


def _refused(reason: str, offset: int) -> NoReturn:
    if "large" in reason or "repetition" in reason:
        refuse("the regular expression is too large", offset, "fewer or smaller repetitions { }", code="EXPRESSION_LIMIT")
    refuse(f"the regular expression is not possible: {reason}", offset, "properties are \\p{L}, \\p{Lu}, … or \\p{Script=Greek}")
