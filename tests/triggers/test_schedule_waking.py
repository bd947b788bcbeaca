"""The schedule source in real time: it wakes for what is due, and for what others tell it."""

import asyncio
from datetime import datetime

from tests.triggers.schedule_bench import NINE, Disk, schedule
from triggers.sources.schedule import ScheduleSource
from triggers.sources.schedule_spec import ScheduleSettings


class Ahead:
    """A clock that begins a moment before a time and goes on as real time does."""

    def __init__(self, before: datetime, lead_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._shift = before.timestamp() - lead_s - self._loop.time()

    def __call__(self) -> float:
        return self._shift + self._loop.time()


async def test_the_timer_wakes_it_for_the_slot_in_real_time():
    disk, clock = Disk(), Ahead(NINE, 0.05)
    source = ScheduleSource(ScheduleSettings(), state=disk, running=disk.running.__getitem__, clock=clock)
    source.update([schedule()])

    async with source.open(disk.emit):
        working = asyncio.create_task(source.run())
        await asyncio.wait_for(disk.told.wait(), 5)
        late_s = clock() - NINE.timestamp()
        working.cancel()
        await asyncio.wait([working])

    assert disk.fired() == ["09:00"]
    assert 0 <= late_s < 2


async def test_a_trigger_that_comes_while_it_waits_is_taken_up_at_once():
    disk, clock = Disk(), Ahead(NINE, 0.2)
    source = ScheduleSource(ScheduleSettings(), state=disk, running=disk.running.__getitem__, clock=clock)
    source.update([])

    async with source.open(disk.emit):
        working = asyncio.create_task(source.run())
        await asyncio.sleep(0)
        source.update([schedule()])
        await asyncio.wait_for(disk.told.wait(), 5)
        working.cancel()
        await asyncio.wait([working])

    assert disk.fired() == ["09:00"]


async def test_the_end_of_a_run_lets_a_waiting_slot_go_at_once():
    disk, clock = Disk(), Ahead(NINE, 10)
    disk.running["digest"] = 1
    disk.rows["digest"] = {
        "cron": "0 * * * *",
        "timezone": "UTC",
        "due": "2026-11-23T09:00:00Z",
        "waiting": ["2026-11-23T08:00:00Z"],
    }
    source = ScheduleSource(ScheduleSettings(), state=disk, running=disk.running.__getitem__, clock=clock)
    source.update([schedule(overlap="queue")])

    async with source.open(disk.emit):
        working = asyncio.create_task(source.run())
        await asyncio.sleep(0)
        disk.running.clear()
        source.run_ended("digest")
        await asyncio.wait_for(disk.told.wait(), 5)
        working.cancel()
        await asyncio.wait([working])

    assert disk.fired() == ["08:00"]


async def test_a_store_that_recovers_is_asked_again_without_being_told():
    disk, clock = Disk(), Ahead(NINE, 0.05)
    source = ScheduleSource(ScheduleSettings(), state=disk, running=disk.running.__getitem__, clock=clock)
    source.update([schedule()])

    async with source.open(disk.emit):
        disk.unavailable = 1
        working = asyncio.create_task(source.run())
        await asyncio.wait_for(disk.told.wait(), 5)
        working.cancel()
        await asyncio.wait([working])

    assert disk.fired() == ["09:00"]
