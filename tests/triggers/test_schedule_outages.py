"""Schedules over restarts, outages, a store that takes nothing and a clock that is set: no slot is lost, none comes twice."""

from typing import Any

import pytest

from tests.triggers.schedule_bench import NINE, Disk, daemon, schedule, stamp
from triggers.slots import MAX_COUNTED, MAX_SINGLE
from triggers.source import SourceError


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
