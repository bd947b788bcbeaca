"""Time zones for scripts: when the clocks changed in the zones that a script writes out. A script's process can open no file."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2070, 1, 1, tzinfo=UTC)  # outside of these the nearest offset counts
STEP = timedelta(days=7)  # clocks are not changed and changed back within a week


def zones_of(names: tuple[str, ...]) -> str:
    """JSON: name → [[from when, in ms since the epoch; offset in s]], and "" → [[0, the offset here, its name]]."""
    known = {name: list(found) for name in names if (found := changes(name)) is not None}
    here = "UTC" if set(time.tzname) == {"UTC"} else os.environ.get("TZ", "").lstrip(":") or time.tzname[0]
    return json.dumps({**known, "": [(0, -time.timezone, here)]})


@lru_cache(maxsize=64)
def changes(name: str) -> tuple[tuple[int, int], ...] | None:
    """None: there is no such zone."""
    try:
        zone = ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # a name that is no zone's, or a path that leads elsewhere
        return None
    found = [(-(10**16), _offset(FIRST, zone))]
    at = FIRST
    while at < LAST:
        following = at + STEP
        if _offset(following, zone) != found[-1][1]:
            changed = _changed(at, following, zone)
            found.append((int(changed.timestamp()) * 1000, _offset(changed, zone)))
        at = following
    return tuple(found)


def _offset(at: datetime, zone: ZoneInfo) -> int:
    offset = at.astimezone(zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


def _changed(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first second of the new offset."""
    old = _offset(before, zone)
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        before, after = (middle, after) if _offset(middle, zone) == old else (before, middle)
    return after
