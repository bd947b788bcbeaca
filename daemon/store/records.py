"""What is recorded of a run as rows: its attempts, and how it ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from daemon.store import compiled as sql
from daemon.store.codec import decode, encode, plain
from daemon.store.outputs import PLAIN_OUTPUT, is_large
from daemon.store.rows import Run, micros
from flows.attempt import Attempt
from flows.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from daemon.store.group import Row
    from daemon.store.hot import Hot


TRACK, FINAL, EFFECTS, CONTAINER, COPIED = 1, 2, 4, 8, 16


def flags_of(attempt: Attempt) -> int:
    return (
        attempt.track * TRACK
        | attempt.final * FINAL
        | attempt.effects * EFFECTS
        | attempt.container * CONTAINER
        | attempt.copied * COPIED
    )


def attempt_row(run: str, owner: str, position: int, attempt: Attempt) -> tuple[Any, ...]:
    """In the order of statements.RECORD_ATTEMPT."""
    return (
        run,
        attempt.path,
        attempt.number,
        position,
        attempt.step,
        attempt.kind,
        attempt.status,
        micros(attempt.started_at),
        attempt.duration_ms,
        None if attempt.output is None else encode(attempt.output),
        None if attempt.response is None else encode(attempt.response),
        plain(attempt.error),
        plain(attempt.code),
        None if attempt.usage is None else encode(attempt.usage.as_json()),
        plain(attempt.cost_label),
        flags_of(attempt),
        run,
        owner,
    )


def is_plain(attempt: Attempt) -> bool:
    """A first try that went well and touched nothing: most of its columns are empty."""
    return (
        attempt.status == "success"
        and attempt.number == 1
        and not (attempt.effects or attempt.usage or attempt.cost_label or attempt.copied or attempt.response is not None)
    )


def plain_attempt_row(run: str, position: int, attempt: Attempt) -> tuple[Any, ...]:
    """In the order of statements.RECORD_PLAIN."""
    return (
        run,
        attempt.path,
        1,
        position,
        attempt.step,
        attempt.kind,
        "success",
        micros(attempt.started_at),
        attempt.duration_ms,
        None if attempt.output is None else encode(attempt.output),
        attempt.track * TRACK | attempt.final * FINAL | attempt.container * CONTAINER,
    )


def attempt_from(row: Mapping[str, Any]) -> Attempt:
    flags = row["flags"]
    return Attempt(
        path=row["path"],
        step=row["step"],
        kind=row["kind"],
        number=row["number"],
        status=row["status"],
        started_at=row["started_at"] / 1e6,
        duration_ms=row["duration_ms"],
        output=decode(row["output"]),
        response=decode(row["response"]),
        error=row["error"],
        code=row["code"],
        usage=Usage.from_json(decode(row["usage"])),
        track=bool(flags & TRACK),
        cost_label=row["cost_label"],
        final=bool(flags & FINAL),
        effects=bool(flags & EFFECTS),
        container=bool(flags & CONTAINER),
        copied=bool(flags & COPIED),
    )


class Records:
    """Makes the rows of one process: its token fences them, and they are numbered in the order in which it told of them."""

    def __init__(self, token: str, over: int) -> None:
        """`over`: characters of a value beyond which it is large."""
        self._token = token
        self._over = over
        self._position = time.time_ns() // 1000

    def go_on_after(self, position: int) -> None:
        """Of runs that are taken over: what is recorded now comes later, also where the clock was set back meanwhile."""
        self._position = max(self._position, position)

    def end(self, run: Run, attempts: Iterable[Attempt]) -> tuple[list[tuple[Hot, Row]], bool]:
        """With whether something in them is large, as attempts() says."""
        rows: list[tuple[Hot, Row]] = []
        large = False
        for attempt in attempts:
            if is_plain(attempt):  # not fenced by itself: the run's end below is, and all stand or fall
                self._position += 1
                row = plain_attempt_row(run.id, self._position, attempt)
                large = large or ((text := row[PLAIN_OUTPUT]) is not None and len(text) > self._over)
                rows.append((sql.RECORD_PLAIN, row))
            else:
                more, found = self.attempts(run.id, (attempt,))
                rows, large = rows + more, large or found
        started = None if run.started_at is None else micros(run.started_at)
        finished = None if run.finished_at is None else micros(run.finished_at)
        output = None if run.output is None else encode(run.output)
        ended = (run.status, started, finished, output, plain(run.error), plain(run.code), run.id, self._token)
        rows.append((sql.FINISH_RUN, ended))
        return rows, large or (output is not None and len(output) > self._over)

    def attempts(self, run_id: str, attempts: Iterable[Attempt]) -> tuple[list[tuple[Hot, Row]], bool]:
        rows: list[tuple[Hot, Row]] = []
        large = False
        for attempt in attempts:
            self._position += 1
            row = attempt_row(run_id, self._token, self._position, attempt)
            large = large or is_large(row, self._over)
            rows.append((sql.RECORD_ATTEMPT, row))
        return rows, large
