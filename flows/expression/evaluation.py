"""An expression, compiled: evaluate it, test it as a condition, ask what it reads and why it answered."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final
from weakref import WeakValueDictionary

from flows.errors import ExpressionError, MissingPath
from flows.expression.compiler import FUEL
from flows.expression.explain import Explanation, Redact, explain
from flows.expression.fuel import Fuel
from flows.expression.lexer import refuse
from flows.expression.parser import parse
from flows.expression.paths import Closure
from flows.expression.references import Equality, Place
from flows.expression.shapes import Places, Read, Shapes
from flows.expression.syntax import Node
from flows.expression.values import truthy

_DEEP: Final = "Python's stack has run out"
_KNOWN: WeakValueDictionary[tuple[str, frozenset[str]], Expression] = WeakValueDictionary()
"""Those that somebody uses: a definition that is read again seldom has another filter."""
_SHAPES: Final = Shapes()


class Expression:
    """One expression, ready to evaluate any number of times. It never changes what it is given.

    `evaluate(names)` gives the value; `test(names)` gives the answer of a condition: a walk on from something missing is
    False. Both raise ExpressionError (evaluate also MissingPath, which is one) and nothing else, and end within about a
    second whatever the expression and the data.
    """

    __slots__ = ("__weakref__", "_read", "equality", "evaluate", "references", "roots", "source", "test")

    evaluate: Callable[[Mapping[str, Any]], Any]
    test: Callable[[Mapping[str, Any]], bool]

    def __init__(self, source: str, roots: frozenset[str], read: Read) -> None:
        self.source = source
        self.roots = roots
        self.references: tuple[Place, ...] = read.references
        self.equality: tuple[Equality, ...] = read.equality
        self._read = read

    def __getattr__(self, name: str) -> Any:
        """`evaluate` and `test`, made when one of them is first asked for: of ten thousand filters few are before the next reload."""
        if name not in ("evaluate", "test"):
            raise AttributeError(name)
        read = self._read
        try:
            compiled = read.compiled()
        except RecursionError:
            raise _exhausted() from None
        value = _fuelled(compiled) if read.metered else compiled
        self.evaluate, self.test = _guarded(value, read.places), _condition(value, read.places)
        return self.evaluate if name == "evaluate" else self.test

    @property
    def tree(self) -> Node:
        """Read anew each time: it is most of an expression's memory, and only people's questions need it again."""
        return parse(self.source)

    def explain(self, names: Mapping[str, Any], *, redact: Redact | None = None) -> Explanation:
        """Why test(names) answers as it does, for a person. Slow. `redact(path, value)` gives what to show of a value."""
        return explain(self.source, self.roots, self.tree, names, redact)

    def __repr__(self) -> str:
        return f"Expression({self.source!r})"


def compile_expression(source: str, *, roots: Collection[str] = ("$",)) -> Expression:
    """Parse and compile. `roots`: the names it may read, besides the built-in ones.

    Raises DefinitionError with one Problem: code EXPRESSION_SYNTAX, EXPRESSION_NAME or EXPRESSION_LIMIT, and its offset.
    """
    key = source, frozenset(roots)
    known = _KNOWN.get(key)
    if known is not None:
        return known
    try:
        made = Expression(*key, _SHAPES.read(*key))
    except RecursionError:
        refuse("the expression is nested too deeply", 0, code="EXPRESSION_LIMIT")
    return _KNOWN.setdefault(key, made)


def _fuelled(value: Closure) -> Closure:
    def fuelled(names: Mapping[str, Any]) -> Any:
        return value({**names, FUEL: Fuel()})

    return fuelled


def _exhausted() -> ExpressionError:
    return ExpressionError(f"the evaluation went too deep: {_DEEP}", code="EXPRESSION_LIMIT", offset=0)


def _guarded(value: Closure, places: Places | None) -> Closure:
    def evaluate(names: Mapping[str, Any]) -> Any:
        try:
            return value(names)
        except ExpressionError as error:
            _move(error, places)
            raise
        except RecursionError:
            raise _exhausted() from None

    return evaluate


def _condition(value: Closure, places: Places | None) -> Callable[[Mapping[str, Any]], bool]:
    def test(names: Mapping[str, Any]) -> bool:
        try:
            answer = value(names)
        except MissingPath:
            return False
        except ExpressionError as error:
            _move(error, places)
            raise
        except RecursionError:
            raise _exhausted() from None
        return answer if answer is True or answer is False else truthy(answer)

    return test


def _move(error: ExpressionError, places: Places | None) -> None:
    if places is not None and error.offset is not None:
        error.offset = places.offset(error.offset)
