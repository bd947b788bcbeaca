"""A session with an SQLite file: a connection and a thread of its own, gone when the session ends."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, Literal, TypeVar
from urllib.parse import quote

from flows.connectors.addresses import SqliteFile
from flows.connectors.database_values import as_json_value, for_sqlite
from flows.connectors.rows import Row, names_of
from flows.connectors.statement import Batch, read_statement
from flows.errors import StepError

BATCH_ROWS = 500
BATCH_BYTES = 1024 * 1024  # of texts and blobs: one row more is read at most
MAX_VALUE_BYTES = 64 * 1024 * 1024  # of one text or blob, so that no row takes the memory
PROGRESS_STEPS = 10_000  # of its machine, a fraction of a millisecond, between two looks at whether it is still wanted
BUSY_S = 5.0  # how long another's lock is waited for
_RETRYABLE = {"SQLITE_BUSY": "DATABASE_BUSY", "SQLITE_LOCKED": "DATABASE_BUSY", "SQLITE_IOERR": "DATABASE_LOST"}

Result = TypeVar("Result")


class SqliteSession:
    """database.Session over a file. ATTACH is refused: it would open files that nobody named."""

    dialect: ClassVar[Literal["sqlite", "postgresql"]] = "sqlite"

    def __init__(self, address: SqliteFile, *, read_only: bool, create: bool, timeout_s: float) -> None:
        self._address = address
        self._mode = "ro" if read_only else "rwc" if create else "rw"
        self._timeout_s = timeout_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        self._connection: sqlite3.Connection | None = None
        self._cursors: list[sqlite3.Cursor] = []
        self._late = self._left = False

    async def begin(self) -> None:
        """Raises StepError DATABASE_UNREACHABLE where the file is not there or is no database."""
        await self._call(self._open)

    def _open(self) -> None:
        path = self._address.path
        if self._mode != "rwc" and not path.is_file():
            raise StepError(f"{path} is not there, or no file", code="DATABASE_UNREACHABLE", retryable=False)
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode={self._mode}",
            uri=True,
            timeout=min(BUSY_S, self._timeout_s),
            isolation_level=None,
        )
        self._connection = connection
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
        connection.set_authorizer(_judge)
        # Asked by the statement itself: interrupt() does nothing where a statement is just about to begin.
        connection.set_progress_handler(lambda: self._late or self._left, PROGRESS_STEPS)
        connection.execute("BEGIN" if self._mode == "ro" else "BEGIN IMMEDIATE")

    async def execute(self, sql: str, params: Mapping[str, Any] | None = None) -> int:
        bound = _bound(sql, params or {})
        return await self._timed(lambda connection: connection.execute(sql, bound).rowcount)

    async def execute_all(self, batches: Sequence[Batch]) -> int:
        bound = [(sql, [_bound(sql, row) for row in rows]) for sql, rows in batches]
        return await self._timed(
            lambda connection: sum(max(0, connection.executemany(sql, rows).rowcount) for sql, rows in bound)
        )

    async def rows(self, sql: str, params: Mapping[str, Any] | None = None) -> AsyncGenerator[list[Row], None]:
        bound = _bound(sql, params or {})
        limit = self._limit()
        try:
            cursor = await self._call(lambda: self._ask(sql, bound))
            if cursor.description is None:
                return
            names = names_of(column[0] for column in cursor.description)
            while batch := await self._call(lambda: _fetch(cursor, names)):
                yield batch
        finally:
            limit.cancel()

    def _ask(self, sql: str, bound: Mapping[str, Any]) -> sqlite3.Cursor:
        cursor = self._opened().cursor()
        self._cursors.append(cursor)
        return cursor.execute(sql, bound)

    async def _timed(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        limit = self._limit()
        try:
            return await self._call(lambda: work(self._opened()))
        finally:
            limit.cancel()

    def _opened(self) -> sqlite3.Connection:
        assert self._connection is not None  # begin() came first
        return self._connection

    def _limit(self) -> asyncio.TimerHandle:
        self._late = False
        return asyncio.get_running_loop().call_later(self._timeout_s, self._break_off)

    def _break_off(self) -> None:
        self._late = True

    async def _call(self, work: Callable[[], Result]) -> Result:
        """In the thread. On cancel the statement is broken off, and has ended on return."""
        future = asyncio.get_running_loop().run_in_executor(self._thread, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            self._left = True
            await asyncio.wait([future])
            if not future.cancelled():
                future.exception()  # looked at, or the loop would complain of it
            raise
        except (sqlite3.Error, OverflowError, UnicodeError) as error:
            raise self._failure(error) from None

    def _failure(self, error: Exception) -> StepError:
        said = " ".join(str(error).split())[:300]
        name = getattr(error, "sqlite_errorname", None) or ""
        if name == "SQLITE_INTERRUPT" and self._late:
            return StepError(f"{self._address}: no end within {self._timeout_s:g} s (ETIMEDOUT)", code="TIMEOUT")
        primary = "_".join(name.split("_")[:2])
        if primary in _RETRYABLE:
            return StepError(f"{self._address}: {said}", code=_RETRYABLE[primary])
        if primary in ("SQLITE_CANTOPEN", "SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_PERM"):
            return StepError(f"{self._address}: {said}", code="DATABASE_UNREACHABLE", retryable=False)
        if primary == "SQLITE_CONSTRAINT":
            return StepError(f"{self._address}: {said}", code="DATABASE_CONSTRAINT", retryable=False)
        value = isinstance(error, (OverflowError, UnicodeError, sqlite3.InterfaceError, sqlite3.DataError))
        value = value or "UTF-8" in said or "binding parameter" in said
        return StepError(f"{self._address}: {said}", code="DATABASE_VALUE" if value else "DATABASE_REFUSED", retryable=False)

    async def commit(self) -> None:
        await self._call(lambda: self._opened().execute("COMMIT"))

    async def end(self) -> None:
        """Roll back what is not committed, and close. A cancel does not leave the file open."""
        self._left = True
        closing = asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)
        await asyncio.shield(closing)

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        for cursor in self._cursors:  # the file stays open as long as one of them is alive
            cursor.close()
        if connection is not None:
            connection.close()


def _judge(action: int, *_: str | None) -> int:
    return sqlite3.SQLITE_DENY if action in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH) else sqlite3.SQLITE_OK


def _bound(sql: str, params: Mapping[str, Any]) -> dict[str, Any]:
    missing = next((name for name in read_statement(sql).names if name not in params), None)
    if missing is not None:
        raise StepError(f"the statement has :{missing}, and no value for it is given", code="DATABASE_VALUE", retryable=False)
    return {name: for_sqlite(params[name]) for name in read_statement(sql).names}


def _fetch(cursor: sqlite3.Cursor, names: Sequence[str]) -> list[Row]:
    batch: list[Row] = []
    size = 0
    while len(batch) < BATCH_ROWS and size < BATCH_BYTES:
        found = cursor.fetchone()
        if found is None:
            break
        size += sum(len(value) for value in found if isinstance(value, (str, bytes)))
        batch.append({name: as_json_value(value) for name, value in zip(names, found, strict=True)})
    return batch
