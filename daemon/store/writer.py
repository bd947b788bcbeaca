"""The one writer: what gathers while a commit runs goes into the next one.

Guarantee: an operation's future is done only when its rows are on disk, or with an error when none of them ever will be. Where
nobody can know for a while (the connection was lost in the middle of a commit), who waits is told Unavailable; and if it turns out
that the rows are on disk, what is to follow from them follows.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

import structlog

from daemon.store.database import Database
from daemon.store.group import Guard, Operation, Outcome, Rows
from triggers.source import Unavailable

log = structlog.get_logger()

PATIENCE_S = 0.002  # how a run ended is not waited for: it shares the next event's transaction, where there is one
CLOSE_S = 5.0  # how long a store that cannot write is waited for at the end
GROUP_ROWS = 2000  # rows in one transaction: 20 ms on the loop at 10 µs a row; what is over goes into the next
RETRY_S = (0.05, 0.2, 0.5, 1.0)  # after a failed commit, for what must not be dropped; then every second
READY_S = 2.0  # a commit is news for so long; a database that takes as long to answer a question does not write
PROMPT_S = 1.0  # what fails sooner may well succeed with the next try, and is given one: a connection that was ended, say


class Writer:
    """Gathers operations and hands them to the database, group by group. All methods are called on the loop."""

    def __init__(self, database: Database, spill: Callable[[Rows], Rows], probe: Rows) -> None:
        """`spill` puts what is large into files, in a thread, and gives the rows that refer to them. `probe`: rows that may be written at any time, to see whether anything can be."""
        self._database = database
        self._spill = spill
        self._spills: ThreadPoolExecutor | None = None  # made by the first large output
        self._probe = probe
        self._loop = asyncio.get_running_loop()
        self._pending: deque[Operation] = deque()
        self._group: Sequence[Operation] = ()  # that is being written, or of which it is not known whether it was
        self._flushing = False
        self._timer: asyncio.TimerHandle | None = None  # set while only patient operations wait
        self._failures = 0
        self._gone: BaseException | None = None  # why nothing can be written; until it can, who need not wait is refused at once
        self._well_at = -READY_S  # when a group was on disk last
        self._begun = 0.0  # when the group that is being written was handed over
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()
        self.commits = 0  # for benchmarks, status and metrics, as are the next two
        self.operations = 0  # that they made durable
        self.commit_failures = 0
        self.while_committing: Callable[[], None] = _nothing  # called when the loop has nothing to do but to wait for a disk

    def submit(
        self,
        rows: Rows,
        *,
        guard: Guard | None = None,
        then: Callable[[Any], Any] | None = None,
        keep: bool = False,
        large: bool = False,
    ) -> asyncio.Future[Any]:
        """Queue an operation. The future gives its result (`then`'s, a guard's, or None), or raises Unavailable, Fenced, Rejected.

        `keep`: it must not be dropped. A database that cannot be written is waited for, however long that takes.
        """
        done = self._loop.create_future()
        if self._gone is not None and not keep:
            done.set_exception(_unavailable(self._gone))
            return done
        self._pending.append(Operation(rows, done, guard, then, keep=keep, large=large))
        if not self._flushing:
            self._begin()
        return done

    def post(
        self,
        rows: Rows,
        then: Callable[[Any], Any],
        failed: Callable[[BaseException], None],
        guard: Guard | None = None,
        *,
        large: bool = False,
    ) -> None:
        """Queue rows that must not be dropped and that nobody awaits: `then` is called with the guard's result, or `failed`.

        They may wait PATIENCE_S for others to share their transaction.
        """
        self._pending.append(Operation(rows, None, guard, then, failed, keep=True, large=large))
        if not self._flushing and self._timer is None:
            self._idle.clear()
            self._timer = self._loop.call_later(PATIENCE_S, self._begin)

    @property
    def failing(self) -> bool:
        """True since a commit failed and until one succeeds."""
        return self._failures > 0

    async def writes(self) -> bool:
        """Whether rows reach the disk. A commit of the last READY_S says so; else the probe is written, and so asks."""
        if self.failing or self._loop.time() - self._well_at < READY_S:
            return not self.failing
        with suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(READY_S):
                await self.submit(self._probe)
                return True
        return False

    async def answers(self) -> None:
        """Return when the thread has done what it was given: a disk that is full lets it, one that hangs does not."""
        await self._database.answers()

    async def drained(self) -> None:
        """Return when nothing is queued and nothing is being committed."""
        await self._idle.wait()

    async def close(self) -> None:
        """Commit what is queued, then let go of the database. What it does not take within CLOSE_S of failing is given up.

        While nothing can be written and nothing waits that must not be dropped, there is nothing to wait for.
        """
        while not self._idle.is_set() and (self._left() or not self.failing):
            failures = self._failures
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await self.drained()
            if failures and self.failing:
                log.error("store.given_up", error=str(self._gone or "no answer"), operations=self._left())
                break
        self._closed = True
        if self._spills is not None:
            self._spills.shutdown(wait=False)
        await self._database.close()

    def _left(self) -> int:
        """Operations that must not be dropped and are not known to be on disk."""
        return sum(operation.keep for operation in (*self._group, *self._pending))

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
        self._group = group = self._take()
        self._begun = self._loop.time()
        if any(operation.large for operation in group):
            self._spill_first(group)
        else:
            self._write(group)

    def _spill_first(self, group: list[Operation]) -> None:
        """Files before rows. All wait for that, so that a run's rows keep their order; a disk that is full is waited for."""
        if self._spills is None:
            self._spills = ThreadPoolExecutor(1, thread_name_prefix="spill")
        spilling = self._loop.run_in_executor(self._spills, _spill, self._spill, [one for one in group if one.large])
        spilling.add_done_callback(partial(self._spilled, group))

    def _spilled(self, group: list[Operation], spilling: asyncio.Future[None]) -> None:
        error = spilling.exception()
        if error is not None:
            self._failed(group, error)
        elif not self._closed:
            self._write(group)

    def _write(self, group: list[Operation]) -> None:
        self._database.write(group, partial(self._written, group), partial(self._unsure, group), self.while_committing)

    def _written(self, group: list[Operation], outcome: Outcome) -> None:
        """The database is done with a group, one way or the other."""
        self._group = ()
        if outcome.rejected:
            rejected = {id(operation) for operation, _ in outcome.rejected}
            group = [operation for operation in group if id(operation) not in rejected]
            for operation, error in outcome.rejected:
                _tell(operation, error)
        if outcome.error is not None:
            self._failed(group, outcome.error)
            return
        self.commits += 1
        self._well_at = self._loop.time()
        self.operations += len(group)
        if self._failures:
            log.info("store.recovered", failures=self._failures)
            self._failures, self._gone = 0, None
        for operation in group:
            _conclude(operation)
        self._next()

    def _failed(self, group: list[Operation], error: BaseException) -> None:
        """The commit did not happen: nothing of the group is on disk. What nobody else could write again stays queued."""
        self._group = ()
        self._pending.extendleft(reversed(_kept(group, error)))
        if self._failures or self._loop.time() - self._begun > PROMPT_S:
            self._refuse(error)
        delay_s = RETRY_S[min(self._failures, len(RETRY_S) - 1)]
        self._count_failure(error, len(group))
        if not self._pending:  # nothing would tell that the disk is well again: ask it, so that an idle daemon is ready then
            self._pending.append(Operation(self._probe, None, None, _ignore, _ignore))
        self._loop.call_later(delay_s, self._flush)

    def _unsure(self, group: list[Operation], error: BaseException) -> None:
        """The database cannot say now whether it has the group. Nobody is kept waiting for that."""
        self._count_failure(error, len(group))
        _kept(group, error)
        self._refuse(error)

    def _refuse(self, error: BaseException) -> None:
        """Until something can be written again, let only that wait which must not be dropped."""
        self._gone = error
        self._pending = deque(_kept(self._pending, error))

    def _count_failure(self, error: BaseException, operations: int) -> None:
        self._failures += 1
        self.commit_failures += 1
        if self._failures == 1:
            log.error("store.unavailable", error=str(error), hint=getattr(error, "hint", None), operations=operations)

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


