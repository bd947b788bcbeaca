"""What is kept of waits: opened, resolved once, and found again by the next process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from daemon.store import compiled as sql
from daemon.store.codec import decode, encode, plain
from daemon.store.group import Row, Rows
from daemon.store.hot import Hot
from daemon.store.rows import micros, seconds


@dataclass(slots=True)
class WaitRow:
    """One wait. Instants are seconds since the epoch. Whoever keeps it fills in how it ended."""

    run: str
    path: str
    number: int
    kind: str  # timer | approval | event
    created_at: float
    due_at: float | None = None
    limit_at: float | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    how: str | None = None  # None: it is open
    resolved_at: float | None = None
    resolved_by: str | None = None  # the word of a person, or an event's id
    resolution: Any = None


class StoredWaits:
    """The store's verbs for waits. A full disk is waited for: who waits for days can wait for that."""

    def __init__(self, submit: Callable[..., asyncio.Future[Any]], fetch: Callable[[Hot], list[Row]], token: str) -> None:
        self._submit = submit
        self._fetch = fetch
        self._token = token

    def open(self, wait: WaitRow) -> asyncio.Future[None]:
        return self._write([(sql.OPEN_WAIT, (*_opened(wait), wait.run, self._token))])

    def resolve(self, wait: WaitRow) -> asyncio.Future[None]:
        return self._write([(sql.RESOLVE_WAIT, _resolved(wait))])

    def close(self, wait: WaitRow) -> asyncio.Future[None]:
        """Its attempt was given up: nothing is left of it, so that a later one begins anew."""
        return self._write([(sql.CLOSE_WAIT, (wait.run, wait.path, wait.number))])

    def rest(self, run: str, started_at: float, status: str) -> asyncio.Future[None]:
        """From now on the run is seen to be waiting or paused: nothing works on it. By START_RUN, so that the last word counts."""
        return self._write([(sql.START_RUN, (status, micros(started_at), run, self._token))])

    async def live(self) -> list[WaitRow]:
        """Those of runs that have not ended, without those whose attempts are recorded: open ones, and resolved ones that nobody took."""
        return [wait_from(row) for row in await asyncio.to_thread(self._fetch, sql.LIVE_WAITS)]

    def _write(self, rows: Rows) -> asyncio.Future[None]:
        return self._submit(rows, keep=True)


def _opened(wait: WaitRow) -> Row:
    """In the order of statements.OPEN_WAIT."""
    due, limit = (None if at is None else micros(at) for at in (wait.due_at, wait.limit_at))
    detail = encode(dict(wait.detail)) if wait.detail else None
    return wait.run, wait.path, wait.number, wait.kind, micros(wait.created_at), due, limit, detail


def _resolved(wait: WaitRow) -> Row:
    """In the order of statements.RESOLVE_WAIT."""
    resolution = None if wait.resolution is None else encode(wait.resolution)
    at = None if wait.resolved_at is None else micros(wait.resolved_at)
    return wait.how, at, plain(wait.resolved_by), resolution, wait.run, wait.path, wait.number


def wait_from(row: Row) -> WaitRow:
    """In the order of the table's columns."""
    run, path, number, kind, created, due, limit, detail, how, resolved, by, resolution = row
    return WaitRow(
        run,
        path,
        number,
        kind,
        created / 1e6,
        seconds(due),
        seconds(limit),
        decode(detail) or {},
        how,
        seconds(resolved),
        by,
        decode(resolution),
    )
