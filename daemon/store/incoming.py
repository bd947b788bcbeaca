"""What is accepted, as rows: an event with its verdicts and runs, decided inside the transaction where it must not happen twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from daemon.store import compiled as sql
from daemon.store.causes import once, taken
from daemon.store.keys import state_row
from daemon.store.rows import Candidate, Follows, Run, event_row, limits_row, run_row, verdict_row

if TYPE_CHECKING:
    from daemon.store.group import Connection, Row, Rows
    from daemon.store.hot import Hot
    from triggers.event import Event

Decided = tuple[str, bool, Sequence[Candidate]]
"""The event that counts; whether it is an earlier one; else the candidates, with what became of them."""


class Incoming:
    """The rows of one process. `lease`: until when it owns a run that is written now; None: it needs no lease."""

    def __init__(self, lease: Callable[[], int | None]) -> None:
        self._lease = lease

    def run_rows(self, run: Run) -> list[tuple[Hot, Row]]:
        rows: list[tuple[Hot, Row]] = [(sql.INSERT_RUN, run_row(run, self._lease()))]
        limits = limits_row(run)
        return rows if limits is None else [*rows, (sql.LIMIT_RUN, limits)]

    def event_rows(self, event: Event, candidates: Sequence[Candidate]) -> list[tuple[Hot, Row]]:
        rows: list[tuple[Hot, Row]] = [(sql.INSERT_EVENT, event_row(event))]
        for candidate in candidates:
            rows.append((sql.INSERT_VERDICT, verdict_row(event.id, candidate)))
            if candidate.run is not None:
                rows += self.run_rows(candidate.run)
        if event.state:
            rows += _state_rows(event)
        return rows

    def decide(self, event: Event, candidates: Sequence[Candidate], connection: Connection) -> tuple[Rows, Decided]:
        """Where something must not happen twice the unique key decides."""
        earlier = taken(connection, event.cause, event.id, event.time)
        if earlier is not None:
            return _state_rows(event), (earlier, True, ())
        decided = tuple(once(connection, candidate, event) for candidate in candidates)
        return self.event_rows(event, decided), (event.id, False, decided)

    def decide_all(
        self, events: Sequence[tuple[Event, Sequence[Candidate], Any]], connection: Connection
    ) -> tuple[Rows, list[Decided]]:
        """One after the other: of two copies the second is the duplicate."""
        decisions = [self.decide(event, candidates, connection) for event, candidates, _ in events]
        return [row for rows, _ in decisions for row in rows], [decided for _, decided in decisions]

    def follow(self, follow_ups: Sequence[Follows], connection: Connection) -> tuple[Rows, list[Run | None]]:
        """The events that follow from a run's end, each decided by itself, and runs."""
        queued: list[Run | None] = []
        written: list[tuple[Hot, Row]] = []
        for follow_up in follow_ups:
            if isinstance(follow_up, Run):
                written += self.run_rows(follow_up)
                queued.append(follow_up)
                continue
            more, (_, _, decided) = self.decide(follow_up.event, follow_up.candidates, connection)
            written += more
            queued += [candidate.run for candidate in decided]
        return written, queued


def _state_rows(event: Event) -> list[tuple[Hot, Row]]:
    return [(sql.SAVE_STATE, state_row(event.source, key, value)) for key, value in (event.state or {}).items()]
