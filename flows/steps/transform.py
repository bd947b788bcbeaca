"""`transform`: the value of an expression."""

from __future__ import annotations

from collections.abc import Awaitable, Collection
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from flows.errors import DefinitionError
from flows.expression import Expression, compile_expression, to_json
from flows.script.choice import compile_anywhere
from flows.script.engine import Engine, Script
from flows.script.question import Question, compile_question
from flows.script.quickjs import QuickJs
from flows.script.settings import ScriptSettings
from flows.step import Load, Output, Scope
from flows.steps.selection import Selection


class TransformSpec(BaseModel):
    """The `transform` section of a step."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    expression: str = Field(min_length=1, description="an expression of JavaScript; its value is the step's output")


class TransformSettings(ScriptSettings):
    """`[steps.transform]`: for expressions and conditions beyond our own language, which run in the JavaScript engine."""


class Transform:
    name: ClassVar[str] = "transform"
    section: ClassVar[str] = "transform"
    effects: ClassVar[bool] = False
    container: ClassVar[bool] = False
    Settings: ClassVar[type[BaseModel]] = TransformSettings
    Spec: ClassVar[type[BaseModel]] = TransformSpec

    def __init__(self, settings: TransformSettings | None = None) -> None:
        self.settings = settings or TransformSettings()
        self._engine: Engine = QuickJs(self.settings.processes)

    def prepare(self, spec: TransformSpec, load: Load) -> Expression | Script:
        try:
            return compile_anywhere(spec.expression, load.roots, self._engine)
        except DefinitionError as error:
            raise error.under("expression") from None

    def run(self, prepared: Expression | Script | Selection, scope: Scope) -> Output | Awaitable[Output]:
        if isinstance(prepared, Script):
            return self._evaluate(prepared, scope)
        if isinstance(prepared, Selection):
            return prepared.select(scope.names)
        return Output(to_json(prepared.evaluate(scope.names)))

    async def _evaluate(self, script: Script, scope: Scope) -> Output:
        return Output(await self._engine.evaluate(script, scope.names, self.settings.limits()))

    def question(self, text: str, roots: Collection[str]) -> Expression | Question:
        """A condition of any step, for the language that can answer it. Raises DefinitionError with an empty path."""
        return compile_question(text, roots, self._engine, self.settings.limits())

    async def close(self) -> None:
        await self._engine.close()


def compile_at(field: str, text: str, load: Load) -> Expression:
    """Compile the expression in a field of a section. Raises DefinitionError with the field's place."""
    try:
        return compile_expression(text, roots=load.roots)
    except DefinitionError as error:
        raise error.under(field) from None
