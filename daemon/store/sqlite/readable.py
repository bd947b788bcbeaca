"""An SQLite file as commands and the admin side read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import URL, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from daemon.store.sqlite.schema import prepare_for_reading

READERS = 2


class SqliteReadable:
    """database.Readable over one file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def exists(self) -> bool:
        if not self._path.is_file():
            return False
        prepare_for_reading(self._path)
        return True

    def engine(self) -> AsyncEngine:
        # Not as text: a folder's name may hold ? # and %. And a file that was removed meanwhile is not made.
        address = URL.create("sqlite+aiosqlite", database=self._path.absolute().as_uri(), query={"mode": "rw", "uri": "true"})
        engine = create_async_engine(
            address, poolclass=AsyncAdaptedQueuePool, pool_size=READERS, max_overflow=0, hide_parameters=True
        )
        event.listen(engine.sync_engine, "connect", _read_only)
        return engine


def _read_only(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout = 5000")
    cursor.execute("PRAGMA query_only = ON")
    cursor.close()
