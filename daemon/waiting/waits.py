"""All waits of runs that have not ended: the World's `wait` of a daemon.

Guarantees: a wait is on disk before its run is left for it, and is the same one after a restart. It is resolved once; how is on disk
before its run hears of it, so that a run which was told goes on the same way in every later process.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import structlog

from daemon.store.waits import WaitRow
from daemon.waiting.timer import Timer
from flows.attempt import Attempt
from flows.results import milliseconds
from flows.waiting import Place, Resolution, Wait

log = structlog.get_logger()

WAITING_KINDS = {
    "timer": "wait",
    "approval": "approval",
    "event": "wait_for_event",
}  # what is waited for → which kind of step does
SOON_S = 2.0  # a run is not left for a wait that is over sooner: to leave it and come back costs a few milliseconds


class Kept(Protocol):
    """What is needed of the store."""

    def open(self, wait: WaitRow) -> asyncio.Future[None]: ...
    def resolve(self, wait: WaitRow) -> asyncio.Future[None]: ...
    def close(self, wait: WaitRow) -> asyncio.Future[None]: ...
    async def live(self) -> list[WaitRow]: ...


class Entry:
    """One wait, and who awaits it in this process."""

    __slots__ = ("future", "gone", "row", "saved", "told")

    def __init__(self, row: WaitRow) -> None:
        self.row = row
        self.future: asyncio.Future[None] | None = None  # of the attempt that waits now
        self.told = row.how is not None  # how it ended is on disk
        self.gone = False  # its attempt is over
        self.saved: asyncio.Future[None] | None = None  # done when it is on disk; None: it was found there

    @property
    def place(self) -> Place:
        return Place(self.row.run, self.row.path, self.row.number)

    @property
    def open(self) -> bool:
        return self.row.how is None and not self.gone

    @property
    def wait(self) -> Wait:
        return Wait(self.row.kind, self.row.due_at, self.row.limit_at, self.row.detail)  # type: ignore[arg-type]  # as it was written


class Waits:
    """Composed once. `wake`: told of a run that nobody works on and that is to go on."""

    def __init__(self, kept: Kept, *, clock: Callable[[], float] = time.time) -> None:
        self._kept = kept
        self._clock = clock
        self._timer = Timer(self._ring, _is_open, clock)
        self._runs: dict[str, dict[Place, Entry]] = {}
        self.wake: Callable[[str], object] = _nobody
        self.opened: list[Callable[[Entry], None]] = []  # told of each wait that has begun, also of those of earlier processes

    async def load(self) -> None:
        """Take over what other processes kept of runs that are ours now; what is known stays as it is."""
        for row in await self._kept.live():
            if Place(row.run, row.path, row.number) not in self._runs.get(row.run, {}):
                self._add(Entry(row))

    def close(self) -> None:
        self._timer.close()

    # -- what a run asks ----------------------------------------------------------------------------------------------

    async def __call__(self, place: Place, wait: Wait) -> Resolution:
        entry = self._runs.get(place.run, {}).get(place)
        if entry is None:
            entry = self._open(place, wait)
        if not entry.told:
            entry.future = asyncio.get_running_loop().create_future()
            try:
                await entry.future
            finally:
                entry.future = None
        row = entry.row
        assert row.how is not None  # it has been told
        return Resolution(row.how, row.resolved_at or row.created_at, row.created_at, row.resolution)

    def over(self, run: str, attempt: Attempt) -> None:
        """An attempt is recorded, whatever became of it: nothing waits there any more."""
        entries = self._runs.get(run)
        if entries is None or (entry := entries.pop(Place(run, attempt.path, attempt.number), None)) is None:
            return
        if not entries:
            del self._runs[run]
        entry.gone = True
        if entry.row.how is None:
            self._kept.close(entry.row).add_done_callback(partial(_heard, entry.row))

    def given_up(self, run: str) -> list[Attempt]:
        """Of a run that has ended: the attempts that still wait, as it was at rest. Nobody else tells that they were cut off."""
        return [_cut_off(entry.row, self._clock()) for entry in self.of(run)] if run in self._runs else []

    def ended(self, run: str) -> None:
        """The run has ended: an answer that comes later is told so by the run."""
        for entry in self._runs.pop(run, {}).values():
            entry.gone = True

    # -- what a run at rest asks --------------------------------------------------------------------------------------

    def holds(self, run: str) -> bool:
        """The run may be at rest: it waits for something, and nothing that it waits for has happened."""
        entries = self._runs.get(run)
        return entries is not None and all(entry.row.how is None for entry in entries.values())

    def next_end(self, run: str) -> float | None:
        """When the first of its waits is over by itself. None: only answers end them."""
        ends = [end for entry in self._runs.get(run, {}).values() if (end := entry.wait.over_at) is not None]
        return min(ends, default=None)

    def alarm(self, run: str, at: float) -> None:
        """Wake the run then, whatever it waits for: its time is over."""
        self._timer.add(at, run)

    def long_enough(self, run: str) -> bool:
        """Whether it pays to leave the run."""
        end = self.next_end(run)
        return self.holds(run) and (end is None or end - self._clock() > SOON_S)

    # -- who answers --------------------------------------------------------------------------------------------------

    def of(self, run: str) -> list[Entry]:
        return list(self._runs.get(run, {}).values())

    def all_open(self) -> Iterator[Entry]:
        for entries in self._runs.values():
            yield from (entry for entry in entries.values() if entry.open)

    def __len__(self) -> int:
        return sum(map(len, self._runs.values()))

    def answer(self, entry: Entry, how: str, value: Any = None, by: str | None = None) -> Awaitable[None] | None:
        """Resolve an open wait; what this gives is done when that is on disk. None: it was resolved already, and nothing changes."""
        return self._resolve(entry, how, value, by) if entry.open else None

    # Inside

    def _add(self, entry: Entry) -> None:
        self._runs.setdefault(entry.row.run, {})[entry.place] = entry
        if entry.row.how is None:
            end = entry.wait.over_at
            if end is not None:
                self._timer.add(end, entry)
            for told in self.opened:
                told(entry)

    def _open(self, place: Place, wait: Wait) -> Entry:
        row = WaitRow(place.run, place.path, place.attempt, wait.kind, self._clock(), wait.due, wait.limit, wait.detail)
        entry = Entry(row)
        entry.saved = self._kept.open(row)
        entry.saved.add_done_callback(partial(_heard, row))
        self._add(entry)
        return entry

    def _ring(self, entry: Entry | str) -> None:
        if isinstance(entry, str):
            self.wake(entry)
            return
        if not entry.open:
            return
        how = entry.wait.over(self._clock())
        if how is not None:
            self._resolve(entry, how, None, None)
        elif (end := entry.wait.over_at) is not None:
            self._timer.add(end, entry)

    def _resolve(self, entry: Entry, how: str, value: Any, by: str | None) -> asyncio.Future[None]:
        row = entry.row
        row.how, row.resolved_at, row.resolution, row.resolved_by = how, self._clock(), value, by
        saved = self._kept.resolve(row)
        saved.add_done_callback(partial(self._told, entry))
        return saved

    def _told(self, entry: Entry, saved: asyncio.Future[None]) -> None:
        """How it ended is on disk: who awaits it goes on, or the run is woken."""
        _heard(entry.row, saved)
        entry.told = True
        if entry.gone:
            return
        if entry.row.kind != "timer":
            log.info("wait.resolved", run_id=entry.row.run, step=entry.row.path, kind=entry.row.kind, how=entry.row.how)
        if entry.future is None:
            self.wake(entry.row.run)
        elif not entry.future.done():
            entry.future.set_result(None)


def _heard(row: WaitRow, saved: asyncio.Future[None]) -> None:
    if not saved.cancelled() and (error := saved.exception()) is not None:
        log.error("wait.not_recorded", run_id=row.run, step=row.path, error=str(error))


def _cut_off(row: WaitRow, now: float) -> Attempt:
    step = re.split(r"[./]", row.path)[-1]
    attempt = Attempt(row.path, step, WAITING_KINDS[row.kind], row.number, "cancelled", row.created_at)
    return replace(attempt, duration_ms=milliseconds(now - row.created_at), container=row.kind == "approval")


def _is_open(entry: Entry | str) -> bool:
    return isinstance(entry, str) or entry.open


def _nobody(_run: str) -> None:
    pass
