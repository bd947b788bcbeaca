"""What happened to a file, as an Event with the document that filters and mappings read."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from triggers.event import Cause, Event, document_head
from triggers.files.judge import Happening
from triggers.files.names import address, shown, stored
from triggers.ids import new_id


def file_event(happening: Happening, trigger: str, state: dict[str, Any], now: float) -> Event:
    """The event for one trigger. `state`: the ledger's rows, saved with it or not at all."""
    assert happening.event is not None
    event_id, at = new_id("evt"), _instant(now)
    path = shown(happening.path)
    document = document_head(
        event_id=event_id, type_=f"file.{happening.event}", source=f"file-watch:{trigger}", time=at, subject=path
    )
    file = file_document(happening)
    document |= {
        "trigger": {"key": trigger, "type": "file-watch", "firedAt": at},
        "chain": {"id": event_id, "depth": 0},
        "file": file,
        "files": [file],
    }
    touched = "only its times changed: the content is the same (sha256)"
    return Event(
        event_id,
        "file-watch",
        trigger,
        now,
        document,
        subject=path,
        cause=Cause(f"file:{trigger}", f"{stored(happening.path)}@{happening.version}"),
        withheld={trigger: ("unchanged", touched)} if happening.unchanged else {},
        state=state,
    )


def file_document(happening: Happening) -> dict[str, Any]:
    """`$.file`. Of a deleted file size, mtime and sha256 are the last that were known; sha256 is null where it was not read.

    `path` and `name` are text: bytes that are not UTF-8 became U+FFFD. `uri` is exact. `ext` has its dot, as in JavaScript
    and Python: `.pdf`, or empty.
    """
    version = happening.entry.version
    name = os.path.basename(happening.path)  # noqa: PTH119 - it may not be UTF-8, and stays text
    file = {
        "path": shown(happening.path),
        "name": shown(name),
        "ext": shown(os.path.splitext(name)[1]),  # noqa: PTH122
        "size": version.size,
        "mtime": _instant(version.mtime_ns / 1e9),
        "sha256": happening.entry.sha256,
        "event": happening.event,
        "uri": address(happening.path),
    }
    if happening.old_path is not None:
        file["oldPath"] = shown(happening.old_path)
    return file


def _instant(seconds: float) -> str:
    """ISO 8601, UTC, milliseconds. A time that no calendar has (file systems keep what they are given) is the epoch's end."""
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        moment = datetime.max.replace(tzinfo=UTC) if seconds > 0 else datetime.min.replace(tzinfo=UTC)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
