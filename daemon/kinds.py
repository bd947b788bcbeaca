"""The kinds of steps with their settings: each gets its own section of camshaft.toml, [steps.<name with _>]."""

from __future__ import annotations

from daemon.config import Config, read_section
from flows.step import StepKind
from flows.steps import STEP_KINDS, make_kinds


def configured_kinds(config: Config) -> dict[str, StepKind]:
    """One instance of each kind. Raises DefinitionError with the settings that are wrong."""
    return make_kinds(
        {name: read_section(kind.Settings, config, "steps", name.replace("-", "_")) for name, kind in STEP_KINDS.items()}
    )
