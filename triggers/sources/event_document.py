"""An event that a step gave, with the document that filters and mappings read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from triggers.by_hand import ByHand, head
from triggers.event import Cause, Event, document_head
from triggers.ids import new_id
from triggers.sources.event_spec import EventTriggerSpec
from triggers.sources.flow_event import instant

CAUSE = "emit"  # the scope of what must not happen twice: a step's attempts in one run


@dataclass(frozen=True, slots=True)
class Given:
    """What an event tells of the step that gave it."""

    name: str
    data: Any
    subject: str | None  # None: the run
    flow: str  # the key of the run's flow
    run: str  # run_…
    step: str  # the step's path in the run
    chain: str  # the chain the run belongs to
    depth: int  # how many runs of the chain came before it
    idempotency_key: str  # the same for every attempt


def emitted_event(given: Given, *, now: float) -> Event:
    """The event one deeper in the run's chain. `now` is in seconds since the epoch.

    The row's subject is the run, by which a chain's events are found; the document's is what the step says.
    """
    event_id, at = new_id("evt"), instant(now)
    subject = given.run if given.subject is None else given.subject
    document = {
        **document_head(event_id=event_id, type_=given.name, source=f"flow:{given.flow}", time=at, subject=subject),
        "trigger": {"type": "event", "firedAt": at},  # match.py adds the key for a trigger that asks for it
        "chain": {"id": given.chain, "depth": given.depth + 1},
        "body": given.data,
        "flow": {"key": given.flow, "run": given.run, "step": given.step},
    }
    cause = Cause(CAUSE, given.idempotency_key)
    return Event(event_id, "event", given.name, now, document, subject=given.run, cause=cause)


def given_by_hand(spec: EventTriggerSpec, given: Mapping[str, Any], now: datetime) -> ByHand:
    """Of a step that need not be there: with the first name that the trigger hears, unless `type` says another."""
    name, flow = str(given.get("type") or spec.name[0]), given.get("flow", {})
    document = head(name, f"flow:{flow.get('key') or 'by-hand'}", "event", now)
    document |= {"body": None, "flow": {"key": None, "run": None, "step": None}}
    if name in spec.name:
        return ByHand(document)
    return ByHand(document, f"it hears {', '.join(spec.name)}; this is «{name:.60}»")
