"""Time zones: a name becomes a zone or a helpful refusal, and clock changes become instants."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from flows.errors import DefinitionError

CODE = "TIMEZONE"
NAME_CHARS = 64  # the longest name of the tz database has 32
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


def parse_zone(name: str) -> ZoneInfo:
    """The zone of this name in the tz database. Raises DefinitionError, with the name that was probably meant."""
    refused = not name or len(name) > NAME_CHARS or not name.isascii() or name.startswith(("/", "right/", "posix/"))
    if not refused:
        try:
            return ZoneInfo(name)
        except (ValueError, OSError, LookupError):  # a path, a folder or a file of another kind, a name that is not there
            pass
    shown = name if len(name) <= NAME_CHARS else name[:NAME_CHARS] + "…"
    raise DefinitionError.at((), f"there is no time zone {shown!r}", _hint(name[:NAME_CHARS]), code=CODE)


def _hint(name: str) -> str:
    known = _names_by_word()
    if not known:
        return "this machine has no time zone database: install the system's tzdata or the Python package of that name"
    word = name.strip().lower().replace(" ", "_")
    meant = difflib.get_close_matches(word, known, n=1, cutoff=0.8)
    if meant and not set(word) & set("+-0123456789"):  # UTC+2 is not Etc/GMT+2: there the sign is turned round
        return f"did you mean {known[meant[0]]}?"
    return "a name of the tz database is needed, such as Europe/Berlin or UTC: abbreviations and offsets know no clock changes"


@lru_cache(maxsize=1)
def _names_by_word() -> dict[str, str]:
    """Lower-case words → names: the name itself, and its last part (`berlin`) where no name is that."""
    names = sorted(available_timezones() - {"localtime", "Factory"})
    last_parts = {name.rpartition("/")[2].lower(): name for name in reversed(names)}
    return last_parts | {name.lower(): name for name in names}


class Stretch(NamedTuple):
    """A time in which a zone's clock goes on evenly: from `start` (included) to `end` (not included)."""

    start: datetime  # UTC
    end: datetime  # UTC
    offset: timedelta  # local time is UTC and this


def stretches(zone: ZoneInfo, start: datetime) -> Iterator[Stretch]:
    """From `start` on to the calendar's end: between one and the next lies a clock change or a new year (UTC)."""
    offset = _offset(zone, start)
    for year in range(start.year, 9999):
        for change, offset_after in (*_changes(zone, year), (datetime(year + 1, 1, 1, tzinfo=UTC), None)):
            if change > start:
                yield Stretch(start, change, offset)
                start, offset = change, offset if offset_after is None else offset_after


def first_instant(zone: ZoneInfo, wall: datetime) -> datetime:
    """When a clock on the wall first shows this naive time, or jumps over it: the first of two, or the end of the gap. UTC."""
    before = _known(wall.replace(tzinfo=zone, fold=0).utcoffset())
    after = _known(wall.replace(tzinfo=zone, fold=1).utcoffset())
    early, late = (wall - before).replace(tzinfo=UTC), (wall - after).replace(tzinfo=UTC)
    return early if before >= after else _change(zone, late, early)


@lru_cache(maxsize=4096)  # a few zones and years are asked for again and again: 0.2 ms each
def _changes(zone: ZoneInfo, year: int) -> tuple[tuple[datetime, timedelta], ...]:
    """The instants in this UTC year at which the zone's offset changes, and the offset from then on.

    zoneinfo does not tell its transitions, so the offset is looked at day by day: no zone has gone and come back within one.
    """
    found = []
    here, last = datetime(year, 1, 1, tzinfo=UTC) - SECOND, datetime(year + 1, 1, 1, tzinfo=UTC) - SECOND
    offset = _offset(zone, here)
    while here < last:
        there = min(here + DAY, last)
        if _offset(zone, there) != offset:
            there = _change(zone, here, there)
            offset = _offset(zone, there)
            found.append((there, offset))
        here = there
    return tuple(found)


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The first second after `before`, and at most `after`, that has another offset than `before`."""
    offset = _offset(zone, before)
    while after - before > SECOND:
        middle = before + timedelta(seconds=(after - before) // SECOND // 2)
        if _offset(zone, middle) == offset:
            before = middle
        else:
            after = middle
    return after


def _offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    return _known(instant.astimezone(zone).utcoffset())


def _known(offset: timedelta | None) -> timedelta:
    if offset is None:
        raise ValueError("a zone of the tz database always has an offset")
    return offset
