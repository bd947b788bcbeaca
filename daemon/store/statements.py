"""The hot statements and the schema in SQLAlchemy Core: what compiled.py is made from.

`python -m daemon.store.statements` writes compiled.py, and a test holds it to what stands here. So a daemon that starts compiles
nothing and does not load SQLAlchemy: 0.14 s and 20 MB less.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Executable,
    Integer,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    func,
    literal_column,
    null,
    or_,
    select,
    union,
    update,
)

from daemon.store.compiling import Insert, for_both, for_each, insert_into, source_of, upsert, upserted
from daemon.store.hot import Hot
from daemon.store.tables import (
    LIVE,
    attempts,
    causes,
    definitions,
    events,
    runs,
    source_state,
    spilled,
    verdicts,
    waits,
)


def _record_attempt(insert: Insert) -> Executable:
    """Insert or overwrite one attempt, only while the run is ours; and it stays so until this is committed."""
    ours: Select[Any] = select(literal_column("1")).where(runs.c.id == bindparam("run_"), runs.c.owner == bindparam("owner_"))
    owned = ours.with_for_update(read=True).exists()
    row = select(*(bindparam(column.name, type_=column.type) for column in attempts.c)).where(owned)
    added = insert(attempts).from_select([column.name for column in attempts.c], row)
    kept = {"run", "path", "number", "position"}
    changed = {column.name: added.excluded[column.name] for column in attempts.c if column.name not in kept}
    return upserted(added, ["run", "path", "number"], changed)


def _open_wait(insert: Insert) -> Executable:
    """Only while the run is ours. One that is there stays as it is."""
    ours = select(literal_column("1")).where(runs.c.id == bindparam("run_"), runs.c.owner == bindparam("owner_")).exists()
    row = select(*(bindparam(name, type_=waits.c[name].type) for name in OPENED_WAIT)).where(ours)
    added: Executable = (
        insert(waits).from_select(OPENED_WAIT, row).on_conflict_do_nothing(index_elements=["run", "path", "number"])
    )
    return added


def _of_wait(query: Any) -> Any:
    named = (waits.c.run == bindparam("run_"), waits.c.path == bindparam("path_"), waits.c.number == bindparam("number_"))
    return query.where(*named, waits.c.resolved_at.is_(None))


def _live_waits() -> Executable:
    """Of runs that have not ended, but those whose attempts are recorded already."""
    same = (attempts.c.run == waits.c.run, attempts.c.path == waits.c.path, attempts.c.number == waits.c.number)
    done = select(literal_column("1")).where(*same).exists()
    live = select(runs.c.id).where(_is_live())
    found: Executable = select(waits).where(waits.c.run.in_(live), ~done)
    return found


def _owned(*values: str) -> Any:
    """UPDATE runs SET values WHERE it is ours and not ended."""
    mine = and_(runs.c.id == bindparam("id_"), runs.c.owner == bindparam("owner_"), _is_live())
    return update(runs).where(mine).values({name: bindparam(name) for name in values})


def _is_live() -> Any:
    """As LIVE_RUNS has it, so that its index is found."""
    return or_(*(runs.c.status == literal_column(f"'{word}'") for word in LIVE))


def _claim_cause(insert: Insert) -> Executable:
    """Take a cause that is free or expired: changes one row, or none where it is taken."""
    added = insert(causes)
    return upserted(added, ["scope", "key"], {"event": added.excluded.event, "expires_at": added.excluded.expires_at}, _expired())


def _expired() -> Any:
    return and_(causes.c.expires_at.is_not(None), causes.c.expires_at <= bindparam("now_"))


def _take_over(whose: Any) -> Executable:
    """UPDATE runs that have not ended and whose owner is gone, and tell which."""
    ours = {"owner": bindparam("owner"), "epoch": runs.c.epoch + literal_column("1"), "lease_until": null()}
    found = update(runs).where(_is_live(), whose).values(ours)
    told = (
        runs.c.id,
        runs.c.epoch,
        runs.c.priority,
        runs.c.trigger,
        runs.c.not_before,
        runs.c.start_by,
        runs.c.cancel_asked,
        runs.c.status,
        runs.c.started_at,
        runs.c.finish_within,
        runs.c.flow,
    )
    return found.returning(*told)


def _ask_cancel() -> Executable:
    """Once: who asks again changes nothing. Of a run that has not ended, whoever owns it."""
    asked: dict[str, Any] = {name: bindparam(name) for name in ("cancel_asked", "cancel_reason")}
    return update(runs).where(runs.c.id == bindparam("id_"), _is_live(), runs.c.cancel_asked.is_(None)).values(asked)


def _insert_some(table: Table, names: tuple[str, ...]) -> Callable[[Insert], Any]:
    """Of these columns alone: SQLite's driver takes its time over each NULL."""
    return lambda insert: insert(table).values({name: bindparam(name) for name in names})


