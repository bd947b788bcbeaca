"""Parts with their settings: each kind of step and each source gets its own section of camshaft.toml, checked by its own model."""

from __future__ import annotations

from typing import Any

from daemon.config import FILE, Config, read_section
from flows.errors import DefinitionError, Problem
from flows.step import StepKind
from flows.steps import STEP_KINDS, make_kinds
from triggers.sources import SOURCES, source_class

ELSEWHERE = {  # fields of a source's settings that another section sets
    ("webhook", "listen"): "[http] listen",
    ("schedule", "timezone"): "[schedule] timezone",
}


def configured_kinds(config: Config) -> dict[str, StepKind]:
    """One instance of each kind. Raises DefinitionError with the settings that are wrong."""
    return make_kinds(
        {name: read_section(kind.Settings, config, "steps", name.replace("-", "_")) for name, kind in STEP_KINDS.items()}
    )


def source_settings(config: Config, kind: str) -> Any:
    """A source's settings. Raises DefinitionError."""
    section = kind.replace("-", "_")
    for name in config.sources.get(section, {}):
        if (section, name) in ELSEWHERE:
            path = ("sources", section, name)
            raise DefinitionError(
                Problem(path, f"«{name}» is not set here", ELSEWHERE[section, name], code="CONFIG", file=str(config.home / FILE))
            )
    return read_section(source_class(kind).Settings, config, "sources", section)


def check_sources(config: Config) -> None:
    """Raise DefinitionError where a source's section is wrong, also that of a source that no trigger uses yet."""
    for kind in SOURCES:
        if kind.replace("-", "_") in config.sources:
            source_settings(config, kind)
