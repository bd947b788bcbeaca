"""`onFailure`, `onCancel` and `finally`: lists of steps beside a flow's own, the same in every dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from flows.graph import Handlers

if TYPE_CHECKING:
    from flows.dialects.steps import Lowering
    from flows.graph import Graph

NAMES = ("onFailure", "onCancel", "finally")


class Handled(Protocol):
    """The fields of a flow, in either dialect."""

    @property
    def on_failure(self) -> Any: ...
    @property
    def on_cancel(self) -> Any: ...
    @property
    def final(self) -> Any: ...


def lower_handlers(spec: Handled, lowering: Lowering) -> Handlers | None:
    """None: it has none. An empty list is none. What is wrong is told; ids are unique over all lists of a flow."""
    lists = dict(zip(NAMES, (spec.on_failure, spec.on_cancel, spec.final), strict=True))
    written = {name: steps for name, steps in lists.items() if steps is not None and steps != []}
    if not written:
        return None
    for name in NAMES:  # the paths of a handler's steps begin so, as those of a sub-flow begin with its step's id
        if name in lowering.places:
            said = f"a step cannot be called «{name}» in a flow that has {' or '.join(written)}"
            lowering.refuse((*lowering.places[name], "id"), said, "give it another id", code="GRAPH_STEP")
    lowered: dict[str, Graph] = {name: lowering.steps(steps, (name,)) for name, steps in written.items()}
    return Handlers(*(lowered.get(name) for name in NAMES))
