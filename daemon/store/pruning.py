"""Deleting what is older or more than is kept: looked for in a thread, deleted in bites of a few milliseconds.

What is looked for may be one row in a million, and the writer must not wait for that. Between a look and a bite nothing that was
found comes to life again, but an event whose run somebody does again: each bite looks after those.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter, time
from typing import Any

from daemon.store import compiled as sql
from daemon.store.database import Database
from daemon.store.errors import StoreError
from daemon.store.group import Connection, Row
from daemon.store.hot import Hot
from triggers.ids import first_id
from triggers.source import Unavailable

DAY_S = 86_400.0
LOOK = 5000  # rows found at once
AT_ONCE = 50  # rows deleted between two looks at the clock: 2 to 4 ms with documents of 2 KB
BITE_S = 0.005  # what one transaction may take: SQLite's rows go on the loop
BEFORE_S = 5.0  # a run that does another again has its id before it is written, by as long as its version takes to be kept

EVENTS = (  # runs before verdicts, which say whose they are
    sql.PRUNE_ATTEMPTS,
    sql.PRUNE_SPILLED,
    sql.PRUNE_WAITS,
    sql.PRUNE_RUNS,
    sql.PRUNE_VERDICTS,
    sql.PRUNE_CAUSES,
    sql.PRUNE_EVENTS,
)
RUNS = (sql.PRUNE_ATTEMPTS_OF_RUN, sql.PRUNE_SPILLED_OF_RUN, sql.PRUNE_WAITS_OF_RUN, sql.PRUNE_RUN)

Inside = Callable[[Callable[[Connection], Any]], asyncio.Future[Any]]


class Pruning:
    """What retention and expired words let go of, in one database. `inside` does something in the writer's transaction."""

    def __init__(self, database: Database, inside: Inside) -> None:
        self._database = database
        self._inside = inside

    async def prune(self, age_days: float | None, rows: int | None, now: float) -> int:
        """Delete events beyond either limit with all that came of them, then the runs that no event made and that are too old.

        What has a run that has not ended stays, however old. Returns how many events and runs went. Raises Unavailable.
        """
        await self._forget_expired(now)
        oldest_kept = None if age_days is None else now - age_days * DAY_S
        last = await self._last_to_go(oldest_kept, rows)
        pruned = 0 if last is None else await self._delete(sql.ENDED_EVENTS, (last,), EVENTS, spared=sql.EVENTS_DONE_AGAIN)
        if oldest_kept is not None:
            before = (int(oldest_kept * 1e6), first_id("run", oldest_kept))
            pruned += await self._delete(sql.RUNS_BY_HAND, before, RUNS)
        while await self._inside(lambda connection: connection.give_back()):
            pass
        return pruned

    async def _forget_expired(self, now: float) -> None:
        """Causes whose time is over, and the sources' deleted keys."""
        now_us = int(now * 1e6)
        await self._delete(sql.EXPIRED_CAUSES, (now_us,), (sql.FORGET_CAUSE,), more=(now_us,))
        await self._delete(sql.DELETED_STATE, (), (sql.FORGET_STATE,))

    async def _last_to_go(self, oldest_kept: float | None, rows: int | None) -> str | None:
        """The newest id that an event beyond a limit may have: so that no question looks at those that stay. None: there is none."""
        last = [] if oldest_kept is None else [first_id("evt", oldest_kept)]
        if rows is not None:
            last += [event for (event,) in await self._fetch(sql.EVENT_BEYOND, (rows,))]
        return max(last, default=None)

    async def _delete(
        self, found_by: Hot, values: Row, statements: Sequence[Hot], *, more: Row = (), spared: Hot | None = None
    ) -> int:
        """Of each row that is found, with `more` values, all that these statements delete; but not what `spared` finds of since."""
        deleted = 0
        while True:
            since = first_id("run", time() - BEFORE_S)
            found = await self._fetch(found_by, (*values, LOOK))
            left = [(*row, *more) for row in found]
            while left:
                seen, gone = await self._inside(partial(_bite, left, statements, spared, since))
                left = left[seen:]
                deleted += gone
            if len(found) < LOOK:
                return deleted

    async def _fetch(self, hot: Hot, values: Row) -> list[Row]:
        try:
            return await asyncio.to_thread(self._database.fetch, hot, values)
        except StoreError as error:
            raise Unavailable(f"what is to be pruned cannot be found: {error}") from error


def _bite(
    rows: Sequence[Row], statements: Sequence[Hot], spared: Hot | None, since: str, connection: Connection
) -> tuple[int, int]:
    """Delete the first of them, for BITE_S, and AT_ONCE in any case. Returns how many were dealt with, and how many of these went."""
    kept = set() if spared is None else set(connection.execute(spared, (since,)).fetchall())
    until = perf_counter() + BITE_S
    gone = 0
    for first in range(0, len(rows), AT_ONCE):
        doomed = [row for row in rows[first : first + AT_ONCE] if row not in kept]
        for hot in statements if doomed else ():
            connection.executemany(hot, doomed)
        gone += len(doomed)
        if perf_counter() >= until:
            break
    connection.give_back()
    return first + AT_ONCE, gone
