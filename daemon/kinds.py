"""Parts with their settings: each kind of step and each source gets its own section of camshaft.toml, checked by its own model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from daemon.config import FILE, Config, read_section
from flows.connectors.settings import CONNECTORS, ConnectorSettings, settings_class
from flows.errors import DefinitionError, Problem
from flows.step import StepKind
from flows.steps import SETTINGS_OF, STEP_KINDS, make_kinds
from triggers.sources import SOURCES, source_class

ELSEWHERE = {  # fields of a source's settings that another section sets
    ("webhook", "listen"): "[http] listen",
    ("schedule", "timezone"): "[schedule] timezone",
}


def configured_kinds(config: Config) -> dict[str, StepKind]:
    """One instance of each kind of step. Raises DefinitionError with every setting of a step or a source that is wrong.

    A source's section, and a connector's, is checked also where nothing uses it yet.
    """
    problems: list[Problem] = []
    settings = {}
    for name, kind in STEP_KINDS.items():
        if name in SETTINGS_OF:
            continue
        with _gathered(problems):
            settings[name] = read_section(kind.Settings, config, "steps", name.replace("-", "_"))
    for kind in SOURCES:
        if kind.replace("-", "_") in config.sources:
            with _gathered(problems):
                source_settings(config, kind)
    sections = {f"steps.{name.replace('-', '_')}": section for name, section in settings.items()}
    for name in config.connectors:
        with _gathered(problems):
            sections[f"connectors.{name}"] = read_section(settings_class(name), config, "connectors", name)
    if problems:
        raise DefinitionError(*problems)
    return make_kinds({**settings, CONNECTORS: ConnectorSettings(sections=sections)})


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


@contextmanager
def _gathered(problems: list[Problem]) -> Iterator[None]:
    try:
        yield
    except DefinitionError as error:
        problems += error.problems
