"""Runs that did not start in time: they end as cancelled, with the code EXPIRED, while they still wait for a place."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from daemon.dispatch import CLEANUP, Job
from daemon.dispatch.local import LocalDispatch
from daemon.waiting.timer import Timer


class Expiry:
    """Stands before the dispatch: what is put here is put there, and looked after while it waits. The worker ends what is too late."""

    def __init__(self, dispatch: LocalDispatch, clock: Callable[[], float] = time.time) -> None:
        self._dispatch = dispatch
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
        return bool(self._dispatch.has([job.run]))

    def _due(self, job: Job) -> None:
        """A worker sees that it is too late: it must only be asked, in the place of the one that it did not get."""
        if self._dispatch.discard(job.run):
            self._dispatch.put([replace(job, queue=CLEANUP, not_before=0.0)])
