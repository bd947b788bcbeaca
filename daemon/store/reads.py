"""The readers: SQLAlchemy over aiosqlite, on connections of their own, for people and for what is resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Select, event, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from daemon.store.errors import Ambiguous, StoreError
from daemon.store.rows import EventRow, Run, Version, attempt_from, event_from, run_from, verdict_from, version_from
from daemon.store.tables import attempts, definitions, events, runs, verdicts

Row = dict[str, Any]

READERS = 2
MOST_ROWS = 1000  # of one list; `before` goes on


class Reads:
    """Opened on the first question, closed with the store."""

    def __init__(self, path: Path) -> None:
        self._path = path
        address = URL.create("sqlite+aiosqlite", database=str(path))  # not as text: a folder's name may hold ? # and %
        self._engine = create_async_engine(address, poolclass=AsyncAdaptedQueuePool, pool_size=READERS, max_overflow=0)
        event.listen(self._engine.sync_engine, "connect", _read_only)

    async def close(self) -> None:
        await self._engine.dispose()

    async def runs(
        self,
        *,
        flow: str | None = None,
        status: str | None = None,
        trigger: str | None = None,
        event: str | None = None,
        limit: int = 50,
        before: str | None = None,
    ) -> list[Run]:
        wanted = {runs.c.flow: flow, runs.c.status: status, runs.c.trigger: trigger, runs.c.event: event}
        query = select(runs).where(*(column == value for column, value in wanted.items() if value is not None))
        return [run_from(row) for row in await self._newest(query, runs.c.id, limit, before)]

    async def run(self, prefix: str, *, exact: bool = False) -> Run | None:
        row = await self._one(runs, prefix, exact=exact)
        if row is None:
            return None
        tried = await self._rows(select(attempts).where(attempts.c.run == row["id"]).order_by(attempts.c.position))
        return run_from(row, tuple(attempt_from(attempt) for attempt in tried))

    async def events(
        self,
        *,
        source: str | None = None,
        trigger: str | None = None,
        verdict: str | None = None,
        limit: int = 50,
        before: str | None = None,
    ) -> list[EventRow]:
        query = select(events)
        if source is not None:
            query = query.where(events.c.source == source)
        if trigger is not None or verdict is not None:
            said = select(verdicts.c.event).where(verdicts.c.event == events.c.id)
            said = said if trigger is None else said.where(verdicts.c.trigger == trigger)
            said = said if verdict is None else said.where(verdicts.c.verdict == verdict)
            query = query.where(said.exists())
        return [event_from(row) for row in await self._newest(query, events.c.id, limit, before)]

    async def event(self, prefix: str) -> EventRow | None:
        row = await self._one(events, prefix)
        if row is None:
            return None
        said = await self._rows(select(verdicts).where(verdicts.c.event == row["id"]).order_by(verdicts.c.trigger))
        return event_from(row, tuple(verdict_from(verdict) for verdict in said))

    async def counts(self) -> dict[str, int]:
        rows = await self._rows(select(runs.c.status, func.count().label("number")).group_by(runs.c.status))
        return {row["status"]: row["number"] for row in rows}

    async def definition(self, digest: str) -> Version | None:
        rows = await self._rows(select(definitions).where(definitions.c.digest == digest))
        return version_from(rows[0]) if rows else None

    async def versions(self, noun: str, key: str) -> list[tuple[str, float]]:
        wanted = select(definitions.c.digest, definitions.c.saved_at).where(definitions.c.noun == noun, definitions.c.key == key)
        rows = await self._rows(wanted.order_by(definitions.c.saved_at.desc(), definitions.c.digest))
        return [(row["digest"], row["saved_at"] / 1e6) for row in rows]

    async def _newest(self, query: Select[Any], column: Any, limit: int, before: str | None) -> list[Row]:
        if before is not None:
            query = query.where(column < before)
        return await self._rows(query.order_by(column.desc()).limit(max(1, min(limit, MOST_ROWS))))

    async def _one(self, table: Any, prefix: str, *, exact: bool = False) -> Row | None:
        """The row whose id begins so. Raises Ambiguous where there are several and none is it exactly."""
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
            async with self._engine.connect() as connection:
                return [row._asdict() for row in await connection.execute(query)]
        except SQLAlchemyError as error:
            raise StoreError(f"{self._path}: cannot be read: {getattr(error, 'orig', None) or error}") from error


def _read_only(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout = 5000")
    cursor.execute("PRAGMA query_only = ON")
    cursor.close()
