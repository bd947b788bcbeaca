"""Expressions that differ only in the literals they compare with: read and checked once, then made by the thousand.

A home of ten thousand triggers has as many filters and a handful of shapes: `$.body.ref === '…' && $.body.n > …`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from itertools import accumulate
from typing import Any, Final

from flows.expression.compiler import Compiler, Scope
from flows.expression.parser import parse
from flows.expression.paths import Closure
from flows.expression.references import Equality, Place, equalities, references
from flows.expression.syntax import Binary, Literal, Logical, Node, children, walk
from flows.expression.utf16 import joined

MAX_SOURCE: Final = 1_000  # characters; longer ones are seldom two of a kind
MAX_SHAPES: Final = 500

_QUOTES: Final = frozenset("'\"")
# A string or a number behind === !== == != < <= > >=; and any other string, so that none is looked into.
LITERAL: Final = re.compile(
    r"""(?:(?<=[=<>])|(?<=[=<>] ))('[^'\\\n\r]*'|"[^"\\\n\r]*"|(?:0|[1-9][0-9]{0,14})(?![\w.$\\]))|('[^'\\\n\r]*'|"[^"\\\n\r]*")"""
)
# What may hold a quote that begins no string, or is one of a string that is not among those. Where none of it is outside of them,
# the first quote of a text begins a string, so does the first one behind that string, and so on.
_UNSURE: Final = re.compile(r"['\"\\/`]")


@dataclass(slots=True)
class Read:
    """What an expression was read as."""

    compiled: Callable[[], Closure]  # of a shape that is known it is made here, and for the first time
    metered: bool  # an evaluation needs Fuel
    references: tuple[Place, ...]
    equality: tuple[Equality, ...]
    places: Places | None = None  # None: the offsets of errors are those of the source itself


class Seen(Enum):
    """What is known of a shape that is not kept."""

    ONCE = "once"
    ALONE = "alone"  # each expression has to be read for itself


class Shapes:
    """Those seen so far. One is kept when it is seen again: most expressions are the only ones of theirs."""

    def __init__(self) -> None:
        self._seen: dict[tuple[Any, ...], Shape | Seen] = {}

    def read(self, source: str, roots: frozenset[str]) -> Read:
        """Raises DefinitionError as the parser and the compiler do."""
        pieces = LITERAL.split(source) if len(source) <= MAX_SOURCE else [source]
        literals = [each for each in pieces[1::3] if each is not None]
        if not literals:
            return read_alone(source, roots)
        key = (roots, *pieces[0::3], *pieces[2::3], *[each and each[0] in _QUOTES for each in pieces[1::3]])
        seen = self._seen.get(key)
        if isinstance(seen, Shape):
            return seen.read(literals)
        if seen is None:
            read = read_alone(source, roots)  # where that refuses it, no shape is kept
            self._keep(key, Seen.ALONE if any(map(_UNSURE.search, pieces[0::3])) else Seen.ONCE)
            return read
        shape = shape_of(source, roots, pieces) if seen is Seen.ONCE else None
        self._keep(key, shape or Seen.ALONE)
        return read_alone(source, roots) if shape is None else shape.read(literals)

    def _keep(self, key: tuple[Any, ...], seen: Shape | Seen) -> None:
        if len(self._seen) >= MAX_SHAPES:
            self._seen.clear()
        self._seen[key] = seen


def read_alone(source: str, roots: frozenset[str]) -> Read:
    """As if there were no other. Raises DefinitionError as the parser and the compiler do."""
    tree = parse(source)
    compiler = Compiler(source, roots)
    value = compiler.compile(tree)
    return Read(lambda: value, compiler.metered, references(tree, roots), equalities(tree, roots))


def shape_of(source: str, roots: frozenset[str], pieces: Sequence[str | None]) -> Shape | None:
    """The shape of a source that is cut at its literals. None: more than a comparison depends on one of them."""
    tree = parse(source)
    ends = list(accumulate(len(piece or "") for piece in pieces))
    spans = [(end - len(piece), end) for end, piece in zip(ends[1::3], pieces[1::3], strict=True) if piece is not None]
    found = {(node.start, node.end): node for node, _ in walk(tree) if type(node) is Literal}
    slots = [found.get(span) for span in spans]
    holding: set[int] = set()
    if None in slots or not _comparing(tree, {id(slot) for slot in slots}, holding):
        return None
    return Shape(source, roots, tree, [slot for slot in slots if slot is not None], holding)


