"""Migrations by Alembic, in one transaction. Imported only when a database's version differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from daemon.location import Location
from daemon.store.errors import StoreUnusable

SCRIPTS = Path(__file__).parent / "migrations"


def migrate(
    engine: Engine, begin: Sequence[str], location: Location, found: str, before: Callable[[], None] = lambda: None
) -> None:
    """Bring the database from version `found` to the newest one. `before` is done first, when everybody else is kept out.

    Raises StoreUnusable for a version this program does not know (a newer program wrote it), or where it cannot be done. Nothing
    is changed then.
    """
    config = configuration()
    try:
        ScriptDirectory.from_config(config).get_revision(found)
    except CommandError as error:
        raise StoreUnusable(
            f"{location}: its schema is at version {found}, which this camshaft does not know",
            "a newer camshaft wrote it: upgrade this one, or put back the backup that was made before the upgrade",
        ) from error
    try:
        upgrade(engine, begin, before=before)
    except (OSError, DBAPIError) as error:
        raise StoreUnusable(
            f"{location}: its schema could not be brought from version {found} to the newest: {getattr(error, 'orig', error)}",
            "nothing of it was changed: check the disk, and that this user may change the database and write beside it",
        ) from error


def configuration() -> Config:
    """Alembic's configuration, without an ini file."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    return config


def upgrade(engine: Engine, begin: Sequence[str], revision: str = "head", before: Callable[[], None] = lambda: None) -> None:
    """Run the migrations in one transaction. `begin`: the statements that open it and keep everybody else out."""
    config = configuration()
    with engine.connect() as bound:
        for statement in begin:
            bound.exec_driver_sql(statement)
        try:
            if not _done(bound, config):  # by another process, while this one waited for its turn
                before()
                config.attributes["connection"] = bound
                command.upgrade(config, revision)
        except BaseException:
            bound.exec_driver_sql("ROLLBACK")
            raise
        bound.exec_driver_sql("COMMIT")


def _done(bound: Connection, config: Config) -> bool:
    head = ScriptDirectory.from_config(config).get_current_head()
    return MigrationContext.configure(bound).get_current_revision() == head
