"""Connections to one PostgreSQL database: opened when they are wanted, kept for a minute, never more than a few."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import orjson

from flows.connectors.addresses import PostgresqlServer
from flows.connectors.postgresql_errors import failure
from flows.errors import StepError

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.AsyncConnection[tuple[Any, ...]]

IDLE_S = 60.0  # how long a connection is kept that nobody uses: servers count them
MAX_CONNECTIONS = 8  # to one database: a loop of a hundred sources must not use up the server's
CLOSE_S = 2.0  # how long a connection that is in the middle of something may take to be let go of
# Where the address does not say otherwise. A peer that is gone without a word is noticed within half a minute.
DEFAULTS = {
    "connect_timeout": "10",
    "application_name": "camshaft flow",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
AS_TEXT = ("interval", "money", "inet", "cidr")  # what Python has for these says less, or something else


class Pool:
    """Connections to one address, each lent to one session at a time."""

    def __init__(self, address: PostgresqlServer, *, idle_s: float = IDLE_S) -> None:
        self.address = address
        self._idle_s = idle_s
        self._timer: asyncio.TimerHandle | None = None  # runs as long as there are idle ones
        self._idle: list[tuple[float, Connection]] = []  # since when, the connection; the last one used is at the end
        self._free = asyncio.Semaphore(MAX_CONNECTIONS)

    async def take(self) -> tuple[Connection, bool]:
        """A connection, and whether it was one that was kept. Waits for one where all are lent. Raises StepError."""
        await self._free.acquire()
        try:
            while self._idle:
                _, connection = self._idle.pop()
                if not connection.closed:
                    return connection, True
            return await self._connect(), False
        except BaseException:
            self._free.release()
            raise

    async def give_back(self, connection: Connection) -> None:
        """Rolled back and kept where that goes well; else closed, also when we are cancelled meanwhile."""
        import psycopg  # 0.3 s: only a home that uses PostgreSQL pays for it

        kept = False
        try:
            if not connection.closed:
                async with asyncio.timeout(CLOSE_S):
                    await connection.rollback()
                kept = True
        except (psycopg.Error, TimeoutError):
            kept = False
        finally:
            if kept:
                self._idle.append((time.monotonic(), connection))
                self._free.release()
                self._look_again()
            else:
                await self.give_up(connection)

    async def give_up(self, connection: Connection) -> None:
        """Closed: nobody can say what state it is in."""
        self._free.release()
        await connection.close()

    def _look_again(self) -> None:
        """Nobody may come for a day: a timer closes what is not used."""
        if self._timer is None and self._idle:
            self._timer = asyncio.get_running_loop().call_later(self._idle_s, self._drop_stale)

    def _drop_stale(self) -> None:
        self._timer = None
        since = time.monotonic() - self._idle_s
        stale = [connection for at, connection in self._idle if at <= since]
        self._idle = [(at, connection) for at, connection in self._idle if at > since]
        for connection in stale:
            connection.pgconn.finish()  # what close() does, which waits for nothing either
        self._look_again()

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        idle, self._idle = self._idle, []
        for _, connection in idle:
            await connection.close()

    async def _connect(self) -> Connection:
        import psycopg  # see give_back()
        from psycopg.conninfo import conninfo_to_dict
        from psycopg.types.json import set_json_loads
        from psycopg.types.string import TextLoader

        try:
            given = {**DEFAULTS, **conninfo_to_dict(self.address.url), "client_encoding": "UTF8"}
        except psycopg.Error:
            raise StepError(
                "the secret that names the database is no address that libpq takes", code="DATABASE_URL", retryable=False
            ) from None
        try:
            # A kept plan would fail where a table was changed meanwhile, so none is kept.
            connection = await psycopg.AsyncConnection.connect(prepare_threshold=None, **given)  # type: ignore[arg-type] # libpq's words are text
        except psycopg.Error as error:
            raise failure(self.address, error, 0, connected=False) from None
        set_json_loads(orjson.loads, connection)
        for name in AS_TEXT:
            connection.adapters.register_loader(name, TextLoader)
        return connection
