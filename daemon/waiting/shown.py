"""What runs wait for, as the JSON that commands print and the admin API answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from daemon.shapes import instant

if TYPE_CHECKING:
    from daemon.store.waits import WaitRow

ASKED = ("message", "form", "approvers")
AWAITED = ("event", "webhook", "match", "key")


def wait_shown(row: WaitRow, links: Mapping[str | None, str | None] | None = None) -> dict[str, Any]:
    """An open wait. `links`: of an approval, by who may answer; None: no daemon runs that could be asked."""
    ends = [end for end in (row.due_at, row.limit_at) if end is not None]
    shown: dict[str, Any] = {
        "step": row.path,
        "kind": row.kind,
        "since": instant(row.created_at),
        "due": instant(min(ends, default=None)),
    }
    if row.kind == "approval":
        shown |= {name: row.detail.get(name) for name in ASKED}
        given = links or {}
        shown["link"] = given.get(None)
        shown["links"] = {name: link for name, link in given.items() if name is not None}
    elif row.kind == "event":
        shown |= {name: row.detail.get(name) for name in AWAITED}
    return shown


def answered_shown(row: WaitRow) -> dict[str, Any]:
    """What became of an approval."""
    value = row.resolution or {}
    return {
        "run": row.run,
        "step": row.path,
        "outcome": row.how,
        "by": value.get("by"),
        "at": instant(row.resolved_at),
        "form": value.get("form") or {},
        "comment": value.get("comment"),
    }
