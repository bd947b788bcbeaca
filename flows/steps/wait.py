"""`wait`: nothing for so long, or until an instant; also while no process runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from flows.duration import parse_duration
from flows.errors import DefinitionError, StepError
from flows.instant import parse_instant, write_instant
from flows.results import milliseconds
from flows.step import Load, Output, Scope
from flows.steps.no_settings import NoSettings
from flows.value import Value, compile_value
from flows.waiting import Wait


class WaitSpec(BaseModel):
    """The `wait` section of a step."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    for_: str | None = Field(None, alias="for", description="how long: 30s, 2h, 1d; or a path or text that gives that")
    until: str | None = Field(None, description="an instant with its offset; or a path or text that gives one")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A `wait` section, compiled: one of the two is there."""

    length: Value | None
    until: Value | None


class WaitStep:
    name: ClassVar[str] = "wait"
    section: ClassVar[str] = "wait"
    effects: ClassVar[bool] = False
    container: ClassVar[bool] = False
    waits: ClassVar[bool] = True
    Settings: ClassVar[type[BaseModel]] = NoSettings
    Spec: ClassVar[type[BaseModel]] = WaitSpec

    def __init__(self, settings: BaseModel | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self._clock = clock

    def prepare(self, spec: WaitSpec, load: Load) -> Waiting:  # noqa: ARG002 - the seam's form
        if (spec.for_ is None) == (spec.until is None):
            raise DefinitionError.at((), "a wait has one of «for» and «until»", '"for": "2h"')
        if spec.for_ is not None:
            return Waiting(checked_value("for", spec.for_, parse_duration), None)
        return Waiting(None, checked_value("until", spec.until, parse_instant))

    async def run(self, prepared: Waiting, scope: Scope) -> Output:
        if prepared.until is not None:
            due = made("until", prepared.until, scope, parse_instant)
        else:
            assert prepared.length is not None  # prepare() saw to it
            due = self._clock() + made("for", prepared.length, scope, parse_duration)
        ended = await scope.wait(Wait("timer", due=due))
        return Output({"until": write_instant(ended.at), "waitedMs": milliseconds(ended.at - ended.since)})

    async def close(self) -> None:
        """Nothing is shared."""


def checked_value(name: str, text: Any, parse: Callable[[Any], float]) -> Value:
    """A field as a value; what it says is checked now, where it is always the same. Raises DefinitionError."""
    try:
        value = compile_value(text)
        if value.constant:
            parse(value.make({}))
    except DefinitionError as error:
        raise error.under(name) from None
    return value


def made(name: str, value: Value, scope: Scope, parse: Callable[[Any], float]) -> float:
    """What a field says now. Raises StepError where it is nothing of the sort."""
    try:
        return parse(value.needed(scope.names))
    except DefinitionError as error:
        problem = error.problems[0]
        raise StepError(f"{name}: {problem.problem}", code="WAIT_TIME", retryable=False) from None
