"""Migrating an SQLite file: on the connection that is open, after a copy beside it. Imported only when the version differs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import StaticPool

from daemon.store.migrate import migrate

BEGIN = ("BEGIN IMMEDIATE",)


def migrate_file(connection: sqlite3.Connection, path: Path, found: str) -> None:
    """Raises StoreUnusable, and nothing is changed then."""
    migrate(engine_over(connection), BEGIN, path, found, before=lambda: _back_up(path, found))


def engine_over(connection: sqlite3.Connection) -> Engine:
    """An engine whose only connection is this very one."""
    return create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)


def _back_up(path: Path, version: str) -> None:
    """A copy beside the database, whole or not there. On a connection of its own: one that is about to write cannot be copied."""
    made = path.with_name(f"{path.name}.{version}.backup")
    unfinished = made.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(unfinished)) as target:
            unfinished.chmod(0o600)
            source.backup(target)
    except sqlite3.Error as error:
        raise OSError(f"{unfinished}: {error}") from error
    unfinished.rename(made)
