"""`condition`: one of two branches, by an expression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from flows.expression import Expression
from flows.graph import Graph
from flows.script.question import Question, answer, compile_condition
from flows.step import Load, Output, Scope
from flows.steps.decision import Decision
from flows.steps.no_settings import NoSettings
from flows.written import StepList


class ConditionSpec(BaseModel):
    """The `condition` section of a step."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    expression: str = Field(min_length=1, description="an expression; what walks into nothing is false")
    then: StepList = Field(description="steps for when it is true")
    else_: StepList = Field(default_factory=list, alias="else", description="steps for when it is false")


@dataclass(frozen=True, slots=True)
class Branches:
    """A `condition` section, compiled."""

    expression: Expression | Question
    then: Graph
    otherwise: Graph


class Condition:
    name: ClassVar[str] = "condition"
    section: ClassVar[str] = "condition"
    effects: ClassVar[bool] = False
    container: ClassVar[bool] = True
    Settings: ClassVar[type[BaseModel]] = NoSettings
    Spec: ClassVar[type[BaseModel]] = ConditionSpec

    def __init__(self, settings: BaseModel | None = None) -> None:
        self.settings = settings

    def prepare(self, spec: ConditionSpec, load: Load) -> Branches:
        then, otherwise = load.body(spec.then, ("then",)), load.body(spec.else_, ("else",))
        return Branches(compile_condition("expression", spec.expression, load), then, otherwise)

    async def run(self, prepared: Branches | Decision, scope: Scope) -> Output:
        if isinstance(prepared, Decision):
            return prepared.decide(scope.names)
        holds = await answer(prepared.expression, scope.names)
        branch = prepared.then if holds else prepared.otherwise
        ended = await scope.run_body(branch)
        executed = [ended.steps[step.id] for step in branch.steps if step.id in ended.steps]
        value = {"conditionResult": holds, "stepsExecuted": executed}
        return Output(value, {"conditionResult": holds}, branch="true" if holds else "false")

    async def close(self) -> None:
        """Nothing is shared."""
