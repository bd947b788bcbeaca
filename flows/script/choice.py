"""Where an expression runs, decided at load: our interpreter wherever it can, the engine for the rest of JavaScript."""

from __future__ import annotations

from collections.abc import Collection

from flows.errors import DefinitionError, Problem
from flows.expression import Expression, compile_expression
from flows.expression.library import GLOBALS
from flows.expression.methods import METHOD_NAMES
from flows.expression.paths import static_key
from flows.expression.syntax import Arrow, Call, Member, Name, walk
from flows.expression.values import Opaque
from flows.script.engine import Engine, Mistake, Script
from flows.script.names import KNOWN
from flows.script.scan import scan, unknown_names
from flows.suggest import did_you_mean

# What values have in JavaScript beyond the methods of our own language: a call of one of these is the engine's.
MORE_METHODS = frozenset(
    {
        *("apply", "bind", "call", "compile", "copyWithin", "fill", "forEach", "isPrototypeOf", "localeCompare", "pop"),
        *("next", "propertyIsEnumerable", "push", "shift", "splice", "toLocaleString", "unshift"),
    }
)


def compile_anywhere(text: str, roots: Collection[str], engine: Engine) -> Expression | Script:
    """The expression, compiled for whoever can run it. Raises DefinitionError with one problem where nobody can."""
    try:
        expression = compile_expression(text, roots=roots)
    except DefinitionError as error:
        return _script(text, engine, error.problems[0])
    return _script(text, engine, None) if _asks_for_more(expression) else expression


def _script(text: str, engine: Engine, ours: Problem | None) -> Script:
    mistake = engine.check(text, "expression")
    if mistake is not None:
        raise DefinitionError(_nearer(ours, mistake))
    unknown = next(unknown_names(text), None)
    if unknown is not None:
        if ours is not None and ours.code == "EXPRESSION_NAME" and ours.offset == unknown.start:
            raise DefinitionError(ours)
        said, hint = f"`{unknown.text[:40]}` is not a name here", did_you_mean(unknown.text[:40], sorted(KNOWN))
        raise DefinitionError.at((), said, hint, code="EXPRESSION_NAME", offset=unknown.start)
    return scan(text, form="expression")


def _nearer(ours: Problem | None, mistake: Mistake) -> Problem:
    """Of two complaints about one text the one that got further: ours may only be about what the engine can do."""
    if ours is not None and (mistake.offset is None or (ours.offset or 0) >= mistake.offset):
        return ours
    return Problem((), mistake.problem, code="EXPRESSION_SYNTAX", offset=mistake.offset)


def _asks_for_more(expression: Expression) -> bool:
    """Whether it can be compiled here and would fail only when it runs, for want of a function that JavaScript has."""
    return any(
        (isinstance(node, Member) and _is_more(node)) or (isinstance(node, Call) and _is_called_more(node))
        for node, _ in walk(expression.tree)
    )


def _is_more(node: Member) -> bool:
    """`Math.random`, `Object.assign`: a function of a global that we have without it."""
    key = static_key(node.key)
    owner = GLOBALS.get(node.object.name) if isinstance(node.object, Name) else None
    return isinstance(owner, Opaque) and key is not None and str(key) not in owner.members


def _is_called_more(node: Call) -> bool:
    if not isinstance(node.callee, Member):
        return isinstance(node.callee, Name) and node.callee.name == "Array"
    name = static_key(node.callee.key)
    if name in {"parse", "stringify"} and len(node.arguments) > 1:
        return isinstance(node.arguments[1], Arrow)  # a function that replaces
    return name in MORE_METHODS and name not in METHOD_NAMES
