"""The dispatch inside one process: a heap of what is due, a heap of what is not yet, one timer."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daemon.dispatch import Handler, Job


LAZY_S = 0.001  # answers go out and requests come in first; what is put is handed out then, or when pump() is called
INLINE = 64  # jobs that end without suspending, handed out in one go before the loop has its turn


@dataclass(slots=True)
class _Queue:
    """One queue: what waits in it and who takes from it."""

    due: list[tuple[int, int, Job]] = field(default_factory=list)  # (priority, arrival, job)
    paused: bool = False
    handler: Handler | None = None
    free: int = 0  # places of the concurrency not taken
    broken: asyncio.Future[None] | None = None  # done when consume() is to return


class LocalDispatch:
    """Everything happens on the loop, in the call that makes it possible: no polling, no task for work that cannot suspend."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._queues: dict[str, _Queue] = {}
        self._waiting: dict[str, Job] = {}
        self._working: dict[str, asyncio.Task[None] | None] = {}
        self._again: dict[str, Job] = {}  # put while its run was being worked on: due when that ends
        self._later: list[tuple[float, int, Job]] = []
        self._arrivals = 0
        self._handed_out = 0
        self._timer: asyncio.TimerHandle | None = None
        self._lazy: asyncio.TimerHandle | None = None  # set while jobs were put and not yet handed out
        self._pumping = False
        self._closing = False

    def put(self, jobs: Iterable[Job]) -> None:
        now = self._clock()
        for job in jobs:
            if job.run in self._working:
                self._again[job.run] = job
            elif job.run not in self._waiting:
                self._push(job, now)
        if self._lazy is None and not self._closing:
            self._lazy = asyncio.get_running_loop().call_later(LAZY_S, self.pump)
        if self._later:
            self._arm()

    def pump(self) -> None:
        if self._lazy is not None:
            self._lazy.cancel()
            self._lazy = None
        self._pump()

    def has(self, runs: Iterable[str]) -> frozenset[str]:
        return frozenset(run for run in runs if run in self._waiting or run in self._working)

    def discard(self, run: str) -> bool:
        if self._again.pop(run, None) is not None:
            return True
        return self._waiting.pop(run, None) is not None  # its place in a heap is passed over when its turn comes

    def pause(self, queue: str, *, paused: bool = True) -> None:
        self._queue(queue).paused = paused
        self._pump()

    def progress(self) -> int | None:
        places = () if self._closing else self._queues.values()
        due = any(place.due and place.free > 0 and place.handler is not None and not place.paused for place in places)
        return self._handed_out if due else None

    def depth(self) -> int:
        return len(self._waiting) + len(self._again)

    async def consume(self, queue: str, concurrency: int, handler: Handler) -> None:
        place = self._queue(queue)
        place.handler, place.free = handler, concurrency
        place.broken = asyncio.get_running_loop().create_future()
        self._pump()
        try:
            await place.broken
        finally:
            place.handler = None

    async def close(self, grace_s: float) -> int:
        self._closing = True
        for timer in (self._timer, self._lazy):
            if timer is not None:
                timer.cancel()
        tasks = [task for task in self._working.values() if task is not None]
        left: set[asyncio.Task[None]] = set()
        if tasks:
            _, left = await asyncio.wait(tasks, timeout=grace_s)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
        for place in self._queues.values():
            if place.broken is not None and not place.broken.done():
                place.broken.set_result(None)
        return len(left)

    def cancel(self, run: str) -> bool:
        task = self._working.get(run)
        return task is not None and task.cancel()

    def _queue(self, name: str) -> _Queue:
        place = self._queues.get(name)
        if place is None:
            place = self._queues[name] = _Queue()
        return place

    def _push(self, job: Job, now: float) -> None:
        self._waiting[job.run] = job
        self._arrivals += 1
        if job.not_before > now:
            heapq.heappush(self._later, (job.not_before, self._arrivals, job))
        else:
            heapq.heappush(self._queue(job.queue).due, (job.priority, self._arrivals, job))

    def _pump(self) -> None:
        """Hand out what is due while there is room. Not entered twice: a handler may put jobs."""
        if self._pumping:
            return
        self._pumping = True
        try:
            for place in self._queues.values():
                self._pump_queue(place)
        finally:
            self._pumping = False

    def _pump_queue(self, place: _Queue) -> None:
        left = INLINE
        while place.due and place.free > 0 and place.handler is not None and not place.paused and not self._closing:
            if not left:
                asyncio.get_running_loop().call_soon(self._pump)
                return
            left -= 1
            _, _, job = heapq.heappop(place.due)
            if self._waiting.get(job.run) is job:
                del self._waiting[job.run]
                self._hand_out(place, place.handler, job)

    def _hand_out(self, place: _Queue, handler: Handler, job: Job) -> None:
        self._working[job.run] = None
        self._handed_out += 1
        try:
            work = handler(job)
        except Exception as error:  # noqa: BLE001 - consume() raises it
            self._fail(place, error)
            work = None
        if work is None:
            self._done(job)
            return
        place.free -= 1
        task = asyncio.ensure_future(work)
        self._working[job.run] = task
        task.add_done_callback(lambda task: self._ended(place, job, task))

    def _ended(self, place: _Queue, job: Job, task: asyncio.Task[None]) -> None:
        place.free += 1
        self._done(job)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._fail(place, error)
        self._pump()

    def _done(self, job: Job) -> None:
        del self._working[job.run]
        again = self._again.pop(job.run, None)
        if again is not None:
            self._push(again, self._clock())
            self._arm()

    @staticmethod
    def _fail(place: _Queue, error: BaseException) -> None:
        if place.broken is not None and not place.broken.done():
            place.broken.set_exception(error)

    def _arm(self) -> None:
        """One timer for the earliest of what is not yet due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._later and self._waiting.get(self._later[0][2].run) is not self._later[0][2]:
            heapq.heappop(self._later)  # discarded
        if self._later and not self._closing:
            delay_s = max(0.0, self._later[0][0] - self._clock())
            self._timer = asyncio.get_running_loop().call_later(
                min(delay_s, 60.0), self._release
            )  # wake at least so often: clocks jump

    def _release(self) -> None:
        self._timer = None
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            _, arrival, job = heapq.heappop(self._later)
            if self._waiting.get(job.run) is job:
                heapq.heappush(self._queue(job.queue).due, (job.priority, arrival, job))
        self._pump()
        self._arm()
