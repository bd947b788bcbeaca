"""Every setting there is, as it stands: its value, its default, where it came from, and what it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from daemon.config import Address, Config, hidden, read_section
from daemon.kinds import ELSEWHERE, source_settings
from flows.connectors.settings import SETTINGS, settings_class
from flows.steps import SETTINGS_OF, STEP_KINDS
from triggers.sources import SOURCES


def all_settings(config: Config) -> list[dict[str, Any]]:
    """One row for each, in the order of the documents. Raises DefinitionError with what is wrong in a part's section."""
    return [row for name, section in _sections(config) for row in _rows(config, name, section)]


def _sections(config: Config) -> Iterator[tuple[str, BaseModel]]:
    for name in type(config).model_fields:
        section = getattr(config, name)
        if isinstance(section, BaseModel):
            yield name, section
    for kind in SOURCES:
        yield f"sources.{kind.replace('-', '_')}", source_settings(config, kind)
    for name, step in STEP_KINDS.items():
        if name not in SETTINGS_OF:
            section = name.replace("-", "_")
            yield f"steps.{section}", read_section(step.Settings, config, "steps", section)
    for name in SETTINGS:
        yield f"connectors.{name}", read_section(settings_class(name), config, "connectors", name)


def _rows(config: Config, name: str, section: BaseModel) -> Iterator[dict[str, Any]]:
    path = tuple(name.split("."))
    for setting, field in type(section).model_fields.items():
        if path[0] == "sources" and (path[1].replace("_", "-"), setting) in ELSEWHERE:
            continue
        yield {
            "key": f"{name}.{setting}",
            "value": _shown(getattr(section, setting)),
            "default": _shown(field.get_default(call_default_factory=True, validated_data={})),
            "origin": str(config.layers.origin((*path, setting))),
            "is": field.description,
        }


def _shown(value: Any) -> Any:
    """As JSON, and without what nobody should read over a shoulder."""
    if isinstance(value, Address | Path):
        return str(value)
    if isinstance(value, BaseModel):
        return {name: _shown(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, tuple | list | set | frozenset):
        return [_shown(inner) for inner in value]
    if isinstance(value, dict):
        return {str(name): _shown(inner) for name, inner in value.items()}
    if isinstance(value, str):
        return hidden(value)
    return value if isinstance(value, bool | int | float) or value is None else str(value)
