"""A request that a person makes up, as the document that filters and mappings read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from triggers.bodies import EMPTY
from triggers.by_hand import ByHand, as_events_have_it, head
from triggers.event import Event
from triggers.sources.webhook_hook import other_method
from triggers.sources.webhook_path import PREFIX
from triggers.sources.webhook_routes import Found, Routes, bare_hook
from triggers.sources.webhook_spec import WebhookSpec

OWNER = "owner"  # `$.auth` of a request that came over the admin API: nobody was asked for a signature
SENT = ("type", "source", "subject", "body", "headers", "query")  # what a person may say of a request


def request_by_hand(spec: WebhookSpec, given: Mapping[str, Any], now: datetime) -> ByHand:
    """An empty POST, or what the trigger takes instead, in which `given` takes its places."""
    method = _method(given, spec.methods)
    withheld = None if method in spec.methods else other_method(spec, method)
    path, params = str(given.get("path") or spec.path), dict[str, str]()
    if given.get("path"):
        found = Routes([bare_hook(spec.path)]).find(below_hooks(path))
        if found is None:
            withheld = f"it listens at {spec.path}, and this was {path}"
        else:
            _, path, params = found
    return ByHand(_document(spec.path, path, params, method, given, now), withheld)


def handed_in(found: Found, given: Mapping[str, Any], now: datetime) -> Event:
    """A request that the daemon's owner hands in, for all triggers at a path: no auth is asked, and the event says so.

    `given` has passed check_event(). Raises LookupError with the methods that are taken, where its own is not.
    """
    hook = found.hook
    method = _method(given, hook.takers)
    takers = hook.takers.get(method)
    if takers is None:
        raise LookupError(", ".join(hook.takers))
    document = _document(hook.path, found.path, found.params, method, given, now) | {"auth": OWNER}
    event_id = document["id"]
    document |= {name: value for name, value in as_events_have_it(given).items() if name in SENT}
    return Event(event_id, "webhook", hook.path, now.timestamp(), document, subject=document["subject"], withheld=takers.withheld)


def below_hooks(path: str) -> str:
    """The path as it stands in a request: `orders/5`, `/orders/5` and `/hooks/orders/5` are one."""
    return path if path.startswith(f"{PREFIX}/") else f"{PREFIX}/{path.removeprefix('/')}"


def _method(given: Mapping[str, Any], taken: Collection[str]) -> str:
    return str(given.get("method") or ("POST" if "POST" in taken else next(iter(taken)))).upper()


def _document(
    hook: str, path: str, params: Mapping[str, str], method: str, given: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    return {
        **head("webhook.received", f"{PREFIX}{hook}", "webhook", now),
        "body": None,
        "bodyType": EMPTY if given.get("body") is None else "json",
        "headers": {},
        "query": {},
        "params": dict(params),
        "method": method,
        "path": path,
        "remote": None,
    }
