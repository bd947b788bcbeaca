"""`emit`: an event of the flow's own, which triggers of the type `event` hear."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import orjson
from pydantic import BaseModel, ConfigDict, Field

from flows.emission import Emission, EventName
from flows.errors import DefinitionError, Problem, StepError
from flows.selector import MISSING
from flows.step import Load, Output, Scope
from flows.steps.checked_text import collected
from flows.steps.event_name import compiled_name, made_name
from flows.steps.json_text import json_text
from flows.value import Value, compile_value

MAX_SUBJECT = 1000  # characters: it is a column of lists


class EmitSpec(BaseModel):
    """The `emit` section of a step."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    event: str = Field(min_length=1, description="its name, as text with {{ }} or a $. path")
    data: Any = Field(default=None, description="`$.body` of the event, a value with paths and templates")
    subject: str | None = Field(default=None, min_length=1, description="`$.subject` of the event; the run otherwise")


class EmitSettings(BaseModel):
    """`[steps.emit]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_bytes: int = Field(
        default=1024 * 1024, ge=0, le=64 * 1024 * 1024, description="larger data fails the step with `EVENT_TOO_LARGE`"
    )


@dataclass(frozen=True, slots=True)
class Giving:
    """An `emit` section, compiled."""

    name: EventName
    event: Value
    data: Value
    subject: Value | None


class EmitKind:
    """The event is durable before the step ends, and the same one for every attempt: it happens once."""

    name: ClassVar[str] = "emit"
    section: ClassVar[str] = "emit"
    effects: ClassVar[bool] = True
    container: ClassVar[bool] = False
    Settings: ClassVar[type[BaseModel]] = EmitSettings
    Spec: ClassVar[type[BaseModel]] = EmitSpec

    def __init__(self, settings: EmitSettings) -> None:
        self.settings = settings

    def prepare(self, spec: EmitSpec, load: Load) -> Giving:  # noqa: ARG002 - the seam's signature
        problems: list[Problem] = []
        event = collected(problems, ("event",), lambda: compiled_name(spec.event))
        data = collected(problems, ("data",), lambda: compile_value(spec.data, lenient=True))
        subject = None
        if spec.subject is not None:
            subject = collected(problems, ("subject",), lambda: compile_value(spec.subject, lenient=True))
        if event is None or data is None or problems:
            raise DefinitionError(*problems)
        return Giving(EventName(event.make({}) if event.constant else None), event, data, subject)

    async def run(self, prepared: Giving, scope: Scope) -> Output:
        name = prepared.name.literal or made_name(prepared.event.needed(scope.names))
        data = self._data(prepared.data.needed(scope.names))
        subject = None if prepared.subject is None else _subject(prepared.subject, scope)
        emitted = await scope.emit(Emission(name, data, subject, scope.run, scope.path, scope.idempotency_key))
        return Output({"event": emitted.event, "runs": list(emitted.runs)})

    async def close(self) -> None:
        """Nothing is shared between attempts."""

    def _data(self, value: Any) -> Any:
        """A copy: what it was made of may be the run's own results, which grow while the event is on its way to the disk."""
        try:
            text, read = _json(value)
        except (RecursionError, ValueError, TypeError) as error:
            raise StepError(f"the data of the event are no JSON: {error}", code="EVENT_DATA", retryable=False) from error
        if len(text) > self.settings.max_bytes:
            said = f"the data of the event take {len(text):,} bytes, and max_bytes is {self.settings.max_bytes:,} ([steps.emit])"
            raise StepError(said, code="EVENT_TOO_LARGE", retryable=False)
        return read(text)


def _subject(value: Value, scope: Scope) -> str | None:
    """A path that leads nowhere, or to null, is no subject: the run takes its place."""
    made = value.make(scope.names)
    if made is MISSING or made is None:
        return None
    text = made if isinstance(made, str) else json_text(made)
    if len(text) > MAX_SUBJECT:
        said = f"the subject has {len(text):,} characters, and may have {MAX_SUBJECT:,}"
        raise StepError(said, code="EVENT_TOO_LARGE", retryable=False)
    return text


def _json(value: Any) -> tuple[bytes, Callable[[bytes], Any]]:
    """Its JSON, and what reads that back as it was: orjson rounds integers over 64 bits."""
    try:
        return orjson.dumps(value), orjson.loads
    except TypeError:  # such an integer, a lone surrogate, or too deep
        return json_text(value).encode(), json.loads
