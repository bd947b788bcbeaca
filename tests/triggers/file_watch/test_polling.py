"""Where nobody tells of changes: polling, a queue that ran over, limits of the kernel."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from watchdog.observers.inotify_c import InotifyConstants, InotifyEvent

from triggers.files.mounts import is_silent, mount_in

ALL = ["created", "modified", "deleted", "moved"]
TABLE = r"""
22 1 0:1 / / rw - overlay overlay rw
23 22 0:2 / /mnt/with\040space rw shared:1 - nfs4 server:/export rw
24 22 0:3 / /mnt rw - ext4 /dev/sda rw
25 24 0:4 / /mnt/b rw - fuse.sshfs me@there:/ rw
26 24 0:5 / /mnt/c rw - xfs /dev/sdb rw
27 26 0:5 / /mnt/c rw - cifs //server/share rw
"""


async def test_polling_finds_what_inotify_would_tell(world, disk, inbox):
    (inbox / "old").write_text("x")
    async with world.watching(world.trigger(inbox, poll="always", events=ALL), poll_interval_s=0.05) as watch:
        assert watch._watching.watchers["inbox"].roots[0].watched is None
        (inbox / "a").write_text("x")
        created = await disk.next_file()
        (inbox / "a").write_text("xx")
        modified = await disk.next_file()
        (inbox / "a").rename(inbox / "b")
        moved = await disk.next_file()
        (inbox / "b").unlink()
        deleted = await disk.next_file()

        await world.quiet(watch)
    assert [event["event"] for event in (created, modified, moved, deleted)] == ["created", "modified", "moved", "deleted"]


async def test_a_polled_file_that_grows_is_taken_when_it_has_stopped(world, disk, inbox):
    async with world.watching(world.trigger(inbox, poll="always", settle="200ms"), poll_interval_s=0.03) as watch:
        with (inbox / "a").open("wb") as file:
            for _ in range(10):
                file.write(b"x" * 10)
                file.flush()
                await asyncio.sleep(0.05)

        event = await disk.next_file()

        await world.quiet(watch)
    assert event["size"] == 100


async def test_a_queue_that_ran_over_is_made_up_for_by_looking_at_everything(world, disk, inbox):
    async with world.watching(world.trigger(inbox)) as watch:
        reader = watch._watching.notifier._descriptor
        reader.on_event = None
        lost = watch._inbox
        lost.close()  # what is told from here on is lost
        (inbox / "d").mkdir()
        (inbox / "d" / "a").write_text("x")
        await asyncio.sleep(0.1)
        lost._closed = False

        reader.handle_event(InotifyEvent(-1, InotifyConstants.IN_Q_OVERFLOW, 0, b""))

        first = await disk.next_file()
        (inbox / "d" / "b").write_text("y")
        second = await disk.next_file()
        await world.quiet(watch)
    assert (first["name"], second["name"]) == ("a", "b")


async def test_the_kernels_queue_itself_may_run_over(world, disk, inbox):
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 20_000:
        pytest.skip("the queue of this machine is too long for a quick test")
    async with world.watching(world.trigger(inbox)) as watch:
        reader = watch._watching.notifier._descriptor
        told = []
        original = watch._overflowed
        watch._overflowed = lambda: (told.append(1), original())
        with reader._lock:  # it reads nothing while we hold this
            fds = [os.open(inbox / f"{number}", os.O_CREAT | os.O_WRONLY) for number in range(2)]
            for _ in range(limit // 2 + 5000):
                for fd in fds:
                    os.pwrite(fd, b"x", 0)
            for fd in fds:
                os.close(fd)
            (inbox / "last").write_text("x")

        names = {(await disk.next_file())["name"] for _ in range(3)}

    assert names == {"0", "1", "last"}
    assert told


async def test_a_regular_look_finds_what_was_never_told(world, disk, inbox):
    async with world.watching(world.trigger(inbox), rescan_interval_s=0.2) as watch:
        watch._inbox.close()
        (inbox / "a").write_text("x")

        event = await disk.next_file()

    assert event["name"] == "a"


async def test_a_reader_that_fails_is_replaced_by_polling(world, disk, inbox):
    async with world.watching(world.trigger(inbox), poll_interval_s=0.05) as watch:
        watch._watching.notifier._on_failure()
        (inbox / "a").write_text("x")
        first = await disk.next_file()
        async with asyncio.timeout(world.patience_s):
            while not watch._watching.watchers["inbox"].roots[0].silent:
                await asyncio.sleep(0.01)
        (inbox / "b").write_text("x")

        second = await disk.next_file()

    assert (first["name"], second["name"]) == ("a", "b")


async def test_a_tree_with_more_folders_than_may_be_watched_is_polled_as_well(world, disk, inbox):
    (inbox / "d").mkdir()
    async with world.watching(world.trigger(inbox), poll_interval_s=0.05) as watch:
        watch._watching.notifier._on_limit()
        watch._watching.something_to_survey.set()
        watch._inbox.close()
        (inbox / "d" / "a").write_text("x")

        event = await disk.next_file()

        assert watch._watching.watchers["inbox"].roots[0].polled
    assert event["name"] == "a"


async def test_files_beyond_the_limit_are_not_watched(world, disk, inbox):
    async with world.watching(world.trigger(inbox), max_files=2) as watch:
        for name in "abcd":
            (inbox / name).write_text("x")

        events = [await disk.next_file() for _ in range(2)]

        await world.quiet(watch)
    assert len({event["name"] for event in events}) == 2


@pytest.mark.parametrize(
    ("path", "mount", "silent"),
    [
        ("/srv/in", "overlay overlay", False),
        ("/mnt/with space/x", "nfs4 server:/export", True),
        ("/mnt/with spaces", "ext4 /dev/sda", False),
        ("/mnt/b", "fuse.sshfs me@there:/", True),
        ("/mnt/c/x", "cifs //server/share", True),
        ("/mnt/bb", "ext4 /dev/sda", False),
    ],
)
def test_the_file_system_of_a_path_says_whether_it_tells(path, mount, silent):
    assert mount_in(TABLE, path) == mount
    assert is_silent(mount) == silent
