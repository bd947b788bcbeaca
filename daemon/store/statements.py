"""The hot statements and the schema in SQLAlchemy Core: what compiled.py is made from.

`python -m daemon.store.statements` writes compiled.py, and a test holds it to what stands here. So a daemon that starts compiles
nothing and does not load SQLAlchemy: 0.14 s and 20 MB less.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Executable, Table, and_, bindparam, exists, literal_column, null, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.schema import CreateIndex, CreateTable

from daemon.store.hot import Hot
from daemon.store.tables import HEAD, attempts, causes, definitions, events, metadata, runs, source_state, verdicts

LIVE = ("queued", "running", "waiting", "paused")


def _compile(rank: int, statement: Executable, *, fenced: bool = False) -> Hot:
    compiled = statement.compile(dialect=sqlite.dialect(paramstyle="qmark"))  # type: ignore[attr-defined]
    return Hot(rank, str(compiled), tuple(compiled.positiontup), fenced)


def _insert(rank: int, table: Table) -> Hot:
    return _compile(rank, insert(table))


def _upsert(rank: int, table: Table, *changed: str) -> Hot:
    added = insert(table)
    keys = [column.name for column in table.primary_key]
    return _compile(rank, added.on_conflict_do_update(index_elements=keys, set_={name: added.excluded[name] for name in changed}))


def _record_attempt() -> Hot:
    """Insert or overwrite one attempt, only while the run is ours."""
    owned = exists().where(runs.c.id == bindparam("run_"), runs.c.owner == bindparam("owner_"))
    row = select(*(bindparam(column.name, type_=column.type) for column in attempts.c)).where(owned)
    added = insert(attempts).from_select([column.name for column in attempts.c], row)
    kept = {"run", "path", "number", "position"}
    changed = {column.name: added.excluded[column.name] for column in attempts.c if column.name not in kept}
    return _compile(40, added.on_conflict_do_update(index_elements=["run", "path", "number"], set_=changed), fenced=True)


def _owned(*values: str) -> Any:
    """UPDATE runs SET values WHERE it is ours and not ended."""
    mine = and_(runs.c.id == bindparam("id_"), runs.c.owner == bindparam("owner_"), runs.c.status.in_(_words(LIVE)))
    return update(runs).where(mine).values({name: bindparam(name) for name in values})


def _words(words: tuple[str, ...]) -> list[Any]:
    return [literal_column(f"'{word}'") for word in words]


def _claim_cause() -> Hot:
    """Take a cause that is free or expired: changes one row, or none where it is taken."""
    added = insert(causes)
    free = and_(causes.c.expires_at.is_not(None), causes.c.expires_at <= bindparam("now_"))
    taken = {"event": added.excluded.event, "expires_at": added.excluded.expires_at}
    return _compile(5, added.on_conflict_do_update(index_elements=["scope", "key"], set_=taken, where=free))


SAVE_DEFINITION = _compile(0, insert(definitions).on_conflict_do_nothing(index_elements=["digest"]))
CLAIM_CAUSE = _claim_cause()
INSERT_EVENT = _insert(10, events)
INSERT_VERDICT = _insert(20, verdicts)
QUEUED_RUN = (
    "id",
    "event",
    "trigger",
    "trigger_digest",
    "flow",
    "flow_digest",
    "status",
    "priority",
    "epoch",
    "owner",
    "lease_until",
    "created_at",
    "inputs",
    "chain",
    "depth",
)
INSERT_RUN = _compile(
    30, insert(runs).values({name: bindparam(name) for name in QUEUED_RUN})
)  # the driver takes its time over each NULL
RECORD_ATTEMPT = _record_attempt()
PLAIN_ATTEMPT = ("run", "path", "number", "position", "step", "kind", "status", "started_at", "duration_ms", "output", "flags")
RECORD_PLAIN = _compile(
    40,
    insert(attempts)
    .values({name: bindparam(name) for name in PLAIN_ATTEMPT})
    .on_conflict_do_nothing(index_elements=["run", "path", "number"]),
)
START_RUN = _compile(50, _owned("status", "started_at"))
FINISH_RUN = _compile(60, _owned("status", "started_at", "finished_at", "output", "error", "code"), fenced=True)
SAVE_STATE = _upsert(70, source_state, "value")
RENEW_LEASE = _compile(
    80,
    update(runs)
    .where(runs.c.owner == bindparam("owner_"), runs.c.status.in_(_words(LIVE)))
    .values(lease_until=bindparam("lease_until")),
)
RECONCILE = _compile(
    90,
    update(runs)
    .where(runs.c.status.in_(_words(LIVE)), (runs.c.lease_until.is_(None)) | (runs.c.lease_until < bindparam("now_")))
    .values(owner=bindparam("owner"), epoch=runs.c.epoch + literal_column("1"), lease_until=null())
    .returning(runs.c.id, runs.c.epoch, runs.c.priority, runs.c.trigger),
)
RESCUE = _compile(
    90,
    update(runs)
    .where(runs.c.status.in_(_words(LIVE)), runs.c.lease_until < bindparam("now_"))
    .values(owner=bindparam("owner"), epoch=runs.c.epoch + literal_column("1"), lease_until=null())
    .returning(runs.c.id, runs.c.epoch, runs.c.priority, runs.c.trigger),
)
LOAD_STATE = _compile(
    90,
    select(source_state.c.key, source_state.c.value).where(
        source_state.c.source == bindparam("source"), source_state.c.value.is_not(None)
    ),
)
KEPT_DIGESTS = _compile(90, select(definitions.c.digest))
CAUSE_EVENT = _compile(90, select(causes.c.event).where(causes.c.scope == bindparam("scope"), causes.c.key == bindparam("key")))


def schema() -> tuple[str, ...]:
    """What makes a new database, in order."""
    dialect = sqlite.dialect()
    made = []
    for table in metadata.sorted_tables:
        made.append(str(CreateTable(table).compile(dialect=dialect)).strip())
        indexes = sorted(table.indexes, key=lambda index: str(index.name))  # a set: in no order of its own
        made += [str(CreateIndex(index).compile(dialect=dialect)).strip() for index in indexes]
    return tuple(made)


def hot_statements() -> dict[str, Hot]:
    """All of them by name."""
    return {name: value for name, value in globals().items() if isinstance(value, Hot)}


def source_of_compiled() -> str:
    """The text of compiled.py."""
    lines = [
        '"""The hot statements and the schema as SQL for SQLite. Made by `python -m daemon.store.statements`; do not edit."""',
        "",
        "from daemon.store.hot import Hot",
        "",
        f"HEAD = {HEAD!r}",
        f"LIVE = {LIVE!r}",
        "",
        "SCHEMA = (",
        *(f"    {_one_line(statement)!r}," for statement in schema()),
        ")",
        "",
    ]
    for name, hot in hot_statements().items():
        lines += [
            f"{name} = Hot(",
            f"    {hot.rank},",
            f"    {_one_line(hot.sql)!r},",
            f"    {hot.names!r},",
            f"    fenced={hot.fenced},",
            ")",
        ]
    return "\n".join(lines) + "\n"


def _one_line(statement: str) -> str:
    return " ".join(statement.split())


if __name__ == "__main__":
    Path(__file__).with_name("compiled.py").write_text(source_of_compiled())
