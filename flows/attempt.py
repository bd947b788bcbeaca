"""One try of one step: what the executor records and what a run is resumed from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from flows.usage import Usage

AttemptStatus = Literal["running", "success", "failed", "timeout", "skipped", "cancelled", "interrupted"]


@dataclass(slots=True)
class Attempt:
    """One try of one step. The executor makes it twice: when an effectful try begins (`running`) and when it ends.

    Nothing changes it; that it is not frozen saves each step a microsecond.
    """

    path: str  # the step's place in the run, unique: `fetch`, `each[3].fetch`, `enrich/load` (a sub-flow's step)
    step: str  # the step's id in its definition
    kind: str  # bash, http, transform, …
    number: int  # 1-based; a try that a crash interrupted counts
    status: AttemptStatus
    started_at: float  # seconds since the epoch, UTC
    duration_ms: int | None = None  # None: it has not ended
    output: Any = None  # $.steps.<id>.output, a JSON value
    response: Any = None  # $.steps.<id>.response; None: the same as output
    error: str | None = None
    code: str | None = None  # EXIT_STATUS, TIMEOUT, …; with status skipped: IF_FALSE, UNLESS_TRUE, NOT_TAKEN, SOURCE_FAILED
    usage: Usage | None = None  # None: nothing is known of it
    track: bool = False  # metrics.track was asked for
    cost_label: str | None = None
    final: bool = True  # False: a retry or a fallback follows, so a resumed run does not take it as the step's result
    effects: bool = False  # it touched the world: its record must be on disk before a dependant starts
    container: bool = False  # its duration is that of its children (loop, parallel, condition, flow): ratios leave it out
    copied: bool = False  # done by the run that this one does again, and counted there
    last: bool = False  # nothing in its run follows: its record may ride with the run's end


Record = Callable[[Attempt], Awaitable[None] | None]
"""Told of every attempt, in order. The result, where there is one, is awaited by who needs the record on disk."""
