"""Real files and real inotify: what the file-watch source makes of them."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from pathlib import Path

import pytest

ALL = ["created", "modified", "deleted", "moved"]


async def test_a_new_file_is_one_event_with_all_that_is_known_of_it(world, disk, tmp_path, inbox):
    async with world.watching(world.trigger(inbox)) as watch:
        (inbox / "a b.tar.gz").write_bytes(b"content")

        event = await disk.next()

        await world.quiet(watch)
    path = str(inbox / "a b.tar.gz")
    stat = os.stat(path)
    file = event.document["file"]
    assert file.pop("mtime").endswith("Z")
    assert file == {
        "path": path,
        "name": "a b.tar.gz",
        "ext": ".gz",
        "size": 7,
        "sha256": hashlib.sha256(b"content").hexdigest(),
        "event": "created",
        "uri": (inbox / "a b.tar.gz").as_uri(),
    }
    assert event.document["files"] == [event.document["file"]]
    assert event.document["trigger"] == {"key": "inbox", "type": "file-watch", "firedAt": event.document["time"]}
    assert (event.source, event.address, event.subject) == ("file-watch", "inbox", path)
    assert event.cause.scope == "file:inbox"
    assert event.cause.key.startswith(f"{path}@{stat.st_ino}:7:{stat.st_mtime_ns}")
    assert event.withheld == {}


async def test_one_save_in_many_writes_is_one_event(world, disk, tmp_path, inbox):
    async with world.watching(world.trigger(inbox)) as watch:
        with (inbox / "a").open("wb") as file:
            for _ in range(20):
                file.write(b"x" * 100)
                file.flush()
                await asyncio.sleep(0.01)

        event = await disk.next_file()

        await world.quiet(watch)
    assert event["size"] == 2000


async def test_a_file_whose_writer_pauses_longer_than_settle_is_not_taken_half_written(world, disk, tmp_path, inbox):
    async with world.watching(world.trigger(inbox), open_settle_s=20.0) as watch:
        with (inbox / "a").open("wb") as file:
            await asyncio.sleep(0.3)
            file.write(b"one")
            file.flush()
            await asyncio.sleep(0.3)
            file.write(b"two")

        event = await disk.next_file()

        await world.quiet(watch)
    assert (event["event"], event["size"]) == ("created", 6)


async def test_a_file_that_is_never_closed_is_taken_when_it_has_held_for_long(world, disk, tmp_path, inbox):
    async with world.watching(world.trigger(inbox), open_settle_s=0.3) as watch:
        with (inbox / "a").open("wb") as file:
            file.write(b"one")
            file.flush()

            event = await disk.next_file()

        assert event["size"] == 3
        await world.quiet(watch)


async def test_a_file_moved_in_is_created_and_one_moved_out_is_deleted(world, disk, tmp_path, inbox):
    (tmp_path / "a").write_text("x")
    async with world.watching(world.trigger(inbox, events=ALL)) as watch:
        (tmp_path / "a").rename(inbox / "a")
        came = await disk.next_file()
        (inbox / "a").rename(tmp_path / "b")
        went = await disk.next_file()

        await world.quiet(watch)
    assert (came["event"], went["event"]) == ("created", "deleted")
    assert (went["path"], went["size"], went["sha256"]) == (came["path"], 1, came["sha256"])


async def test_a_rename_within_is_moved_and_says_from_where(world, disk, tmp_path, inbox):
    (inbox / "a").write_text("x")
    async with world.watching(world.trigger(inbox, events=ALL)) as watch:
        (inbox / "a").rename(inbox / "b")

        event = await disk.next_file()

        await world.quiet(watch)
    assert (event["event"], event["path"], event["oldPath"]) == ("moved", str(inbox / "b"), str(inbox / "a"))


async def test_a_file_moved_there_and_back_is_two_events(world, disk, tmp_path, inbox):
    (inbox / "a").write_text("x")
    async with world.watching(world.trigger(inbox, events=ALL)) as watch:
        found = []
        for old, new in (("a", "b"), ("b", "a"), ("a", "b")):
            (inbox / old).rename(inbox / new)
            found.append((await disk.next_file())["name"])

        await world.quiet(watch)
    assert found == ["b", "a", "b"]


async def test_an_atomic_save_is_one_modification(world, disk, tmp_path, inbox):
    (inbox / "a").write_text("old")
    async with world.watching(world.trigger(inbox, events=ALL)) as watch:
        (inbox / "a.new").write_text("newer")
        (inbox / "a.new").replace(inbox / "a")

        event = await disk.next_file()

        await world.quiet(watch)
    assert (event["event"], event["name"], event["size"]) == ("modified", "a", 5)


async def test_an_editor_that_renames_the_old_file_away_makes_one_modification(world, disk, tmp_path, inbox):
    (inbox / "a").write_text("old")
    async with world.watching(world.trigger(inbox, events=ALL)) as watch:
        (inbox / "4913").touch()
        (inbox / "4913").unlink()
        (inbox / "a").rename(inbox / "a~")
        (inbox / "a").write_text("newer")
        (inbox / "a~").unlink()

        event = await disk.next_file()

        await world.quiet(watch)
    assert (event["event"], event["name"], event["size"]) == ("modified", "a", 5)


async def test_a_touch_is_an_event_that_nothing_is_started_for(world, disk, tmp_path, inbox):
    (inbox / "a").write_text("x")
    async with world.watching(world.trigger(inbox)) as watch:
        await world.read()
        os.utime(inbox / "a", (1_000_000_000, 1_000_000_000))

        event = await disk.next()

        await world.quiet(watch)
    assert event.document["file"]["event"] == "modified"
    assert event.withheld["inbox"][0] == "unchanged"


async def test_a_change_of_rights_is_no_event(world, disk, tmp_path, inbox):
    (inbox / "a").write_text("x")
    async with world.watching(world.trigger(inbox)) as watch:
        (inbox / "a").chmod(0o600)

        await world.quiet(watch)


async def test_only_the_events_that_were_asked_for_come(world, disk, tmp_path, inbox):
    (inbox / "a").write_text("x")
    async with world.watching(world.trigger(inbox, events=["deleted"])) as watch:
        (inbox / "b").write_text("y")
        (inbox / "a").write_text("xx")
        (inbox / "b").rename(inbox / "c")
        await world.quiet(watch)
        (inbox / "c").unlink()

        event = await disk.next_file()

        await world.quiet(watch)
    assert (event["event"], event["name"]) == ("deleted", "c")


async def test_each_trigger_that_means_the_file_has_an_event_of_its_own(world, disk, tmp_path, inbox):
    first, second = world.trigger(inbox, "all"), world.trigger(inbox, "pdf", include=["*.pdf"])
    async with world.watching(first, second) as watch:
        (inbox / "a.txt").write_text("x")
        (inbox / "b.pdf").write_text("y")

        events = [await disk.next() for _ in range(3)]

        await world.quiet(watch)
    assert {(event.address, event.document["file"]["name"]) for event in events} == {
        ("all", "a.txt"),
        ("all", "b.pdf"),
        ("pdf", "b.pdf"),
    }


async def test_hidden_files_and_what_editors_leave_are_left_out_unless_exclude_says_otherwise(world, disk, tmp_path, inbox):
    first, second = world.trigger(inbox, "usual"), world.trigger(inbox, "every", exclude=[])
    async with world.watching(first, second) as watch:
        (inbox / ".git").mkdir()
        for name in (".env", ".git/config", "a~", "b.part"):
            (inbox / name).write_text("x")

        events = [await disk.next() for _ in range(4)]

        await world.quiet(watch)
    assert {event.address for event in events} == {"every"}


async def test_a_single_file_is_watched_by_its_name(world, disk, tmp_path, inbox):
    (inbox / ".env").write_text("x")
    async with world.watching(world.trigger(inbox / ".env", events=ALL)) as watch:
        (inbox / "other").write_text("x")
        (inbox / "new").write_text("xyz")
        (inbox / "new").replace(inbox / ".env")
        changed = await disk.next_file()
        (inbox / ".env").unlink()
        gone = await disk.next_file()
        (inbox / ".env").write_text("again")
        back = await disk.next_file()

        await world.quiet(watch)
    assert [event["event"] for event in (changed, gone, back)] == ["modified", "deleted", "created"]
    assert {event["path"] for event in (changed, gone, back)} == {str(inbox / ".env")}


async def test_a_name_that_is_not_utf8_has_a_form_to_show_and_an_exact_address(world, disk, tmp_path, inbox):
    name = b"caf\xe9%.txt"
    raw = os.fsencode(inbox) + b"/" + name
    async with world.watching(world.trigger(inbox, include=["caf?%.txt"], events=ALL)) as watch:
        Path(os.fsdecode(raw)).write_text("x")
        event = await disk.next_file()
        await world.quiet(watch)
    json.dumps(disk.rows, ensure_ascii=False).encode()
    async with world.watching(world.trigger(inbox, include=["caf?%.txt"], events=ALL)) as watch:
        await world.quiet(watch)
        os.unlink(raw)
        gone = await disk.next_file()

    assert (event["name"], event["uri"][-13:]) == ("caf\ufffd%.txt", "caf%E9%25.txt")
    assert (gone["event"], gone["uri"]) == ("deleted", event["uri"])


async def test_what_is_no_file_is_left_alone(world, disk, tmp_path, inbox):
    async with world.watching(world.trigger(inbox)) as watch:
        os.mkfifo(inbox / "pipe")
        (inbox / "folder").mkdir()

        await world.quiet(watch)


async def test_a_hard_link_does_not_wait_for_a_writer(world, disk, tmp_path, inbox):
    (tmp_path / "mail").touch()
    async with world.watching(world.trigger(inbox), open_settle_s=60.0):
        os.link(tmp_path / "mail", inbox / "mail")

        event = await disk.next_file()

    assert event["size"] == 0


async def test_a_file_above_the_cap_has_no_hash(world, disk, tmp_path, inbox):
    async with world.watching(world.trigger(inbox), hash_max_bytes=3):
        (inbox / "a").write_text("four")

        event = await disk.next_file()

    assert event["sha256"] is None


async def test_events_that_cannot_be_made_durable_are_handed_in_later(world, disk, tmp_path, inbox):
    disk.down = 7
    async with world.watching(world.trigger(inbox)) as watch:
        for name in "abc":
            (inbox / name).write_text(name)

        names = {(await disk.next_file())["name"] for _ in range(3)}

        await world.quiet(watch)
    assert names == {"a", "b", "c"}


async def test_leaving_hands_in_what_has_settled_and_the_next_start_the_rest(world, disk, tmp_path, inbox):
    disk.down = 1_000_000
    async with world.watching(world.trigger(inbox)) as watch:
        (inbox / "a").write_text("x")
        async with asyncio.timeout(world.patience_s):
            while disk.down == 1_000_000:
                await asyncio.sleep(0.01)
    disk.down = 0

    async with world.watching(world.trigger(inbox)) as watch:
        event = await disk.next_file()

        await world.quiet(watch)
    assert event["name"] == "a"


async def test_a_new_definition_is_watched_and_an_old_one_is_not(world, disk, tmp_path, inbox):
    other = tmp_path / "other"
    other.mkdir()
    async with world.watching(world.trigger(inbox, "one")) as watch:
        kept = watch._watching.watchers["one"]
        watch.update([world.trigger(inbox, "one"), world.trigger(other, "two")])
        (other / "a").write_text("x")
        event = await disk.next()
        same = watch._watching.watchers["one"] is kept
        watch.update([world.trigger(other, "two")])
        await world.looked(watch)
        (inbox / "b").write_text("x")
        await world.quiet(watch)

    assert event.address == "two"
    assert same


async def test_the_loop_is_not_held_up_by_a_burst(world, disk, tmp_path, inbox):
    async with world.watching(world.trigger(inbox)) as watch:
        await asyncio.to_thread(lambda: [(inbox / f"{number}").write_text("x") for number in range(500)])

        names = {(await disk.next_file())["name"] for _ in range(500)}

        await world.quiet(watch)
    assert len(names) == 500


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
async def test_a_file_that_may_not_be_read_is_an_event_without_a_hash(world, disk, inbox):
    async with world.watching(world.trigger(inbox)):
        (inbox / "a").touch(0o000)

        event = await disk.next_file()

    assert event["sha256"] is None
