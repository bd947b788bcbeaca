"""What a flow names that stands outside of it: sub-flows, events that it gives, and what it waits for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from flows.emission import AwaitedName, EventName
from flows.graph import FlowKey, Graph, Place, Step
from flows.references import parts_of


class Outside(NamedTuple):
    """Each in the order of the steps. A name that is None is made at run."""

    subflows: tuple[str, ...]  # those whose keys are literals
    events: tuple[tuple[str | None, Place], ...]
    awaits: tuple[tuple[str, str | None, Place], ...]  # by which source: `event` or `webhook`


def names_outside(graph: Graph) -> Outside:
    """Of all steps at every depth, and of the handlers."""
    parts = list(_prepared_parts(graph))
    return Outside(
        tuple(dict.fromkeys(part.key for _, part in parts if isinstance(part, FlowKey))),
        tuple((part.literal, _place(step, "event")) for step, part in parts if isinstance(part, EventName)),
        tuple((part.source, part.literal, _place(step, part.source)) for step, part in parts if isinstance(part, AwaitedName)),
    )


def _prepared_parts(graph: Graph) -> Iterator[tuple[Step, Any]]:
    """All that is in what the kinds have prepared, with the step that it is of."""
    for step in graph.steps:
        for part in parts_of(step.prepared):
            if isinstance(part, Graph):
                yield from _prepared_parts(part)
            else:
                yield step, part
    for handler in graph.following():
        yield from _prepared_parts(handler)


def _place(step: Step, field: str) -> Place:
    return (*step.place, *(step.section or ())[:1], field)
