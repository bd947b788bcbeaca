"""What a flow trigger's section and `[sources.flow]` may say, checked and brought into one form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from flows.errors import DefinitionError
from flows.suggest import validation_problems
from flows.written import one_or_several
from triggers.spec import known_fields

Status = Literal["completed", "failed", "cancelled"]
"""How a run ends."""


class FlowSettings(BaseModel):
    """`[sources.flow]` of camshaft.toml: how far runs may start each other, and how much of them an event keeps."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_depth: int = Field(
        16, ge=1, le=1000, description="how many runs may follow each other in one chain; further: `loop_refused`"
    )
    max_runs: int = Field(
        1000, ge=1, le=1_000_000, description="how many runs of one chain may be started by others; further: `loop_refused`"
    )
    max_value_bytes: int = Field(
        256 * 1024, ge=0, le=16 * 1024 * 1024, description="larger outputs, or inputs, enter an event only as far as fields fit"
    )


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _unique(value: list[str]) -> list[str]:
    return list(dict.fromkeys(value))


Flows = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=200)]],
    BeforeValidator(_listed),
    AfterValidator(_unique),
    Field(min_length=1, max_length=100),
    WithJsonSchema(one_or_several({"type": "string", "minLength": 1, "maxLength": 200}, minItems=1)),
]
Ends = Annotated[
    list[Status],
    BeforeValidator(_listed),
    AfterValidator(_unique),
    Field(min_length=1),
    WithJsonSchema(one_or_several({"enum": list(get_args(Status))}, minItems=1)),
]


class FlowTriggerSpec(BaseModel):
    """A flow trigger's own section."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    flow: Flows  # the keys of the flows whose runs it follows
    on: Ends = ["completed"]


def prepare(section: Mapping[str, Any]) -> FlowTriggerSpec:
    """Raises DefinitionError with all that is wrong; places are relative to the section."""
    listed = {name: _listed(value) if name in ("flow", "on") else value for name, value in section.items()}
    try:
        return FlowTriggerSpec.model_validate(listed)
    except ValidationError as error:
        found = validation_problems(error, known_fields(FlowTriggerSpec), document=listed)
        raise DefinitionError(*(replace(problem, path=_as_written(problem.path, section)) for problem in found)) from None


def _as_written(path: tuple[str | int, ...], section: Mapping[str, Any]) -> tuple[str | int, ...]:
    """One text was read as a list of one."""
    return path if len(path) < 2 or isinstance(section.get(str(path[0])), list) else (path[0], *path[2:])
