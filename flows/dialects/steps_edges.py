"""What waits for what in a list of steps: each for the one before it, or each for what it needs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from flows.graph import Edge, Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flows.dialects.steps_spec import OnErrorSpec


@dataclass(frozen=True, slots=True)
class Draft:
    """A step, and what of it the list decides."""

    step: Step
    on_error: OnErrorSpec | None
    needs: list[str] | None


def _fallback_edges(drafts: Sequence[Draft]) -> list[Edge]:
    return [
        Edge(draft.step.id, draft.step.fallback, fallback=True, place=(*draft.step.place, "onError", "fallbackStepId"))
        for draft in drafts
        if draft.step.fallback is not None
    ]


def edges_in_a_row(drafts: Sequence[Draft]) -> tuple[Edge, ...]:
    """Each step after the one before it; those that stand in for others are called, and not in the row."""
    called = {draft.step.fallback for draft in drafts}
    row = [draft.step.id for draft in drafts if draft.step.id not in called]
    return (*(Edge(source, target) for source, target in pairwise(row)), *_fallback_edges(drafts))


def edges_by_needs(drafts: Sequence[Draft]) -> tuple[Edge, ...]:
    calls = {(draft.step.id, draft.step.fallback) for draft in drafts}
    edges = {
        (need, draft.step.id): Edge(need, draft.step.id, place=(*draft.step.place, "needs", number))
        for draft in drafts
        for number, need in enumerate(draft.needs or ())
        if (need, draft.step.id) not in calls
    }
    return (*edges.values(), *_fallback_edges(drafts))