def _first(query: Any) -> Executable:
    """The first rows. The offset is given, for the SQLite dialect would add a value for it."""
    limited: Executable = query.limit(bindparam("limit")).offset(literal_column("0"))
    return limited


def _ended_events(*no_live_run: Any) -> Executable:
    return _first(select(events.c.id).where(events.c.id <= bindparam("last_"), *no_live_run).order_by(events.c.id))


def _of_event(column: Any) -> Any:
    """The runs that an event made."""
    return column.in_(select(verdicts.c.run).where(verdicts.c.event == bindparam("event_")))


SAVE_DEFINITION = for_both(0, lambda insert: insert(definitions).on_conflict_do_nothing(index_elements=["digest"]))
CLAIM_CAUSE = for_both(5, _claim_cause)
INSERT_EVENT = insert_into(10, events)
INSERT_VERDICT = insert_into(20, verdicts)
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
INSERT_RUN = for_both(30, _insert_some(runs, QUEUED_RUN))
LIMITED_RUN = ("not_before", "start_by", "finish_within", "retry_of")
LIMIT_RUN = for_both(
    31, lambda _: update(runs).where(runs.c.id == bindparam("id_")).values({name: bindparam(name) for name in LIMITED_RUN})
)
RECORD_ATTEMPT = for_both(40, _record_attempt, fenced=True)
PLAIN_ATTEMPT = ("run", "path", "number", "position", "step", "kind", "status", "started_at", "duration_ms", "output", "flags")
RECORD_PLAIN = for_both(
    40,
    lambda insert: _insert_some(attempts, PLAIN_ATTEMPT)(insert).on_conflict_do_nothing(index_elements=["run", "path", "number"]),
)
SAVE_SPILLED = for_both(45, lambda insert: insert(spilled).on_conflict_do_nothing(index_elements=["run", "digest"]))
ASK_CANCEL = for_both(48, lambda _: _ask_cancel())
STOP_ASKED = for_both(
    90,
    lambda _: select(runs.c.cancel_asked, runs.c.cancel_reason).where(
        runs.c.id == bindparam("id_"), runs.c.cancel_asked.is_not(None)
    ),
)
START_RUN = for_both(50, lambda _: _owned("status", "started_at"))
SAVE_ENDING = for_both(55, lambda _: _owned("ending"), fenced=True)
FINISH_RUN = for_both(60, lambda _: _owned("status", "started_at", "finished_at", "output", "error", "code"), fenced=True)
OPENED_WAIT = ["run", "path", "number", "kind", "created_at", "due_at", "limit_at", "detail"]
OPEN_WAIT = for_both(64, _open_wait)
RESOLVED_WAIT = ("how", "resolved_at", "resolved_by", "resolution")
RESOLVE_WAIT = for_both(66, lambda _: _of_wait(update(waits)).values({name: bindparam(name) for name in RESOLVED_WAIT}))
CLOSE_WAIT = for_both(68, lambda _: _of_wait(delete(waits)))
LIVE_WAITS = for_both(90, lambda _: _live_waits())
SAVE_STATE = upsert(70, source_state, "value")
RENEW_LEASE = for_both(
    80, lambda _: update(runs).where(runs.c.owner == bindparam("owner_"), _is_live()).values(lease_until=bindparam("lease_until"))
)
RECONCILE = for_both(90, lambda _: _take_over(or_(runs.c.lease_until.is_(None), runs.c.lease_until < bindparam("now_"))))
RESCUE = for_both(90, lambda _: _take_over(runs.c.lease_until < bindparam("now_")))
LAPSED = for_both(
    90,
    lambda _: (
        select(runs.c.id)
        .where(_is_live(), runs.c.lease_until < bindparam("now_"))
        .limit(literal_column("1"))
        .offset(literal_column("0"))
    ),
)
LAST_POSITION = for_both(
    90, lambda _: select(func.max(attempts.c.position)).where(attempts.c.run.in_(select(runs.c.id).where(_is_live())))
)
LOAD_STATE = for_both(
    90,
    lambda _: select(source_state.c.key, source_state.c.value).where(
        source_state.c.source == bindparam("source"), source_state.c.value.is_not(None)
    ),
)
SPILLED_DIGESTS = for_both(90, lambda _: select(spilled.c.digest).distinct())
KEPT_DIGESTS = for_both(90, lambda _: select(definitions.c.digest))
MANY_VERSIONS = for_both(
    90,
    lambda _: (
        select(definitions.c.key)
        .group_by(definitions.c.noun, definitions.c.key)
        .having(func.count() > bindparam("most_", type_=Integer))
    ),
)
VERSIONS_BY_AGE = for_both(
    90,
    lambda _: select(definitions.c.digest, definitions.c.noun, definitions.c.key, definitions.c.subflows).order_by(
        definitions.c.noun, definitions.c.key, definitions.c.saved_at.desc(), definitions.c.digest
    ),
)
PINNED_VERSIONS = for_both(
    90, lambda _: union(select(runs.c.flow_digest), select(runs.c.trigger_digest).where(runs.c.trigger_digest.is_not(None)))
)
FORGET_VERSION = for_both(90, lambda _: delete(definitions).where(definitions.c.digest == bindparam("digest_")))
CAUSE_EVENT = for_both(
    90, lambda _: select(causes.c.event).where(causes.c.scope == bindparam("scope"), causes.c.key == bindparam("key"))
)

