"""What scripts may use, as the configuration says."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from flows.script.engine import Limits


class ScriptSettings(BaseModel):
    """The settings of a kind of step that runs scripts in the engine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeout_s: float = Field(default=10.0, gt=0, le=3600, description="of computing, for one script in the engine")
    memory_bytes: int = Field(default=256 * 1024 * 1024, ge=1024 * 1024, description="of one script in the engine")
    max_output_bytes: int = Field(default=10 * 1024 * 1024, gt=0, description="of what a script gives, as JSON")
    processes: int = Field(default=2, ge=1, le=64, description="scripts in the engine at one time; more wait")

    def limits(self) -> Limits:
        return Limits(self.timeout_s, self.memory_bytes, self.max_output_bytes)
