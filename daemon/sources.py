"""The sources of one daemon: those that its triggers use are open, each in a task of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from operator import is_
from typing import Any

import structlog

from triggers.event import Event
from triggers.source import Accepted, Emit, Plans, Source, SourceError, Unavailable
from triggers.trigger import Trigger

log = structlog.get_logger()


@dataclass(slots=True)
class _Open:
    """One source at work."""

    source: Source
    opened: asyncio.Future[None]
    task: asyncio.Task[None] | None = None
    leave: asyncio.Event = field(default_factory=asyncio.Event)
    triggers: tuple[Trigger, ...] = ()
    decided: asyncio.Event = field(default_factory=asyncio.Event)  # whether its triggers come in force
    known: bool = False  # True: they are


@dataclass(slots=True)
class Prepared:
    """Sources that are ready for another set of triggers. `swap` and `abandon` are called on the loop, one of them once."""

    swaps: list[Callable[[], None]]
    fresh: dict[str, _Open]  # opened for this set
    take: Callable[[Mapping[str, _Open]], None]

    def swap(self) -> None:
        """From now on these are the triggers. Never fails, and takes no time."""
        for swap in self.swaps:
            swap()
        self.take(self.fresh)
        for place in self.fresh.values():
            place.known = True
            place.decided.set()

    async def abandon(self) -> None:
        """Everything stays as it was."""
        for place in self.fresh.values():
            place.decided.set()
            place.leave.set()
        await _ended(self.fresh.values())


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
        (await self.prepare(triggers)).swap()

    async def prepare(self, triggers: Sequence[Trigger]) -> Prepared:
        """Get ready for these triggers: open what is needed for the first time, work out in a thread what changes.

        Nothing is in force before `swap` is called. Raises SourceError where a source cannot be opened; all is as it was then.
        """
        by_type = await asyncio.to_thread(_by_type, triggers)
        prepared = Prepared([], {}, self._open.update)
        for kind, place in self._open.items():
            wanted = by_type.get(kind, ())
            if not _same(place.triggers, wanted):
                swap = await asyncio.to_thread(plan, place.source, wanted)
                prepared.swaps.append(partial(_swap, place, wanted, swap))
        try:
            for kind in sorted((by_type.keys() | self._always) - self._open.keys()):
                prepared.fresh[kind] = self._begin(kind, by_type.get(kind, ()))
            for place in prepared.fresh.values():
                await asyncio.shield(place.opened)
        except BaseException:
            await prepared.abandon()
            raise
        return prepared

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

    def listed(self) -> list[dict[str, Any]]:
        """Each source that is there, how many triggers it serves, and whether it is open."""
        return [
            {"source": kind, "triggers": len(place.triggers), "state": "open" if place.opened.done() else "opening"}
            for kind, place in sorted(self._open.items())
        ]

    def next_due(self) -> Mapping[str, datetime]:
        """Schedules and their next slots."""
        schedule = self._open.get("schedule")
        return schedule.source.next_due() if schedule is not None else {}  # type: ignore[attr-defined]  # as above

    def watched(self) -> Mapping[str, int]:
        """Triggers that watch files, and how many are known to each."""
        watch = self._open.get("file-watch")
        return watch.source.watched() if watch is not None else {}  # type: ignore[attr-defined]  # only they have files

    def traffic(self) -> tuple[Sequence[int], int]:
        """Of the public listener: answers by the first digit of their status, and open connections."""
        return self._open["webhook"].source.traffic()  # type: ignore[attr-defined, no-any-return]  # only it has one

    @property
    def taking(self) -> bool:
        """Webhooks are taken, and no source has given up."""
        return not self.broken.done() and not self._open["webhook"].leave.is_set()

    async def close(self, *, but: Sequence[str] = ()) -> None:
        """Take nothing new, `but` by these; return when all that was taken has been handed over."""
        closing = [place for kind, place in self._open.items() if kind not in but]
        for place in closing:
            place.leave.set()
        await _ended(closing)

    def _begin(self, kind: str, triggers: tuple[Trigger, ...]) -> _Open:
        source = self._make(kind)
        source.update(triggers)
        place = _Open(source, asyncio.get_running_loop().create_future(), triggers=triggers)
        place.task = asyncio.create_task(self._keep(kind, place), name=f"source {kind}")
        return place

    async def _keep(self, kind: str, place: _Open) -> None:
        """One source's life: open, run, leave."""
        try:
            async with place.source.open(Door(self._emit, place)):
                place.opened.set_result(None)
                working = asyncio.create_task(place.source.run(), name=f"source {kind} at work")
                await _until(place.leave, working)
        except SourceError as error:
            self._give_up(kind, place, error)
        except Exception as error:  # noqa: BLE001 - a defect of one source stops the daemon with its reason, and a supervisor starts it again
            self._give_up(kind, place, error)

    def _give_up(self, kind: str, place: _Open, error: Exception) -> None:
        """Before it was open this is for whoever opens it to tell; afterwards it stops the daemon."""
        if not place.opened.done():
            place.opened.set_exception(error)
            place.opened.exception()  # whoever waited may have been cancelled
            return
        log.error("source.failed", source=kind, error=str(error), exc_info=None if isinstance(error, SourceError) else error)
        if not self.broken.done():
            self.broken.set_exception(error)
            self.broken.exception()


class Door:
    """Emit for one source. What comes before its triggers are in force is held: nobody would know whose it is."""

    def __init__(self, emit: Emit, place: _Open) -> None:
        self._emit = emit
        self._place = place

    def __call__(self, event: Event) -> Awaitable[Accepted]:
        return self._emit(event) if self._place.known else self._held(event)

    def together(self, events: Sequence[Event]) -> Awaitable[Sequence[Accepted]]:
        return self._emit.together(events) if self._place.known else self._held_together(events)

    async def _held(self, event: Event) -> Accepted:
        await self._opened()
        return await self._emit(event)

    async def _held_together(self, events: Sequence[Event]) -> Sequence[Accepted]:
        await self._opened()
        return await self._emit.together(events)

    async def _opened(self) -> None:
        await self._place.decided.wait()
        if not self._place.known:
            raise Unavailable("the trigger of this event did not come into force")


def plan(source: Source, triggers: Sequence[Trigger]) -> Callable[[], None]:
    """What puts these triggers in force at once. In a thread, where the source can work it out beforehand."""
    return source.plan(triggers) if isinstance(source, Plans) else partial(source.update, triggers)


def _swap(place: _Open, triggers: tuple[Trigger, ...], swap: Callable[[], None]) -> None:
    place.triggers = triggers
    swap()


def _same(before: Sequence[Trigger], after: Sequence[Trigger]) -> bool:
    """The very same objects: nothing of theirs has changed."""
    return len(before) == len(after) and all(map(is_, before, after))


async def _ended(places: Iterable[_Open]) -> None:
    tasks = [place.task for place in places if place.task is not None]
    if tasks:
        await asyncio.wait(tasks)


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


def _by_type(triggers: Sequence[Trigger]) -> Mapping[str, tuple[Trigger, ...]]:
    by_type: dict[str, list[Trigger]] = {}
    for trigger in triggers:
        by_type.setdefault(trigger.type, []).append(trigger)
    return {kind: tuple(each) for kind, each in by_type.items()}
