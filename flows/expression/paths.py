"""Plain paths: `$.body.source`, read without a closure for each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flows.expression.convert import same
from flows.expression.numerals import double, number_text
from flows.expression.read import missing, read, weigh
from flows.expression.syntax import Chain, Literal, Member, Name, Node
from flows.expression.values import UNDEFINED

Closure = Callable[[Mapping[str, Any]], Any]


@dataclass(slots=True)  # as the nodes of the tree are
class Path:
    """A name and the keys that are read from it one after the other."""

    root: str
    keys: tuple[str | int, ...]
    optional: tuple[bool, ...]  # for each key: it is read with ?.
    ends: tuple[int, ...]  # where in the source the root, and each key, ends
    start: int

    @property
    def place(self) -> tuple[str | int, ...]:
        return (self.root, *self.keys)


def path_of(node: Node) -> Path | None:
    """The path that a node is, None where it is something else."""
    here = node.inner if type(node) is Chain else node
    keys: list[str | int] = []
    optional: list[bool] = []
    ends: list[int] = []
    while type(here) is Member:
        key = static_key(here.key)
        if key is None:
            return None
        keys.append(key)
        optional.append(here.optional)
        ends.append(here.end)
        here = here.object
    if type(here) is not Name:
        return None
    if keys:
        keys.reverse()
        optional.reverse()
        ends.reverse()
    return Path(here.name, tuple(keys), tuple(optional), (here.end, *ends), node.start)


def static_key(node: Node) -> str | int | None:
    """The key that a literal is: an int where it is an index."""
    if type(node) is not Literal:
        return None
    value = node.value
    if type(value) is str:
        return value
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return value if isinstance(value, int) and value < 2**31 else number_text(value)


def reader(path: Path, source: str, fuel: str | None) -> Closure:
    """Reads the path from the names. Raises MissingPath where it walks on from nothing. `fuel`: as walker() has it."""
    root, keys = path.root, path.keys
    if not keys:
        return lambda names: names.get(root, UNDEFINED)
    walk = walker(path, source, fuel)
    if all(isinstance(key, str) for key in keys) and len(keys) <= 3:
        return _SHORT[len(keys)](root, keys, walk)

    def read_path(names: Mapping[str, Any]) -> Any:
        value = names.get(root)
        for key in keys:
            if type(value) is not dict:
                return walk(names)
            value = value.get(key)
        return walk(names) if value is None else value

    return read_path


def walker(path: Path, source: str, fuel: str | None) -> Closure:
    """The careful way: any value, any key, ?. and what is missing. `fuel`: the name of the Fuel to burn, inside a loop."""
    root, steps = path.root, tuple(zip(path.keys, path.optional, path.ends, strict=False))
    start = path.start

    def walk(names: Mapping[str, Any]) -> Any:
        value = names.get(root, UNDEFINED)
        for key, optional, end in steps:
            if value is None or value is UNDEFINED:
                if optional:
                    return UNDEFINED
                raise missing(value, source[start:end], end)
            if fuel is not None and type(value) is str:
                weigh(value, names[fuel])
            value = read(value, key)
        return value

    return walk


def _one(root: str, keys: tuple[Any, ...], walk: Closure) -> Closure:
    (first,) = keys

    def read_one(names: Mapping[str, Any]) -> Any:
        value = names.get(root)
        return value.get(first, UNDEFINED) if type(value) is dict else walk(names)

    return read_one


def _two(root: str, keys: tuple[Any, ...], walk: Closure) -> Closure:
    first, second = keys

    def read_two(names: Mapping[str, Any]) -> Any:
        value = names.get(root)
        if type(value) is dict:
            value = value.get(first)
            if type(value) is dict:
                return value.get(second, UNDEFINED)
        return walk(names)

    return read_two


def _three(root: str, keys: tuple[Any, ...], walk: Closure) -> Closure:
    first, second, third = keys

    def read_three(names: Mapping[str, Any]) -> Any:
        value = names.get(root)
        if type(value) is dict:
            value = value.get(first)
            if type(value) is dict:
                value = value.get(second)
                if type(value) is dict:
                    return value.get(third, UNDEFINED)
        return walk(names)

    return read_three


_SHORT: dict[int, Callable[[str, tuple[Any, ...], Closure], Closure]] = {1: _one, 2: _two, 3: _three}


def equals(value: Closure, literal: Any) -> Closure:
    """`value === literal`, by the literal's type."""
    if isinstance(literal, str):
        # No JSON value but a str is equal to a str.
        return lambda names: value(names) == literal
    if literal is None:
        return lambda names: value(names) is None
    if isinstance(literal, bool):
        return lambda names: value(names) is literal
    number = double(literal)

    def equals_number(names: Mapping[str, Any]) -> bool:
        seen = value(names)
        kind = type(seen)
        if kind is float:
            return bool(seen == number)
        return double(seen) == number if kind is int else same(seen, number)

    return equals_number
