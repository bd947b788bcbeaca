"""Filters, `[?@.a == 1 && …]`: jsonpath-ng compares and decides, our own walk finds what is compared.

The tree is built of jsonpath-ng's objects, not by its parser, which takes texts that are wrong (unquoted words, `=`) and
patterns for Python's `re`. Its walk is left out, too: it recurses, so deep data ends it, and it has no functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jsonpath_ng.ext.filter import And, Expression, Or
from jsonpath_ng.jsonpath import DatumInContext, JSONPath

from flows.selector.functions import FUNCTIONS
from flows.selector.tree import Call, Comparison, Either, Every, Filter, Literal, Not, Operand, Query, Test
from flows.selector.walk import Pick, Walk, all_below, compile_steps

_STEPS_A_TEST = 8  # a test costs what looking at so many nodes costs


class _Node(JSONPath):
    """Something that is compared or asked for: gives the values found from the node that is tested."""

    def __init__(self, values: Callable[[Walk, Any], list[Any]]) -> None:
        self.values = values

    def find(self, datum: DatumInContext) -> list[DatumInContext]:
        assert datum.context is not None
        walk: Walk = datum.context.value  # compile_filter, below, put it there
        return [DatumInContext(value, context=datum.context) for value in self.values(walk, datum.value)]


def compile_filter(part: Filter) -> Pick:
    """A function that adds those children of a node to what was found for which the test holds."""
    test = _compile_test(part.test)

    def pick(node: Any, walk: Walk, found: list[Any]) -> None:
        children = node.values() if isinstance(node, dict) else node
        if not isinstance(node, (dict, list)):
            return
        walk.spend(_STEPS_A_TEST * len(children))
        context = DatumInContext(walk)
        found.extend(child for child in children if test.find(DatumInContext(child, context=context)))

    return pick


def _compile_test(test: Test) -> JSONPath:
    if isinstance(test, Every):
        return And([_compile_test(each) for each in test.tests])
    if isinstance(test, Either):
        return Or([_compile_test(each) for each in test.tests])
    if isinstance(test, Not):
        return Expression(_compile_test(test.test), "!", None)
    if not isinstance(test, Comparison):
        return _Node(_values(test))
    compared = Expression(_Node(_compared(test.left, test.right)), test.operator, _Node(_compared(test.right, test.left)))
    if _depends_on_node(test.left) or _depends_on_node(test.right):
        return compared

    def holds(walk: Walk, node: Any) -> list[Any]:
        found: list[Any] = compared.find(DatumInContext(node, context=DatumInContext(walk)))  # type: ignore[no-untyped-call]  # theirs
        return found

    return _Node(_once(holds))


def _compared(operand: Operand, other: Operand) -> Callable[[Walk, Any], list[Any]]:
    """The operand's values. Two objects or lists are compared whole, so all that is in them counts as looked at."""
    values = _values(operand)
    if isinstance(operand, Literal) or isinstance(other, Literal):
        return values

    def found(walk: Walk, node: Any) -> list[Any]:
        given = values(walk, node)
        for value in given:
            if isinstance(value, (dict, list)):
                for _ in all_below(value):
                    walk.spend(1)
        return given

    return found


def _values(operand: Operand) -> Callable[[Walk, Any], list[Any]]:
    if isinstance(operand, Literal):
        literal = [operand.value]
        return lambda _walk, _node: literal
    if isinstance(operand, Call):
        return _call(operand)
    found = compile_steps(operand.segments, compile_filter)
    return found if operand.relative else _once(lambda walk, _node: found(walk, walk.root))


def _call(call: Call) -> Callable[[Walk, Any], list[Any]]:
    function = FUNCTIONS[call.function].call
    arguments = [_values(argument) for argument in call.arguments]
    return lambda walk, node: function(*(argument(walk, node) for argument in arguments))


def _depends_on_node(operand: Operand) -> bool:
    if isinstance(operand, Call):
        return any(_depends_on_node(argument) for argument in operand.arguments)
    return isinstance(operand, Query) and operand.relative


def _once(values: Callable[[Walk, Any], list[Any]]) -> Callable[[Walk, Any], list[Any]]:
    """The same, found once in an evaluation: what starts at `$` is the same for every node that is tested."""

    def found(walk: Walk, node: Any) -> list[Any]:
        known = walk.known.get(id(found))
        if known is None:
            known = walk.known[id(found)] = values(walk, node)
        return known

    return found
