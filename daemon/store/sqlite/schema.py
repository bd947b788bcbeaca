"""The schema's version: made whole in a new database, migrated in an older one, refused in a newer one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from daemon.store.compiled import HEAD, SCHEMA
from daemon.store.errors import StoreUnusable
from daemon.store.sqlite.connection import connect, hint_for


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the database to this program's schema. Raises StoreUnusable; a database that was not brought there is as it was."""
    with _told(path):
        found = _version(connection)
        if found == HEAD:
            return
        if found is None:
            _create(connection)
            return
        from daemon.store.sqlite.migration import migrate_file  # lazy: Alembic, 0.2 s: only when the version differs

        migrate_file(connection, path, found)


def prepare_for_reading(path: Path) -> None:
    """Bring a database that a command is about to read to this program's schema; one that stands there is only looked at."""
    with _told(path), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)) as reading:
        found = _version(reading)
    if found == HEAD:
        return
    with closing(connect(path, synchronous="full")) as connection:
        prepare(connection, path)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnusable(f"{path}: {error}", hint_for(error)) from error


def _version(connection: sqlite3.Connection) -> str | None:
    """The migration that the database stands at; None: it is new."""
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "alembic_version" in names:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        if row is not None:
            return str(row[0])
    if names:
        raise StoreUnusable(
            f"the database has tables ({', '.join(sorted(names)[:3])}, …) that are not camshaft's",
            "name another file in [store] path",
        )
    return None


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _version(connection) is None:  # another process may have made it meanwhile
            for statement in SCHEMA:
                connection.execute(statement)
            connection.execute("INSERT INTO alembic_version (version_num) VALUES (?)", (HEAD,))
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