# What pruning does. Which events have ended is asked for as each planner likes it: SQLite looks up each event's runs by their
# keys; PostgreSQL takes the few live runs, from their own index, and passes over their events.
_LIVE_OF_EVENT = verdicts.join(runs, runs.c.id == verdicts.c.run)
_LIVE_AGAIN = select(runs.c.event).where(
    runs.c.retry_of.is_not(None), _is_live(), runs.c.event.is_not(None)
)  # no verdict has them
ENDED_EVENTS = for_each(
    90,
    _ended_events(
        ~select(literal_column("1")).select_from(_LIVE_OF_EVENT).where(verdicts.c.event == events.c.id, _is_live()).exists(),
        events.c.id.not_in(_LIVE_AGAIN),
    ),
    _ended_events(events.c.id.not_in(select(runs.c.event).where(_is_live(), runs.c.event.is_not(None)))),
)
EVENTS_DONE_AGAIN = for_both(90, lambda _: _LIVE_AGAIN.where(runs.c.id > bindparam("since_")))
EVENT_BEYOND = for_both(
    90,
    lambda _: select(events.c.id).order_by(events.c.id.desc()).limit(literal_column("1")).offset(bindparam("rows")),
)
PRUNE_ATTEMPTS = for_both(90, lambda _: delete(attempts).where(_of_event(attempts.c.run)))
PRUNE_SPILLED = for_both(90, lambda _: delete(spilled).where(_of_event(spilled.c.run)))
PRUNE_WAITS = for_both(90, lambda _: delete(waits).where(_of_event(waits.c.run)))
PRUNE_RUNS = for_both(90, lambda _: delete(runs).where(_of_event(runs.c.id)))
PRUNE_VERDICTS = for_both(90, lambda _: delete(verdicts).where(verdicts.c.event == bindparam("event_")))
PRUNE_CAUSES = for_both(  # one with a time of its own is known for as long as that, whatever becomes of its event
    90, lambda _: delete(causes).where(causes.c.event == bindparam("event_"), causes.c.expires_at.is_(None))
)
PRUNE_EVENTS = for_both(90, lambda _: delete(events).where(events.c.id == bindparam("event_")))
RUNS_BY_HAND = for_both(
    90,
    lambda _: _first(
        # those that do another one again as well: no verdict of the event has them
        select(runs.c.id)
        .where(or_(runs.c.event.is_(None), runs.c.retry_of.is_not(None)), runs.c.finished_at < bindparam("before"))
        .where(runs.c.id < bindparam("last_"))  # it was queued before: so that runs that stay are not looked at
        .order_by(runs.c.id)
    ),
)
PRUNE_ATTEMPTS_OF_RUN = for_both(90, lambda _: delete(attempts).where(attempts.c.run == bindparam("run_")))
PRUNE_SPILLED_OF_RUN = for_both(90, lambda _: delete(spilled).where(spilled.c.run == bindparam("run_")))
PRUNE_WAITS_OF_RUN = for_both(90, lambda _: delete(waits).where(waits.c.run == bindparam("run_")))
PRUNE_RUN = for_both(90, lambda _: delete(runs).where(runs.c.id == bindparam("run_")))
EXPIRED_CAUSES = for_both(90, lambda _: _first(select(causes.c.scope, causes.c.key).where(_expired())))
FORGET_CAUSE = for_both(
    90, lambda _: delete(causes).where(causes.c.scope == bindparam("scope_"), causes.c.key == bindparam("key_"), _expired())
)
DELETED_STATE = for_both(
    90, lambda _: _first(select(source_state.c.source, source_state.c.key).where(source_state.c.value.is_(None)))
)
FORGET_STATE = for_both(
    90,
    lambda _: delete(source_state).where(
        source_state.c.source == bindparam("source_"), source_state.c.key == bindparam("key_"), source_state.c.value.is_(None)
    ),
)


def hot_statements() -> dict[str, Hot]:
    """All of them by name."""
    return {name: value for name, value in globals().items() if isinstance(value, Hot)}


def source_of_compiled() -> str:
    """The text of compiled.py."""
    return source_of(hot_statements())


if __name__ == "__main__":
    Path(__file__).with_name("compiled.py").write_text(source_of_compiled())
