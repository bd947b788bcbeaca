"""The fields that every destination has; it imports no step, for the kind of steps that uses it is one."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class DestinationSpec(BaseModel):
    """The fields of an `output` section that every destination has."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, strict=True, frozen=True)

    destination: str = Field(min_length=1, description="which of them")
    data: Any = Field(default=None, description="what is written: a value with paths and templates; none: what the step is given")
