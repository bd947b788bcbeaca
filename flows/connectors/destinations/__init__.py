"""DESTINATIONS: where an `output` step writes to. A new one is a file here and a line below."""

from __future__ import annotations

from functools import cache
from typing import Any

from flows.connectors.settings import loaded

DESTINATIONS: dict[str, str] = {  # name → module:class, imported on first use
    "database": "flows.connectors.destinations.database:DatabaseDestination",
    "email": "flows.connectors.destinations.mail:EmailDestination",
    "file": "flows.connectors.destinations.file:FileDestination",
    "slack": "flows.connectors.destinations.slack:SlackDestination",
    "webhook": "flows.connectors.destinations.webhook:WebhookDestination",
}


@cache
def destination_class(name: str) -> Any:
    """The class of a name in DESTINATIONS: a flows.connectors.destinations.destination.Destination."""
    return loaded(DESTINATIONS[name])
