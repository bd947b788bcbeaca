"""Waiting: what a step may wait for without being at work, what came of it, and who keeps that."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from flows.errors import StepError

LOOK_S = 30.0  # a clock that is set is noticed after so long

WaitKind = Literal["timer", "approval", "event"]


@dataclass(frozen=True, slots=True)
class Place:
    """Which attempt waits. The same after a resume: nothing of a wait is recorded as an attempt before it is over."""

    run: str
    path: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Wait:
    """What an attempt waits for. Whoever keeps waits keeps the first that a place asked for: asked again, it is the same."""

    kind: WaitKind
    due: float | None = None  # seconds since the epoch: over then, whatever else happens; None: nothing but an answer ends it
    limit: float | None = None  # the step's own timeout, as an instant
    detail: Mapping[str, Any] = field(default_factory=dict)  # JSON: what is asked of whom

    @property
    def over_at(self) -> float | None:
        """When it is over at the latest."""
        ends = [end for end in (self.due, self.limit) if end is not None]
        return min(ends) if ends else None

    def over(self, now: float) -> str | None:
        """How it has ended by itself: `due`, or `limit`, the step's own timeout. None: it has not."""
        if self.due is not None and now >= self.due and (self.limit is None or self.due <= self.limit):
            return "due"
        return "limit" if self.limit is not None and now >= self.limit else None


@dataclass(frozen=True, slots=True)
class Resolution:
    """How a wait ended."""

    how: str  # due, limit, approved, rejected, event
    at: float
    since: float  # when it began
    value: Any = None  # what came with it, as JSON


WaitFor = Callable[[Place, Wait], Awaitable[Resolution]]
"""Keeps a wait and returns how it ended. Cancelled: the run is left or given up; what is kept stays for who goes on with it."""


LinkTo = Callable[[Place, float | None, str | None], str | None]
"""Where a person can answer: the place, when the wait ends, who may answer (None: anyone). None: nowhere."""


def no_link(_place: Place, _due: float | None, _by: str | None) -> str | None:
    """LinkTo of a process that serves nothing."""
    return None


async def wait_here(_place: Place, wait: Wait, *, clock: Callable[[], float] = time.time) -> Resolution:
    """WaitFor of a process that keeps nothing: a timer in memory. Nobody could answer anything else."""
    if wait.kind != "timer":
        said = "nobody can answer this here: no daemon executes the run (camshaft serve, and flow execute KEY)"
        raise StepError(said, code="WAIT_UNAVAILABLE", retryable=False)
    return await until_over(wait, clock=clock)


async def until_over(wait: Wait, *, clock: Callable[[], float] = time.time) -> Resolution:
    """Wait in memory until it ends by itself; for ever where it does not."""
    since = clock()
    while (how := wait.over(clock())) is None:
        left_s = LOOK_S if wait.over_at is None else wait.over_at - clock()
        await asyncio.sleep(max(0.0, min(left_s, LOOK_S)))
    return Resolution(how, clock(), since)
