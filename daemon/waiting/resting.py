"""Runs at rest: not ended, and nothing works on them. What wakes one puts it to a worker again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from daemon.dispatch import Job
from daemon.recorder import heard

if TYPE_CHECKING:
    from daemon.store.rows import Due, Run
    from daemon.waiting.pauses import Pauses

RestStatus = Literal["queued", "waiting", "paused"]
Rest = Callable[[str, float, str], "asyncio.Future[None]"]
"""Writes that a run is at rest: its id, its start, its status."""


@dataclass(frozen=True, slots=True)
class Resting:
    """One of them: all that this process holds of it."""

    job: Job  # what puts it to a worker again
    status: RestStatus
    flow: str
    held: bool  # an operator holds it back: nothing else lets it go on


def _nobody(_jobs: Iterable[Job]) -> None:
    pass


class AtRest:
    """Composed once, beside the worker."""

    def __init__(
        self, put: Callable[[Iterable[Job]], None] = _nobody, rest: Rest | None = None, pauses: Pauses | None = None
    ) -> None:
        self._put = put
        self._rest = rest
        self._pauses = pauses
        self._runs: dict[str, Resting] = {}

    def left(self, run: Run, status: RestStatus) -> None:
        """Nobody works on a run of this process any more."""
        run.status = status
        self._runs[run.id] = Resting(Job(run.id, run.epoch, priority=run.priority), status, run.flow, status == "paused")
        if self._rest is not None and run.started_at is not None:
            self._rest(run.id, run.started_at, status).add_done_callback(heard)

    def hold(self, run: Run) -> None:
        """It was handed out, and is held back. One that has not begun stays queued, one that waits goes on waiting."""
        if run.status == "running":
            self.left(run, "paused")
        else:
            job = Job(run.id, run.epoch, priority=run.priority)
            self._runs[run.id] = Resting(job, cast("RestStatus", run.status), run.flow, held=True)

    def found(self, due: Due) -> None:
        """An earlier process left it to wait."""
        self._runs[due.run] = Resting(Job(due.run, due.epoch, priority=due.priority), "waiting", due.flow, held=False)

    def paused(self, run: str, flow: str) -> bool:
        return self._pauses is not None and self._pauses.of(run, flow) is not None

    def ended(self, run: str) -> None:
        if self._pauses is not None:
            self._pauses.ended(run)

    def holds_back(self, run: Run) -> bool:
        """Whether a run that was handed out is held back: then it is at rest, and is put to a worker again when that is over."""
        held = run.cancel_asked is None and self.paused(run.id, run.flow)  # one that is to stop may run its handlers
        if held:
            self.hold(run)
        return held

    def wake_free(self) -> None:
        """Put those to a worker that were held back and are not any more."""
        jobs = [one.job for run, one in self._runs.items() if one.held and not self.paused(run, one.flow)]
        for job in jobs:
            del self._runs[job.run]
        self._put(jobs)

    def __contains__(self, run: str) -> bool:
        return run in self._runs

    def __len__(self) -> int:
        return len(self._runs)

    def status(self, run: str) -> RestStatus | None:
        resting = self._runs.get(run)
        return None if resting is None else resting.status

    def wake(self, run: str) -> bool:
        """Put it to a worker. False: it is not at rest, or is held back."""
        resting = self._runs.get(run)
        if resting is None or resting.held:
            return False
        del self._runs[run]
        self._put([resting.job])
        return True

    def take(self, run: str) -> bool:
        """Give it to who asks, in the place of a worker. False: it is not at rest."""
        return self._runs.pop(run, None) is not None
