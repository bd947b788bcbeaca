"""Start-up is a delta: what the ledger is for, and what it survives."""

from __future__ import annotations

import asyncio
import os
import time

import pytest

ALL = ["created", "modified", "deleted", "moved"]


async def test_at_its_first_start_a_trigger_takes_what_is_there_as_it_is(world, disk, inbox):
    (inbox / "a").write_text("x")
    async with world.watching(world.trigger(inbox)) as watch:
        await world.quiet(watch)
        (inbox / "a").write_text("xx")

        event = await disk.next_file()

    assert event["event"] == "modified"


async def test_with_initial_emit_what_is_there_is_created_once(world, disk, inbox):
    (inbox / "a").write_text("x")
    for start in range(2):
        async with world.watching(world.trigger(inbox, initial="emit")) as watch:
            if start == 0:
                assert (await disk.next_file())["event"] == "created"

            await world.quiet(watch)


async def test_a_file_that_comes_after_the_definition_and_before_the_first_look_is_an_event(world, disk, inbox):
    (inbox / "before").write_text("x")
    await asyncio.sleep(0.02)
    watch = world.source()
    watch.update([world.trigger(inbox)])
    time.sleep(0.02)
    (inbox / "after").write_text("x")
    async with watch.open(disk.emit):
        running = asyncio.create_task(watch.run())

        event = await disk.next_file()

        await world.quiet(watch)
        running.cancel()
    assert event["name"] == "after"


async def test_what_changed_while_the_daemon_was_down_is_found(world, disk, inbox):
    for name in ("same", "touched", "changed", "gone", "old"):
        (inbox / name).write_text(name)
    async with world.watching(world.trigger(inbox, events=ALL)) as watch:
        await world.quiet(watch)
        await world.read()
    os.utime(inbox / "touched", (5, 5))
    (inbox / "changed").write_text("other")
    (inbox / "gone").unlink()
    (inbox / "old").rename(inbox / "moved")
    (inbox / "new").write_text("n")

    async with world.watching(world.trigger(inbox, events=ALL)) as watch:
        events = [await disk.next() for _ in range(5)]

        await world.quiet(watch)
    assert {(event.document["file"]["name"], event.document["file"]["event"], bool(event.withheld)) for event in events} == {
        ("touched", "modified", True),
        ("changed", "modified", False),
        ("gone", "deleted", False),
        ("moved", "moved", False),
        ("new", "created", False),
    }


async def test_nothing_comes_twice_over_many_restarts(world, disk, inbox):
    names = []
    for start in range(5):
        async with world.watching(world.trigger(inbox)) as watch:
            (inbox / f"{start}").write_text("x")
            names.append((await disk.next_file())["name"])

            await world.quiet(watch)

    assert names == [str(start) for start in range(5)]


async def test_the_ledger_is_saved_with_the_event_or_not_at_all(world, disk, inbox):
    async with world.watching(world.trigger(inbox)) as watch:
        disk.down = 1_000_000
        (inbox / "a").write_text("x")
        async with asyncio.timeout(world.patience_s):
            while disk.down == 1_000_000:
                await asyncio.sleep(0.01)
        before = [key for key in disk.rows if key.endswith("/a")]
        disk.down = 0

        event = await disk.next()

        await world.quiet(watch)
    (row,) = [row for key, row in disk.rows.items() if key.endswith("/a")]
    assert before == []
    assert row == event.state["inbox:" + event.document["file"]["path"]]
    assert row["sha256"] == event.document["file"]["sha256"]


async def test_a_process_that_dies_after_the_commit_does_not_fire_again(world, disk, inbox):
    watch = world.source()
    watch.update([world.trigger(inbox)])
    async with watch.open(disk.emit):
        running = asyncio.create_task(watch.run())
        await world.looked(watch)
        disk.crash = True
        (inbox / "a").write_text("x")
        event = await disk.next_file()
        running.cancel()
        disk.crash = False

    async with world.watching(world.trigger(inbox)) as watch:
        await world.quiet(watch)

    assert event["name"] == "a"


async def test_a_version_whose_event_is_known_is_remembered_without_another(world, disk, inbox):
    async with world.watching(world.trigger(inbox)) as watch:
        (inbox / "a").write_text("x")
        await disk.next()
        await world.quiet(watch)
    del disk.rows[f"inbox:{inbox / 'a'}"]

    async with world.watching(world.trigger(inbox)) as watch:
        await world.quiet(watch)

    assert f"inbox:{inbox / 'a'}" in disk.rows


async def test_a_wider_pattern_takes_the_files_it_brings_into_view_as_they_are(world, disk, inbox):
    (inbox / "a.txt").write_text("x")
    (inbox / "b.pdf").write_text("x")
    async with world.watching(world.trigger(inbox, include=["*.pdf"])) as watch:
        await world.quiet(watch)

    (inbox / "b.pdf").write_text("changed")
    await asyncio.sleep(0.02)
    async with world.watching(world.trigger(inbox)) as watch:
        event = await disk.next_file()

        await world.quiet(watch)
    assert (event["event"], event["name"]) == ("modified", "b.pdf")


async def test_a_narrower_pattern_forgets_without_a_deletion(world, disk, inbox):
    (inbox / "a.txt").write_text("x")
    async with world.watching(world.trigger(inbox, events=ALL)):
        pass

    async with world.watching(world.trigger(inbox, events=ALL, include=["*.pdf"])) as watch:
        await world.quiet(watch)

    assert [key for key in disk.rows if key.endswith("a.txt")] == []


async def test_a_trigger_that_comes_back_fires_for_what_came_meanwhile(world, disk, inbox):
    mine = world.trigger(inbox)
    async with world.watching(mine) as watch:
        watch.update([])
        await world.looked(watch, 0)
        (inbox / "a").write_text("x")
        watch.update([mine])

        event = await disk.next_file()

        await world.quiet(watch)
    assert event["event"] == "created"


async def test_the_files_of_a_trigger_that_is_away_for_long_are_forgotten(world, disk, inbox):
    (inbox / "a").write_text("x")
    async with world.watching(world.trigger(inbox)):
        pass
    async with world.watching():
        await asyncio.sleep(0.05)

    async with world.watching(forget_after_s=0.0):
        pass

    assert disk.rows == {}


@pytest.mark.parametrize("poll", ["auto", "always"])
async def test_a_mount_that_is_not_there_is_no_mass_deletion(world, disk, inbox, poll):
    (inbox / "a").write_text("x")
    async with world.watching(world.trigger(inbox, events=ALL)):
        pass
    disk.rows["inbox:"]["mounts"] = {str(inbox): "nfs server:/export"}
    (inbox / "a").rename(inbox.parent / "a")

    async with world.watching(world.trigger(inbox, events=ALL, poll=poll), poll_interval_s=0.05) as watch:
        await world.quiet(watch)
        (inbox.parent / "a").rename(inbox / "a")
        await world.quiet(watch)

    assert f"inbox:{inbox / 'a'}" in disk.rows


async def test_a_ledger_that_cannot_be_read_makes_its_files_new_ones(world, disk, inbox):
    disk.rows = {f"inbox:{inbox / 'a'}": {"nonsense": 1}, "inbox:": {"what": 2}, "other": 3, "%zz:%zz": None}

    async with world.watching(world.trigger(inbox)) as watch:
        (inbox / "a").write_text("x")

        event = await disk.next_file()

        await world.quiet(watch)
    assert event["event"] == "created"
