"""From SQLAlchemy Core to SQL as the drivers take it: one statement for both databases, and the text of compiled.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Dialect, Executable, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.schema import CreateIndex, CreateTable

from daemon.store.hot import Hot
from daemon.store.tables import HEAD, LIVE, metadata

SQLITE = sqlite.dialect(paramstyle="qmark")
POSTGRESQL = psycopg.dialect(paramstyle="format")  # type: ignore[no-untyped-call]

Insert = Callable[[Table], Any]
"""A dialect's own insert(), which knows ON CONFLICT."""


def for_both(rank: int, make: Callable[[Insert], Executable], *, fenced: bool = False) -> Hot:
    """`make` is given each dialect's insert()."""
    return for_each(rank, make(sqlite.insert), make(postgresql.insert), fenced=fenced)


def for_each(rank: int, for_sqlite: Executable, for_postgresql: Executable, *, fenced: bool = False) -> Hot:
    ours, theirs = _compiled(for_sqlite, SQLITE), _compiled(for_postgresql, POSTGRESQL)
    assert ours.positiontup == theirs.positiontup  # one row fits both
    return Hot(rank, _one_line(str(ours)), _one_line(str(theirs)).encode(), tuple(ours.positiontup), fenced)


def _compiled(statement: Any, dialect: Dialect) -> Any:
    return statement.compile(dialect=dialect)


def _one_line(statement: str) -> str:
    return " ".join(statement.split())


def insert_into(rank: int, table: Table) -> Hot:
    return for_both(rank, lambda insert: insert(table))


def upsert(rank: int, table: Table, *changed: str) -> Hot:
    def make(insert: Insert) -> Executable:
        added = insert(table)
        keys = [column.name for column in table.primary_key]
        return upserted(added, keys, {name: added.excluded[name] for name in changed})

    return for_both(rank, make)


def upserted(added: Any, keys: list[str], changed: dict[str, Any], where: Any = None) -> Executable:
    """`added`, or these changes to the row that has its keys, where `where` says so."""
    statement: Executable = added.on_conflict_do_update(index_elements=keys, set_=changed, where=where)
    return statement


def source_of(statements: Mapping[str, Hot]) -> str:
    """The text of compiled.py."""
    lines = [
        '"""The hot statements and the schema as SQL for both databases. Made by `python -m daemon.store.statements`; do not edit."""',
        "",
        "from daemon.store.hot import Hot",
        "",
        f"HEAD = {HEAD!r}",
        f"LIVE = {LIVE!r}",
        "",
    ]
    for name, dialect in (("SCHEMA", SQLITE), ("SCHEMA_POSTGRESQL", POSTGRESQL)):
        lines += [f"{name} = (", *(f"    {statement!r}," for statement in schema(dialect)), ")", ""]
    for name, hot in statements.items():
        lines += [
            f"{name} = Hot(",
            f"    {hot.rank},",
            f"    {hot.sqlite!r},",
            f"    {hot.postgresql!r},",
            f"    {hot.names!r},",
            *(["    fenced=True,"] if hot.fenced else []),
            ")",
        ]
    return "\n".join(lines) + "\n"


def schema(dialect: Dialect) -> tuple[str, ...]:
    """What makes a new database, in order."""
    made = []
    for table in metadata.sorted_tables:
        made.append(_one_line(str(CreateTable(table).compile(dialect=dialect))))
        indexes = sorted(table.indexes, key=lambda index: str(index.name))  # a set: in no order of its own
        made += [_one_line(str(CreateIndex(index).compile(dialect=dialect))) for index in indexes]
    return tuple(made)
