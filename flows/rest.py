"""Whether anything of a run is at work, or all that is under way only waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Rest:
    """Counts of one run. A container is at work through the steps inside it, and not by itself."""

    __slots__ = ("_resting", "busy", "tell", "timed", "waiting")

    def __init__(self) -> None:
        self.busy = 0  # attempts that do something
        self.waiting = 0  # attempts that wait for what is kept elsewhere
        self.timed = 0  # bodies whose time runs: it would begin anew if the run were left
        self.tell: Callable[[bool], None] | None = None  # told True when all that is left waits, False when something works again
        self._resting = False

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

    def _look(self) -> None:
        resting = not self.busy and self.waiting > 0 and not self.timed
        if resting is not self._resting:
            self._resting = resting
            if self.tell is not None:
                self.tell(resting)