def _spill(spill: Callable[[Rows], Rows], operations: list[Operation]) -> None:
    """In the thread. An operation that is done is not done again when the next one fails."""
    for operation in operations:
        operation.rows = spill(operation.rows)
        operation.large = False


def _nothing() -> None:
    pass


def _ignore(_: Any) -> None:
    pass


def _kept(operations: Iterable[Operation], error: BaseException) -> list[Operation]:
    """Those that must not be dropped. The others are told that nothing can be written."""
    kept = []
    for operation in operations:
        if operation.keep:
            kept.append(operation)
        else:
            _tell(operation, _unavailable(error))
    return kept


def _unavailable(error: BaseException) -> Unavailable:
    return Unavailable(f"nothing can be written: {error}")


def _conclude(operation: Operation) -> None:
    """Its rows are on disk, whether or not its caller still waits (a client may have gone, or was told Unavailable meanwhile)."""
    try:
        result = operation.result if operation.then is None else operation.then(operation.result)
    except Exception as error:  # a defect in what follows must not stop the writer; its caller is told
        log.exception("store.follow_up_failed")
        _tell(operation, error)
        return
    if operation.done is not None and not operation.done.done():  # its caller may have been cancelled
        operation.done.set_result(result)


def _tell(operation: Operation, error: BaseException) -> None:
    if operation.failed is not None:
        operation.failed(error)
    elif operation.done is not None and not operation.done.done():  # its caller may have been cancelled
        operation.done.set_exception(error)
