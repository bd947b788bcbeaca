"""What an expression reads, known without evaluating it."""

from __future__ import annotations

from typing import Any

from flows.expression.paths import path_of, static_key
from flows.expression.syntax import Arrow, Binary, Literal, Logical, Member, Node, Unary, children

Place = tuple[str | int, ...]
Equality = tuple[Place, Any]
"""A place and the literal that is === to what must stand there: str, int, float, bool or None."""


def references(tree: Node, roots: frozenset[str]) -> tuple[Place, ...]:
    """The places it reads, from the root, each once, in the order of the source; cut off where a key is computed."""
    found: dict[Place, None] = {}
    todo: list[tuple[Node, frozenset[str]]] = [(tree, frozenset())]
    while todo:
        node, hidden = todo.pop()
        if isinstance(node, Arrow):
            hidden |= frozenset(node.parameters)
        path = path_of(node)
        if path is not None:
            if path.root in roots and path.root not in hidden:
                found[path.place] = None
            continue
        todo.extend((child, hidden) for child in reversed(_read(node)))
    return tuple(found)


def _read(node: Node) -> tuple[Node, ...]:
    """The children that are read; the name of a method is not a part of a path."""
    if isinstance(node, Member) and static_key(node.key) is not None:
        return (node.object,)
    below = children(node)
    callee = getattr(node, "callee", None)
    if isinstance(callee, Member) and static_key(callee.key) is not None:
        return (callee.object, *below[1:])
    return below


def equalities(tree: Node, roots: frozenset[str]) -> tuple[Equality, ...]:
    """The `path === literal` that must all hold for the condition to hold."""
    found: list[Equality] = []
    todo = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, Logical) and node.operator == "&&":
            todo.extend(reversed(node.operands))
        elif isinstance(node, Binary) and len(node.rest) == 1 and node.rest[0][0] == "===":
            left, right = node.first, node.rest[0][1]
            for side, other in ((left, right), (right, left)):
                literal = _constant(other)
                path = None if literal is None else path_of(side)
                if path is not None and literal is not None and path.root in roots:
                    found.append((path.place, literal.value))
    return tuple(found)


def _constant(node: Node) -> Literal | None:
    if isinstance(node, Unary) and node.operator == "-" and isinstance(node.operand, Literal):
        value = node.operand.value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return Literal(node.start, node.end, -value)
    return node if isinstance(node, Literal) else None


def inputs_of(node: Node, roots: frozenset[str], source: str) -> list[tuple[str, Node]]:
    """The paths that a part reads outside of its arrow functions, as (source text, node), each once."""
    found: dict[str, Node] = {}
    todo = [node]
    while todo:
        here = todo.pop()
        if isinstance(here, Arrow):
            continue
        path = path_of(here)
        if path is None:
            todo.extend(reversed(_read(here)))
        elif path.root in roots:
            found.setdefault(source[here.start : here.end], here)
    return list(found.items())
