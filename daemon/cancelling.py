"""Cancelling runs: the wish is on disk before anything is stopped, so that no crash forgets it.

Guarantee: when cancel() returns, each run that it names ends as cancelled, in this process or in the next, and nothing of it starts
again but its handlers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from daemon.dispatch import CLEANUP, Dispatch, Job
from daemon.ends import has_begun
from daemon.store import Store
from daemon.store.rows import LIVE
from daemon.waiting.resting import AtRest
from daemon.worker import Worker

AT_ONCE = 500  # runs in one transaction


class Canceller:
    """Composed once, beside the worker."""

    def __init__(
        self, store: Store, dispatch: Dispatch, worker: Worker, at_rest: AtRest, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._dispatch = dispatch
        self._worker = worker
        self._at_rest = at_rest
        self._clock = clock

    async def cancel(self, runs: Sequence[str], reason: str | None = None) -> list[str]:
        """Returns those to which this is new: not those that have ended or were to stop before. Raises Unavailable."""
        asked = []
        for first in range(0, len(runs), AT_ONCE):
            now = self._clock()
            new = await self._store.ask_cancel(runs[first : first + AT_ONCE], now, reason)
            asked += [run for run in new if await self._stop(run, now, reason)]
        return asked

    async def _stop(self, run: str, at: float, reason: str | None) -> bool:
        """Have a run end that is to stop. False: how it ended was on its way to the disk, and is not changed any more.

        Of another process's run nothing is done here: that one looks for itself.
        """
        if run in self._worker.endings:
            return (await self._worker.endings.of(run)).status == "cancelled"
        if not (self._dispatch.discard(run) or self._at_rest.take(run)):
            here = bool(self._dispatch.has([run]))
            if self._worker.wish(run, at, reason, claimed=here):
                self._dispatch.cancel(run)
            if here:
                return True
        claimed = self._store.claim_fresh(run) or await self._store.claim(run)
        if claimed is None:  # it has just ended, or is another process's
            kept = await self._store.run(run)
            return kept is not None and kept.status in {*LIVE, "cancelled"}
        claimed.cancel_asked, claimed.cancel_reason = at, reason
        if has_begun(claimed):
            self._dispatch.put([Job(run, claimed.epoch, queue=CLEANUP)])
        else:
            self._worker.give_up(claimed)
        return True
