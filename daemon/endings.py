"""The ends of runs that are on their way to the disk, and who waits for them."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daemon.store.rows import Run

Waiter = asyncio.Future["Run"]


class Endings:
    """`run in endings`: it has been executed, and how it ended is on its way to the disk."""

    def __init__(self) -> None:
        self._under_way: set[str] = set()
        self._waiters: dict[str, set[Waiter]] = {}
        self._settled = asyncio.Event()

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._under_way

    def of(self, run_id: str) -> Waiter:
        """Done when the run has ended and that is on disk. For a run that has not ended yet, or it is never done."""
        waiter: Waiter = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(run_id, set()).add(waiter)
        waiter.add_done_callback(partial(self._forget, run_id))
        return waiter

    async def settled(self) -> None:
        """Return when the ends of all runs executed so far are on disk."""
        while self._under_way:
            self._settled.clear()
            await self._settled.wait()

    def begin(self, run_id: str) -> None:
        """It has been executed."""
        self._under_way.add(run_id)

    def finish(self, run: Run, error: BaseException | None) -> None:
        """How it ended is on disk, or never will be."""
        self._under_way.discard(run.id)
        if not self._under_way:
            self._settled.set()
        for waiter in self._waiters.pop(run.id, ()):
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(run)
            else:
                waiter.set_exception(error)

    def _forget(self, run_id: str, waiter: Waiter) -> None:
        """Who asks again and again after a run that waits for days gives up as often."""
        waiters = self._waiters.get(run_id)
        if waiters is None:
            return
        waiters.discard(waiter)
        if not waiters:
            del self._waiters[run_id]
