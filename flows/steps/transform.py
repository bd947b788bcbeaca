"""`transform`: the value of an expression."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from flows.errors import DefinitionError
from flows.expression import Expression, compile_expression, to_json
from flows.step import Load, Output, Scope
from flows.steps.no_settings import NoSettings


class TransformSpec(BaseModel):
    """The `transform` section of a step."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    expression: str = Field(min_length=1, description="an expression; its value is the step's output")


class Transform:
    name: ClassVar[str] = "transform"
    section: ClassVar[str] = "transform"
    effects: ClassVar[bool] = False
    container: ClassVar[bool] = False
    Settings: ClassVar[type[BaseModel]] = NoSettings
    Spec: ClassVar[type[BaseModel]] = TransformSpec

    def __init__(self, settings: BaseModel | None = None) -> None:
        self.settings = settings

    def prepare(self, spec: TransformSpec, load: Load) -> Expression:
        return compile_at("expression", spec.expression, load)

    def run(self, prepared: Expression, scope: Scope) -> Output:
        return Output(to_json(prepared.evaluate(scope.names)))

    async def close(self) -> None:
        """Nothing is shared."""


def compile_at(field: str, text: str, load: Load) -> Expression:
    """Compile the expression in a field of a section. Raises DefinitionError with the field's place."""
    try:
        return compile_expression(text, roots=load.roots)
    except DefinitionError as error:
        raise error.under(field) from None
