"""What a trigger's file may say, as pydantic sees it once aliases are resolved; its `trigger` section is its source's."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from flows.duration import parse_duration
from flows.errors import DefinitionError
from flows.written import nullable, part, several

DURATION = {"type": "string", "pattern": r"^(?:[0-9]+(?:\.[0-9]+)?(?:ms|[smhdw]))+$", "examples": ["500ms", "30s", "1h30m"]}


def _duration_s(value: Any) -> float:
    try:
        return parse_duration(value)
    except DefinitionError as error:
        problem = error.problems[0]
        raise ValueError(f"{problem.problem} ({problem.hint})" if problem.hint else problem.problem) from None


Duration = Annotated[float, BeforeValidator(_duration_s), WithJsonSchema(DURATION)]
"""`"30s"` in a definition, seconds inside."""


def known_fields(model: type[BaseModel]) -> dict[tuple[str | int, ...], Collection[str]]:
    """What may stand where an unknown field was found: by the place of the object, for models inside the model as well."""
    known: dict[tuple[str | int, ...], Collection[str]] = {(): _names(model)}
    for name, field in model.model_fields.items():
        for inner in (field.annotation, *get_args(field.annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                known[(name,)] = known[(name, 0)] = _names(inner)
    return known


def _names(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


class IdempotencySpec(BaseModel):
    """Events for which `key` gives the same text within `ttl` make one run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Annotated[str, Field(min_length=1)]  # a path
    ttl: Annotated[Duration, Field(gt=0)] = 86400.0  # seconds; a day covers the retries of every sender we know


class TimeoutsSpec(BaseModel):
    """How long a run may wait for its start, and how long it may take then."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: Annotated[Duration, Field(gt=0)] | None = None
    finish: Annotated[Duration, Field(gt=0)] | None = None


class TriggerSpec(BaseModel):
    """What a trigger starts, with which inputs and within which limits. What it waits for stands in `trigger`."""

    # `key`, `trigger` and the filter are read by load.py.

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)

    flow: Annotated[str, Field(min_length=1, max_length=200)]
    description: Annotated[str, Field(max_length=10_000)] | None = None
    enabled: bool = True
    priority: Annotated[int, Field(ge=1, le=10)] = 5
    idempotency: IdempotencySpec | None = None
    timeouts: TimeoutsSpec = TimeoutsSpec()
    input_mapping: Any = Field(None, alias="inputMapping")  # checked by mapping.py
    tests: Annotated[Any, WithJsonSchema(nullable(several(part("TestSpec"))))] = None  # checked by expectation.py
    schema_: str | None = Field(None, alias="$schema")  # an editor's; we have no use for it
