"""Runs that did not start in time: they end as cancelled, with the code EXPIRED, while they still wait for a place."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from daemon.dispatch import CLEANUP, Dispatch, Job
from daemon.waiting.resting import AtRest
from daemon.waiting.timer import Timer


class Expiry:
    """Stands before the dispatch: what is put here is put there, and looked after while it waits. The worker ends what is too late."""

    def __init__(self, dispatch: Dispatch, at_rest: AtRest, clock: Callable[[], float] = time.time) -> None:
        self._dispatch = dispatch
        self._at_rest = at_rest
        self._timer = Timer(self._due, self._waits, clock)

    def put(self, jobs: Iterable[Job]) -> None:
        jobs = list(jobs)
        self._dispatch.put(jobs)
        for job in jobs:
            if job.start_by is not None:
                self._timer.add(job.start_by, job)

    def close(self) -> None:
        self._timer.close()

    def _waits(self, job: Job) -> bool:
        return bool(self._dispatch.has([job.run])) or self._is_held_back(job)

    def _is_held_back(self, job: Job) -> bool:
        """Handed out and put aside before it began: a pause stops no clock."""
        return self._at_rest.status(job.run) == "queued"

    def _due(self, job: Job) -> None:
        """A worker sees that it is too late: it must only be asked, in the place of the one that it did not get."""
        if self._dispatch.discard(job.run) or (self._is_held_back(job) and self._at_rest.take(job.run)):
            self._dispatch.put([replace(job, queue=CLEANUP, not_before=0.0)])
