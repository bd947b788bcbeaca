"""`camshaft eval`: an expression, a path or a template against data, as filters and mappings see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from cyclopts import Parameter

from daemon.cli.batch import answer_lines
from daemon.cli.options import Format, Home
from daemon.cli.output import show_value, write
from daemon.errors import BadRequest, DaemonError
from flows.errors import DefinitionError, ExpressionError, FlowsError, Problem, SelectorError, TemplateError
from flows.expression import compile_expression
from flows.expression.report import STANDARD_ROOTS, evaluate_report
from flows.selector import MISSING, compile_selector
from flows.template import compile_template

REFUSED_CODES = frozenset({"EXPRESSION_SYNTAX", "EXPRESSION_NAME"})


def evaluate(
    expression: Annotated[
        str | None, Parameter(allow_leading_hyphen=True, help="An expression, e.g. \"$.body.source === 'email'\".")
    ] = None,
    /,
    *,
    data: Annotated[
        str | None,
        Parameter(allow_leading_hyphen=True, help="A JSON or YAML file that is `$` and `data`; - reads standard input."),
    ] = None,
    condition: Annotated[bool, Parameter(negative="", help="Print what a filter would answer: true or false.")] = False,
    batch: Annotated[
        bool, Parameter(negative="", help="Answer lines of JSON on standard input, each with expr, path or template.")
    ] = False,
    home: Home = None,  # noqa: ARG001 - every command takes it
    output: Annotated[Format, Parameter(name=["--output", "-o"], help="JSON on one line in any case but yaml.")] = "json",
) -> int:
    """Evaluate an expression and print its value as JSON; undefined prints as null, NaN and Infinity as those words in quotes."""
    if batch:
        answer_lines(report)
        return 0
    if expression is None:
        raise BadRequest("give an expression, or --batch")
    value = _data(data)
    said = evaluate_report(expression, {"$": value, "data": value})
    if condition and said.get("code") not in REFUSED_CODES:
        write("true" if _answered(expression, value) else "false")
        return 0
    if not said["ok"]:
        if said["code"] in REFUSED_CODES:
            raise DefinitionError(
                Problem((), said["error"], code=said["code"], file="<expression>", line=1, column=said["column"])
            )
        raise DaemonError(f"{said['code']}: {said['error']}")
    show_value(said.get("value"), output if output == "yaml" else "jsonl")
    return 0


def _answered(condition: str, value: Any) -> bool:
    """What a filter would answer. Raises DaemonError where its verdict would be filter_error."""
    try:
        return compile_expression(condition, roots=STANDARD_ROOTS).test({"$": value, "data": value})
    except ExpressionError as error:
        raise DaemonError(f"{error.code}: {error}") from error


def report(line: Any) -> dict[str, Any]:
    """The answer to one line of `--batch`. Never raises."""
    if not isinstance(line, Mapping):
        return {"id": None, "ok": False, "code": "LINE", "error": "a line is an object with id, and expr, path or template"}
    asked = [name for name in ("expr", "path", "template") if name in line]
    if len(asked) != 1 or not isinstance(line[asked[0]], str):
        return {"id": line.get("id"), "ok": False, "code": "LINE", "error": "a line has one of expr, path and template, as text"}
    return {"id": line.get("id"), **_ANSWERS[asked[0]](line)}


def _data(file: str | None) -> Any:
    from daemon.cli.documents import read_input  # YAML: not for `--batch`

    return {} if file is None else read_input(file)


def _expression(line: Mapping[str, Any]) -> dict[str, Any]:
    names = line.get("names", {})
    if not isinstance(names, dict):
        return {"ok": False, "code": "LINE", "error": "names is an object: name → value"}
    return evaluate_report(line["expr"], names)


def _path(line: Mapping[str, Any]) -> dict[str, Any]:
    try:
        selector = compile_selector(line["path"])
        found = selector.get(line.get("data"))
    except (DefinitionError, SelectorError, ExpressionError) as error:
        return _failed(error)
    if selector.single:
        found = [] if found is MISSING else [found]
    return {"ok": True, "single": selector.single, "values": found}


def _template(line: Mapping[str, Any]) -> dict[str, Any]:
    data = line.get("data")
    try:
        value = compile_template(line["template"]).render({"$": data, "data": data})
    except (DefinitionError, TemplateError, SelectorError, ExpressionError) as error:
        return _failed(error)
    return {"ok": True, "value": value}


def _failed(error: FlowsError) -> dict[str, Any]:
    if isinstance(error, DefinitionError):
        problem = error.problems[0]
        said = f"{problem.problem} ({problem.hint})" if problem.hint else problem.problem
        return {"ok": False, "code": problem.code, "error": said, "column": (problem.offset or 0) + 1}
    code = getattr(error, "code", "SELECTOR_MISSING")
    return {"ok": False, "code": code, "error": str(error)}


_ANSWERS = {"expr": _expression, "path": _path, "template": _template}
