"""What a JSONPath says, as a tree: segments that select, and the tests of filters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal as OneOf

Operator = OneOf["==", "!=", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Name:
    """`.a`, `['a']`: the member with this key."""

    key: str


@dataclass(frozen=True, slots=True)
class Index:
    """`[0]`, `[-1]`: the element at this place, a negative one counted from the end."""

    at: int


@dataclass(frozen=True, slots=True)
class Wildcard:
    """`*`: every member, every element."""


@dataclass(frozen=True, slots=True)
class Slice:
    """`[1:3]`, `[::-1]`: elements from start up to, not including, stop. A step of 0 selects nothing."""

    start: int | None
    stop: int | None
    step: int | None


@dataclass(frozen=True, slots=True)
class Filter:
    """`[?@.a == 1]`: every member or element for which the test holds."""

    test: Test


Part = Name | Index | Wildcard | Slice | Filter


@dataclass(frozen=True, slots=True)
class Segment:
    """One step of a path: what it selects in each node, or with `descend` in each node and all below it."""

    parts: tuple[Part, ...]
    descend: bool = False

    @property
    def plain(self) -> str | int | None:
        """The key or index, where the step can match one place only; else None."""
        if self.descend or len(self.parts) != 1:
            return None
        part = self.parts[0]
        return part.key if isinstance(part, Name) else part.at if isinstance(part, Index) else None


@dataclass(frozen=True, slots=True)
class Query:
    """A whole path: from the root `$`, or inside a filter from the node that is tested, `@`."""

    segments: tuple[Segment, ...]
    relative: bool = False

    @property
    def single(self) -> bool:
        """Whether its form lets it match one place at most."""
        return all(segment.plain is not None for segment in self.segments)


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, string, true, false or null in a filter."""

    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Call:
    """`length(@.a)`: one of the functions of RFC 9535."""

    function: str
    arguments: tuple[Operand, ...]


Operand = Query | Literal | Call


@dataclass(frozen=True, slots=True)
class Comparison:
    left: Operand
    operator: Operator
    right: Operand


@dataclass(frozen=True, slots=True)
class Not:
    test: Test


@dataclass(frozen=True, slots=True)
class Every:
    """`a && b && …`"""

    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """`a || b || …`"""

    tests: tuple[Test, ...]


Test = Query | Call | Comparison | Not | Every | Either
