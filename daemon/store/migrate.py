"""Migrations by Alembic, in one transaction, after a backup. Imported only when a database's version differs."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from daemon.store.errors import StoreUnusable

SCRIPTS = Path(__file__).parent / "migrations"


def migrate(connection: sqlite3.Connection, path: Path, found: str) -> None:
    """Bring the database from version `found` to the newest one, after a backup beside it.

    Raises StoreUnusable for a version this program does not know (a newer program wrote it), and nothing is changed then.
    """
    config = configuration()
    try:
        ScriptDirectory.from_config(config).get_revision(found)
    except CommandError as error:
        raise StoreUnusable(
            f"{path}: its schema is at version {found}, which this camshaft does not know",
            "a newer camshaft wrote it: upgrade this one, or put back the backup that the upgrade made beside it",
        ) from error
    try:
        upgrade(connection, config, before=lambda: _back_up(path, found))
    except (OSError, DBAPIError) as error:
        raise StoreUnusable(
            f"{path}: its schema could not be brought from version {found} to the newest: {getattr(error, 'orig', error)}",
            "nothing of it was changed: check the disk, and that this user may write to the folder",
        ) from error


def _back_up(path: Path, version: str) -> None:
    """A copy beside the database, whole or not there. On a connection of its own: one that is about to write cannot be copied."""
    made = path.with_name(f"{path.name}.{version}.backup")
    unfinished = made.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(unfinished)) as target:
        unfinished.chmod(0o600)
        source.backup(target)
    unfinished.rename(made)


def configuration() -> Config:
    """Alembic's configuration, without an ini file."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    return config


def upgrade(
    connection: sqlite3.Connection, config: Config, revision: str = "head", before: Callable[[], None] = lambda: None
) -> None:
    """Run the migrations on this very connection, all in one transaction; `before` is done first, with everybody else kept out."""
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    with engine.connect() as bound:
        bound.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            if not _done(bound, config):  # by another process, while this one waited for its turn
                before()
                _run(bound, config, revision)
        except BaseException:
            bound.exec_driver_sql("ROLLBACK")
            raise
        bound.exec_driver_sql("COMMIT")


def _done(bound: Connection, config: Config) -> bool:
    head = ScriptDirectory.from_config(config).get_current_head()
    return MigrationContext.configure(bound).get_current_revision() == head


def _run(bound: Connection, config: Config, revision: str) -> None:
    config.attributes["connection"] = bound
    command.upgrade(config, revision)
