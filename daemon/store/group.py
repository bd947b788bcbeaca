"""A group: operations that share one transaction, each of which stands or falls by itself."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from daemon.store.errors import Fenced
from daemon.store.hot import Hot

Row = tuple[Any, ...]


class Cursor(Protocol):
    """What a statement gave. Both drivers' cursors are one."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...


class Connection(Protocol):
    """An open transaction, the same for both databases: what guards work on."""

    def execute(self, hot: Hot, row: Row = ()) -> Cursor: ...
    def executemany(self, hot: Hot, rows: Sequence[Row]) -> int:
        """Returns how many rows were hit in all."""

    def command(self, text: str) -> None:
        """A statement without values and without an answer, such as SAVEPOINT."""

    def give_back(self) -> bool:
        """Give some of the freed space back, where the database does not do so by itself. True: there is more."""


Rows = Sequence[tuple[Hot, Row]]
Guard = Callable[[Connection], tuple[Rows, Any]]
"""Runs inside the transaction, on its own: looks, decides, and gives the rows to write and the operation's result.

It may run in a thread, and again when its transaction failed.
"""


@dataclass(slots=True, eq=False)
class Operation:
    """Rows that stand or fall together."""

    rows: Rows
    done: Future[Any] | None  # None: `then` and `failed` are told, and nobody awaits
    guard: Guard | None = None
    then: Callable[[Any], Any] | None = None  # called once the rows are on disk, with the guard's result; gives the future's
    failed: Callable[[BaseException], None] | None = None
    result: Any = None
    large: bool = False  # something in its rows is to be spilled to a file first
    keep: bool = False  # True: a database that cannot be written is waited for; nobody else could write it again


@dataclass(slots=True)
class Outcome:
    """What became of a group."""

    error: BaseException | None = None  # None: all but the rejected are on disk; else nothing of the group is
    rejected: list[tuple[Operation, BaseException]] = field(default_factory=list)  # these failed by themselves


Done = Callable[[Outcome], None]
Unsure = Callable[[BaseException], None]


def write_rows(
    connection: Connection, group: Sequence[Operation], restart: Callable[[], None], is_poison: Callable[[Exception], bool]
) -> list[tuple[Operation, BaseException]]:
    """Write the group's rows; those of a poisoned operation are left out, and it is returned with its error.

    `restart` rolls back and begins anew. Raises what is wrong with the database, and so with the whole group.
    """
    try:
        _apply(connection, group)
    except Exception as error:
        if not is_poison(error):
            raise
    else:
        return []
    restart()
    alone = ((operation, _apply_alone(connection, operation, is_poison)) for operation in group)
    return [(operation, refused) for operation, refused in alone if refused is not None]


def _apply(connection: Connection, group: Sequence[Operation]) -> None:
    """Those of one statement as one executemany, statements in the order of their rank."""
    by_statement: dict[Hot, list[Row]] = {}
    for operation in group:
        rows = operation.rows
        if operation.guard is not None:
            decided, operation.result = operation.guard(connection)
            rows = [*rows, *decided] if rows else decided
        for hot, row in rows:
            gathered = by_statement.get(hot)
            if gathered is None:
                by_statement[hot] = [row]
            else:
                gathered.append(row)
    for hot in sorted(by_statement, key=_rank):
        hit = connection.executemany(hot, by_statement[hot])
        if hot.fenced and hit != len(by_statement[hot]):
            raise Fenced("a run in this group belongs to another process, or has ended")


def _apply_alone(connection: Connection, operation: Operation, is_poison: Callable[[Exception], bool]) -> Exception | None:
    connection.command("SAVEPOINT one")
    try:
        _apply(connection, [operation])
    except Exception as error:
        if not is_poison(error):
            raise
        connection.command("ROLLBACK TO one")
        connection.command("RELEASE one")
        return error
    connection.command("RELEASE one")
    return None


def _rank(hot: Hot) -> int:
    return hot.rank
