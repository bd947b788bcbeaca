"""Sessions with a PostgreSQL database, on connections that are kept for a while and lent to one session at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, cast

from flows.connectors.database_values import as_json_value, for_postgresql
from flows.connectors.postgresql_errors import failure
from flows.connectors.postgresql_pool import Pool
from flows.connectors.rows import Row, names_of
from flows.connectors.statement import Batch, read_statement
from flows.errors import StepError
from flows.steps.json_text import json_text

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.AsyncConnection[tuple[Any, ...]]

BATCH_ROWS = 200
BATCH_BYTES = 1024 * 1024  # of texts and blobs: one row more is read at most
BREAK_OFF_S = 0.2  # between two requests to break off a statement that nobody waits for any more
BREAK_OFFS = 10  # then the connection is given up
CHUNK_ROWS = 64  # what libpq holds at one time; larger ones are hardly faster (measured), and rows may be large


Result = TypeVar("Result")


class PostgresqlSession:
    """database.Session over one connection of a pool."""

    dialect: ClassVar[Literal["sqlite", "postgresql"]] = "postgresql"

    def __init__(self, pool: Pool, *, read_only: bool, timeout_s: float) -> None:
        self._pool = pool
        self._read_only = read_only
        self._timeout_s = timeout_s
        self._connection: Connection | None = None

    async def begin(self) -> None:
        """Raises StepError DATABASE_UNREACHABLE."""
        import psycopg  # 0.3 s: only a home that reads PostgreSQL pays for it

        while self._connection is None:
            connection, kept = await self._pool.take()
            try:
                await connection.set_read_only(self._read_only)
                await connection.execute(
                    "SELECT set_config('statement_timeout', %s, true)", (str(max(1, int(self._timeout_s * 1000))),)
                )
            except BaseException as error:
                await self._pool.give_up(connection)
                if isinstance(error, psycopg.OperationalError) and kept:
                    continue  # the server was started anew while the connection lay idle
                if isinstance(error, psycopg.Error):
                    raise self._failure(error) from None
                raise
            self._connection = connection

    async def execute(self, sql: str, params: Mapping[str, Any] | None = None) -> int:
        return (await self._ask(self._opened().execute(*_made(sql, params or {})))).rowcount

    async def execute_all(self, batches: Sequence[Batch]) -> int:
        return await self._ask(self._sent([[_made(sql, row) for row in rows] for sql, rows in batches if rows]))

    async def _sent(self, batches: Sequence[Sequence[tuple[bytes, dict[str, Any]]]]) -> int:
        """In a pipeline: no statement waits for the answer to the one before it."""
        connection = self._opened()
        cursors = [connection.cursor() for _ in batches]
        async with connection.pipeline():
            for cursor, rows in zip(cursors, batches, strict=True):
                await cursor.executemany(rows[0][0], [bound for _, bound in rows])
        return sum(max(0, cursor.rowcount) for cursor in cursors)

    async def rows(self, sql: str, params: Mapping[str, Any] | None = None) -> AsyncGenerator[list[Row], None]:
        import psycopg  # see begin()

        query, bound = _made(sql, params or {})
        size = CHUNK_ROWS if psycopg.capabilities.has_stream_chunked() else 1  # libpq before 17 gives them one by one
        async with self._opened().cursor() as cursor, _closing(cursor.stream(query, bound, size=size)) as found:
            names: list[str] = []
            while batch := await self._ask(_batch(found)):
                names = names or names_of(column.name for column in cursor.description or ())
                yield [{name: as_json_value(value) for name, value in zip(names, row, strict=True)} for row in batch]

    async def _ask(self, work: Awaitable[Result]) -> Result:
        """What the server answers. Raises StepError. On cancel the statement has ended on return, and the connection may be used."""
        import psycopg  # see begin()

        task = asyncio.ensure_future(work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await self._break_off(task)
            raise
        except (psycopg.Error, UnicodeError, OverflowError, ValueError) as error:
            raise self._failure(error) from None

    async def _break_off(self, task: asyncio.Future[Any]) -> None:
        """Asked more than once: a request to cancel can overtake the statement that it is for, and then does nothing."""
        import psycopg  # see begin()

        connection = self._opened()
        for _ in range(BREAK_OFFS):
            with suppress(psycopg.Error):
                await connection.cancel_safe(timeout=BREAK_OFF_S)
            await asyncio.wait([task], timeout=BREAK_OFF_S)
            if task.done():
                break
        if not task.done():
            await connection.close()
            await asyncio.wait([task], timeout=BREAK_OFF_S)
        if task.done() and not task.cancelled():
            task.exception()  # looked at, or the loop would complain of it

    def _opened(self) -> Connection:
        assert self._connection is not None  # begin() came first
        return self._connection

    def _failure(self, error: Exception) -> StepError:
        return failure(self._pool.address, error, self._timeout_s, connected=self._connection is not None)

    async def commit(self) -> None:
        import psycopg  # see begin()

        try:
            await self._opened().commit()
        except psycopg.Error as error:
            raise self._failure(error) from None

    async def end(self) -> None:
        """Roll back what is not committed; the connection goes back to its pool, or is closed where it is of no use."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._pool.give_back(connection)


def _made(sql: str, params: Mapping[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """The statement as psycopg takes it, and what is bound."""
    from psycopg.types.json import Jsonb  # see PostgresqlSession.begin()

    statement = read_statement(sql)
    missing = next((name for name in statement.names if name not in params), None)
    if missing is not None:
        raise StepError(f"the statement has :{missing}, and no value for it is given", code="DATABASE_VALUE", retryable=False)
    try:
        return statement.postgresql.encode(), {name: for_postgresql(params[name], _jsonb(Jsonb)) for name in statement.names}
    except UnicodeEncodeError:
        raise StepError("the statement has half a character", code="DATABASE_VALUE", retryable=False) from None


async def _batch(found: AsyncIterator[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The next rows; none: there are no more, or it is no statement that gives some."""
    import psycopg  # see PostgresqlSession.begin()

    batch: list[tuple[Any, ...]] = []
    size = 0
    try:
        async for row in found:
            batch.append(row)
            size += sum(len(value) for value in row if isinstance(value, (str, bytes)))
            if len(batch) == BATCH_ROWS or size > BATCH_BYTES:
                break
    except psycopg.ProgrammingError as error:
        if error.sqlstate is not None or "didn't produce" not in str(error):
            raise
    return batch


def _closing(found: AsyncIterator[Any]) -> AbstractAsyncContextManager[AsyncIterator[Any]]:
    """It is a generator: where it is left early, the statement is cancelled at the server."""
    return aclosing(cast("AsyncGenerator[Any, None]", found))


def _jsonb(wrap: Any) -> Any:
    return lambda value: wrap(value, dumps=json_text)
