"""One run's records on their way to the store, and to who listens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from daemon.counters import Counts
from daemon.store.rows import Run
from daemon.stream import Stream
from daemon.told import step_told
from flows.attempt import Attempt


class Records(Protocol):
    """What a recorder needs of the store."""

    def record(self, run_id: str, attempts: list[Attempt], *, starts_run_at: float | None = None) -> asyncio.Future[None]: ...


class Recorder:
    """One run's records on their way to the store: pure steps' wait for the next effectful one, or for the end."""

    def __init__(
        self, store: Records, run: Run, leaving: Callable[[], bool], stream: Stream, ended: Mapping[str, Counts]
    ) -> None:
        self._store = store
        self._leaving = leaving
        self._stream = stream
        self._ended = ended  # kind → status → how many
        self._of = run
        self._run = run.id
        self.started_at = run.started_at
        self._told_running = bool(run.attempts)
        self.attempts: list[Attempt] = list(run.attempts)
        self.waiting: list[Attempt] = []

    def __call__(self, attempt: Attempt) -> Awaitable[None] | None:
        if attempt.status == "cancelled" and self._leaving():
            return None  # it stays recorded as running: the next process goes on with it
        self.attempts.append(attempt)
        self.waiting.append(attempt)
        if attempt.status != "running":
            self._ended[attempt.kind][attempt.status] += 1
        if self._stream.tell is not None:
            self._stream.tell("step", step_told(self._of, attempt))
        if not attempt.effects:
            return None
        waiting, self.waiting = self.waiting, []
        starts_at = None if self._told_running else self.started_at
        self._told_running = True
        written = self._store.record(self._run, waiting, starts_run_at=starts_at)
        written.add_done_callback(_heard)
        return written


def _heard(future: asyncio.Future[None]) -> None:
    """Take note of a record's failure: the run's end meets the same one, and tells."""
    if not future.cancelled():
        future.exception()
