"""What is drawn of a flow: boxes, groups of them, and arrows between those that stand side by side.

A box's key is the step's path in a run, without the numbers of iterations and tries: `each.fetch`, `enrich/look`, `finally/tell`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from flows.expression import Expression
from flows.graph import FlowKey, Graph, Step
from flows.references import bodies_of, parts_of
from flows.steps.back import AGAIN, DONE, Back, Rounds

if TYPE_CHECKING:
    from flows.flow import Flow
    from flows.graph import Edge

MAX_SUBFLOWS = 4  # inside each other; deeper ones are a box each
MAX_BOXES = 2000  # then sub-flows are a box each

Form = Literal["next", "fallback", "back"]


@dataclass(frozen=True, slots=True)
class Box:
    """One step that holds no others."""

    key: str
    label: str
    kind: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Arrow:
    """From one member of a group to another: `fallback` leads to what stands in, `back` to an earlier one."""

    source: str
    target: str
    label: str = ""
    form: Form = "next"


@dataclass(frozen=True, slots=True)
class Group:
    """Steps inside a step, or one of the lists beside a flow's own."""

    key: str
    label: str
    kind: str
    detail: str = ""
    members: tuple[Box | Group, ...] = ()
    arrows: tuple[Arrow, ...] = ()


@dataclass(frozen=True, slots=True)
class Drawing:
    """The whole. `handlers` follow the main steps when they have ended."""

    title: str
    caption: str
    main: Group
    handlers: tuple[Group, ...] = ()

    def groups(self) -> Iterator[Group]:
        """All of them, the main one first, those around before those inside."""
        pending = [*reversed(self.handlers), self.main]
        while pending:
            group = pending.pop()
            yield group
            pending.extend(member for member in reversed(group.members) if isinstance(member, Group))


@dataclass(slots=True)
class _Drawing:
    """One flow on its way."""

    boxes: int = 0
    open: list[str] = field(default_factory=list)  # the sub-flows around


def drawn(flow: Flow) -> Drawing:
    at_work = _Drawing(open=[flow.key])
    main = _group(at_work, "", flow.name or flow.key, "flow", flow.graph, "", flow)
    handlers = () if flow.graph.handlers is None else flow.graph.handlers.named().items()
    after = tuple(_group(at_work, name, name, "handler", graph, f"{name}/", flow) for name, graph in handlers)
    return Drawing(flow.name or flow.key, _caption(flow), _with_next_run(main, flow), after)


def _caption(flow: Flow) -> str:
    if flow.repeats is None:
        return ""
    return f"continuous: {'where the loop goes back' if flow.repeats.loop else 'again'} after {flow.repeats.delay_s:g} s"


def _with_next_run(main: Group, flow: Flow) -> Group:
    """The way back of a loop that closes on a root: it starts the next run."""
    if flow.repeats is None or flow.repeats.loop is None or flow.repeats.target is None:
        return main
    back = Arrow(flow.repeats.loop, flow.repeats.target, "next run", "back")
    return Group(main.key, main.label, main.kind, main.detail, main.members, (*main.arrows, back))


def _group(at_work: _Drawing, key: str, label: str, kind: str, graph: Graph, prefix: str, flow: Flow, detail: str = "") -> Group:
    members = tuple(_member(at_work, step, prefix, flow) for step in graph.steps)
    arrows = tuple(_arrow(edge, graph, prefix, flow) for edge in graph.edges)
    return Group(key, label, kind, detail, members, arrows)


def _arrow(edge: Edge, graph: Graph, prefix: str, flow: Flow) -> Arrow:
    source = graph.steps[graph.index[edge.source]]
    if edge.fallback:
        return Arrow(prefix + edge.source, prefix + edge.target, "on failure", "fallback")
    said = "last round" if edge.condition == DONE and isinstance(source.prepared, Back) else ""
    if edge.condition is not None and edge.condition not in {DONE, AGAIN}:
        said = edge.condition
    return Arrow(prefix + edge.source, prefix + edge.target, ": ".join(filter(None, (said, _written_label(edge, flow)))))


