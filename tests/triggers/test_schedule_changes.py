"""Schedules whose definitions change: what is due stays, counts from now, or is forgotten."""

import asyncio

from tests.triggers.schedule_bench import Disk, daemon, schedule


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
