"""A request that a person makes up, as the document that filters and mappings read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from triggers.bodies import EMPTY
from triggers.by_hand import ByHand, head
from triggers.sources.webhook_hook import other_method
from triggers.sources.webhook_path import PREFIX
from triggers.sources.webhook_spec import WebhookSpec


def request_by_hand(spec: WebhookSpec, given: Mapping[str, Any], now: datetime) -> ByHand:
    """An empty POST, or what the trigger takes instead, in which `given` takes its places."""
    method = str(given.get("method") or ("POST" if "POST" in spec.methods else spec.methods[0])).upper()
    document = {
        **head("webhook.received", f"{PREFIX}{spec.path}", "webhook", now),
        "body": None,
        "bodyType": EMPTY if given.get("body") is None else "json",
        "headers": {},
        "query": {},
        "params": {},
        "method": method,
        "path": spec.path,
        "remote": None,
    }
    return ByHand(document, None if method in spec.methods else other_method(spec, method))
