"""What one graph under way knows: what its steps see, why it failed, and the fallbacks that were called."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from flows.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flows.results import Result


@dataclass(slots=True)
class View:
    """What the steps of one body see. `steps` is one dict that grows; loops copy it, sub-flows begin with an empty one."""

    inputs: Mapping[str, Any]
    steps: dict[str, Result]
    loop: Mapping[str, Any]
    env: Mapping[str, str]
    data: Any  # of the steps without a source
    ending: Mapping[str, Any] | None = None  # of handlers: $.status and $.error

    def names(self) -> dict[str, Any]:
        root = {"input": self.inputs, "steps": self.steps, "loop": self.loop, "env": self.env}
        if self.ending is not None:
            root |= self.ending
        return {"$": root, **root, "data": self.data, "output": self.data}


class Failure(NamedTuple):
    """What made a graph fail: the first step that failed for good, or None where it was the whole (its timeout)."""

    step: str | None
    error: StepError

    def __str__(self) -> str:
        return str(self.error) if self.step is None else f"step «{self.step}»: {self.error}"

    def from_outside(self, steps: dict[str, Result] | None) -> StepError:
        """What the step that ran this graph as its body fails with; `steps` is what people are shown of it."""
        return self.error.of_container(str(self), steps)


@dataclass(slots=True)
class StandIn:
    """A fallback that was called: by whom, and how it came out."""

    data: Any  # what its first caller had
    callers: list[tuple[int, StepError]] = field(default_factory=list)  # those that wait for it
    begun: bool = False
    outcome: str | None = None  # success, skipped, failed (it failed, and says to go on), None: not yet
