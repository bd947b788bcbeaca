"""Cron as crontab means it: five fields and a zone become instants, through every change of the clocks.

A schedule whose minute and hour are given runs by the clock on the wall: a time that a clock change skips comes at the first
instant after the gap, a time that happens twice comes once. A schedule whose minute or hour begins with `*` follows real
time: it comes in both passes of a doubled hour, and nothing is made up for an hour that is not there. This is Debian's cron.

cronsim reads the fields and computes times on the wall; the way from there to instants is ours. cronsim's own way answers
with times in the past when it is asked in the second pass of a doubled hour, and loses times beside half-hour changes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from flows.errors import DefinitionError
from triggers import cron_text
from triggers.zones import SECOND, first_instant, parse_zone, stretches

FIRST_YEAR, LAST_YEAR = 2, 9900  # cronsim looks up to fifty years ahead, and datetime ends with 9999
LONG_AGO = timedelta(days=366 * 50)  # no schedule that comes at all stays away longer: 29 February on one weekday, around 2100


@dataclass(frozen=True, slots=True)
class Cron:
    """One schedule. All instants taken are aware, all given are UTC and on whole seconds."""

    text: str  # as written
    zone: ZoneInfo
    canonical: str = field(compare=False)  # the text with numbers only: what cronsim is given
    by_wall: bool = field(compare=False)  # True: minute and hour are given, so each time on the wall comes once

    def next(self, after: datetime) -> datetime:
        """The first instant strictly after this one. Raises OverflowError outside the years 2 to 9900."""
        for instant in self.all_after(after):
            return instant
        raise OverflowError(f"no time of {self.text!r} comes before the year {LAST_YEAR} ends")

    def all_after(self, after: datetime) -> Iterator[datetime]:
        """The instants strictly after this one, in order, up to the year 9900."""
        after = after.astimezone(UTC)
        if not FIRST_YEAR <= after.year <= LAST_YEAR:
            raise OverflowError(f"schedules are computed for the years {FIRST_YEAR} to {LAST_YEAR}, not for {after.year}")
        instants = self._by_wall(after) if self.by_wall else self._by_real_time(after)
        for instant in instants:
            if instant.year > LAST_YEAR:
                return
            yield instant

    def between(self, after: datetime, until: datetime, limit: int) -> list[datetime]:
        """The instants strictly after `after` and not after `until`: the first `limit` of them."""
        found = []
        for instant in islice(self.all_after(after), limit):
            if instant > until:
                break
            found.append(instant)
        return found

    def latest(self, since: datetime, before: datetime, limit: int) -> list[datetime]:
        """The last `limit` instants before `before` (not included) and since `since` (included), in order."""
        found: deque[datetime] = deque(maxlen=limit)
        reach = timedelta(minutes=2)
        while len(found) < limit:
            start = since if before - since <= reach else before - reach
            found.clear()
            found.extend(takewhile(lambda instant: instant < before, self.all_after(start - timedelta(microseconds=1))))
            if start == since:
                break
            reach *= 4  # the range is not known to hold enough until it was looked through, and most schedules are regular
        return list(found)

    def previous(self, before: datetime) -> datetime | None:
        """The last instant strictly before this one. None: there was none in fifty years."""
        found = self.latest(before - LONG_AGO, before, 1)
        return found[0] if found else None

    def _by_wall(self, after: datetime) -> Iterator[datetime]:
        latest = after
        for wall in CronSim(self.canonical, after.astimezone(self.zone).replace(tzinfo=None, fold=0)):
            instant = first_instant(self.zone, wall)
            if instant > latest:  # not so: asked in the second pass of a doubled hour, or a second time in one gap
                yield instant
                latest = instant

    def _by_real_time(self, after: datetime) -> Iterator[datetime]:
        wall = pending = None  # the search has found that nothing comes between these two on the wall
        for start, end, offset in stretches(self.zone, after):
            begin = (start - SECOND if start > after else after).replace(tzinfo=None) + offset
            if wall is None or pending is None or not wall <= begin < pending:
                walls = CronSim(self.canonical, begin)
                wall, pending = begin, next(walls, None)
            while pending is not None and (instant := pending.replace(tzinfo=UTC) - offset) < end:
                yield instant
                wall, pending = pending, next(walls, None)
            if pending is None:
                return


def parse_cron(text: str, *, timezone: str | None) -> Cron:
    """Read five fields or a macro (`@daily`). `timezone` None: UTC. Raises DefinitionError with path () and code CRON or TIMEZONE.

    Kept from cronsim beside crontab's own: `5/15` (from 5 on), `MON#1`, `5L`, `L`, `LW`. Refused although some programs take
    them: six fields, ranges that go backwards, `@reboot`, dates that never come.
    """
    canonical = cron_text.canonical(text)
    if not _comes(canonical):
        raise DefinitionError.at((), f"{text.strip()!r} never comes", "there is no such date", code=cron_text.CODE, offset=0)
    minute, hour = canonical.split(" ")[:2]
    by_wall = not minute.startswith("*") and not hour.startswith("*")
    return Cron(text, parse_zone("UTC" if timezone is None else timezone), canonical, by_wall)


@lru_cache(maxsize=4096)  # a home's schedules have few texts; to try one takes 80 µs
def _comes(canonical: str) -> bool:
    """Whether any date has it: from 2000 on, fifty years hold 29 February on each day of the week."""
    try:
        return next(CronSim(canonical, datetime(2000, 1, 1)), None) is not None  # noqa: DTZ001 - a date on the wall, no instant
    except CronSimError:  # cronsim finds by itself that no month has such a day
        return False
