"""The expression language: JavaScript's meaning on a bounded subset, parsed once and compiled to closures."""

from __future__ import annotations

from flows.expression.convert import same
from flows.expression.evaluation import Expression, compile_expression
from flows.expression.explain import Explanation
from flows.expression.result import to_json, to_text
from flows.expression.values import UNDEFINED, Undefined, truthy, type_of

__all__ = [
    "UNDEFINED",
    "Explanation",
    "Expression",
    "Undefined",
    "compile_expression",
    "same",
    "to_json",
    "to_text",
    "truthy",
    "type_of",
]
