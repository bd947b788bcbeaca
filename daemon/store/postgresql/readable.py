"""A PostgreSQL database as commands and the admin side read it."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import psycopg
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from daemon.location import PostgresqlUrl
from daemon.store.errors import StoreUnusable
from daemon.store.postgresql.connecting import connect, conninfo, describe, hint_for
from daemon.store.postgresql.schema import prepare

READERS = 2
READ_ONLY = "SET default_transaction_read_only = on; SET statement_timeout = '15s'"


class PostgresqlReadable:
    """database.Readable over one address."""

    def __init__(self, location: PostgresqlUrl) -> None:
        self._location = location

    def exists(self) -> bool:
        """Always true: an empty schema is made camshaft's by the first who looks."""
        try:
            with closing(connect(self._location)) as connection:
                prepare(connection, self._location)
        except psycopg.Error as error:
            raise StoreUnusable(f"{self._location}: {describe(error)}", hint_for(error)) from None
        return True

    def engine(self) -> AsyncEngine:
        return create_async_engine(
            "postgresql+psycopg://",
            async_creator=self._connect,
            isolation_level="AUTOCOMMIT",  # each question is one statement
            pool_size=READERS,
            max_overflow=0,
            hide_parameters=True,  # an error must not quote what was sent
            pool_pre_ping=True,  # the server may have been restarted since the last question
        )

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        connection = await psycopg.AsyncConnection.connect(conninfo(self._location), autocommit=True)
        await connection.execute(READ_ONLY)
        return connection
