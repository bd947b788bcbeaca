"""Whether anything of a run is at work, or all that is under way only waits; and the gate that holds back what would begin."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Rest:
    """Counts of one run. A container is at work through the steps inside it, and not by itself."""

    __slots__ = ("_parked", "_resting", "busy", "held", "tell", "timed", "waiting")

    def __init__(self, tell: Callable[[bool], None] | None = None) -> None:
        """`tell`: told True when all that is left waits or is held, False when something works again."""
        self.busy = 0  # attempts that do something
        self.waiting = 0  # attempts that wait for what is kept elsewhere
        self.timed = 0  # bodies whose time runs: it would begin anew if the run were left
        self.held = False  # no attempt begins
        self.tell = tell
        self._resting = False
        self._parked: list[asyncio.Future[None]] = []  # who goes on when nothing is held back any more

    def heed(self, tell: Callable[[bool], None]) -> None:
        """From now on `tell` is told, and at once where it rests already."""
        self.tell = tell
        if self._resting:
            tell(True)

    def begin(self) -> None:
        self.busy += 1
        self._look()

    def end(self) -> None:
        self.busy -= 1
        self._look()

    @contextmanager
    def waits(self, *, counted: bool) -> Iterator[None]:
        """Inside, an attempt waits. `counted`: it was at work by itself, so it is no container."""
        self.busy -= counted
        self.waiting += 1
        self._look()
        try:
            yield
        finally:
            self.busy += counted
            self.waiting -= 1
            self._look()

    @contextmanager
    def clock_runs(self) -> Iterator[None]:
        """Inside, a time limit runs that nothing but this process knows."""
        self.timed += 1
        try:
            yield
        finally:
            self.timed -= 1
            self._look()

    def hold(self) -> None:
        """From now on no attempt begins; those under way go on to their ends."""
        self.held = True
        self._look()

    def release(self) -> None:
        self.held = False
        parked, self._parked = self._parked, []
        for future in parked:
            if not future.done():
                future.set_result(None)
        self._look()

    def park(self, future: asyncio.Future[None]) -> None:
        """Have it done when nothing is held back any more."""
        self._parked.append(future)

    async def gate(self, *, counted: bool) -> None:
        """Return when an attempt may begin."""
        while self.held:
            future = asyncio.get_running_loop().create_future()
            self.park(future)
            with self.waits(counted=counted):
                await future

    def _look(self) -> None:
        resting = not self.busy and (self.waiting > 0 or self.held) and not self.timed
        if resting is not self._resting:
            self._resting = resting
            if self.tell is not None:
                self.tell(resting)
