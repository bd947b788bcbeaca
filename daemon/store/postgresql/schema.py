"""The schema's version in PostgreSQL: made whole where there is none, migrated where it is older, refused where it is newer."""

from __future__ import annotations

from typing import Any

import psycopg

from daemon.location import PostgresqlUrl
from daemon.store.compiled import HEAD, SCHEMA_POSTGRESQL
from daemon.store.errors import StoreUnusable
from daemon.store.postgresql.connecting import OLDEST

# One at a time makes or changes the schema; who waited finds it done. Another key than the one a daemon serves under.
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('camshaft schema:' || current_schema(), 0))"

Session = psycopg.Connection[tuple[Any, ...]]


def prepare(connection: Session, location: PostgresqlUrl) -> None:
    """Bring the schema to this program's. Raises StoreUnusable or psycopg.Error; what was not brought there is as it was."""
    _check_server(connection, location)
    found = version(connection, location)
    if found == HEAD:
        return
    if found is None:
        _create(connection, location)
        return
    from daemon.store.postgresql.migration import migrate_database  # lazy: Alembic, 0.3 s: only when the version differs

    migrate_database(location, found)


def version(connection: Session, location: PostgresqlUrl) -> str | None:
    """The migration that the schema stands at; None: it is empty. Raises StoreUnusable where it is somebody else's."""
    names = {
        row[0]
        for row in connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident(current_schema())) AND relkind IN ('r', 'p')"
        )
    }
    if "alembic_version" in names:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        if row is not None:
            return str(row[0])
    if names:
        raise StoreUnusable(
            f"{location}: the schema has tables ({', '.join(sorted(names)[:3])}, …) that are not camshaft's",
            "give camshaft a schema of its own: CREATE SCHEMA camshaft; and ?options=-csearch_path%3Dcamshaft in [store] url",
        )
    return None


def _create(connection: Session, location: PostgresqlUrl) -> None:
    with connection.transaction():
        connection.execute(LOCK)
        if version(connection, location) is None:  # another process may have made it meanwhile
            for statement in SCHEMA_POSTGRESQL:
                connection.execute(statement.encode())
            connection.execute("INSERT INTO alembic_version (version_num) VALUES (%s)", (HEAD,))


def _check_server(connection: Session, location: PostgresqlUrl) -> None:
    if connection.info.server_version < OLDEST:
        raise StoreUnusable(f"{location}: the server's version is below 13", "use a PostgreSQL that is still maintained")
    row = connection.execute("SELECT current_setting('server_encoding'), current_schema(), pg_is_in_recovery()").fetchone()
    assert row is not None  # a SELECT without FROM has one row
    encoding, schema, standby = row
    if encoding != "UTF8":
        raise StoreUnusable(f"{location}: the database's encoding is {encoding}", "make it anew: createdb --encoding=UTF8 NAME")
    if schema is None:
        raise StoreUnusable(f"{location}: there is no schema of that name", "make it: CREATE SCHEMA …")
    if standby:
        raise StoreUnusable(f"{location}: the server is a standby and cannot be written to", "name the primary in [store] url")
