"""The seam between readers and a database: whether it is there, and connections that can only read."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncEngine

from daemon.location import Location
from daemon.store.sqlite.readable import SqliteReadable


class Readable(Protocol):
    """A database as commands and the admin side read it."""

    def engine(self) -> AsyncEngine:
        """Connections that can only read."""

    def exists(self) -> bool:
        """There is a database, brought to this program's schema by this very call. Blocks; raises StoreError."""


def readable(location: Location) -> Readable:
    if isinstance(location, Path):
        return SqliteReadable(location)
    from daemon.store.postgresql.readable import PostgresqlReadable  # lazy: psycopg, 0.1 s and 10 MB

    return PostgresqlReadable(location)
