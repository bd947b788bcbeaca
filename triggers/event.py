"""An event: something that happened, in the one form that filters and mappings read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Verified = Mapping[str, str]  # trigger key → why its auth failed


@dataclass(frozen=True, slots=True)
class Cause:
    """What an event must not happen twice for: one slot of a schedule, one version of a file."""

    scope: str  # `schedule:daily-digest`, `file:inbox`
    key: str  # `2026-11-23T09:00:00Z`, `/srv/in/a.pdf@<inode>:<size>:<mtime>`
    ttl_s: float | None = None  # None: for as long as events are kept


@dataclass(slots=True)
class Event:
    """One event on its way in. `document` is `$`; the rest says where it came from and what it is about to change.

    Nothing changes it; that it is not frozen saves each event a microsecond.
    """

    id: str  # evt_…, time-sortable
    source: Literal["webhook", "schedule", "file-watch", "flow", "event", "manual"]
    address: str  # what candidates are found by: a hook's path; for a schedule or a file-watch the trigger's key
    time: float  # seconds since the epoch, UTC: when it was received or due
    document: dict[str, Any]  # the root `$` of filters and mappings; nothing changes it once it is here
    subject: str | None = None  # CloudEvents' subject: a file's path, a slot
    cause: Cause | None = None  # None: may happen any number of times
    failed_auth: Verified = field(default_factory=dict)  # candidates whose auth this request did not pass
    withheld: Mapping[str, tuple[str, str]] = field(
        default_factory=dict
    )  # candidate → (verdict, reason) by its source: a missed slot, an overlap
    state: Mapping[str, Any] | None = (
        None  # the source's own memory to save in the same transaction: key → JSON value, None deletes
    )


def document_head(*, event_id: str, type_: str, source: str, time: str, subject: str | None) -> dict[str, Any]:
    """The CloudEvents names that every event document begins with."""
    return {"id": event_id, "type": type_, "source": source, "time": time, "subject": subject}
