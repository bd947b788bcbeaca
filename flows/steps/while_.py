"""`while`: the same steps again, once and then as long as a condition holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from flows.errors import StepError
from flows.expression import Expression
from flows.graph import Graph
from flows.script.question import Question, answer, compile_condition
from flows.step import Load, Output, Scope
from flows.steps.no_settings import NoSettings
from flows.written import StepList


class WhileSpec(BaseModel):
    """The `while` section of a step."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    condition: str = Field(min_length=1, description="asked before each iteration but the first; walking into nothing is false")
    steps: StepList = Field(description="the steps of one iteration")
    max_iterations: int = Field(100, alias="maxIterations", ge=1, le=100_000, description="then it ends, whatever the condition")


@dataclass(frozen=True, slots=True)
class Repeating:
    """A `while` section, compiled."""

    shows_itself: ClassVar[bool] = True  # its condition and its steps may read what $.steps has of the step itself

    condition: Expression | Question
    body: Graph
    max_iterations: int


class While:
    name: ClassVar[str] = "while"
    section: ClassVar[str] = "while"
    effects: ClassVar[bool] = False
    container: ClassVar[bool] = True
    Settings: ClassVar[type[BaseModel]] = NoSettings
    Spec: ClassVar[type[BaseModel]] = WhileSpec

    def __init__(self, settings: BaseModel | None = None) -> None:
        self.settings = settings

    def prepare(self, spec: WhileSpec, load: Load) -> Repeating:
        body = load.body(spec.steps, ("steps",))
        return Repeating(compile_condition("condition", spec.condition, load), body, spec.max_iterations)

    async def run(self, prepared: Repeating, scope: Scope) -> Output:
        results: list[Any] = []  # shown as it grows: no step keeps a list that it was given, and a copy each round is quadratic
        scope.show({"iteration": 0, "results": results})
        while len(results) < prepared.max_iterations and (not results or await answer(prepared.condition, scope.names)):
            results.append(await _iterate(prepared, scope, len(results)))
            scope.show({"lastResult": results[-1], "iteration": len(results) - 1, "results": results})
        value = {"lastResult": results[-1], "iteration": len(results), "results": results}
        return Output(value, {"iterations": len(results), "results": results})

    async def close(self) -> None:
        """Nothing is shared."""


async def _iterate(prepared: Repeating, scope: Scope, number: int) -> Any:
    """What the last of its steps gave, null where that gave nothing. Raises StepError that names the iteration."""
    try:
        ended = await scope.run_body(prepared.body, mark=f"[{number}]")
    except StepError as error:
        raise error.of_container(f"iteration {number}: {error}") from error
    return ended.steps.get(prepared.body.steps[-1].id, {}).get("output") if prepared.body.steps else None
