"""What a kind of step is that a test makes up, where it says nothing else."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Anything(BaseModel):
    """A section that may say what it likes."""

    model_config = ConfigDict(extra="allow")


class Kind:
    """It touches the world, runs no other steps, and is given its section as it stands. What it does is its `run`."""

    effects = True
    container = False
    Spec: ClassVar[type[BaseModel]] = Anything

    def prepare(self, spec, load):
        return spec
