"""Asking a server how it is, for who changes nothing there."""

from __future__ import annotations

from contextlib import closing

import psycopg

from daemon.location import PostgresqlUrl
from daemon.store.errors import StoreUnusable
from daemon.store.postgresql.connecting import connect, describe, hint_for
from daemon.store.postgresql.schema import version


def look(location: PostgresqlUrl) -> tuple[int, str | None]:
    """The server's major version, and the migration that the schema stands at; None: it is empty. Raises StoreUnusable."""
    try:
        with closing(connect(location)) as connection:
            connection.execute("SET default_transaction_read_only = on")
            return connection.info.server_version // 10_000, version(connection, location)
    except psycopg.Error as error:
        raise StoreUnusable(f"{location}: {describe(error)}", hint_for(error)) from error
