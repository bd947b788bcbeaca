"""PostgreSQL as the store's database: groups go to a thread whole, and a commit whose outcome is unknown is asked after."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from threading import Timer
from typing import Any

import psycopg

from daemon.location import PostgresqlUrl
from daemon.store.errors import StoreError
from daemon.store.group import Done, Operation, Outcome, Row, Unsure
from daemon.store.hot import Hot
from daemon.store.postgresql.connecting import connect, cut, describe, hint_for
from daemon.store.postgresql.session import InDoubt, Session

STALL_S = 10.0  # without an answer the connection is taken for dead: less than most senders of webhooks wait
# A read's thread is one of few, and a stop waits for it: so it ends, also where a stranger's lock or a server that has frozen holds it.
LOCK_TIMEOUT = "SET lock_timeout = '5s'"
READ_S = 30.0  # it may look through a table
SETTLE_AGAIN_S = (0.05, 0.2, 0.5, 1.0)  # between questions for a commit in doubt; then every second


class PostgresqlDatabase:
    """database.Database over one address."""

    def __init__(self, location: PostgresqlUrl, *, synchronous: str, serves: bool) -> None:
        self._location = location
        self._session = Session(location, synchronous=synchronous, serves=serves)
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="commit")
        self._closed = False
        self.lost: asyncio.Future[StoreError] = self._loop.create_future()
        self.adrift = _nothing  # never: readers find out by themselves

    async def open(self) -> None:
        try:
            await self._loop.run_in_executor(self._thread, self._session.open)
        except BaseException:
            self._thread.shutdown()
            raise

    def write(self, group: Sequence[Operation], done: Done, unsure: Unsure, committing: Callable[[], None]) -> None:
        future = self._watched(self._session.write, group)
        future.add_done_callback(partial(self._written, done, unsure))
        committing()

    def _watched(self, work: Callable[..., Any], *values: Any) -> asyncio.Future[Any]:
        """Do it in the thread; what gets no answer is broken off."""
        watch = self._loop.call_later(STALL_S, self._session.break_off)
        future = self._loop.run_in_executor(self._thread, work, *values)
        future.add_done_callback(lambda _: watch.cancel())
        return future

    def _written(self, done: Done, unsure: Unsure, future: asyncio.Future[Outcome]) -> None:
        error = future.exception()
        if isinstance(error, InDoubt):
            self._settle(error, done, unsure, 0)
        else:
            self._finish(done, Outcome(error) if error is not None else future.result())

    def _settle(self, doubt: InDoubt, done: Done, unsure: Unsure, asked: int) -> None:
        if self._closed:
            return
        future = self._watched(self._session.settle)
        future.add_done_callback(partial(self._settled, doubt, done, unsure, asked))

    def _settled(self, doubt: InDoubt, done: Done, unsure: Unsure, asked: int, future: asyncio.Future[bool]) -> None:
        error = future.exception()
        if error is None:
            self._finish(done, Outcome(None if future.result() else doubt.error, doubt.rejected))
            return
        self._tell_lost()
        unsure(error)
        delay_s = SETTLE_AGAIN_S[min(asked, len(SETTLE_AGAIN_S) - 1)]
        self._loop.call_later(delay_s, self._settle, doubt, done, unsure, asked + 1)

    def _finish(self, done: Done, outcome: Outcome) -> None:
        self._tell_lost()
        done(outcome)

    def _tell_lost(self) -> None:
        if self._session.taken is not None and not self.lost.done():
            self.lost.set_result(self._session.taken)

    def fetch(self, hot: Hot, row: Row = ()) -> list[tuple[Any, ...]]:
        try:
            with closing(connect(self._location)) as connection, _cut_after(READ_S, connection):
                connection.execute(LOCK_TIMEOUT)
                return connection.execute(hot.postgresql, row).fetchall()
        except psycopg.Error as error:
            raise StoreError(f"{self._location}: {describe(error)}", hint_for(error)) from None

    async def answers(self) -> None:
        await self._loop.run_in_executor(self._thread, _nothing)

    async def close(self) -> None:
        self._closed = True
        closing_session = self._loop.run_in_executor(self._thread, self._session.close)
        stalled = self._loop.call_later(STALL_S, self._session.break_off)  # what the thread is at may get no answer
        await closing_session
        stalled.cancel()
        self._thread.shutdown()


@contextmanager
def _cut_after(limit_s: float, connection: psycopg.Connection[Any]) -> Iterator[None]:
    watch = Timer(limit_s, cut, (connection,))
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()


def _nothing() -> None:
    pass
