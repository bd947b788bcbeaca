"""The settings of a kind that has none."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class NoSettings(BaseModel):
    """`[steps.<kind>]` may stand in the config, and holds nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)
