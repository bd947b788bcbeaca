"""Migrations by Alembic, in one transaction, after a backup. Imported only when a database's version differs."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

from daemon.store.errors import StoreUnusable

SCRIPTS = Path(__file__).parent / "migrations"


def migrate(connection: sqlite3.Connection, path: Path, found: str) -> Path:
    """Bring the database from version `found` to the newest one; the backup made before is returned.

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
    backup = path.with_name(f"{path.name}.{found}.backup")
    with sqlite3.connect(backup) as target:
        connection.backup(target)
    target.close()
    upgrade(connection, config)
    return backup


def configuration() -> Config:
    """Alembic's configuration, without an ini file."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    return config


def upgrade(connection: sqlite3.Connection, config: Config, revision: str = "head") -> None:
    """Run the migrations on this very connection, all in one transaction."""
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    with engine.connect() as bound:
        bound.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            _run(bound, config, revision)
        except BaseException:
            bound.exec_driver_sql("ROLLBACK")
            raise
        bound.exec_driver_sql("COMMIT")


def _run(bound: Connection, config: Config, revision: str) -> None:
    config.attributes["connection"] = bound
    command.upgrade(config, revision)
