"""Walks data along a path: closures for plain paths, bounded steps with no recursion for all others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from flows.errors import SelectorError
from flows.selector.tree import Filter, Index, Name, Part, Segment, Slice, Wildcard

MAX_FOUND = 100_000  # places one path may match
MAX_STEPS = 500_000  # nodes one evaluation may look at: some 0.2 s here


class Missing:
    """What a path that can match one place gives when it matches none. There is one, MISSING; it is not null."""

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING = Missing()


class Walk:
    """One evaluation: the root, and the steps that are left to it."""

    __slots__ = ("known", "left", "root", "text")

    def __init__(self, root: Any, text: str) -> None:
        self.root = root
        self.text = text
        self.left = MAX_STEPS
        self.known: dict[int, list[Any]] = {}  # what parts of filters gave that do not depend on the node tested

    def spend(self, steps: int) -> None:
        """Raise SelectorError where the evaluation has looked at too much."""
        self.left -= steps
        if self.left < 0:
            raise SelectorError(f"{self.text} looks at more than {MAX_STEPS:,} places in this data", path=self.text)


Pick = Callable[[Any, Walk, list[Any]], None]
Step = Callable[[list[Any], Walk], list[Any]]
CompileFilter = Callable[[Filter], Pick]


def plain_walk(steps: tuple[str | int, ...]) -> Callable[[Any], Any]:
    """A closure that gives the value at the place, or MISSING. Most paths are one to three keys, so these are written out.

    Only dicts take text as a subscript; lists, texts and all else raise TypeError for it.
    """
    if not all(isinstance(step, str) for step in steps):
        return _mixed_walk(steps)
    if len(steps) == 1:
        return _one_key(steps[0])
    if len(steps) == 2:
        return _two_keys(*steps)
    if len(steps) == 3:
        return _three_keys(*steps)

    def walk(value: Any) -> Any:
        try:
            for key in steps:
                value = value[key]
        except (KeyError, TypeError):
            return MISSING
        return value

    return walk


def _one_key(key: str | int) -> Callable[[Any], Any]:
    def walk(root: Any) -> Any:
        try:
            return root[key]
        except (KeyError, TypeError):
            return MISSING

    return walk


def _two_keys(first: str | int, second: str | int) -> Callable[[Any], Any]:
    def walk(root: Any) -> Any:
        try:
            return root[first][second]
        except (KeyError, TypeError):
            return MISSING

    return walk


def _three_keys(first: str | int, second: str | int, third: str | int) -> Callable[[Any], Any]:
    def walk(root: Any) -> Any:
        try:
            return root[first][second][third]
        except (KeyError, TypeError):
            return MISSING

    return walk


def _mixed_walk(steps: tuple[str | int, ...]) -> Callable[[Any], Any]:
    """Keys and indexes: an index counts in lists only, not in texts."""
    kinds: list[tuple[Any, Any]] = [(step, list if isinstance(step, int) else dict) for step in steps]

    def walk(value: Any) -> Any:
        try:
            for step, kind in kinds:
                if not isinstance(value, kind):
                    return MISSING
                value = value[step]
        except (KeyError, IndexError):
            return MISSING
        return value

    return walk


def compile_steps(segments: tuple[Segment, ...], compile_filter: CompileFilter) -> Callable[[Walk, Any], list[Any]]:
    """A function that gives all that segments match from a node on, in the order of RFC 9535."""
    steps = [_compile_step(segment, compile_filter) for segment in segments]

    def find(walk: Walk, node: Any) -> list[Any]:
        nodes = [node]
        for step in steps:
            nodes = step(nodes, walk)
            if not nodes:
                break
        return nodes

    return find


def _compile_step(segment: Segment, compile_filter: CompileFilter) -> Step:
    picks = [_compile_part(part, compile_filter) for part in segment.parts]
    descend = segment.descend

    def step(nodes: list[Any], walk: Walk) -> list[Any]:
        found: list[Any] = []
        for start in nodes:
            for node in all_below(start) if descend else (start,):
                walk.spend(1)
                for pick in picks:
                    pick(node, walk, found)
            if len(found) > MAX_FOUND:
                raise SelectorError(f"{walk.text} matches more than {MAX_FOUND:,} places in this data", path=walk.text)
        return found

    return step


def all_below(node: Any) -> Iterator[Any]:
    """The node, then all below it, parents before children and in the data's order. Depth costs memory, not stack."""
    yield node
    waiting = [iter(_children(node))]
    while waiting:
        for child in waiting[-1]:
            yield child
            if isinstance(child, (dict, list)) and child:
                waiting.append(iter(_children(child)))
                break
        else:
            waiting.pop()


def _children(node: Any) -> Any:
    return node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()


def _compile_part(part: Part, compile_filter: CompileFilter) -> Pick:
    if isinstance(part, Filter):
        return compile_filter(part)
    if isinstance(part, Name):
        return _pick_name(part.key)
    if isinstance(part, Index):
        return _pick_index(part.at)
    return _pick_slice(part) if isinstance(part, Slice) else _pick_all(part)


def _pick_name(key: str) -> Pick:
    def pick(node: Any, _walk: Walk, found: list[Any]) -> None:
        if isinstance(node, dict) and key in node:
            found.append(node[key])

    return pick


def _pick_index(at: int) -> Pick:
    def pick(node: Any, _walk: Walk, found: list[Any]) -> None:
        if isinstance(node, list) and -len(node) <= at < len(node):
            found.append(node[at])

    return pick


def _pick_all(_part: Wildcard) -> Pick:
    def pick(node: Any, walk: Walk, found: list[Any]) -> None:
        children = _children(node)
        walk.spend(len(children))
        found.extend(children)

    return pick


def _pick_slice(part: Slice) -> Pick:
    """RFC 9535's bounds are those of Python's slices; only a step of 0 differs: it selects nothing."""
    cut = None if part.step == 0 else slice(part.start, part.stop, part.step)

    def pick(node: Any, walk: Walk, found: list[Any]) -> None:
        if cut is not None and isinstance(node, list):
            chosen = node[cut]
            walk.spend(len(chosen))
            found.extend(chosen)

    return pick
