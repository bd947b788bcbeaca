"""The seam between the store and a database: how a group is written, and how a few rows are read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from daemon.location import Location
from daemon.store.errors import StoreError
from daemon.store.group import Done, Operation, Row, Unsure
from daemon.store.hot import Hot
from daemon.store.sqlite.database import SqliteDatabase


class Database(Protocol):
    """One open database. All but fetch() is called on the loop."""

    lost: asyncio.Future[StoreError]  # done: another daemon serves this database, and nothing can be written any more

    adrift: Callable[[], None]  # called, perhaps again and again, when whoever reads is to let go of the database, and ask anew

    async def open(self) -> None:
        """Connect, and bring the schema to this program's. Raises StoreUnusable or HomeInUse with the way out."""

    def write(self, group: Sequence[Operation], done: Done, unsure: Unsure, committing: Callable[[], None]) -> None:
        """Write a group in one transaction and commit it, or nothing of it. `done` is called once, when that is certain.

        `unsure` is called, perhaps again and again, while it cannot be known whether the group was committed. `committing` is
        called when the loop has nothing to do for the group but to wait. The next group is written when this one is done.
        """

    def fetch(self, hot: Hot, row: Row = ()) -> list[tuple[Any, ...]]:
        """Read on a connection of its own. Blocks; raises StoreError."""

    async def answers(self) -> None:
        """Return when the thread that writes has done what it was given, whether or not that succeeded."""

    async def close(self) -> None: ...


def open_database(location: Location, *, synchronous: str, serves: bool) -> Database:
    """`serves`: a daemon's, of which there may be one at a time."""
    if isinstance(location, Path):
        return SqliteDatabase(location, synchronous=synchronous)
    from daemon.store.postgresql.database import PostgresqlDatabase  # lazy: psycopg, 0.1 s and 10 MB

    return PostgresqlDatabase(location, synchronous=synchronous, serves=serves)
