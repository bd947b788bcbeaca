"""The settings of connectors: `[connectors.<name>]` of the configuration, each with a model of its own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny

CONNECTORS = "connectors"  # what kinds that use them are given their settings under

SETTINGS: dict[str, str] = {  # section → module:class, imported on first use: a home without connectors loads none of them
    "airtable": "flows.connectors.sources.airtable:AirtableSettings",
    "data_source": "flows.connectors.sources.spec:SourceSettings",
    "database": "flows.connectors.sources.database:DatabaseSettings",
    "email": "flows.connectors.destinations.mail_settings:EmailSettings",
    "google_sheets": "flows.connectors.sources.google_sheets:GoogleSheetsSettings",
    "slack": "flows.connectors.destinations.slack:SlackSettings",
    "webhook": "flows.connectors.destinations.webhook:WebhookSettings",
}


@cache
def settings_class(name: str) -> type[BaseModel]:
    """The model of `[connectors.<name>]`."""
    found: type[BaseModel] = loaded(SETTINGS[name])
    return found


def loaded(place: str) -> Any:
    """What `module:name` names."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


class ConnectorSettings(BaseModel):
    """What the kinds `data_source` and `output` are made with: the sections that are written, by their whole names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sections: Mapping[str, SerializeAsAny[BaseModel]] = Field(default_factory=dict)  # "connectors.webhook", "steps.file_write"

    def of(self, section: str, model: type[BaseModel]) -> BaseModel:
        """A section, or its defaults where nothing of it is written."""
        return self.sections.get(section) or model()
