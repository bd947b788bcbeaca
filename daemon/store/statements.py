"""The hot statements: SQLAlchemy Core, compiled once to the driver's own SQL, run on the driver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Executable, Table, and_, bindparam, exists, literal_column, null, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert

from daemon.store.tables import attempts, causes, definitions, events, runs, source_state, verdicts

LIVE = ("queued", "running", "waiting", "paused")


@dataclass(frozen=True, slots=True, eq=False)
class Hot:
    """One compiled statement. Rows are tuples in the order of `names`."""

    rank: int  # within one transaction lower ranks go first: a run is inserted before it is finished
    sql: str
    names: tuple[str, ...]
    fenced: bool = False  # each row must hit one row; a miss means that another process owns the run


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
INSERT_RUN = _insert(30, runs)
RECORD_ATTEMPT = _record_attempt()
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
CAUSE_EVENT = _compile(90, select(causes.c.event).where(causes.c.scope == bindparam("scope"), causes.c.key == bindparam("key")))
