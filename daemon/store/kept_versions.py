"""Versions of definitions: written before they are in force, and forgotten when they are old and nothing names them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import Any

from daemon.store import compiled as sql
from daemon.store.codec import decode
from daemon.store.database import Database
from daemon.store.errors import StoreError
from daemon.store.group import Connection
from daemon.store.rows import Versioned, micros, version_rows
from daemon.store.writer import Writer
from triggers.source import Unavailable

NEWEST = 20  # versions of one flow or trigger that stay in any case: what people look back at and compare
AT_ONCE = 250  # in one transaction: 4 ms on the loop
NO_SUBFLOWS: Mapping[str, Mapping[str, str]] = MappingProxyType({})

Inside = Callable[[Callable[[Connection], Any]], asyncio.Future[Any]]
Row = tuple[str, str, str, str | None]
"""Digest, noun, key, and the versions of its sub-flows as kept."""


class KeptVersions:
    """The versions that a database holds."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer
        self._asked: set[str] = set()  # to be kept since old ones were last forgotten: in force by now, or in a moment

    async def save(
        self, noun: str, items: Sequence[tuple[Versioned, Path | None]], subflows: Mapping[str, Mapping[str, str]]
    ) -> None:
        """Ten thousand versions are written in several transactions, with turns for others between them."""
        self._asked.update(item.digest for item, _ in items)
        missing = await asyncio.to_thread(self._not_kept, items)
        now = micros(time.time())
        for first in range(0, len(missing), AT_ONCE):
            part = missing[first : first + AT_ONCE]
            rows = await asyncio.to_thread(version_rows, noun, part, now, subflows)
            await self._writer.submit([(sql.SAVE_DEFINITION, row) for row in rows])

    def _not_kept(self, items: Sequence[tuple[Versioned, Path | None]]) -> list[tuple[Versioned, Path | None]]:
        """In a thread. In the same order in every process: none waits for one that waits for it."""
        if len(items) > AT_ONCE:
            kept = {row[0] for row in self._database.fetch(sql.KEPT_DIGESTS)}
            items = [(item, folder) for item, folder in items if item.digest not in kept]
        return sorted(items, key=lambda one: one[0].digest)

    async def forget(self, inside: Inside, in_force: Callable[[], Collection[str]]) -> int:
        """Returns how many went. `in_force` is asked in each transaction that deletes.

        A run pins a version that is in force when it is queued, or that of the run it repeats: so what nothing names now, nothing
        will. Raises Unavailable where that cannot be known now.
        """
        try:
            old = await asyncio.to_thread(_unnamed, self._database)
        except StoreError as error:
            raise Unavailable(f"versions are not looked through: {error}") from error
        gone = 0
        for first in range(0, len(old), AT_ONCE):
            gone += await inside(partial(self._forget, old[first : first + AT_ONCE], in_force))
        self._asked.clear()
        return gone

    def _forget(self, digests: Sequence[str], in_force: Callable[[], Collection[str]], connection: Connection) -> int:
        kept = self._asked.union(in_force())
        doomed = [(digest,) for digest in digests if digest not in kept]
        if doomed:
            connection.executemany(sql.FORGET_VERSION, doomed)
        return len(doomed)


def _unnamed(database: Database) -> list[str]:
    """In a thread. Digests beyond the newest that no run and no version that stays names. Runs are read only where there are some."""
    if not database.fetch(sql.MANY_VERSIONS, (NEWEST,)):
        return []
    rows: list[Row] = database.fetch(sql.VERSIONS_BY_AGE)
    old = set(_beyond_the_newest(rows))
    staying = {digest for digest, *_ in rows} - old
    staying |= {digest for (digest,) in database.fetch(sql.PINNED_VERSIONS)}
    return sorted(old - _with_subflows(staying, rows))


def _beyond_the_newest(rows: Iterable[Row]) -> Iterable[str]:
    for _, versions in groupby(rows, key=lambda row: row[1:3]):  # sorted: the newest first
        yield from [digest for digest, *_ in versions][NEWEST:]


def _with_subflows(digests: set[str], rows: Iterable[Row]) -> set[str]:
    """These, with all that they were loaded with."""
    inner = {digest: frozenset(decode(pins).values()) for digest, _, _, pins in rows if pins is not None}
    named, left = set(digests), list(digests)
    while left:
        more = inner.get(left.pop(), frozenset()) - named
        named |= more
        left += more
    return named
