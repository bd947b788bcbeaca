"""What a step would be given: each of its references looked up, nothing run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flows.errors import DefinitionError, ExpressionError, FlowsError, StepError
from flows.expression import Expression, to_json
from flows.references import Reference, bodies_of, references_of
from flows.script.question import Question, answer
from flows.selector import MISSING
from flows.value import compile_value

if TYPE_CHECKING:
    from flows.graph import Graph, Step

NESTED = frozenset({"steps", "then", "else"})  # fields of a section that hold steps: those are looked at as steps
CODE = frozenset({"code", "python"})  # kinds whose texts are programs: nothing is put into them
ROOTS = frozenset({"input", "steps", "loop", "env"})


async def resolve_steps(graph: Graph, names: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every step at every depth, in the order it is written, as resolve_step() has it."""
    found = []
    for step in graph.steps:
        found.append(await resolve_step(step, names))
        for body in bodies_of(step.prepared):
            found += await resolve_steps(body, names)
    for handler in graph.following():
        found += await resolve_steps(handler, names)
    return found


async def resolve_step(step: Step, names: Mapping[str, Any]) -> dict[str, Any]:
    """`references`: each with its value and whether it is resolved, deferred (it comes at run time) or missing.

    `resolved` is the section with its values, or what its expression gives; `deferred` is true where that waits for a step
    that has not run; `error` is there where it fails for another reason.
    """
    references = list(_looked_up(step, names))
    said: dict[str, Any] = {"stepId": step.id, "name": step.name, "type": step.kind, "references": references}
    condition = _condition(step.prepared)
    if condition is None and not isinstance(step.prepared, Expression):
        return said | {"resolved": _section(step, names)}
    if condition is not None and any(each["status"] == "deferred" for each in references):
        return said | {"deferred": True}  # what is not there yet would make it false
    try:
        if condition is not None:
            return said | {"resolved": await answer(condition, names)}
        return said | {"resolved": to_json(step.prepared.evaluate(names))}
    except (ExpressionError, StepError) as error:
        if any(each["status"] == "deferred" for each in references):
            return said | {"deferred": True}
        return said | {"error": str(error)}


def _condition(prepared: Any) -> Expression | Question | None:
    """Of a condition, a while, a loop back to a node."""
    for found in (getattr(prepared, "expression", None), getattr(prepared, "condition", None)):
        if isinstance(found, (Expression, Question)):
            return found
    return None


def _section(step: Step, names: Mapping[str, Any]) -> Any:
    written = None if step.section is None else step.section[1]
    if step.kind in CODE or getattr(step.prepared, "suspends", False) or not isinstance(written, dict):
        return None
    try:
        value = compile_value({name: value for name, value in written.items() if name not in NESTED}, lenient=True)
        return value.make(names)
    except (DefinitionError, FlowsError):  # it loads by other rules: a text there is no template
        return None


def _looked_up(step: Step, names: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    root = names["$"]
    for reference in dict.fromkeys(_rooted(reference) for reference, _ in references_of(step)):
        if reference[:1] not in {(name,) for name in ROOTS} or len(reference) < 2:
            continue
        value = _at(root, reference)
        missing = value is MISSING
        yield {
            "selector": _text(reference),
            "value": None if missing else to_json(value),
            "status": _why_missing(reference, root) if missing else "resolved",
        }


def _rooted(reference: Reference) -> Reference:
    return reference[1:] if reference[:1] == ("$",) else reference


def _why_missing(reference: Reference, root: Mapping[str, Any]) -> str:
    """A step that has run does not have it, and never will; one that has not may."""
    if reference[0] == "loop":
        return "deferred"
    return "deferred" if reference[0] == "steps" and reference[1] not in root["steps"] else "missing"


def _at(value: Any, reference: Reference) -> Any:
    for part in reference:
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, (list, str)) and part == "length":
            return len(value)
        elif isinstance(value, list) and isinstance(part, int) and -len(value) <= part < len(value):
            value = value[part]
        else:
            return MISSING
    return value


def _text(reference: Reference) -> str:
    text = "$"
    for part in reference:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text
