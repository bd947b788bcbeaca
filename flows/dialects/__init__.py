"""The forms a flow may be written in: each lowers to the one graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flows.dialects.nodes import load_nodes
from flows.dialects.steps import load_steps
from flows.errors import DefinitionError
from flows.suggest import did_you_mean, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from flows.flow import Flow
    from flows.step import StepKind

__all__ = ["DIALECTS", "load_flow"]


DIALECTS: dict[str, Callable[..., Flow]] = {"steps": load_steps, "nodes": load_nodes}  # the field that tells it → its loader


def load_flow(definition: Any, *, key: str | None, folder: Path, kinds: Mapping[str, StepKind]) -> Flow:
    """A flow from its definition. Raises DefinitionError with all that is wrong; Flow.warnings is what is only doubtful.

    `key` is used where the definition has none: the file's stem. `folder` is where the flow's relative paths start.
    """
    if not isinstance(definition, dict):
        raise DefinitionError.at((), f"a flow is an object, not {shown(definition)}", '{"key": "…", "steps": […]}')
    found = [name for name in DIALECTS if name in definition]
    if len(found) > 1:
        raise DefinitionError.at((), f"a flow has {' or '.join(found)}, not both", "take one of them out")
    if not found:
        near = next((hint for name in definition if (hint := did_you_mean(name, DIALECTS))), None)
        raise DefinitionError.at((), "the flow has no steps", near or 'add "steps": […]')
    return DIALECTS[found[0]](definition, key=key, folder=folder, kinds=kinds)
