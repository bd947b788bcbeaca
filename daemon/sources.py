"""The sources of one daemon: those that its triggers use are open, each in a task of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog

from triggers.source import Emit, Source, SourceError
from triggers.trigger import Trigger

log = structlog.get_logger()


@dataclass(slots=True)
class _Open:
    """One source at work."""

    source: Source
    opened: asyncio.Future[None]
    task: asyncio.Task[None] | None = None
    leave: asyncio.Event = field(default_factory=asyncio.Event)


class Sources:
    """Opens, updates and closes. `make` builds the source of a type; it is called when the first trigger of that type comes."""

    def __init__(self, make: Callable[[str], Source], emit: Emit, *, always: Sequence[str] = ()) -> None:
        self._make = make
        self._emit = emit
        self._always = frozenset(always)
        self._open: dict[str, _Open] = {}
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()  # done, with why, when a source gives up

    def get(self, kind: str) -> Any:
        """The open source of a type. Raises KeyError."""
        return self._open[kind].source

    async def start(self, triggers: Sequence[Trigger]) -> None:
        """Open what these triggers need. Raises SourceError."""
        self.update(triggers)
        for place in list(self._open.values()):
            await asyncio.shield(place.opened)

    def update(self, triggers: Sequence[Trigger]) -> None:
        """These are the triggers from now on. A source that is needed for the first time opens on its own task."""
        by_type = _by_type(triggers)
        for kind in by_type.keys() | self._open.keys() | self._always:
            wanted = by_type.get(kind, [])
            if kind in self._open:
                self._open[kind].source.update(wanted)
            else:
                self._begin(kind, wanted)

    def run_ended(self, trigger: str) -> None:
        """A run of this trigger has ended: a slot that waited for it may be due."""
        schedule = self._open.get("schedule")
        if schedule is not None:
            schedule.source.run_ended(trigger)  # type: ignore[attr-defined]  # of the sources only schedules ask

    def overdue(self, by_s: float) -> Mapping[str, datetime]:
        """Schedules whose due time has passed by so much, and that time: something holds them up."""
        schedule = self._open.get("schedule")
        return schedule.source.overdue(by_s) if schedule is not None else {}  # type: ignore[attr-defined]  # as above

    def stalled_s(self) -> float:
        """For how long the schedules should have moved on and have not; 0: they go on, or there are none."""
        schedule = self._open.get("schedule")
        if schedule is None or not schedule.opened.done():
            return 0.0
        return schedule.source.stalled_s()  # type: ignore[attr-defined, no-any-return]  # as above

    async def close(self, *, but: Sequence[str] = ()) -> None:
        """Take nothing new, `but` by these; return when all that was taken has been handed over."""
        closing = [place for kind, place in self._open.items() if kind not in but]
        for place in closing:
            place.leave.set()
        tasks = [place.task for place in closing if place.task is not None]
        if tasks:
            await asyncio.wait(tasks)

    def _begin(self, kind: str, triggers: list[Trigger]) -> None:
        source = self._make(kind)
        source.update(triggers)
        place = self._open[kind] = _Open(source, asyncio.get_running_loop().create_future())
        place.task = asyncio.create_task(self._keep(kind, place), name=f"source {kind}")

    async def _keep(self, kind: str, place: _Open) -> None:
        """One source's life: open, run, leave."""
        try:
            async with place.source.open(self._emit):
                place.opened.set_result(None)
                working = asyncio.create_task(place.source.run(), name=f"source {kind} at work")
                await _until(place.leave, working)
        except SourceError as error:
            self._give_up(kind, place, error)
        except Exception as error:  # noqa: BLE001 - a defect of one source stops the daemon with its reason, and a supervisor starts it again
            self._give_up(kind, place, error)

    def _give_up(self, kind: str, place: _Open, error: Exception) -> None:
        log.error("source.failed", source=kind, error=str(error), exc_info=None if isinstance(error, SourceError) else error)
        if not place.opened.done():
            place.opened.set_exception(error)
            place.opened.exception()  # start() may not be the one that waits
        if not self.broken.done():
            self.broken.set_exception(error)
            self.broken.exception()


async def _until(leave: asyncio.Event, working: asyncio.Task[None]) -> None:
    """Return when the source is told to leave; raise what its work raises."""
    leaving = asyncio.create_task(leave.wait())
    try:
        await asyncio.wait((leaving, working), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()  # returning at once is a source's way to say that the loop calls it back
            await leaving
    finally:
        leaving.cancel()
        working.cancel()
        await asyncio.wait((leaving, working))


def _by_type(triggers: Sequence[Trigger]) -> Mapping[str, list[Trigger]]:
    by_type: dict[str, list[Trigger]] = {}
    for trigger in triggers:
        by_type.setdefault(trigger.type, []).append(trigger)
    return by_type
