"""What `camshaft eval` prints: one evaluation as a JSON object."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from flows.errors import DefinitionError, ExpressionError
from flows.expression.evaluation import compile_expression
from flows.expression.numerals import double, number_text
from flows.expression.result import rebuilt
from flows.expression.values import UNDEFINED, Function, Opaque, truthy, type_of

STANDARD_ROOTS: Final = frozenset({"$", "data", "output", "input", "steps", "loop", "env"})


def evaluate_report(source: str, names: Mapping[str, Any]) -> dict[str, Any]:
    """Evaluate `source` on `names` and say how it came out. Raises nothing.

    `{"ok": true, "type", "value", "condition"}` (no `value` for undefined and functions), or `{"ok": false, "code", "error",
    "column"}`, where EXPRESSION_TYPE also has `"condition": false`. Print it with json.dumps: a whole number may be an int
    beyond 64 bits, in the digits that JavaScript prints.
    """
    try:
        expression = compile_expression(source, roots=STANDARD_ROOTS | set(names))
    except DefinitionError as error:
        problem = error.problems[0]
        said = f"{problem.problem} ({problem.hint})" if problem.hint else problem.problem
        return {"ok": False, "code": problem.code, "error": said, "column": (problem.offset or 0) + 1}
    try:
        return result_of(expression.evaluate(names))
    except ExpressionError as error:
        failed: dict[str, Any] = {"ok": False, "code": error.code, "error": str(error), "column": (error.offset or 0) + 1}
        return {**failed, "condition": False} if error.code == "EXPRESSION_TYPE" else failed


def result_of(value: Any) -> dict[str, Any]:
    """The report of a value. Raises ExpressionError EXPRESSION_LIMIT where it is too large to print."""
    report: dict[str, Any] = {"ok": True, "type": type_of(value)}
    if value is not UNDEFINED and not isinstance(value, Function):
        report["value"] = rebuilt(value, _printed)
    report["condition"] = truthy(value)
    return report


def _printed(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        number = double(value)
        if not math.isfinite(number):
            return number_text(number)
        if number == 0:
            return "-0" if math.copysign(1.0, number) < 0 else 0
        return int(number_text(number)) if number == math.floor(number) and abs(number) < 1e21 else number
    return {} if isinstance(value, Opaque) and not isinstance(value, Function) else None
