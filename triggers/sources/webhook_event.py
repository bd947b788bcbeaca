"""The event of a request: its document, and what a CloudEvent changes in it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from triggers.cloud_events import CloudEvent
from triggers.event import Cause, Event
from triggers.ids import new_id
from triggers.redaction import REDACTED, looks_secret
from triggers.sources.webhook_hook import Hook, Takers
from triggers.sources.webhook_path import PREFIX

if TYPE_CHECKING:
    from aiohttp.web import BaseRequest


class Instants:
    """Instants as documents have them: `2026-11-23T09:00:00.000Z`. A second's text is made once."""

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def text(self, now: float) -> str:
        second = int(now)
        if second != self._second:
            self._second, self._text = second, datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._text}.{int((now - second) * 1000):03d}Z"


def document_of(request: BaseRequest, hook: Hook, path: str, params: dict[str, str], at: str) -> dict[str, Any]:
    """The document without what is read of the request: body, headers and query."""
    event_id = new_id("evt")
    return {
        "id": event_id,
        "type": "webhook.received",
        "source": f"{PREFIX}{hook.path}",
        "time": at,
        "subject": None,
        "trigger": {"type": "webhook", "firedAt": at},  # match.py adds the key for a trigger that asks for it
        "chain": {"id": event_id, "depth": 0},
        "body": None,
        "bodyType": None,
        "params": params,
        "method": request.method,
        "path": path,
        "remote": request.remote,
    }


def cloud_event(
    found: CloudEvent,
    document: Mapping[str, Any],
    hook: Hook,
    takers: Takers,
    failed: Mapping[str, str],
    now: float,
    ttl_s: float,
) -> Event:
    """The event of one CloudEvent: `$.id` and its like are the sender's, the row's id and `$.chain.id` are ours.

    Source and id are its cause, so that a copy is a duplicate; but not where somebody's auth failed. Else who cannot pass a
    trigger's auth could take the identity of an event that its sender has not sent yet.
    """
    event_id = new_id("evt")
    attributes = found.attributes
    subject = attributes.get("subject")
    own = {
        **document,
        "id": attributes["id"],
        "type": attributes["type"],
        "source": attributes["source"],
        "time": attributes.get("time", document["time"]),
        "subject": subject,
        "chain": {"id": event_id, "depth": 0},
        "body": found.data,
        "bodyType": found.form,
        "cloudEvent": {name: REDACTED if looks_secret(name) else value for name, value in attributes.items()},
    }
    cause = None
    if ttl_s and not failed:  # no attribute holds a line end, so that the key is unambiguous
        cause = Cause(f"cloudevent:{document['method']} {hook.path}", f"{attributes['source']}\n{attributes['id']}", ttl_s)
    return Event(
        event_id, "webhook", hook.path, now, own, subject=subject, cause=cause, failed_auth=failed, withheld=takers.withheld
    )
