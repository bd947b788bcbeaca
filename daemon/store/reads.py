"""The readers: SQLAlchemy on connections of their own, for people and for what is resumed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from sqlalchemy import Select, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from daemon.location import Location
from daemon.store.codec import plain
from daemon.store.errors import Ambiguous, StoreError
from daemon.store.keys import state_from
from daemon.store.lists import MOST_ROWS, SCAN_ROWS, Item, Narrowed, Page, narrowed_events, narrowed_runs
from daemon.store.outputs import Outputs, refers, without_files
from daemon.store.reading import readable
from daemon.store.records import attempt_from
from daemon.store.rows import (
    EventRow,
    Run,
    Version,
    event_from,
    run_from,
    seconds,
    verdict_from,
    version_from,
)
from daemon.store.tables import (
    FOLLOWING,
    LIVE_RUNS,
    OF_EVENTS,
    attempts,
    definitions,
    events,
    runs,
    source_state,
    verdicts,
    waits,
)
from daemon.store.waits import WaitRow, wait_from

Row = dict[str, Any]

PATIENCE_S = 15.0  # longer than a busy database is waited for; a network that says nothing ends here


class Reads:
    """Opened on the first question, closed with the store."""

    def __init__(self, location: Location, outputs: Outputs | None = None) -> None:
        self._location = location
        self._outputs = outputs or Outputs(None)
        self._engine = readable(location).engine()

    async def close(self) -> None:
        await self._engine.dispose()

    async def runs(self, *, limit: int = 50, before: str | None = None, **filters: Any) -> Page[Run]:
        return await self._page(narrowed_runs(**filters), lambda row: run_from(without_files(row)), limit, before)

    async def run(self, prefix: str, *, exact: bool = False) -> Run | None:
        row = await self._one(runs, prefix, exact=exact)
        if row is None:
            return None
        tried = await self._rows(select(attempts).where(attempts.c.run == row["id"]).order_by(attempts.c.position))
        if refers((row, *tried)):
            await asyncio.to_thread(self._outputs.fill, (row, *tried))
        return run_from(row, tuple(attempt_from(attempt) for attempt in tried))

    async def events(self, *, limit: int = 50, before: str | None = None, **filters: Any) -> Page[EventRow]:
        return await self._page(narrowed_events(**filters), event_from, limit, before)

    async def event(self, prefix: str) -> EventRow | None:
        row = await self._one(events, prefix)
        if row is None:
            return None
        said = await self._rows(select(verdicts).where(verdicts.c.event == row["id"]).order_by(verdicts.c.trigger))
        return event_from(row, tuple(verdict_from(verdict) for verdict in said))

    async def unfinished(self) -> tuple[dict[str, int], float | None]:
        """By the small index of those that have not ended."""
        live = select(runs.c.status, func.count().label("number"), func.min(runs.c.created_at).label("oldest"))
        rows = await self._rows(live.where(text(LIVE_RUNS)).group_by(runs.c.status))
        oldest = next((seconds(row["oldest"]) for row in rows if row["status"] == "queued"), None)
        return {row["status"]: row["number"] for row in rows}, oldest

    async def waits_of(self, run: str | None = None) -> list[WaitRow]:
        """What a run waits for, or has waited for; None: what all runs that have not ended wait for. In the order they began."""
        whose = waits.c.run == run if run is not None else waits.c.run.in_(select(runs.c.id).where(text(LIVE_RUNS)))
        open_ = () if run is not None else (waits.c.resolved_at.is_(None),)
        rows = await self._rows(select(waits).where(whose, *open_).order_by(waits.c.created_at, waits.c.path, waits.c.number))
        return [wait_from(tuple(row.values())) for row in rows]

    async def waits_by(self, event: str) -> list[WaitRow]:
        """Those that an event resolved."""
        rows = await self._rows(select(waits).where(text(OF_EVENTS), waits.c.resolved_by == event).order_by(waits.c.run))
        return [wait_from(tuple(row.values())) for row in rows]

    async def chain_sizes(self) -> dict[str, int]:
        live = select(runs.c.chain).where(text(LIVE_RUNS))
        grown = select(runs.c.chain, func.count().label("number")).where(
            text(FOLLOWING),
            runs.c.event.is_not(None),
            runs.c.chain.in_(live),  # not the rounds of a continuous workflow
        )
        return {row["chain"]: row["number"] for row in await self._rows(grown.group_by(runs.c.chain))}

    async def definition(self, digest: str) -> Version | None:
        rows = await self._rows(select(definitions).where(definitions.c.digest == digest))
        return version_from(rows[0]) if rows else None

    async def state(self, source: str) -> dict[str, Any]:
        """A source's memory, for a process that only reads."""
        wanted = select(source_state.c.key, source_state.c.value).where(
            source_state.c.source == source, source_state.c.value.is_not(None)
        )
        return dict(state_from(row["key"], row["value"]) for row in await self._rows(wanted))

    async def versions(self, noun: str, key: str) -> list[tuple[str, float]]:
        wanted = select(definitions.c.digest, definitions.c.saved_at).where(definitions.c.noun == noun, definitions.c.key == key)
        rows = await self._rows(wanted.order_by(definitions.c.saved_at.desc(), definitions.c.digest))
        return [(row["digest"], row["saved_at"] / 1e6) for row in rows]

    async def _page(self, narrowed: Narrowed, form: Callable[[Row], Item], limit: int, before: str | None) -> Page[Item]:
        """The newest that fit, and where to go on: after the last of them, or where this question stopped looking."""
        column = narrowed.table.c.id
        bounds = [*narrowed.bounds, *([] if before is None else [column < plain(before)])]
        most = max(1, min(limit, MOST_ROWS))
        floor = None
        if narrowed.scans:
            window = select(column).where(*bounds).order_by(column.desc()).offset(SCAN_ROWS - 1).limit(1)
            floor = next((row["id"] for row in await self._rows(window)), None)
        query = narrowed.query.where(*bounds) if floor is None else narrowed.query.where(*bounds, column >= floor)
        rows = await self._rows(query.order_by(column.desc()).limit(most + 1))
        page = Page(form(row) for row in rows[:most])
        page.next = rows[most - 1]["id"] if len(rows) > most else floor
        return page

    async def _one(self, table: Any, prefix: str, *, exact: bool = False) -> Row | None:
        """The row whose id begins so. Raises Ambiguous where there are several and none is it exactly."""
        prefix = plain(prefix) or ""
        if not prefix:
            return None
        wanted = (
            select(table).where(table.c.id == prefix)
            if exact
            else select(table).where(table.c.id >= prefix, table.c.id < prefix + "~")
        )
        rows = await self._rows(wanted.order_by(table.c.id).limit(4))
        if len(rows) > 1 and rows[0]["id"] != prefix:
            raise Ambiguous(prefix, [row["id"] for row in rows])
        return rows[0] if rows else None

    async def _rows(self, query: Select[Any]) -> list[Row]:
        """Raises StoreError where the database cannot be read."""
        try:
            async with asyncio.timeout(PATIENCE_S), self._engine.connect() as connection:
                return [row._asdict() for row in await connection.execute(query)]
        except (SQLAlchemyError, TimeoutError, OSError) as error:
            why = getattr(error, "orig", None) or error
            raise StoreError(f"{self._location}: cannot be read: {why or 'no answer'}") from error
