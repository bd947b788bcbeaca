"""The session that writes: all of its methods but break_off() run in the writer's thread.

Three promises. A group is one transaction. Where the connection was lost in the middle of a COMMIT, the next session asks the
server what became of that transaction, and nobody is told before. And a daemon writes only while its session holds the lock that
the database is served under.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from daemon.location import PostgresqlUrl
from daemon.store.errors import HomeInUse, Rejected, StoreError, StoreUnusable
from daemon.store.group import Operation, Outcome, Row, write_rows
from daemon.store.hot import Hot
from daemon.store.postgresql.connecting import connect, cut, describe, hint_for
from daemon.store.postgresql.schema import prepare

LOCK_PATIENCE_S = 5.0  # a daemon that was killed a moment ago: its session ends within this
POISON = ("22", "23", "54")  # SQLSTATE classes: a value, a key, a limit. Anything else is wrong with the database

KEY = "hashtextextended('camshaft:' || current_schema(), 0)"  # of the lock: one daemon to a database and schema
HOLDER = f"""
SELECT pid, application_name, coalesce(host(client_addr), 'a local socket'), backend_start::text
FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND objsubid = 1
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND ((classid::bigint << 32) | objid::bigint) = {KEY}
"""  # noqa: S608 - KEY is a constant
# How durable a commit is, how long a stranger's lock is waited for, and how soon the server notices that we are gone.
SETTINGS = """
SELECT set_config('synchronous_commit', CASE
    WHEN %s = 'normal' THEN 'off' WHEN current_setting('synchronous_commit') = 'off' THEN 'on'
    ELSE current_setting('synchronous_commit') END, false),
  set_config('lock_timeout', '5s', false),
  set_config('tcp_keepalives_idle', '10', false),
  set_config('tcp_keepalives_interval', '5', false),
  set_config('tcp_keepalives_count', '3', false),
  pg_backend_pid(),
  (SELECT backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid())
"""
BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT pg_current_xact_id()::text"

Backend = tuple[int, str]  # a server process: its id and when it began


class InDoubt(Exception):  # noqa: N818 - a state
    """The connection was lost while a COMMIT was under way."""

    def __init__(self, error: StoreError, rejected: list[tuple[Operation, BaseException]]) -> None:
        self.error = error
        self.rejected = rejected
        super().__init__(str(error))


class PostgresqlConnection:
    """group.Connection over psycopg."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]], backend: Backend) -> None:
        self.connection = connection
        self.backend = backend
        self.transaction = ""  # the id of the one that is open, or was the last

    def execute(self, hot: Hot, row: Row = ()) -> psycopg.Cursor[tuple[Any, ...]]:
        return self.connection.execute(hot.postgresql, row)

    def executemany(self, hot: Hot, rows: Sequence[Row]) -> int:
        if len(rows) == 1:
            return self.execute(hot, rows[0]).rowcount
        with self.connection.cursor() as cursor:
            cursor.executemany(hot.postgresql, rows)
            return cursor.rowcount

    def command(self, text: str) -> None:
        self.connection.execute(text.encode())

    def give_back(self) -> bool:
        """Autovacuum does."""
        return False

    def begin(self) -> None:
        cursor = self.connection.execute(BEGIN)
        cursor.nextset()
        (self.transaction,) = cursor.fetchone() or ("",)

    def restart(self) -> None:
        self.command("ROLLBACK")
        self.begin()

    @property
    def idle(self) -> bool:
        """It is alive, and no transaction is open."""
        return not self.connection.closed and self.connection.info.transaction_status == TransactionStatus.IDLE


