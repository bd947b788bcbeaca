"""The one writer: what gathers while a commit runs goes into the next one. Rows go in on the loop, COMMIT runs in a thread.

Guarantee: an operation's future is done only when its rows are on disk, or none of them ever will be.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from daemon.store.errors import Fenced
from daemon.store.hot import Hot
from triggers.source import Unavailable

log = structlog.get_logger()

Row = tuple[Any, ...]
Guard = Callable[[sqlite3.Connection], tuple[Sequence[tuple[Hot, Row]], Any]]
"""Runs inside the transaction, on its own: looks, decides, and gives the rows to write and the operation's result."""

PATIENCE_S = 0.002  # how a run ended is not waited for: it shares the next event's transaction, where there is one
CLOSE_S = 5.0  # how long a store that cannot write is waited for at the end
GROUP_ROWS = 2000  # rows in one transaction: 20 ms on the loop at 10 µs a row; what is over goes into the next
POISON = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
    OverflowError,
    ValueError,
)
"""What is wrong with one operation; any other sqlite3.Error is wrong with the database, and so with the whole group."""
RETRY_S = (0.05, 0.2, 0.5, 1.0, 2.0)  # after a failed commit, for what must not be dropped; then every two seconds


@dataclass(slots=True, eq=False)
class Operation:
    """Rows that stand or fall together."""

    rows: Sequence[tuple[Hot, Row]]
    done: asyncio.Future[Any] | None  # None: `then` and `failed` are told, and nobody awaits
    guard: Guard | None = None
    then: Callable[[Any], Any] | None = None  # called once the rows are on disk, with the guard's result; gives the future's
    failed: Callable[[BaseException], None] | None = None
    result: Any = None
    told: bool = False  # True: it has failed, and its caller knows
    keep: bool = False  # True: a disk that is full is waited for; nobody else could write it again


class Writer:
    """Owns the writing connection. All methods are called on the loop."""

    def __init__(self, connection: sqlite3.Connection, probe: Sequence[tuple[Hot, Row]]) -> None:
        """`probe`: rows that may be written at any time, to see whether anything can be."""
        self._connection = connection
        self._probe = probe
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="commit")
        self._loop = asyncio.get_running_loop()
        self._pending: deque[Operation] = deque()
        self._flushing = False
        self._timer: asyncio.TimerHandle | None = None  # set while only patient operations wait
        self._failures = 0
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()
        self.commits = 0  # for benchmarks, status and metrics, as are the next two
        self.operations = 0  # that they made durable
        self.commit_failures = 0
        self.while_committing: Callable[[], None] = _nothing  # called when the loop has nothing to do but to wait for a disk

    def submit(
        self,
        rows: Sequence[tuple[Hot, Row]],
        *,
        guard: Guard | None = None,
        then: Callable[[Any], Any] | None = None,
        keep: bool = False,
    ) -> asyncio.Future[Any]:
        """Queue an operation. The future gives its result (`then`'s, a guard's, or None), or raises Unavailable, Fenced or sqlite3.Error."""
        done = self._loop.create_future()
        self._pending.append(Operation(rows, done, guard, then, keep=keep))
        if not self._flushing:
            self._begin()
        return done

    def post(
        self,
        rows: Sequence[tuple[Hot, Row]],
        then: Callable[[Any], Any],
        failed: Callable[[BaseException], None],
        guard: Guard | None = None,
    ) -> None:
        """Queue rows that must not be dropped and that nobody awaits: `then` is called with the guard's result, or `failed`.

        They may wait PATIENCE_S for others to share their transaction.
        """
        self._pending.append(Operation(rows, None, guard, then, failed, keep=True))
        if not self._flushing and self._timer is None:
            self._idle.clear()
            self._timer = self._loop.call_later(PATIENCE_S, self._begin)

    @property
    def failing(self) -> bool:
        """True since a commit failed and until one succeeds."""
        return self._failures > 0

    async def answers(self) -> None:
        """Return when the thread has done what it was given: a disk that is full lets it, one that hangs does not."""
        await self._loop.run_in_executor(self._thread, _nothing)

    async def drained(self) -> None:
        """Return when nothing is queued and nothing is being committed."""
        await self._idle.wait()

    async def close(self) -> None:
        """Commit what is queued, then let go of the connection. What a disk does not take within CLOSE_S is given up."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S if self.failing else None):
                await self.drained()
        self._closed = True
        await self._loop.run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown()

    def _begin(self) -> None:
        """Flush at the end of this tick, so that what else this tick submits joins."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._flushing = True
        self._idle.clear()
        self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        if self._closed:
            return
        group = self._take()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            self._begin_failed(group, error)
            return
        self._write(group)

    def _begin_failed(self, group: list[Operation], error: sqlite3.Error) -> None:
        if _busy(error):  # another process writes (`flow execute` without the daemon): wait for it in the thread
            waiting = self._loop.run_in_executor(self._thread, _begin_patiently, self._connection)
            waiting.add_done_callback(lambda future: self._begun(group, future))
        else:
            self._failed(group, error)

    def _begun(self, group: list[Operation], future: asyncio.Future[None]) -> None:
        error = future.exception()
        if error is not None:
            self._failed(group, error)
        else:
            self._write(group)

    def _write(self, group: list[Operation]) -> None:
        try:
            _apply(self._connection, group)
        except Exception as error:  # noqa: BLE001 - also of a guard: whatever it is, the writer goes on
            if _is_poison(error):
                self._write_one_by_one(group)
            else:
                self._failed(group, error)
        else:
            self._commit(group)

    def _write_one_by_one(self, group: list[Operation]) -> None:
        """One of them is poisoned: start again, each under a savepoint, so that it fails alone."""
        written = []
        try:
            self._connection.rollback()
            self._connection.execute("BEGIN IMMEDIATE")
            for operation in group:
                error = _apply_alone(self._connection, operation)
                if error is None:
                    written.append(operation)
                else:
                    _tell(operation, error)
        except sqlite3.Error as error:
            self._failed([operation for operation in group if not operation.told], error)
        else:
            self._commit(written)

    def _commit(self, group: list[Operation]) -> None:
        committing = self._loop.run_in_executor(self._thread, self._connection.commit)
        committing.add_done_callback(partial(self._committed, group))
        self.while_committing()

    def _committed(self, group: list[Operation], future: asyncio.Future[None]) -> None:
        error = future.exception()
        if error is not None:
            self._failed(group, error)
            return
        self.commits += 1
        self.operations += len(group)
        if self._failures:
            log.info("store.recovered", failures=self._failures)
            self._failures = 0
        for operation in group:
            _conclude(operation)
        self._next()

    def _failed(self, group: list[Operation], error: BaseException) -> None:
        """The commit did not happen: nothing of the group is on disk. What nobody else could write again stays queued."""
        _undo_all(self._connection)
        kept = [operation for operation in group if operation.keep]
        for operation in group:
            if not operation.keep:
                _tell(operation, Unavailable(f"nothing can be written: {error}"))
        self._pending.extendleft(reversed(kept))
        delay_s = RETRY_S[min(self._failures, len(RETRY_S) - 1)]
        self._failures += 1
        self.commit_failures += 1
        if self._failures == 1:
            log.error("store.unavailable", error=str(error), operations=len(group))
        if not self._pending:  # nothing would tell that the disk is well again: ask it, so that an idle daemon is ready then
            self._pending.append(Operation(self._probe, None, None, _ignore, _ignore))
        self._loop.call_later(delay_s, self._flush)

    def _next(self) -> None:
        if self._pending:
            self._loop.call_soon(self._flush)
            return
        self._flushing = False
        self._idle.set()

    def _take(self) -> list[Operation]:
        pending = self._pending
        group: list[Operation] = []
        rows = 0
        while pending and rows < GROUP_ROWS:
            operation = pending.popleft()
            rows += len(operation.rows) + 1
            group.append(operation)
        return group