def _written_label(edge: Edge, flow: Flow) -> str:
    """What a definition in nodes calls an edge."""
    if edge.place[:1] != ("edges",) or not isinstance(flow.definition, dict):
        return ""
    written = flow.definition.get("edges", [])
    number = edge.place[1] if len(edge.place) > 1 else None
    if (
        not isinstance(number, int)
        or not isinstance(written, list)
        or number >= len(written)
        or not isinstance(written[number], dict)
    ):
        return ""
    label = written[number].get("label")
    return label if isinstance(label, str) else ""


def _member(at_work: _Drawing, step: Step, prefix: str, flow: Flow) -> Box | Group:
    at_work.boxes += 1
    key, label = prefix + step.id, step.name or step.id
    inner = _inner(at_work, step, key, flow)
    detail = _detail(step.prepared)
    if inner is None:
        return Box(key, label, step.kind, detail)
    return Group(key, label, step.kind, detail, *inner)


def _inner(at_work: _Drawing, step: Step, key: str, flow: Flow) -> tuple[tuple[Box | Group, ...], tuple[Arrow, ...]] | None:
    """What stands inside a step. None: nothing does."""
    prepared = step.prepared
    if isinstance(prepared, Rounds):
        body = _group(at_work, key, "", "", prepared.body, f"{key}.", flow)
        back = Arrow(f"{key}.{prepared.loop}", f"{key}.{prepared.target}", _back_label(prepared), "back")
        return body.members, (*body.arrows, back)
    called = next((part.key for part in parts_of(prepared) if isinstance(part, FlowKey)), None)
    if called is not None:
        return _subflow(at_work, called, key, flow)
    bodies = [(name, body) for name, body in _bodies(prepared) if body.steps]
    if not bodies:
        return None
    if len(bodies) == 1 and not bodies[0][0]:
        only = _group(at_work, key, "", "", bodies[0][1], f"{key}.", flow)
        return only.members, only.arrows
    return tuple(_group(at_work, f"{key}:{name}", name, "branch", body, f"{key}.", flow) for name, body in bodies), ()


def _bodies(prepared: Any) -> Iterator[tuple[str, Graph]]:
    """The bodies of a step by the names of their places; the one of a loop has none."""
    named = {"then": getattr(prepared, "then", None), "else": getattr(prepared, "otherwise", None)}
    branches = [(name, body) for name, body in named.items() if isinstance(body, Graph)]
    if branches:
        yield from branches
        return
    bodies = list(bodies_of(prepared))
    yield from (("" if len(bodies) == 1 else str(number), body) for number, body in enumerate(bodies, 1))


def _subflow(at_work: _Drawing, called: str, key: str, flow: Flow) -> tuple[tuple[Box | Group, ...], tuple[Arrow, ...]] | None:
    found = flow.pinned.get(called)
    if found is None or called in at_work.open or len(at_work.open) > MAX_SUBFLOWS or at_work.boxes > MAX_BOXES:
        return None
    at_work.open.append(called)
    body = _group(at_work, key, "", "", found.graph, f"{key}/", found)
    at_work.open.pop()
    return (body.members, body.arrows) if body.members else None


def _back_label(rounds: Rounds) -> str:
    step = rounds.body.steps[rounds.body.index[rounds.loop]]
    condition = step.prepared.condition if isinstance(step.prepared, Back) else None
    return "again" if condition is None else f"while {condition.source}"


def _detail(prepared: Any) -> str:
    """What a step is about, in a few words, where that is known."""
    if isinstance(prepared, Rounds):
        return f"at most {prepared.max_iterations} rounds"
    called = next((part.key for part in parts_of(prepared) if isinstance(part, FlowKey)), None)
    if called is not None:
        return called
    over = getattr(getattr(prepared, "over", None), "text", None)
    if isinstance(over, str):
        return f"over {over}"
    question = next(
        (asked for name in ("condition", "expression") if isinstance(asked := getattr(prepared, name, None), Expression)), None
    )
    return question.source if question is not None else ""


def keys_of(drawing: Drawing) -> Mapping[str, Box | Group]:
    """All boxes and groups but the whole, by their keys."""
    return {member.key: member for group in drawing.groups() for member in (group, *group.members) if member is not drawing.main}
