"""Migrating a PostgreSQL schema, in one transaction on a session of its own. Imported only when the version differs."""

from __future__ import annotations

from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

from daemon.location import PostgresqlUrl
from daemon.store.migrate import migrate
from daemon.store.postgresql.connecting import connect
from daemon.store.postgresql.schema import LOCK

# Another process that migrates is waited for; a stranger who holds a table is not, for all that writes would wait behind us.
LOCK_TIMEOUT = "SET LOCAL lock_timeout = '30s'"
BEGIN = ("BEGIN", LOCK, LOCK_TIMEOUT)


def migrate_database(location: PostgresqlUrl, found: str) -> None:
    """Raises StoreUnusable, and nothing is changed then. A backup is its operator's matter: pg_dump before an upgrade."""
    engine = engine_over(location)
    try:
        migrate(engine, BEGIN, location, found)
    finally:
        engine.dispose()


def engine_over(location: PostgresqlUrl) -> Engine:
    return create_engine("postgresql+psycopg://", creator=lambda: connect(location), poolclass=NullPool)
