"""Databases that steps read and write: a session is one transaction, over SQLite or PostgreSQL, with one way to write SQL.

    databases = Databases()  # one for each kind of step, which closes it
    address = address_of(scope.secret(name), scope.folder)  # or SqliteFile(path)
    async with databases.session(address, read_only=False, timeout_s=30) as session:
        await session.execute(f"INSERT INTO {quoted_table(table)} ({quoted(column)}) VALUES (:value)", {"value": value})

Parameters are written `:name` for both databases and are always bound. Names of tables and columns come from `identifiers`.
All that goes wrong is a StepError: DATABASE_UNREACHABLE, DATABASE_LOST and DATABASE_BUSY (may come out well later), TIMEOUT,
DATABASE_REFUSED, DATABASE_VALUE, DATABASE_CONSTRAINT, DATABASE_URL (will not). None of them quotes an address's password or a row.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Literal, Protocol

from flows.connectors.addresses import DEFAULT_SECRET, Address, PostgresqlServer, SqliteFile, address_of
from flows.connectors.database_values import AsJson
from flows.connectors.identifiers import quoted, quoted_table, why_no_identifier
from flows.connectors.postgresql import PostgresqlSession
from flows.connectors.postgresql_pool import IDLE_S, Pool
from flows.connectors.rows import Row
from flows.connectors.sqlite import SqliteSession
from flows.connectors.statement import Batch

__all__ = [
    "DEFAULT_SECRET", "Address", "AsJson", "Databases", "PostgresqlServer", "Session", "SqliteFile", "address_of", "quoted",
    "quoted_table", "why_no_identifier",
]  # fmt: skip


class Session(Protocol):
    """One transaction. Everything may raise StepError; after that only `rows` that were given already are of use."""

    dialect: ClassVar[Literal["sqlite", "postgresql"]]

    async def execute(self, sql: str, params: Mapping[str, Any] | None = None) -> int:
        """How many rows it changed; -1 where that says nothing."""
        ...

    async def execute_all(self, batches: Sequence[Batch]) -> int:
        """Each statement for each of its rows, in this order. How many rows were changed."""
        ...

    def rows(self, sql: str, params: Mapping[str, Any] | None = None) -> AsyncGenerator[list[Row], None]:
        """What it gives, in batches: values are JSON's, and no more than a batch is held. aclose() ends it early."""
        ...


class Databases:
    """Connections to PostgreSQL are kept between attempts; an SQLite file is opened for each session."""

    def __init__(self, *, idle_s: float = IDLE_S) -> None:
        self._idle_s = idle_s
        self._pools: dict[PostgresqlServer, Pool] = {}

    @asynccontextmanager
    async def session(
        self, address: Address, *, read_only: bool, timeout_s: float, create: bool = False
    ) -> AsyncIterator[Session]:
        """Committed where the body ends well; else rolled back, on cancel too. `timeout_s` is each statement's, all its rows read.

        `create`: an SQLite file that is not there is made.
        """
        opened = self._open(address, read_only=read_only, timeout_s=timeout_s, create=create)
        try:
            await opened.begin()
            yield opened
            await opened.commit()
        finally:
            await opened.end()

    def _open(self, address: Address, *, read_only: bool, timeout_s: float, create: bool) -> SqliteSession | PostgresqlSession:
        if isinstance(address, SqliteFile):
            return SqliteSession(address, read_only=read_only, create=create, timeout_s=timeout_s)
        pool = self._pools.setdefault(address, Pool(address, idle_s=self._idle_s))
        return PostgresqlSession(pool, read_only=read_only, timeout_s=timeout_s)

    async def close(self) -> None:
        for pool in self._pools.values():
            await pool.close()
