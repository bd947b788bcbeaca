"""CONNECTORS: where a `data_source` step reads from. A new one is a file here and a line below."""

from __future__ import annotations

from functools import cache
from typing import Any

from flows.connectors.settings import loaded

CONNECTORS: dict[str, str] = {  # `sourceType` → module:class, imported on first use
    "airtable": "flows.connectors.sources.airtable:AirtableSource",
    "api": "flows.connectors.sources.api:ApiSource",
    "database": "flows.connectors.sources.database:DatabaseSource",
    "file": "flows.connectors.sources.file:FileSource",
    "google_sheets": "flows.connectors.sources.google_sheets:GoogleSheetsSource",
}

MEANT = {  # what people call them elsewhere
    "csv": "file",
    "json": "file",
    "jsonl": "file",
    "http": "api",
    "rest": "api",
    "sql": "database",
    "postgres": "database",
    "postgresql": "database",
    "sqlite": "database",
    "sheets": "google_sheets",
    "spreadsheet": "google_sheets",
}


@cache
def connector_class(name: str) -> Any:
    """The class of a name in CONNECTORS: a flows.connectors.sources.connector.Connector."""
    return loaded(CONNECTORS[name])
