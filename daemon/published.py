"""The published JSON Schemas by their names, and that of camshaft.toml: its own sections, and those of each source and kind of step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from daemon.config import Config
from daemon.errors import NotFound
from daemon.kinds import ELSEWHERE
from flows.connectors.settings import SETTINGS, settings_class
from flows.dialects.published import flow_schema
from flows.published import Parts
from flows.steps import SETTINGS_OF, STEP_KINDS
from flows.suggest import did_you_mean
from triggers.published import trigger_schema
from triggers.sources import SOURCES, source_class

if TYPE_CHECKING:
    from pydantic import BaseModel

    from flows.written import JsonSchema


def config_schema() -> JsonSchema:
    """As camshaft.toml has the settings: variables of the environment may also write numbers as text."""
    sources = {kind.replace("-", "_"): source_class(kind).Settings for kind in SOURCES}
    steps = {name.replace("-", "_"): kind.Settings for name, kind in STEP_KINDS.items() if name not in SETTINGS_OF}
    connectors = {name: settings_class(name) for name in SETTINGS}
    parts = Parts([Config, *sources.values(), *steps.values(), *connectors.values()])
    written = parts.written(Config)
    for section, field in ELSEWHERE:
        parts.written(sources[section])["properties"].pop(field)
    properties = {name: schema for name, schema in written["properties"].items() if name != "home"}
    sections = {"sources": sources, "steps": steps, "connectors": connectors}
    properties |= {name: _sections(parts, models) for name, models in sections.items()}
    return parts.document("The settings of camshaft: camshaft.toml", "config", _closed(properties))


def _sections(parts: Parts, models: Mapping[str, type[BaseModel]]) -> JsonSchema:
    return _closed({name: parts.refer(model) for name, model in models.items()})


def _closed(properties: Mapping[str, Any]) -> JsonSchema:
    return {"type": "object", "properties": dict(properties), "additionalProperties": False}


MADE: Mapping[str, Callable[[], JsonSchema]] = {
    "trigger": trigger_schema,
    "flow": lambda: flow_schema(STEP_KINDS),
    "config": config_schema,
}


@cache
def published(name: str) -> JsonSchema:
    """The JSON Schema of what is named: a document of its own, draft 2020-12. Raises NotFound."""
    if name not in MADE:
        raise NotFound(f"there is no schema «{name}»", did_you_mean(name, MADE) or f"one of {', '.join(MADE)}")
    return MADE[name]()
