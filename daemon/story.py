"""The story of a run as lines: what it began and ended, what its commands said, what went wrong. Made from what is recorded.

What a command prints is recorded with the end of its try, so that its lines appear then, and not while it runs.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from daemon.shapes import instant

if TYPE_CHECKING:
    from daemon.store.rows import Run
    from flows.attempt import Attempt

STREAMS = ("stdout", "stderr")
BEFORE, BEGIN, SAY, END = range(4)  # what comes first of what happens at one instant
ROUNDED_S = 0.001  # durations are whole milliseconds: what is reckoned with them may lie so much too late


def story(run: Run) -> list[dict[str, Any]]:
    """In the order of time. A line is known by what it says: the same one is the same later, and others may come between."""
    lines = [(run.created_at, BEGIN, _line("queued", flow=run.flow, trigger=run.trigger, event=run.event, **_again(run)))]
    if run.started_at is not None:
        lines.append((run.started_at, BEGIN, _line("started")))
    attempts = [attempt for attempt in _latest(run) if not attempt.copied]  # those happened in the run that this one does again
    starts = sorted((attempt.started_at, attempt.path) for attempt in attempts)
    for attempt in attempts:
        lines += _tried(attempt, *_end(attempt, starts, run.finished_at))
    lines.sort(key=lambda line: line[:2])  # stable: of one instant in the order in which they were recorded
    if run.finished_at is not None:
        lines.append((run.finished_at, END, _line(run.status, error=run.error, errorCode=run.code)))
    return [{"time": instant(at), **line} for at, _, line in lines]


def _again(run: Run) -> dict[str, Any]:
    return {} if run.retry_of is None else {"retryOf": run.retry_of}


def _latest(run: Run) -> list[Attempt]:
    """A try that was recorded at its start and at its end counts once."""
    latest: dict[tuple[str, int], Attempt] = {}
    for attempt in run.attempts:
        latest[attempt.path, attempt.number] = attempt
    return list(latest.values())


def _end(attempt: Attempt, starts: list[tuple[float, str]], finished_at: float | None) -> tuple[float, int]:
    """When a try ended, and its place among what happens at that instant: not behind what could only begin after it."""
    reckoned = attempt.started_at + (attempt.duration_ms or 0) / 1000
    if finished_at is not None:
        reckoned = min(reckoned, max(finished_at, attempt.started_at))
    for start, path in starts[bisect_left(starts, (max(reckoned - ROUNDED_S, attempt.started_at), "")) :]:
        if start >= reckoned:
            break
        if start > attempt.started_at and not path.startswith(attempt.path):  # what it holds begins and ends inside
            return start, BEFORE
    return reckoned, END


def _tried(attempt: Attempt, ended_at: float, place: int) -> Iterator[tuple[float, int, dict[str, Any]]]:
    about = {"step": attempt.path, "attempt": attempt.number}
    if attempt.status != "skipped":
        yield attempt.started_at, BEGIN, _line("step.started", **about, kind=attempt.kind)
    if attempt.status == "running":
        return
    for what, number, text in _said(attempt):
        yield ended_at, min(SAY, place), _line(what, **about, number=number, text=text)
    ended = _line(f"step.{attempt.status}", **about, durationMs=attempt.duration_ms, error=attempt.error, errorCode=attempt.code)
    yield ended_at, place, ended


def _said(attempt: Attempt) -> Iterator[tuple[str, int, str]]:
    """Lines of a command's streams; of a command that failed they stand in its output."""
    kept = attempt.response if isinstance(attempt.response, dict) else attempt.output
    if attempt.kind != "bash" or not isinstance(kept, dict):
        return
    for what in STREAMS:
        text = kept.get(what)
        if isinstance(text, str) and text:
            for number, line in enumerate(text.splitlines(), 1):
                yield what, number, line


def _line(what: str, **facts: Any) -> dict[str, Any]:
    return {"what": what, **facts}
