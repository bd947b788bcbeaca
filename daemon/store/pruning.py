"""Deleting what is older or more than is kept: bites of a few milliseconds, each in a transaction of its own."""

from __future__ import annotations

from daemon.store import compiled as sql
from daemon.store.group import Connection, Row

BITE = 500  # events, or runs started by hand, that go in one transaction


def prune_bite(connection: Connection, age_days: float | None, rows: int | None, now: float) -> int:
    """Delete the oldest events beyond either limit with all that came of them; then as many runs that no event made.

    What has a run that has not ended stays, however old. Returns how many went; fewer than BITE: there are no more.
    """
    oldest_kept_us = None if age_days is None else int((now - age_days * 86_400) * 1e6)
    pruned = _prune_events(connection, oldest_kept_us, rows)
    if oldest_kept_us is not None:
        pruned += _prune_runs_by_hand(connection, oldest_kept_us)
    connection.give_back()
    return pruned


def forget_expired(connection: Connection, now: float) -> None:
    """Causes whose time is over, and the sources' deleted keys."""
    connection.execute(sql.FORGET_CAUSES, (int(now * 1e6),))
    connection.execute(sql.FORGET_STATE)


def _prune_events(connection: Connection, oldest_kept_us: int | None, rows: int | None) -> int:
    doomed: list[Row] = []
    beyond = None if rows is None else _beyond(connection, rows)
    for event, time_us in connection.execute(sql.ENDED_EVENTS, (BITE,)).fetchall():  # ids sort by time: the oldest first
        too_old = oldest_kept_us is not None and time_us < oldest_kept_us
        too_many = beyond is not None and event <= beyond
        if not (too_old or too_many):
            break
        doomed.append((event,))
    if doomed:  # runs before verdicts, which say whose they are
        for hot in (
            sql.PRUNE_ATTEMPTS,
            sql.PRUNE_SPILLED,
            sql.PRUNE_WAITS,
            sql.PRUNE_RUNS,
            sql.PRUNE_VERDICTS,
            sql.PRUNE_CAUSES,
            sql.PRUNE_EVENTS,
        ):
            connection.executemany(hot, doomed)
    return len(doomed)


def _prune_runs_by_hand(connection: Connection, oldest_kept_us: int) -> int:
    runs = connection.execute(sql.RUNS_BY_HAND, (oldest_kept_us, BITE)).fetchall()
    if runs:
        connection.executemany(sql.PRUNE_ATTEMPTS_OF_RUN, runs)
        connection.executemany(sql.PRUNE_SPILLED_OF_RUN, runs)
        connection.executemany(sql.PRUNE_WAITS_OF_RUN, runs)
        connection.executemany(sql.PRUNE_RUN, runs)
    return len(runs)


def _beyond(connection: Connection, rows: int) -> str | None:
    """The newest event that is one too many."""
    row = connection.execute(sql.EVENT_BEYOND, (rows,)).fetchone()
    return None if row is None else str(row[0])