def _comparing(node: Node, slots: set[int], holding: set[int]) -> bool:
    """Put into `holding` the nodes, by id(), that hold slots. False: one does that is no comparison, nor a chain of && or ||."""
    if id(node) in slots:
        holding.add(id(node))
        return True
    below = children(node)
    if not all(_comparing(child, slots, holding) for child in below):
        return False
    if all(id(child) not in holding for child in below):
        return True
    holding.add(id(node))
    return type(node) is Logical or (type(node) is Binary and len(node.rest) == 1 and node.rest[0][0] != "in")


class Shape:
    """What such expressions have in common: one tree, of which only the comparisons that hold a literal are made anew."""

    def __init__(self, source: str, roots: frozenset[str], tree: Node, slots: Sequence[Literal], holding: set[int]) -> None:
        self.starts = [slot.start for slot in slots]
        self.lengths = [slot.end - slot.start for slot in slots]
        self._source, self._roots = source, roots
        self._tree = tree
        self._holding = holding
        self._numbers = {id(slot): number for number, slot in enumerate(slots)}
        self._shared: dict[int, Closure] = {}
        self._references = references(tree, roots)
        marked = self._filled(tree, [_Slot(number) for number in range(len(slots))])
        self._equality = equalities(marked, roots)
        compiler = Compiler(source, roots)
        self._shared = {id(node): compiler.compile(node) for node in self._kept(tree)}
        whole = _Sharing(source, roots, self._shared)
        whole.compile(tree)
        self._metered = compiler.metered or whole.metered

    def read(self, literals: Sequence[str]) -> Read:
        """The expression with these literals, as they are written."""
        values = [joined(each[1:-1]) if each[0] in _QUOTES else int(each) for each in literals]
        equality = tuple(
            [(place, values[literal.number] if type(literal) is _Slot else literal) for place, literal in self._equality]
        )
        return Read(partial(self._compiled, values), self._metered, self._references, equality, Places(self, literals))

    def _compiled(self, values: Sequence[Any]) -> Closure:
        return _Sharing(self._source, self._roots, self._shared).compile(self._filled(self._tree, values))

    def _filled(self, node: Node, values: Sequence[Any]) -> Node:
        """The node with these values in its slots. What holds none is the same for all."""
        if id(node) not in self._holding:
            return node
        if type(node) is Logical:
            return Logical(node.start, node.end, node.operator, tuple([self._filled(each, values) for each in node.operands]))
        if type(node) is Binary:
            ((operator, right),) = node.rest
            return Binary(node.start, node.end, self._filled(node.first, values), ((operator, self._filled(right, values)),))
        return Literal(node.start, node.end, values[self._numbers[id(node)]])

    def _kept(self, node: Node) -> list[Node]:
        """The largest nodes that hold no slot."""
        if id(node) not in self._holding:
            return [node]
        return [kept for child in children(node) for kept in self._kept(child)]


@dataclass(frozen=True, slots=True)
class _Slot:
    """Stands for the literal with this number."""

    number: int


class _Sharing(Compiler):
    """Takes what is compiled already."""

    def __init__(self, source: str, roots: frozenset[str], shared: dict[int, Closure]) -> None:
        super().__init__(source, roots)
        self._shared = shared

    def compile(self, node: Node, scope: Scope = frozenset()) -> Closure:
        return self._shared.get(id(node)) or super().compile(node, scope)


class Places:
    """Where something stands in a source, told from where it stands in the one that the shape was made from."""

    __slots__ = ("_lengths", "_shape")

    def __init__(self, shape: Shape, literals: Sequence[str]) -> None:
        self._shape = shape
        self._lengths = [len(literal) for literal in literals]

    def offset(self, offset: int) -> int:
        before = bisect_left(self._shape.starts, offset)
        return offset + sum(self._lengths[:before]) - sum(self._shape.lengths[:before])
