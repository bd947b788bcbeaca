"""Many filters that compare one path with one literal each: found by one look-up instead of one by one."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from flows.errors import ExpressionError
from flows.expression import UNDEFINED, compile_expression

Item = TypeVar("Item")
Path = tuple[str | int, ...]  # root first: ("$", "body", "kind")
Equality = tuple[Path, Any]

MIN_GROUP = 4  # below, evaluating each is as cheap as looking up
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_TRUE, _FALSE = object(), object()  # to Python 1 is True, to JavaScript it is not


@dataclass(frozen=True, slots=True)
class Group(Generic[Item]):
    """Items whose filter holds only where one path has one value."""

    path: Path
    text: str  # the path as people write it
    value: Callable[[Mapping[str, Any]], Any]  # names → the value there, read as the filter reads it
    by_literal: dict[Any, tuple[Item, ...]]
    members: tuple[Item, ...]

    def fitting(self, value: Any) -> tuple[Item, ...]:
        """Those whose literal this value may be; their whole filter is still to be evaluated."""
        return self.by_literal.get(_hashed(value), ())


def grouped(items: Sequence[Item], equality: Callable[[Item], Iterable[Equality]]) -> tuple[tuple[Group[Item], ...], list[Item]]:
    """Groups, and the items that are in none. An item with several equalities goes by the path that most of them share."""
    if len(items) < MIN_GROUP:
        return (), list(items)
    usable = [
        [(path, literal) for path, literal in equality(item) if path[:1] == ("$",) and _indexable(literal)] for item in items
    ]
    uses = Counter(path for pairs in usable for path in {path for path, _ in pairs})
    found: dict[Path, list[tuple[Item, Any]]] = {}
    alone: list[Item] = []
    for item, pairs in zip(items, usable, strict=True):
        best = max(pairs, key=lambda pair: uses[pair[0]], default=None)
        if best is None or uses[best[0]] < MIN_GROUP:
            alone.append(item)
        else:
            found.setdefault(best[0], []).append((item, best[1]))
    return tuple(_group(path, pairs) for path, pairs in found.items()), alone


def _group(path: Path, pairs: list[tuple[Item, Any]]) -> Group[Item]:
    by_literal: dict[Any, list[Item]] = {}
    for item, literal in pairs:
        by_literal.setdefault(_hashed(literal), []).append(item)
    text = path_text(path)
    frozen = {literal: tuple(items) for literal, items in by_literal.items()}
    return Group(path, text, _reader(path), frozen, tuple(item for item, _ in pairs))


def _indexable(literal: Any) -> bool:
    return literal is None or isinstance(literal, (str, bool, int, float))


def _hashed(value: Any) -> Any:
    """Equal for what is === to each other, and seldom for what is not. A list or an object is === to no literal."""
    kind = type(value)
    if kind is str or value is None:
        return value
    if kind is bool:
        return _TRUE if value else _FALSE
    if kind is int:
        # A JavaScript number is a double: beyond 2**53 several integers are one.
        return value if -(2**53) <= value <= 2**53 else _double(value)
    return value if kind is float else UNDEFINED


def _double(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _reader(path: Path) -> Callable[[Mapping[str, Any]], Any]:
    read = compile_expression(path_text(path)).evaluate

    def value(names: Mapping[str, Any]) -> Any:
        try:
            return read(names)
        except ExpressionError:  # a walk into nothing
            return UNDEFINED

    return value


def path_text(path: Path) -> str:
    """As an expression has it: `$.body.kind`, `$.headers["x-id"]`."""
    text = str(path[0])
    for part in path[1:]:
        text += f".{part}" if isinstance(part, str) and _NAME.fullmatch(part) else f"[{json.dumps(part)}]"
    return text