class Session:
    """Connects when there is something to write, and again after it was lost."""

    def __init__(self, location: PostgresqlUrl, *, synchronous: str, serves: bool) -> None:
        self._location = location
        self._synchronous = synchronous
        self._serves = serves
        self._connection: PostgresqlConnection | None = None
        self._line: psycopg.Connection[tuple[Any, ...]] | None = None  # the same, from when it is being prepared
        self._earlier: list[Backend] = []  # server processes of ours that may not have noticed yet that we let go of them
        self._in_doubt = ""  # the transaction whose COMMIT got no answer
        self._stalled = False
        self.taken: HomeInUse | None = None  # another daemon serves the database

    def open(self) -> None:
        """Raises StoreUnusable and HomeInUse."""
        deadline = time.monotonic() + LOCK_PATIENCE_S
        while True:
            try:
                self._ready(first=True)
            except HomeInUse:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            except psycopg.Error as error:
                raise StoreUnusable(f"{self._location}: {describe(error)}", hint_for(error)) from None
            else:
                return

    def write(self, group: Sequence[Operation]) -> Outcome:
        """One transaction. Raises InDoubt: settle() says, when it can, whether the group is there."""
        self._stalled = False
        try:
            connection = self._ready()
            connection.begin()
            rejected = write_rows(connection, group, connection.restart, is_poison)
        except (psycopg.Error, StoreError) as error:
            self._undo()
            return Outcome(self._told(error))
        told = [(operation, _rejection(error)) for operation, error in rejected]
        try:
            connection.command("COMMIT")
        except psycopg.Error as error:
            self._undo()
            if self._connection is None:
                self._in_doubt = connection.transaction
                raise InDoubt(self._told(error), told) from error
            return Outcome(self._told(error), told)
        return Outcome(None, told)

    def settle(self) -> bool:
        """Whether the transaction in doubt was committed. Raises StoreError while the server cannot be asked."""
        self._stalled = False
        try:
            connection = self._ready()
            row = connection.connection.execute("SELECT pg_xact_status(%s::xid8)", (self._in_doubt,)).fetchone()
        except (psycopg.Error, StoreError) as error:
            self._undo()
            raise self._told(error) from error
        if row == ("in progress",):  # its session has not noticed yet that it is alone
            self._end_earlier(connection)
            raise StoreError("a commit that got no answer is still under way")
        return row == ("committed",)

    def break_off(self) -> None:
        """Make a statement that gets no answer fail now. The one method for other threads."""
        connection = self._line
        if connection is None:
            return
        self._stalled = True
        cut(connection)

    def close(self) -> None:
        if self._line is not None:
            self._line.close()

    def _ready(self, *, first: bool = False) -> PostgresqlConnection:
        """The connection that is open, or a new one. Raises psycopg.Error, StoreUnusable, HomeInUse."""
        if self.taken is not None:
            raise self.taken
        if self._connection is not None:
            return self._connection
        self._line = raw = connect(self._location)
        try:
            row = raw.execute(SETTINGS, (self._synchronous,)).fetchone()
            assert row is not None  # a SELECT without FROM has one row
            connection = PostgresqlConnection(raw, row[-2:])
            prepare(raw, self._location)
            if self._serves:
                self._take_lock(connection, first=first)
        except BaseException:
            raw.close()
            raise
        self._connection = connection
        return connection

    def _take_lock(self, connection: PostgresqlConnection, *, first: bool) -> None:
        """Serve this database alone. A session of ours that was lost may hold the lock still: it is ended."""
        if self._locked(connection):
            return
        holder = connection.connection.execute(HOLDER).fetchone()
        if holder is not None and (holder[0], holder[3]) in self._earlier:
            self._end_earlier(connection)
            if self._locked(connection):
                return
            raise StoreUnusable(f"{self._location}: an earlier session of this daemon has not ended yet")
        who = "another session" if holder is None else f"{holder[1]} (server process {holder[0]}, from {holder[2]})"
        taken = HomeInUse(
            f"{self._location}: the database is served by another daemon: {who}",
            "stop it, or give each home a database or a schema of its own: ?options=-csearch_path%3DNAME in [store] url",
        )
        if not first and holder is not None:
            self.taken = taken
        raise taken

    def _locked(self, connection: PostgresqlConnection) -> bool:
        return connection.connection.execute(f"SELECT pg_try_advisory_lock({KEY})").fetchone() == (True,)

    def _end_earlier(self, connection: PostgresqlConnection) -> None:
        """End the server processes that we let go of, and wait a moment for it."""
        for pid, begun in self._earlier:
            ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND backend_start::text = %s"
            deadline = time.monotonic() + 1.0
            while connection.connection.execute(ended, (pid, begun)).fetchone() and time.monotonic() < deadline:
                time.sleep(0.02)

    def _undo(self) -> None:
        """Leave no transaction open. A connection that cannot be used any more is let go of."""
        connection = self._connection
        if connection is None:
            return
        with suppress(psycopg.Error):
            if not connection.connection.closed and not connection.idle:
                connection.command("ROLLBACK")
        if not connection.idle:
            self._connection = None
            self._earlier = [*self._earlier[-9:], connection.backend]
            connection.connection.close()

    def _told(self, error: BaseException) -> StoreError:
        if isinstance(error, StoreError):
            return error
        hint = hint_for(error) if isinstance(error, psycopg.Error) else None
        return StoreError("PostgreSQL did not answer" if self._stalled else f"PostgreSQL: {describe(error)}", hint)


def is_poison(error: Exception) -> bool:
    """What is wrong with one operation, and not with the database."""
    if not isinstance(error, psycopg.Error):
        return True
    if error.sqlstate is None:  # psycopg's own: a value that it cannot hand over
        return isinstance(error, psycopg.DataError | psycopg.ProgrammingError)
    return error.sqlstate[:2] in POISON


def _rejection(error: BaseException) -> BaseException:
    """What the operation's caller is told: nobody above the store knows psycopg's errors."""
    return Rejected(describe(error)) if isinstance(error, psycopg.Error) else error
