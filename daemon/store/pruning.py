"""Deleting what is older or more than is kept: bites of a few milliseconds, each in a transaction of its own."""

from __future__ import annotations

import sqlite3

BITE = 500  # events, or runs started by hand, that go in one transaction
PAGES = 2000  # freed pages given back to the file system in one transaction: 8 MiB


def prune_bite(connection: sqlite3.Connection, age_days: float | None, rows: int | None, now: float) -> int:
    """Delete the oldest events beyond either limit with all that came of them; then as many runs that no event made.

    What has a run that has not ended stays, however old. Returns how many went; fewer than BITE: there are no more.
    """
    oldest_kept_us = None if age_days is None else int((now - age_days * 86_400) * 1e6)
    pruned = _prune_events(connection, oldest_kept_us, rows)
    if oldest_kept_us is not None:
        pruned += _prune_runs_by_hand(connection, oldest_kept_us)
    _give_back(connection)
    return pruned


def forget_expired(connection: sqlite3.Connection, now: float) -> None:
    """Causes whose time is over, and the sources' deleted keys."""
    connection.execute("DELETE FROM causes WHERE expires_at IS NOT NULL AND expires_at <= ?", (int(now * 1e6),))
    connection.execute("DELETE FROM source_state WHERE value IS NULL")


def _prune_events(connection: sqlite3.Connection, oldest_kept_us: int | None, rows: int | None) -> int:
    doomed = []
    beyond = None if rows is None else _beyond(connection, rows)
    for event, time_us in connection.execute(_ENDED_EVENTS, (BITE,)).fetchall():  # ids sort by time: the oldest first
        too_old = oldest_kept_us is not None and time_us < oldest_kept_us
        too_many = beyond is not None and event <= beyond
        if not (too_old or too_many):
            break
        doomed.append(event)
    for event in doomed:
        runs = [(row[0],) for row in connection.execute("SELECT run FROM verdicts WHERE event = ? AND run IS NOT NULL", (event,))]
        _delete_runs(connection, runs)
        connection.execute("DELETE FROM verdicts WHERE event = ?", (event,))
        connection.execute("DELETE FROM causes WHERE event = ?", (event,))
        connection.execute("DELETE FROM events WHERE id = ?", (event,))
    return len(doomed)


def _prune_runs_by_hand(connection: sqlite3.Connection, oldest_kept_us: int) -> int:
    runs = connection.execute(
        "SELECT id FROM runs WHERE event IS NULL AND finished_at < ? ORDER BY id LIMIT ?", (oldest_kept_us, BITE)
    ).fetchall()
    _delete_runs(connection, runs)
    return len(runs)


def _delete_runs(connection: sqlite3.Connection, runs: list[tuple[str]]) -> None:
    connection.executemany("DELETE FROM attempts WHERE run = ?", runs)
    connection.executemany("DELETE FROM runs WHERE id = ?", runs)


def _give_back(connection: sqlite3.Connection) -> None:
    """Python's sqlite3 steps a statement without columns once, which is one page, whatever number the pragma is given."""
    free: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
    for _ in range(min(free, PAGES)):
        connection.execute("PRAGMA incremental_vacuum(1)")


def _beyond(connection: sqlite3.Connection, rows: int) -> str | None:
    """The newest event that is one too many."""
    row = connection.execute("SELECT id FROM events ORDER BY id DESC LIMIT 1 OFFSET ?", (rows,)).fetchone()
    return None if row is None else str(row[0])


_ENDED_EVENTS = """
SELECT id, time FROM events
WHERE NOT EXISTS (
  SELECT 1 FROM verdicts JOIN runs ON runs.id = verdicts.run
  WHERE verdicts.event = events.id AND runs.status IN ('queued', 'running', 'waiting', 'paused'))
ORDER BY id LIMIT ?
"""
