"""`prompt`: what a language model is to be asked; this version makes the text and calls nobody."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from flows.errors import DefinitionError, Problem, StepError
from flows.step import Load, Output, Scope
from flows.steps.checked_text import Reference, collected
from flows.steps.no_settings import NoSettings
from flows.text import as_text
from flows.value import Value, compile_value

UNCALLED = "PROMPT_NOT_IN_THIS_VERSION"
MAX_CHARACTERS = 10_000_000  # of one text: more than any model reads is a mistake in a template


class PromptSpec(BaseModel):
    """The `prompt` section of a step."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, strict=True, frozen=True)

    template: str = Field(alias="promptTemplate", min_length=1, description="what is asked, as text with {{ }} or a $. path")
    system: str | None = Field(default=None, min_length=1, description="what the model is told before that, the same way")
    model: str = Field(min_length=1, max_length=200, description="which model is asked")
    temperature: float | None = Field(default=None, ge=0, le=2, allow_inf_nan=False, description="none: the model's own")
    max_tokens: int | None = Field(
        default=None, alias="maxTokens", ge=1, le=10_000_000, description="of the answer; none: the model's own"
    )


@dataclass(frozen=True, slots=True)
class Asking:
    """A `prompt` section, compiled."""

    template: Value
    system: Value | None
    model: str
    temperature: float | None
    max_tokens: int | None
    references: tuple[Reference, ...]


class Prompt:
    """Its texts are made all the same: what they lack is found, and told before that nobody can be asked."""

    name: ClassVar[str] = "prompt"
    section: ClassVar[str] = "prompt"
    effects: ClassVar[bool] = True
    container: ClassVar[bool] = False
    Settings: ClassVar[type[BaseModel]] = NoSettings
    Spec: ClassVar[type[BaseModel]] = PromptSpec

    def __init__(self, settings: NoSettings) -> None:
        self.settings = settings

    def prepare(self, spec: PromptSpec, load: Load) -> Asking:
        problems: list[Problem] = []
        template = collected(problems, ("promptTemplate",), partial(compile_value, spec.template))
        system = None if spec.system is None else collected(problems, ("system",), partial(compile_value, spec.system))
        if not spec.model.strip():
            problems.append(Problem(("model",), "model is blank", 'write its name: "gpt-4o-mini"'))
        if template is None or problems:
            raise DefinitionError(*problems)
        load.warn((), "this version calls no models: the step fails when it runs", "flow execute --mock runs without them")
        references = (*template.references, *(system.references if system is not None else ()))
        return Asking(template, system, spec.model, spec.temperature, spec.max_tokens, tuple(dict.fromkeys(references)))

    async def run(self, prepared: Asking, scope: Scope) -> Output:
        asked = _asked(prepared, scope)
        said = f"the model {prepared.model} was not asked ({len(asked):,} characters): this version calls no models"
        raise StepError(said, code=UNCALLED, retryable=False)

    async def example(self, prepared: Asking, scope: Scope) -> Any:
        """For rehearsals: an answer's fields, its text being what would have been asked."""
        return {"text": _asked(prepared, scope), "model": prepared.model, "tokens": None, "cost": None}

    async def close(self) -> None:
        """Nothing is shared between attempts."""


def _asked(prepared: Asking, scope: Scope) -> str:
    """The text, after that of `system` was made as well. Raises what a missing value raises, and StepError."""
    if prepared.system is not None:
        _made(prepared.system, scope)
    return _made(prepared.template, scope)


def _made(value: Value, scope: Scope) -> str:
    text = as_text(value.needed(scope.names))
    if not text.strip():
        raise StepError(f"the text made of {value.source!r:.60} is empty", code="PROMPT_EMPTY", retryable=False)
    if len(text) > MAX_CHARACTERS:
        said = f"the text has {len(text):,} characters, and may have {MAX_CHARACTERS:,}"
        raise StepError(said, code="PROMPT_TOO_LARGE", retryable=False)
    return text