def _nothing() -> None:
    pass


def _ignore(_: Any) -> None:
    pass


def _apply(connection: sqlite3.Connection, group: list[Operation]) -> None:
    """Write the group's rows, those of one statement as one executemany, statements in the order of their rank."""
    by_statement: dict[Hot, list[Row]] = {}
    for operation in group:
        rows = operation.rows
        if operation.guard is not None:
            rows, operation.result = operation.guard(connection)
        for hot, row in rows:
            gathered = by_statement.get(hot)
            if gathered is None:
                by_statement[hot] = [row]
            else:
                gathered.append(row)
    for hot in sorted(by_statement, key=_rank):
        cursor = connection.executemany(hot.sql, by_statement[hot])
        if hot.fenced and cursor.rowcount != len(by_statement[hot]):
            raise Fenced("a run in this group belongs to another process, or has ended")


def _apply_alone(connection: sqlite3.Connection, operation: Operation) -> Exception | None:
    connection.execute("SAVEPOINT one")
    try:
        _apply(connection, [operation])
    except Exception as error:
        if not _is_poison(error):
            raise
        connection.execute("ROLLBACK TO one")
        return error
    finally:
        connection.execute("RELEASE one")
    return None


def _conclude(operation: Operation) -> None:
    """Its rows are on disk, whether or not its caller still waits (a client may have gone)."""
    try:
        result = operation.result if operation.then is None else operation.then(operation.result)
    except Exception as error:  # a defect in what follows must not stop the writer; its caller is told
        log.exception("store.follow_up_failed")
        _tell(operation, error)
        return
    if operation.done is not None and not operation.done.done():  # its caller may have been cancelled
        operation.done.set_result(result)


def _tell(operation: Operation, error: BaseException) -> None:
    operation.told = True
    if operation.failed is not None:
        operation.failed(error)
    elif operation.done is not None and not operation.done.done():  # its caller may have been cancelled
        operation.done.set_exception(error)


def _is_poison(error: Exception) -> bool:
    return isinstance(error, POISON) or not isinstance(error, sqlite3.Error)


def _rank(hot: Hot) -> int:
    return hot.rank


def _busy(error: sqlite3.Error) -> bool:
    return isinstance(error, sqlite3.OperationalError) and getattr(error, "sqlite_errorname", "").startswith(
        ("SQLITE_BUSY", "SQLITE_LOCKED")
    )


def _begin_patiently(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA busy_timeout = 5000")
    try:
        connection.execute("BEGIN IMMEDIATE")
    finally:
        connection.execute("PRAGMA busy_timeout = 0")


def _undo_all(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        try:
            connection.rollback()
        except sqlite3.Error as error:
            log.warning("store.rollback_failed", error=str(error))
