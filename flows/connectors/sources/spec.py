"""The fields that every source has, and what the daemon allows all of them; it imports no step, for the kind of steps that uses it is one."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from flows.written import part


class SourceSpec(BaseModel):
    """The `dataSource` section of a step, the `config` of a node."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, strict=True, frozen=True)

    source_type: str = Field(alias="sourceType", min_length=1, description="which of them")
    source_id: str | None = Field(
        default=None,
        alias="sourceId",
        min_length=1,
        description="which file, address, spreadsheet or base; text with {{ }}, or a path",
    )
    query: Any = Field(default_factory=dict, description="what is asked of it: fields of its own")
    transform: Annotated[Any, WithJsonSchema(part("SelectionSpec"))] = Field(
        default_factory=dict, description="filter, map, limit: of each row, while they are read"
    )
    max_rows: int | None = Field(default=None, alias="maxRows", ge=1, description="rows behind these are left out")
    max_bytes: int | None = Field(
        default=None, alias="maxBytes", ge=1, description="of the rows as JSON: those that do not fit are left out"
    )
    timeout: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="milliseconds for all of it; none: the setting timeout_s"
    )


class SourceSettings(BaseModel):
    """`[connectors.data_source]`: of every source."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_rows: int = Field(default=100_000, ge=1, description="more fail the attempt, where the step has no maxRows")
    max_bytes: int = Field(
        default=10 * 1024 * 1024, ge=1, description="of the rows as JSON; more fail the attempt, where the step has no maxBytes"
    )
    timeout_s: float = Field(default=300.0, gt=0, description="for steps without a timeout of their own")
