"""Opening SQLite: one connection that writes, set up so that what is committed stays committed."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from daemon.store.errors import Adrift, StoreError, StoreUnusable

Mark = tuple[int, int] | None  # device and inode; None: there is no such file
Marks = tuple[Mark, Mark, Mark]
Files = tuple[Path, Path, Path]  # the file, its log, and the index of that: SQLite keeps these as long as it has the file open

# Its get(None) is None. Without an adapter sqlite3 asks each None whether it has one: 0.2 µs, six times an event.
_NOTHING: dict[None, None] = {}
CACHE_KIB = 8192  # a group's pages stay in memory until its commit, so that inserts on the loop never wait for the disk


def connect(path: Path, *, synchronous: str) -> Connection:
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
    """Commits only while its files still have their names: what goes into a file that was removed or replaced is on no disk tomorrow."""

    _files: Files | None = None
    marks: Marks = (None, None, None)

    def hold(self, path: Path) -> None:
        """From now on a commit looks whether the files at `path` are those that are open."""
        self._files = (path, Path(f"{path}-wal"), Path(f"{path}-shm"))
        self.marks = _marks(self._files)

    def opened_anew(self, path: Path, synchronous: str) -> Connection:
        """Close it, and open what is at `path` in its place. Raises StoreError, also where another connection of this process is left.

        One that is left holds the index that has lost its name, and SQLite would share that.
        """
        if _mark(path) != self.marks[0]:
            raise _gone(path)
        self.close()
        fresh = connect(path, synchronous=synchronous)
        if None in fresh.marks:
            fresh.close()
            raise StoreError(f"{path}: somebody still reads what was removed", "close what reads the database")
        return fresh

    def commit(self) -> None:
        """Four microseconds dearer, in the writer's thread."""
        if self._files is not None and (now := _marks(self._files)) != self.marks:
            if now[0] != self.marks[0]:
                raise _gone(self._files[0])
            self._rescue(self._files, now)
        super().commit()

    def _rescue(self, files: Files, now: Marks) -> None:
        """The log beside the file has lost its name, and the commits that stand in it with it: move them into the file. Always raises."""
        self.rollback()
        _, log, index = files
        beside = f"{log} or {index.name} was removed under the daemon"
        if now[1] not in {None, self.marks[1]} and log.stat().st_size > 0:
            raise StoreError(f"{beside}, and another program has written since", "close it, and start the daemon anew")
        busy, pages, moved = self.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
        if busy or pages != moved:
            raise StoreError(f"{beside}, and somebody reads the old one", "close what reads the database")
        raise Adrift(beside, "leave them alone while the daemon runs: what they held is in the database now")


def _gone(path: Path) -> StoreError:
    return StoreError(f"{path} was removed or replaced under the daemon", "put it back, or start the daemon anew")


def _marks(files: Files) -> Marks:
    file, log, index = files
    return _mark(file), _mark(log), _mark(index)


def _mark(path: Path) -> Mark:
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
