"""SQLite as the store's database. Rows go in on the loop, COMMIT runs in a thread: so a slow disk holds nobody up.

A thread that also inserts costs 13 % (the interpreter lock changes hands at each statement), a commit on the loop triples p99 on a
slow disk.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from daemon.store.errors import Adrift, Rejected, StoreError
from daemon.store.group import Done, Operation, Outcome, Row, Unsure, write_rows
from daemon.store.hot import Hot
from daemon.store.sqlite.connection import Connection, connect, existing, hint_for, ready_for_loop
from daemon.store.sqlite.schema import prepare

log = structlog.get_logger()

PAGES = 500  # freed pages given back to the file system in one transaction: 2 MiB, 3 ms
POISON = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
)
"""What is wrong with one operation; any other sqlite3.Error is wrong with the database, and so with the whole group."""

Rejections = list[tuple[Operation, BaseException]]


class SqliteConnection:
    """group.Connection over sqlite3."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def execute(self, hot: Hot, row: Row = ()) -> sqlite3.Cursor:
        return self.connection.execute(hot.sqlite, row)

    def executemany(self, hot: Hot, rows: Sequence[Row]) -> int:
        return self.connection.executemany(hot.sqlite, rows).rowcount

    def command(self, text: str) -> None:
        self.connection.execute(text)

    def give_back(self) -> bool:
        """Python's sqlite3 steps a statement without columns once, which is one page, whatever number the pragma is given."""
        free: int = self.connection.execute("PRAGMA freelist_count").fetchone()[0]
        for _ in range(min(free, PAGES)):
            self.connection.execute("PRAGMA incremental_vacuum(1)")
        return free > PAGES


class SqliteDatabase:
    """database.Database over one file."""

    def __init__(self, path: Path, *, synchronous: str) -> None:
        self._path = path
        self._synchronous = synchronous
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="commit")
        self._connection: SqliteConnection
        self._adrift = False  # it is to be opened anew
        self.adrift = _nothing
        self.lost: asyncio.Future[StoreError] = self._loop.create_future()  # never: the home's lock is enough for a file

    async def open(self) -> None:
        connection = connect(self._path, synchronous=self._synchronous)
        try:
            prepare(connection, self._path)
            ready_for_loop(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = SqliteConnection(connection)

    def write(self, group: Sequence[Operation], done: Done, unsure: Unsure, committing: Callable[[], None]) -> None:  # noqa: ARG002 - a file is never unsure
        if self._adrift:
            self.adrift()  # who still has it open holds on to the files that are gone
            opening = self._loop.run_in_executor(self._thread, self._open_anew)
            opening.add_done_callback(lambda future: self._begun(group, done, committing, future))
            return
        try:
            self._connection.command("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            if not _busy(error):
                done(Outcome(self._unusable(error)))
                return
            # Another process writes (`flow execute` without the daemon): wait for it in the thread.
            waiting = self._loop.run_in_executor(self._thread, self._begin_patiently)
            waiting.add_done_callback(lambda future: self._begun(group, done, committing, future))
        else:
            self._write(group, done, committing)

    def _open_anew(self) -> None:
        """In the thread. Raises StoreError."""
        connection = self._connection.connection.opened_anew(self._path, self._synchronous)
        ready_for_loop(connection)
        self._connection, self._adrift = SqliteConnection(connection), False
        self._connection.command("BEGIN IMMEDIATE")

    def _begin_patiently(self) -> None:
        self._connection.command("PRAGMA busy_timeout = 5000")
        try:
            self._connection.command("BEGIN IMMEDIATE")
        finally:
            self._connection.command("PRAGMA busy_timeout = 0")

    def _begun(
        self, group: Sequence[Operation], done: Done, committing: Callable[[], None], future: asyncio.Future[None]
    ) -> None:
        error = future.exception()
        if error is not None:
            self._failed(done, error)
        else:
            self._write(group, done, committing)

    def _write(self, group: Sequence[Operation], done: Done, committing: Callable[[], None]) -> None:
        try:
            rejected = write_rows(self._connection, group, self._restart, _is_poison)
        except sqlite3.Error as error:
            self._failed(done, error)
            return
        future = self._loop.run_in_executor(self._thread, self._connection.connection.commit)
        future.add_done_callback(partial(self._committed, done, [(operation, _told(error)) for operation, error in rejected]))
        committing()

    def _restart(self) -> None:
        self._connection.connection.rollback()
        self._connection.command("BEGIN IMMEDIATE")

    def _committed(self, done: Done, rejected: Rejections, future: asyncio.Future[None]) -> None:
        error = future.exception()
        if error is not None:
            self._failed(done, error, rejected)
        else:
            done(Outcome(None, rejected))

    def _failed(self, done: Done, error: BaseException, rejected: Rejections | None = None) -> None:
        if not self._adrift and self._connection.connection.in_transaction:
            try:
                self._connection.connection.rollback()
            except sqlite3.Error as second:
                log.warning("store.rollback_failed", error=str(second))
        self._adrift = self._adrift or isinstance(error, Adrift)
        done(Outcome(self._unusable(error), rejected or []))

    def _unusable(self, error: BaseException) -> BaseException:
        """What is wrong with the database, with its place and the way out."""
        return StoreError(f"{self._path}: {error}", hint_for(error)) if isinstance(error, sqlite3.Error) else error

    def fetch(self, hot: Hot, row: Row = ()) -> list[tuple[Any, ...]]:
        try:
            with closing(sqlite3.connect(existing(self._path), uri=True, timeout=5.0)) as connection:
                return connection.execute(hot.sqlite, row).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"{self._path}: cannot be read: {error}", hint_for(error)) from error

    async def answers(self) -> None:
        await self._loop.run_in_executor(self._thread, _nothing)

    async def close(self) -> None:
        await self._loop.run_in_executor(self._thread, self._connection.connection.close)
        self._thread.shutdown()


def _busy(error: sqlite3.Error) -> bool:
    return isinstance(error, sqlite3.OperationalError) and getattr(error, "sqlite_errorname", "").startswith(
        ("SQLITE_BUSY", "SQLITE_LOCKED")
    )


def _is_poison(error: Exception) -> bool:
    return isinstance(error, POISON) or not isinstance(error, sqlite3.Error)


def _told(error: BaseException) -> BaseException:
    """What the operation's caller is told: nobody above the store knows sqlite3's errors."""
    return Rejected(str(error)) if isinstance(error, sqlite3.Error) else error


def _nothing() -> None:
    pass
