"""The schedule source: a slot becomes one event, and what is going on already decides whether it is fired."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.triggers.schedule_bench import NINE, Disk, at, daemon, schedule, stamp
from triggers.slots import MAX_WAITING


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


async def test_a_queue_has_an_end_and_says_so():
    disk = Disk()
    disk.running["digest"] = 1

    async with daemon(disk, "08:30", schedule("* * * * *", overlap="queue")) as it:
        await it.watch("08:30", "10:15")

    assert len(disk.rows["digest"]["waiting"]) == MAX_WAITING
    assert disk.withheld() == [(f"10:{minute}", "overlap_skipped") for minute in ("11", "12", "13", "14", "15")]


async def test_one_schedule_held_up_does_not_hold_up_the_order_of_another():
    disk = Disk()

    async with daemon(disk, "08:30", schedule(key="a"), schedule("*/30 * * * *", key="b")) as it:
        disk.unavailable = 1
        await it.look("09:00")
        await it.look("09:01")

    assert (disk.fired("a"), disk.fired("b")) == (["09:00"], ["09:00"])


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
