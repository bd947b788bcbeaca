"""Opening SQLite: one connection that writes, set up so that what is committed stays committed."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from daemon.store.errors import StoreError, StoreUnusable

# Its get(None) is None. Without an adapter sqlite3 asks each None whether it has one: 0.2 µs, six times an event.
_NOTHING: dict[None, None] = {}
CACHE_KIB = 8192  # a group's pages stay in memory until its commit, so that inserts on the loop never wait for the disk


def connect(path: Path, *, synchronous: str) -> sqlite3.Connection:
    """The writing connection: used by the loop for rows and by one thread for COMMIT, never by both at once."""
    sqlite3.register_adapter(type(None), _NOTHING.get)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = not path.exists()
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=5.0, cached_statements=64, factory=Connection
        )
        if fresh:
            path.chmod(0o600)
    except (OSError, sqlite3.Error) as error:
        raise StoreUnusable(
            f"{path}: cannot be opened: {_why(error)}", "check that the folder exists and that this user may write to it"
        ) from error
    try:
        _set_up(connection, synchronous)
    except sqlite3.Error as error:
        connection.close()
        raise StoreUnusable(f"{path}: {error}", hint_for(error)) from error
    connection.hold(path)
    return connection


class Connection(sqlite3.Connection):
    """Commits only while the file still has its name: what goes into a file that was removed or replaced is on no disk tomorrow."""

    _path: Path | None = None
    _mark: tuple[int, int] | None = None

    def hold(self, path: Path) -> None:
        """From now on a commit looks whether the file at `path` is the one that is open."""
        self._mark = _mark(path)
        self._path = path

    def commit(self) -> None:
        """Two microseconds dearer, in the writer's thread."""
        if self._path is not None and _mark(self._path) != self._mark:
            raise StoreError(f"{self._path} was removed or replaced under the daemon", "put it back, or start the daemon anew")
        super().commit()


def _mark(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _set_up(connection: sqlite3.Connection, synchronous: str) -> None:
    connection.execute(
        "PRAGMA auto_vacuum = INCREMENTAL"
    )  # takes effect only before the first table; without it the file never shrinks
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {'NORMAL' if synchronous == 'normal' else 'FULL'}")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    connection.execute("PRAGMA cache_spill = OFF")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # a file that is no database says so here


def ready_for_loop(connection: sqlite3.Connection) -> None:
    """From now on the loop uses it: a lock held by another process is an error at once, and the writer waits in its thread."""
    connection.execute("PRAGMA busy_timeout = 0")


def existing(path: Path) -> str:
    """Its address for sqlite3's `uri`: a file that is not there is an error, and not made."""
    return f"{path.absolute().as_uri()}?mode=rw"


def _why(error: Exception) -> str:
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)


def hint_for(error: sqlite3.Error) -> str:
    """The way out of what SQLite says."""
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return "the file is damaged or no SQLite database: move it away, or put a backup in its place"
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return "another program holds the database: close it and try again"
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return "check that this user may write to the file and to its folder"
    if name == "SQLITE_FULL":
        return "make room on the disk"
    return "check the disk, and the file's owner and mode"
