"""The schedule source: a slot becomes one event, whatever happens to the daemon, the store and the clock in between."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from triggers.cron import parse_cron
from triggers.event import Event
from triggers.slots import MAX_COUNTED, MAX_SINGLE, MAX_WAITING, Schedule
from triggers.source import Accepted, SourceError, Unavailable
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


async def test_a_slot_is_handed_in_when_its_time_has_come_and_not_before():
    disk = Disk()

    async with daemon(disk, "08:30", schedule()) as it:
        await it.look("08:59")
        before = disk.fired()
        await it.look("09:00")
        await it.look("09:01")

    assert (before, disk.fired()) == ([], ["09:00"])
    assert disk.rows["digest"]["due"] == "2026-11-23T10:00:00Z"


async def test_an_event_says_all_that_filters_and_mappings_may_read():
    disk = Disk()

    async with daemon(disk, "2026-11-23T22:00:00Z", schedule("30 0 * * *", "Europe/Berlin")) as it:
        await it.look("2026-11-23T23:30:00.250Z")
        await it.look("2026-11-24T23:30:00Z")

    first, second = disk.events
    assert first.document == {
        "id": first.id,
        "type": "schedule.due",
        "source": "schedule:digest",
        "time": "2026-11-23T23:30:00Z",
        "subject": "2026-11-23T23:30:00Z",
        "trigger": {
            "key": "digest",
            "type": "schedule",
            "firedAt": "2026-11-23T23:30:00.250Z",
            "scheduledDate": "2026-11-24",  # in Berlin
            "scheduledTime": "2026-11-23T23:30:00Z",
            "lastTime": None,
            "nextTimes": ["2026-11-24T23:30:00Z", "2026-11-25T23:30:00Z", "2026-11-26T23:30:00Z"],
        },
        "chain": {"id": first.id, "depth": 0},
    }
    assert (first.source, first.address, first.time) == ("schedule", "digest", at("2026-11-23T23:30:00Z").timestamp())
    assert first.cause is not None
    assert (first.cause.scope, first.cause.key) == ("schedule:digest", "2026-11-23T23:30:00Z")
    assert second.document["trigger"]["lastTime"] == "2026-11-23T23:30:00Z"


async def test_a_new_schedule_counts_from_now_and_its_due_time_is_on_disk_at_once():
    disk = Disk()

    async with daemon(disk, "09:00", schedule()):
        armed = dict(disk.rows)

    assert armed["digest"]["due"] == "2026-11-23T10:00:00Z"
    assert disk.events == []


async def test_a_restart_goes_on_where_the_last_one_was():
    disk = Disk()

    for time in ("08:30", "09:10", "09:50", "10:00"):
        async with daemon(disk, time, schedule(catchup="all")) as it:
            await it.look(time)

    assert disk.fired() == ["09:00", "10:00"]


async def test_a_slot_within_the_grace_of_a_restart_is_on_time_even_without_catchup():
    disk = Disk()
    async with daemon(disk, "08:59", schedule(catchup="none")):
        pass

    async with daemon(disk, "2026-11-23T09:00:45Z", schedule(catchup="none")) as it:
        await it.look("2026-11-23T09:00:45Z")

    assert (disk.fired(), disk.withheld()) == (["09:00"], [])


@pytest.mark.parametrize(
    ("options", "fired", "withheld"),
    [
        ({"catchup": "none"}, [], ["09:00 missed", "10:00 missed", "11:00 missed"]),
        ({"catchup": "last"}, ["11:00"], ["09:00 catchup_skipped", "10:00 catchup_skipped"]),
        ({"catchup": "all", "overlap": "allow"}, ["09:00", "10:00", "11:00"], []),
        ({"catchup": "all", "overlap": "allow", "window_s": 5400}, ["10:00", "11:00"], ["09:00 catchup_skipped"]),
        ({"catchup": "last", "window_s": 600}, [], ["09:00 catchup_skipped", "10:00 catchup_skipped", "11:00 catchup_skipped"]),
    ],
)
async def test_slots_of_an_outage_follow_the_catchup_policy(options: dict[str, Any], fired: list[str], withheld: list[str]):
    disk = Disk()
    async with daemon(disk, "08:30", schedule(**options)):
        pass

    async with daemon(disk, "11:20", schedule(**options)) as it:
        await it.look("11:20")
        await it.look("12:00")

    assert disk.fired() == [*fired, "12:00"]
    assert [" ".join(one) for one in disk.withheld()] == withheld
    assert [stamp(event) for event in disk.events] == sorted(stamp(event) for event in disk.events)


@pytest.mark.parametrize("overlap", ["skip", "queue", "queue_one"])
async def test_catching_up_runs_missed_slots_one_after_the_other(overlap: Any):
    disk = Disk()
    disk.runs_start = True
    trigger = schedule(catchup="all", overlap=overlap)
    async with daemon(disk, "08:30", trigger):
        pass

    async with daemon(disk, "11:20", trigger) as it:
        await it.look("11:20")
        seen = [disk.fired()]
        for time in ("11:21", "11:22", "11:23"):
            disk.running.clear()
            await it.look(time)
            seen.append(disk.fired())

    assert seen == [["09:00"], ["09:00", "10:00"], ["09:00", "10:00", "11:00"], ["09:00", "10:00", "11:00"]]
    assert disk.withheld() == []


async def test_a_long_outage_is_told_slot_by_slot_at_its_end_and_as_a_count_before():
    disk = Disk()
    async with daemon(disk, "08:30", schedule("* * * * *", catchup="none")):
        pass

    async with daemon(disk, "2026-11-24T09:00:00Z", schedule("* * * * *", catchup="none")) as it:
        await it.look("2026-11-24T09:00:00Z")

    skipped = [event for event in disk.events if event.withheld]
    verdict, reason = skipped[0].withheld["digest"]
    assert len(skipped) == 1 + MAX_SINGLE
    assert verdict == "missed"
    assert reason.startswith("1368 slots from 2026-11-23T08:31:00Z to 2026-11-24T07:18:00Z")
    assert (skipped[0].document["trigger"]["slots"], skipped[0].document["trigger"]["firstTime"]) == (
        1368,
        "2026-11-23T08:31:00Z",
    )
    assert [stamp(event) for event in skipped[1:3]] == ["07:19", "07:20"]
    assert disk.fired() == ["08:59", "09:00"]


async def test_an_outage_of_years_is_dealt_with_at_once():
    disk = Disk()
    async with daemon(disk, "08:30", schedule("* * * * *")):
        pass

    async with daemon(disk, "2030-01-01T00:00:30Z", schedule("* * * * *")) as it:
        await it.look("2030-01-01T00:00:30Z")

    assert f"{MAX_COUNTED} or more slots" in disk.events[0].withheld["digest"][1]
    assert disk.fired() == ["23:59", "00:00"]


@pytest.mark.parametrize(
    ("overlap", "while_running", "after", "skipped"),
    [
        ("skip", ["09:00"], ["09:00", "12:00"], ["10:00", "11:00"]),
        ("allow", ["09:00", "10:00", "11:00"], ["09:00", "10:00", "11:00", "12:00"], []),
        ("queue", ["09:00"], ["09:00", "10:00", "11:00", "12:00"], []),
        ("queue_one", ["09:00"], ["09:00", "10:00", "12:00"], ["11:00"]),
    ],
)
async def test_a_run_that_outlasts_its_interval_meets_the_overlap_policy(
    overlap: Any, while_running: list[str], after: list[str], skipped: list[str]
):
    disk = Disk()

    async with daemon(disk, "08:30", schedule(overlap=overlap)) as it:
        await it.watch("08:57", "09:00")
        disk.running["digest"] = 1
        await it.watch("09:01", "11:30")
        seen = disk.fired()
        disk.running.clear()
        await it.watch("11:31", "12:01")

    assert (seen, disk.fired()) == (while_running, after)
    assert disk.withheld() == [(time, "overlap_skipped") for time in skipped]
    assert all("overlap is" in event.withheld["digest"][1] for event in disk.events if event.withheld)


async def test_slots_that_wait_for_a_run_survive_a_restart():
    disk = Disk()
    async with daemon(disk, "08:59", schedule(overlap="queue")) as it:
        disk.running["digest"] = 1
        await it.look("09:00")
    disk.running.clear()

    async with daemon(disk, "09:30", schedule(overlap="queue")) as it:
        await it.look("09:30")

    assert disk.fired() == ["09:00"]
    assert disk.rows["digest"]["waiting"] == []


async def test_a_queue_has_an_end_and_says_so():
    disk = Disk()
    disk.running["digest"] = 1

    async with daemon(disk, "08:30", schedule("* * * * *", overlap="queue")) as it:
        await it.watch("08:30", "10:15")

    assert len(disk.rows["digest"]["waiting"]) == MAX_WAITING
    assert disk.withheld() == [(f"10:{minute}", "overlap_skipped") for minute in ("11", "12", "13", "14", "15")]


async def test_nothing_is_lost_while_the_store_takes_nothing():
    disk = Disk()

    async with daemon(disk, "08:30", schedule("*/10 * * * *", catchup="none")) as it:
        await it.look("08:30")
        disk.unavailable = 10_000
        await it.watch("08:31", "09:35")
        during = disk.fired()
        disk.unavailable = 0
        await it.look("09:36")

    assert (during, disk.withheld()) == ([], [])
    assert disk.fired() == ["08:40", "08:50", "09:00", "09:10", "09:20", "09:30"]


async def test_a_store_that_fails_at_any_write_neither_loses_nor_doubles_a_slot():
    for failing in range(12):
        disk = Disk()
        disk.runs_start = True
        async with daemon(disk, "08:30", schedule("*/10 * * * *", catchup="all", overlap="queue")):
            pass
        async with daemon(disk, "09:15", schedule("*/10 * * * *", catchup="all", overlap="queue")) as it:
            for minute in range(15, 40):
                disk.unavailable = int(minute - 15 == failing)
                await it.look(f"09:{minute}")
                disk.running.clear()

        assert disk.fired() == ["08:40", "08:50", "09:00", "09:10", "09:20", "09:30"], failing


async def test_one_schedule_held_up_does_not_hold_up_the_order_of_another():
    disk = Disk()

    async with daemon(disk, "08:30", schedule(key="a"), schedule("*/30 * * * *", key="b")) as it:
        disk.unavailable = 1
        await it.look("09:00")
        await it.look("09:01")

    assert (disk.fired("a"), disk.fired("b")) == (["09:00"], ["09:00"])


async def test_a_changed_cron_or_zone_counts_from_now():
    disk = Disk()

    async with daemon(disk, "08:30", schedule("0 9 * * *")) as it:
        it.source.update([schedule("0 8 * * *")])
        await it.look("09:00")
        cron = disk.rows["digest"]["due"]
        it.source.update([schedule("0 8 * * *", "Europe/Berlin")])
        await it.look("09:01")

    assert (cron, disk.rows["digest"]["due"]) == ("2026-11-24T08:00:00Z", "2026-11-24T07:00:00Z")
    assert disk.events == []


async def test_other_edits_leave_the_due_slot_alone():
    disk = Disk()

    async with daemon(disk, "08:30", schedule("0 9 * * *")) as it:
        it.source.update([schedule("0 9 * * *", overlap="allow", catchup="none")])
        await it.look("09:00")

    assert disk.fired() == ["09:00"]


async def test_a_change_of_one_schedule_leaves_what_is_due_for_the_others_as_it_is():
    disk = Disk()
    same, other = schedule("0 9 * * *", key="same", overlap="queue"), schedule("0 9 * * *", key="other")

    async with daemon(disk, "08:30", same, other) as it:
        disk.running["same"] = 1
        await it.look("09:00")
        before = disk.rows["same"]
        it.source.update([same, schedule("0 10 * * *", key="other")])
        await it.look("09:01")
        kept, moved = disk.rows["same"], disk.rows["other"]["due"]
        disk.running["same"] = 0
        await it.look("09:02")

    assert kept == before
    assert moved == "2026-11-23T10:00:00Z"
    assert disk.fired("same") == ["09:00"]


async def test_a_thousand_new_schedules_are_armed_with_turns_for_others_in_between():
    disk = Disk()
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with daemon(disk, "08:30") as it:
        it.source.update([schedule(key=f"s{number}") for number in range(1000)])
        beside = asyncio.create_task(others())
        await it.look("08:31")
        beside.cancel()

    assert len(disk.rows) == 1000
    assert turns >= 50


async def test_what_is_switched_off_forgets_and_does_not_catch_up_on_the_time_between():
    disk = Disk()

    async with daemon(disk, "08:30", schedule(catchup="all")) as it:
        it.source.update([schedule(catchup="all", enabled=False)])
        await it.watch("08:31", "10:30")
        off = dict(disk.rows)
        it.source.update([schedule(catchup="all")])
        await it.watch("10:31", "11:00")

    assert off == {}
    assert (disk.fired(), disk.withheld()) == (["11:00"], [])


async def test_slots_that_wait_when_their_trigger_is_switched_off_are_told_of():
    disk = Disk()

    async with daemon(disk, "08:30", schedule(overlap="queue")) as it:
        disk.running["digest"] = 1
        await it.look("09:00")
        it.source.update([schedule(overlap="queue", enabled=False)])
        await it.look("09:01")

    assert disk.withheld() == [("09:00", "disabled")]
    assert disk.rows == {}


async def test_a_trigger_that_is_gone_leaves_nothing_behind():
    disk = Disk()

    async with daemon(disk, "08:30", schedule(), schedule(key="other")) as it:
        it.source.update([schedule(key="other")])
        await it.look("09:00")

    assert list(disk.rows) == ["other"]
    assert {event.address for event in disk.events} == {"other"}


@pytest.mark.parametrize("row", [None, 5, [], {}, {"due": "soon"}, {"due": 5}, {"due": "0001-01-01T00:00:00Z"}])
async def test_an_enabled_schedule_without_a_usable_due_row_is_armed_again(row: Any):
    disk = Disk()
    if row is not None:
        disk.rows["digest"] = {"cron": "0 * * * *", "timezone": "UTC"} | row if isinstance(row, dict) else row

    async with daemon(disk, "08:30", schedule()) as it:
        await it.look("09:00")

    assert disk.fired() == ["09:00"]


async def test_a_due_time_that_the_zones_rules_no_longer_give_moves_to_the_next_that_they_do():
    disk = Disk()
    disk.rows["digest"] = {"cron": "0 * * * *", "timezone": "UTC", "due": "2026-11-23T09:30:00Z"}

    async with daemon(disk, "09:45", schedule()) as it:
        await it.look("09:45")
        await it.look("10:00")

    assert disk.fired() == ["10:00"]


async def test_a_clock_that_jumps_forward_makes_missed_slots_and_not_a_burst():
    disk = Disk()

    async with daemon(disk, "08:30", schedule()) as it:
        await it.look("08:31")
        await it.look("11:20")  # a notebook that slept
        await it.watch("11:21", "12:00")

    assert disk.fired() == ["11:00", "12:00"]
    assert disk.withheld() == [("09:00", "catchup_skipped"), ("10:00", "catchup_skipped")]


async def test_a_clock_that_goes_back_neither_fires_twice_nor_stands_still():
    disk = Disk()

    async with daemon(disk, "08:55", schedule("*/10 * * * *")) as it:
        await it.watch("08:55", "09:25")
        await it.watch("08:45", "09:45")  # set back by forty minutes

    assert disk.fired() == ["09:00", "09:10", "09:20", "08:50", "09:30", "09:40"]
    assert disk.withheld() == []


async def test_a_clock_that_was_years_ahead_does_not_leave_a_schedule_dead():
    disk = Disk()

    async with daemon(disk, "2036-01-01T08:55:00Z", schedule()) as it:
        await it.look("2036-01-01T09:00:00Z")
        await it.look("08:58")
        await it.look("08:59")
        await it.look("09:00")
    async with daemon(disk, "2036-01-01T08:55:00Z", schedule()):
        pass
    async with daemon(disk, "09:01", schedule()) as it:
        await it.watch("09:01", "10:00")

    assert disk.fired() == ["09:00", "09:00", "10:00"]


async def test_jitter_is_the_same_after_a_restart_and_keeps_the_order():
    disks = [Disk(), Disk()]
    trigger = schedule("* * * * *", jitter_s=120.0)

    for disk in disks:
        async with daemon(disk, "09:00", trigger) as it:
            now = at("09:00")
            while now < at("09:30"):
                now += timedelta(seconds=1)
                await it.look(now)

    fired = [[(stamp(event), event.document["trigger"]["firedAt"]) for event in disk.events] for disk in disks]
    delays = [(datetime.fromisoformat(late) - at(slot)).total_seconds() for slot, late in fired[0]]
    assert fired[0] == fired[1]
    assert fired[0] == sorted(fired[0])
    assert 0 <= min(delays) < 60 < max(delays) <= 121


async def test_different_schedules_of_one_time_get_different_jitter():
    spec = schedule(jitter_s=3600.0).spec

    delays = {spec.ready(f"trigger-{number}", NINE) - NINE for number in range(100)}

    assert len(delays) == 100
    assert all(timedelta(0) <= delay < timedelta(hours=1) for delay in delays)


async def test_a_source_whose_memory_cannot_be_kept_does_not_open():
    disk = Disk()
    disk.unavailable = 1

    with pytest.raises(SourceError, match="disk is full"):
        async with daemon(disk, "08:30", schedule()):
            pass


async def test_overdue_names_schedules_that_were_not_dealt_with():
    disk = Disk()

    async with daemon(disk, "08:30", schedule(), schedule("0 12 * * *", key="noon")) as it:
        healthy = it.source.overdue(60)
        disk.unavailable = 10_000
        await it.look("09:05")
        overdue = it.source.overdue(60)

    assert (healthy, overdue) == ({}, {"digest": NINE})


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
