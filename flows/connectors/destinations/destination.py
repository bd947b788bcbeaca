"""The seam of destinations: what one is given at load, what it is given at run, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel

from flows.connectors.destinations.spec import DestinationSpec
from flows.errors import StepError
from flows.expression import UNDEFINED
from flows.step import Load, Scope
from flows.steps.checked_text import Reference
from flows.steps.decision import what_was_asked_of
from flows.steps.json_text import json_text
from flows.value import Value, compile_value


class Destination(Protocol):
    """One place to write to. One instance serves all steps that name it."""

    section: ClassVar[str]  # of the configuration: "connectors.webhook"
    Settings: ClassVar[type[BaseModel]]
    Spec: ClassVar[type[DestinationSpec]]

    def prepare(self, spec: Any, load: Load) -> Any:
        """Check all that can be known now and compile it. Raises DefinitionError. What it returns is given to write()."""
        ...

    async def write(self, prepared: Any, scope: Scope) -> dict[str, Any]:
        """One attempt: what the other side said, as facts. Raises StepError. A cancel leaves nothing open."""
        ...

    async def close(self) -> None:
        """Let go of what is shared between attempts. Nothing runs any more."""
        ...


@dataclass(frozen=True, slots=True)
class Data:
    """What is to be written. None as `value`: what the step is given; behind a condition, what that was given."""

    value: Value | None

    @property
    def references(self) -> tuple[Reference, ...]:
        return (("data",),) if self.value is None else self.value.references

    def made(self, names: Mapping[str, Any]) -> Any:
        """Raises StepError OUTPUT_DATA where the step is given nothing, SelectorError where `data` leads nowhere."""
        if self.value is not None:
            return self.value.needed(names)
        if names["data"] is UNDEFINED:
            said = "there is nothing to write: the step is not given one value"
            raise StepError(f'{said} ("data": "$.steps.….output" says which)', code="OUTPUT_DATA", retryable=False)
        return what_was_asked_of(names["data"])


def compile_data(spec: DestinationSpec) -> Data:
    """Raises DefinitionError with an empty path."""
    return Data(compile_value(spec.data, lenient=True) if "data" in spec.model_fields_set else None)


def json_of(value: Any, *, indent: int | None = None) -> str:
    """Its JSON, which can always be encoded. Raises StepError OUTPUT_DATA."""
    try:
        return json_text(value, indent=indent)
    except (RecursionError, ValueError, TypeError, RuntimeError) as error:  # too deep, too long a number, or it grows meanwhile
        said = f"what is to be written is no JSON: {type(error).__name__}"
        raise StepError(said, code="OUTPUT_DATA", retryable=False) from error
