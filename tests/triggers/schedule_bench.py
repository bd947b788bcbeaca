"""A schedule source at a time that the test chooses, over a memory that keeps what the store promises."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from triggers.cron import parse_cron
from triggers.event import Event
from triggers.slots import Schedule
from triggers.source import Accepted, Unavailable
from triggers.sources.schedule import ScheduleSource
from triggers.sources.schedule_spec import ScheduleSettings
from triggers.trigger import Trigger

NINE = datetime(2026, 11, 23, 9, tzinfo=UTC)  # a Monday


def at(text: str) -> datetime:
    """`09:30` on that Monday, or a whole instant."""
    return datetime.fromisoformat(text if len(text) > 5 else f"2026-11-23T{text}:00Z")


class Disk:
    """State and emit over one memory, all or nothing, each cause once: what the store promises."""

    def __init__(self) -> None:
        self.rows: dict[str, Any] = {}
        self.events: list[Event] = []
        self.causes: set[tuple[str, str]] = set()
        self.running: Counter[str] = Counter()
        self.unavailable = 0  # how many of the next writes fail
        self.runs_start = False  # True: a run begins with each event that is not withheld
        self.told = asyncio.Event()

    def _write(self) -> None:
        if self.unavailable:
            self.unavailable -= 1
            raise Unavailable("the disk is full", retry_after_s=1)

    async def load(self) -> dict[str, Any]:
        return dict(self.rows)

    async def save(self, changes: Mapping[str, Any]) -> None:
        await asyncio.sleep(0)
        self._write()
        self._change(changes)

    def _change(self, changes: Mapping[str, Any]) -> None:
        self.rows |= changes
        self.rows = {key: row for key, row in self.rows.items() if row is not None}

    async def emit(self, event: Event) -> Accepted:
        await asyncio.sleep(0)
        self._write()
        self._change(event.state or {})
        assert event.cause is not None
        if (event.cause.scope, event.cause.key) in self.causes:
            return Accepted(event.id, (), {}, duplicate=True)
        self.causes.add((event.cause.scope, event.cause.key))
        self.events.append(event)
        if self.runs_start and not event.withheld:
            self.running[event.address] += 1
        self.told.set()
        return Accepted(event.id, (), {})

    def fired(self, key: str = "digest") -> list[str]:
        return [stamp(event) for event in self.events if event.address == key and not event.withheld]

    def withheld(self, key: str = "digest") -> list[tuple[str, str]]:
        return [(stamp(event), event.withheld[key][0]) for event in self.events if event.withheld]


def stamp(event: Event) -> str:
    return event.document["time"][11:16]


class Daemon:
    """A source at a time that the test chooses."""

    def __init__(self, disk: Disk, source: ScheduleSource, clock: list[datetime]) -> None:
        self.disk, self.source, self.clock = disk, source, clock

    async def look(self, time: str | datetime) -> None:
        self.clock[0] = at(time) if isinstance(time, str) else time
        await self.source.fire_due(self.clock[0])

    async def watch(self, start: str, end: str) -> None:
        """Look every minute from start to end, both included."""
        now = at(start)
        while now <= at(end):
            await self.look(now)
            now += timedelta(minutes=1)


@asynccontextmanager
async def daemon(disk: Disk, time: str | datetime, *triggers: Trigger, **settings: float):
    clock = [at(time) if isinstance(time, str) else time]
    source = ScheduleSource(
        ScheduleSettings(**settings), state=disk, running=disk.running.__getitem__, clock=lambda: clock[0].timestamp()
    )
    source.update(triggers)
    async with source.open(disk.emit):
        yield Daemon(disk, source, clock)


def schedule(cron: str = "0 * * * *", zone: str = "UTC", *, key: str = "digest", enabled: bool = True, **options: Any) -> Trigger:
    spec = Schedule(parse_cron(cron, timezone=zone), **options)
    return Trigger(key=key, type="schedule", spec=spec, flow="daily-digest", enabled=enabled)
