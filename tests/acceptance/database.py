"""The database of a home as a stranger sees it: queries that are the same on SQLite and on PostgreSQL.

CAMSHAFT_TEST_STORE=postgresql runs the whole of these tests on PostgreSQL; the address of each test's schema then stands in the
environment of every command.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

ON_POSTGRESQL = os.environ.get("CAMSHAFT_TEST_STORE") == "postgresql"
URL = "CAMSHAFT_STORE__URL"
about_the_file = pytest.mark.skipif(ON_POSTGRESQL, reason="it is about the SQLite file")
names_its_store = pytest.mark.skipif(ON_POSTGRESQL, reason="it says itself where its homes keep what they keep")


def rows(home: Path, query: str, *values) -> list[tuple]:
    """What a query finds; values stand as `?`."""
    if ON_POSTGRESQL:
        with psycopg.connect(os.environ[URL]) as connection:
            return [tuple(row) for row in connection.execute(query.replace("%", "%%").replace("?", "%s"), values).fetchall()]
    with closing(sqlite3.connect(f"file:{home / 'state' / 'camshaft.db'}?mode=ro", uri=True)) as connection:
        return connection.execute(query, values).fetchall()


def change(home: Path, *statements: str) -> None:
    """Change it behind the daemon's back."""
    if ON_POSTGRESQL:
        with psycopg.connect(os.environ[URL]) as connection:
            for statement in statements:
                connection.execute(statement)
        return
    with closing(sqlite3.connect(home / "state" / "camshaft.db")) as connection, connection:
        for statement in statements:
            connection.execute(statement)
