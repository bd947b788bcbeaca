"""What a flow takes and needs, for people who did not write it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flows.expression import Expression
from flows.references import all_steps, parts_of, references_of
from flows.script.question import Question

if TYPE_CHECKING:
    from flows.flow import Flow
    from flows.graph import Step


def declared_inputs(flow: Flow) -> list[dict[str, Any]]:
    """Each input as it is declared; what is not said is left out."""
    shown = []
    for one in flow.inputs.declared.values():
        said: dict[str, Any] = {"name": one.name, "type": one.type, "required": one.required and not one.has_default}
        if one.has_default:
            said["default"] = one.default
        more = {
            "enum": None if one.enum is None else list(one.enum),
            "description": one.description,
            "connection": one.connection,
        }
        shown.append(said | {name: value for name, value in more.items() if value is not None})
    return shown


def step_types(flow: Flow) -> dict[str, int]:
    """How many steps of each kind there are, at every depth; not those of sub-flows."""
    counts: dict[str, int] = {}
    for kind in {step.id: step.kind for step in all_steps(flow.graph)}.values():  # a loop to a node stands around itself
        counts[kind] = counts.get(kind, 0) + 1
    return dict(sorted(counts.items()))


def engines(flow: Flow) -> dict[str, str]:
    """What runs the code of each step that has some: expression (our own interpreter), javascript, node or python."""
    found = {}
    for step in all_steps(flow.graph):
        if isinstance(step.prepared, Expression):
            found[step.id] = "expression"
        elif hasattr(step.prepared, "engine"):
            found[step.id] = step.prepared.engine
        elif any(isinstance(part, Question) for part in (step.when, step.unless, *parts_of(step.prepared))):
            found[step.id] = Question.engine
    return found


def needs(flow: Flow) -> dict[str, Any]:
    """What must be there for it to run: programs, secrets by name, variables in $.env, other flows, the API of actions."""
    steps = list(all_steps(flow.graph))
    kinds = {step.kind for step in steps}
    return {
        "bash": "bash" in kinds,
        "node": any(step.kind == "code" and _section(step).get("module") is not None for step in steps),
        "python": "python" in kinds,
        "actionApi": bool(kinds & {"action", "paginate"}),
        "secrets": sorted({name for step in steps for part in parts_of(step.prepared) for name in getattr(part, "secrets", ())}),
        "sources": sorted({step.prepared.connector for step in steps if step.kind == "data_source"}),
        "destinations": sorted({step.prepared.destination for step in steps if step.kind == "output"}),
        "env": sorted({name for step in steps for name in _variables(step)}),
        "flows": list(flow.subflows),
        "flowsMadeAtRun": any(step.kind == "flow" and _section(step).get("key") not in flow.subflows for step in steps),
    }


def _section(step: Step) -> dict[str, Any]:
    written = None if step.section is None else step.section[1]
    return written if isinstance(written, dict) else {}


def _variables(step: Step) -> Iterator[str]:
    for reference, _ in references_of(step):
        parts = reference[1:] if reference[:1] == ("$",) else reference
        if parts[:1] == ("env",) and len(parts) > 1:
            yield str(parts[1])
