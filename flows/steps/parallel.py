"""`parallel`: steps that run side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from flows.graph import Graph
from flows.step import Load, Output, Scope
from flows.steps.no_settings import NoSettings
from flows.written import StepList


class ParallelSpec(BaseModel):
    """The `parallel` section of a step."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    steps: StepList = Field(description="the steps; where one has `needs`, they run by `needs`")
    max_concurrency: int = Field(5, alias="maxConcurrency", ge=1, description="steps that run at one time")


class Parallel:
    name: ClassVar[str] = "parallel"
    section: ClassVar[str] = "parallel"
    effects: ClassVar[bool] = False
    container: ClassVar[bool] = True
    Settings: ClassVar[type[BaseModel]] = NoSettings
    Spec: ClassVar[type[BaseModel]] = ParallelSpec

    def __init__(self, settings: BaseModel | None = None) -> None:
        self.settings = settings

    def prepare(self, spec: ParallelSpec, load: Load) -> Graph:
        body = load.body(spec.steps, ("steps",))
        if body.order == "needs":
            return replace(body, max_concurrent=spec.max_concurrency)
        fallbacks = tuple(edge for edge in body.edges if edge.fallback)
        return replace(body, edges=fallbacks, max_concurrent=spec.max_concurrency, order="beside")

    async def run(self, prepared: Graph, scope: Scope) -> Output:
        ended = await scope.run_body(prepared)
        return Output([ended.steps[step.id] for step in prepared.steps if step.id in ended.steps])

    async def close(self) -> None:
        """Nothing is shared."""
