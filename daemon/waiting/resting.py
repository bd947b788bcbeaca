"""Runs at rest: not ended, and nothing works on them. What wakes one puts it to a worker again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from daemon.dispatch import Job
from daemon.recorder import heard

if TYPE_CHECKING:
    from daemon.store.rows import Due, Run

RestStatus = Literal["waiting", "paused"]
Rest = Callable[[str, float, str], "asyncio.Future[None]"]
"""Writes that a run is at rest: its id, its start, its status."""


@dataclass(frozen=True, slots=True)
class Resting:
    """One of them: all that this process holds of it."""

    job: Job  # what puts it to a worker again
    status: RestStatus


def _nobody(_jobs: Iterable[Job]) -> None:
    pass


class AtRest:
    """Composed once, beside the worker."""

    def __init__(self, put: Callable[[Iterable[Job]], None] = _nobody, rest: Rest | None = None) -> None:
        self._put = put
        self._rest = rest
        self._runs: dict[str, Resting] = {}

    def left(self, run: Run, status: RestStatus) -> None:
        """Nobody works on a run of this process any more."""
        run.status = status
        self._runs[run.id] = Resting(Job(run.id, run.epoch, priority=run.priority), status)
        if self._rest is not None and run.started_at is not None:
            self._rest(run.id, run.started_at, status).add_done_callback(heard)

    def found(self, due: Due, status: RestStatus) -> None:
        """An earlier process left it so."""
        self._runs[due.run] = Resting(Job(due.run, due.epoch, priority=due.priority), status)

    def __contains__(self, run: str) -> bool:
        return run in self._runs

    def __len__(self) -> int:
        return len(self._runs)

    def status(self, run: str) -> RestStatus | None:
        resting = self._runs.get(run)
        return None if resting is None else resting.status

    def wake(self, run: str) -> bool:
        """Put it to a worker. False: it is not at rest."""
        resting = self._runs.pop(run, None)
        if resting is not None:
            self._put([resting.job])
        return resting is not None

    def take(self, run: str) -> bool:
        """Give it to who asks, in the place of a worker. False: it is not at rest."""
        return self._runs.pop(run, None) is not None
