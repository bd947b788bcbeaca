"""A slot of a schedule as an Event, with the document that filters and mappings read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flows.errors import DefinitionError
from flows.suggest import shown
from triggers.by_hand import ByHand, read_instant
from triggers.cron_report import text_of
from triggers.event import Cause, Event, document_head
from triggers.ids import new_id
from triggers.slots import Schedule, Slot

FAR = datetime.max.replace(tzinfo=UTC)
NEXT_TIMES = 3


def slot_event(
    key: str,
    schedule: Schedule,
    slot: Slot,
    *,
    now: datetime,
    last: datetime | None,
    withheld: tuple[str, str] | None,
    state: Mapping[str, Any],
) -> Event:
    """The event of one slot, or of a row of slots that are left out together. `last`: the slot that was handed in before.

    `scheduledDate` is the date on the wall, in the schedule's zone; all instants are UTC.
    """
    event_id, at = new_id("evt"), text_of(slot.at)
    about: dict[str, Any] = {
        "key": key,
        "type": "schedule",
        "firedAt": now.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z",
        "scheduledDate": slot.at.astimezone(schedule.cron.zone).date().isoformat(),
        "scheduledTime": at,
        "lastTime": text_of(last) if last else None,
        "nextTimes": [text_of(later) for later in schedule.cron.between(slot.at, FAR, NEXT_TIMES)],
    }
    cause = at
    if slot.first is not None:
        about |= {"slots": slot.count, "firstTime": text_of(slot.first)}
        cause = f"{text_of(slot.first)}/{at}"
    head = document_head(event_id=event_id, type_="schedule.due", source=f"schedule:{key}", time=at, subject=at)
    return Event(
        event_id,
        "schedule",
        key,
        slot.at.timestamp(),
        {**head, "trigger": about, "chain": {"id": event_id, "depth": 0}},
        subject=at,
        cause=Cause(f"schedule:{key}", cause),
        withheld={key: withheld} if withheld else {},
        state=state,
    )


def slot_by_hand(key: str, schedule: Schedule, given: Mapping[str, Any], now: datetime) -> ByHand:
    """The slot at `$.trigger.scheduledTime`, or now. Raises DefinitionError where no slot can follow it."""
    wanted = given.get("trigger", {}).get("scheduledTime")
    at = now.replace(microsecond=0) if wanted is None else read_instant(wanted) or now
    try:
        made = slot_event(key, schedule, Slot(at, schedule.cron.next(at)), now=now, last=None, withheld=None, state={})
    except (ValueError, OverflowError):
        raise DefinitionError.at(("trigger", "scheduledTime"), f"no slot can follow {shown(wanted)}") from None
    return ByHand(made.document)
