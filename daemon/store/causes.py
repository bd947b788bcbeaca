"""Once per cause: inside the transaction the unique key says whether an event, or a candidate's run, was there before."""

from __future__ import annotations

from dataclasses import replace

from daemon.store import compiled as sql
from daemon.store.codec import plain
from daemon.store.group import Connection, Rows
from daemon.store.keys import key_word
from daemon.store.rows import Candidate, Run, micros
from triggers.event import Cause, Event


def taken(connection: Connection, cause: Cause | None, holder: str, at: float) -> str | None:
    """Take the cause for this event, or run by hand. None: it was free. Else the one that has it."""
    if cause is None:
        return None
    now = micros(at)
    expires = None if cause.ttl_s is None else now + micros(cause.ttl_s)
    scope, key = plain(cause.scope), key_word(cause.key)
    while True:
        if connection.execute(sql.CLAIM_CAUSE, (scope, key, holder, expires, now)).rowcount:
            return None
        row = connection.execute(sql.CAUSE_EVENT, (scope, key)).fetchone()
        if row is not None:  # else it was pruned by another process between the two
            return str(row[0])


def once(connection: Connection, candidate: Candidate, event: Event) -> Candidate:
    """The candidate as it is, or as a duplicate where its idempotency key is taken."""
    earlier = taken(connection, candidate.once, event.id, event.time)
    if earlier is None or candidate.once is None:
        return candidate
    reason = f"the idempotency key {candidate.once.key!r} was seen with {earlier}"
    verdict = replace(candidate.verdict, verdict="duplicate", reason=reason, detail={"event": earlier})
    return replace(candidate, verdict=verdict, run=None)


def unless_taken(cause: Cause, run: Run, rows: Rows, connection: Connection) -> tuple[Rows, str | None]:
    """These rows, or none of them and the run that was started for the same cause before."""
    earlier = taken(connection, cause, run.id, run.created_at)
    return (rows, None) if earlier is None else ((), earlier)
