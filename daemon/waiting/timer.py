"""One timer for all that is to happen at some instant: a heap, and one call of the loop for the earliest."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from typing import Any

LOOK_S = 30.0  # the loop's clock is not the wall's: one that is set is noticed after so long
LEAST = 1000  # things that are kept without a look whether they are wanted


class Timer:
    """Instants are seconds since the epoch. What is not wanted any more is passed over by who is told."""

    def __init__(self, told: Callable[[Any], None], wanted: Callable[[Any], bool], clock: Callable[[], float]) -> None:
        """`told` is given each thing when its instant has come. `wanted`: asked now and then, what is not any more is let go of."""
        self._told = told
        self._wanted = wanted
        self._clock = clock
        self._heap: list[tuple[float, int, Any]] = []
        self._number = 0
        self._most = LEAST
        self._handle: asyncio.TimerHandle | None = None
        self._closed = False

    def add(self, at: float, thing: Any) -> None:
        self._number += 1
        if len(self._heap) >= self._most:
            self._heap = [each for each in self._heap if self._wanted(each[2])]
            heapq.heapify(self._heap)
            self._most = max(LEAST, 2 * len(self._heap))
        heapq.heappush(self._heap, (at, self._number, thing))
        if self._heap[0][1] == self._number:
            self._arm()

    def close(self) -> None:
        self._closed = True
        if self._handle is not None:
            self._handle.cancel()

    def _arm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self._heap and not self._closed:
            delay_s = min(max(0.0, self._heap[0][0] - self._clock()), LOOK_S)
            self._handle = asyncio.get_running_loop().call_later(delay_s, self._ring)

    def _ring(self) -> None:
        self._handle = None
        now = self._clock()
        while self._heap and self._heap[0][0] <= now:
            self._told(heapq.heappop(self._heap)[2])
        self._arm()
