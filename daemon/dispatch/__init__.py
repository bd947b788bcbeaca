"""The seam between «a run is due» and a worker. The store holds the truth; a dispatch only tells.

An engine that loses its queue loses nothing: store.reconcile() finds every run that has not ended, and puts it again. A new one is
a file here and a line in DISPATCHES.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from daemon.dispatch.local import LocalDispatch


@dataclass(slots=True)  # nothing changes it; each event makes one, and frozen it takes a microsecond more
class Job:
    """One attempt of a run at being worked on. A retry is a new job with the next epoch."""

    run: str
    epoch: int = 0
    queue: str = "runs"  # RUNS or CLEANUP
    priority: int = 5  # 1 first … 10 last; first come, first served among equals
    not_before: float = 0.0  # seconds since the epoch, UTC; 0: now
    start_by: float | None = None  # a run that still waits then has expired; a dispatch need not know: expiry.py does


Handler = Callable[[Job], Awaitable[None] | None]
"""Works on one job. None: it is done. Otherwise a coroutine, which holds one place of the concurrency until it ends."""


RUNS = "runs"
CLEANUP = "cleanup"  # runs that are to stop, and clean up: they wait for no place, and no pause of the others holds them


class Dispatch(Protocol):
    """Tells a worker which runs are due, each once for each time it was put."""

    def put(self, jobs: Iterable[Job]) -> None:
        """These runs are due (or will be). Call it after their rows are on disk. A job that is already here is left as it is."""
        ...

    def has(self, runs: Iterable[str]) -> frozenset[str]:
        """Those of these runs that wait here or are being worked on."""
        ...

    def discard(self, run: str) -> bool:
        """Forget a job that waits. False: it was not waiting."""
        ...

    async def consume(self, queue: str, concurrency: int, handler: Handler) -> None:
        """Hand jobs to `handler`, at most `concurrency` at a time, until close(). Raises what the handler raises."""
        ...

    def pause(self, queue: str, *, paused: bool = True) -> None:
        """Stop or go on handing out. What is being worked on goes on."""
        ...

    def pump(self) -> None:
        """Hand out what is due now, not in a moment: for whoever knows that the loop has nothing better to do."""
        ...

    def cancel(self, run: str) -> bool:
        """Cancel what works on this run. False: nobody does."""
        ...

    def depth(self) -> int:
        """How many jobs wait, delayed ones included."""
        ...

    def progress(self) -> int | None:
        """How many jobs were handed out so far. None: there is none that is due and has a place."""
        ...

    async def close(self, grace_s: float) -> int:
        """Hand out nothing more; wait so long for what is being worked on, then cancel it. Returns how many were cancelled."""
        ...


DISPATCHES: dict[str, Callable[[], Dispatch]] = {"local": LocalDispatch}
