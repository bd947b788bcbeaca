"""What is watched: folders that come, go, move and are links, and the files in them."""

from __future__ import annotations

import pytest

ALL = ["created", "modified", "deleted", "moved"]


async def test_a_folder_that_is_renamed_moves_its_files(world, disk, tmp_path, inbox):
    (inbox / "old" / "deep").mkdir(parents=True)
    (inbox / "old" / "deep" / "a").write_text("x")
    (inbox / "old" / "b").write_text("y")
    async with world.watching(world.trigger(inbox, events=ALL)) as watch:
        (inbox / "old").rename(inbox / "new")

        events = [await disk.next_file(), await disk.next_file()]

        await world.quiet(watch)
        (inbox / "new" / "deep" / "c").write_text("z")
        after = await disk.next_file()
    assert {(event["event"], event["oldPath"], event["path"]) for event in events} == {
        ("moved", str(inbox / "old/deep/a"), str(inbox / "new/deep/a")),
        ("moved", str(inbox / "old/b"), str(inbox / "new/b")),
    }
    assert after["path"] == str(inbox / "new/deep/c")


async def test_files_in_a_folder_that_was_just_made_are_not_missed(world, disk, tmp_path, inbox):
    async with world.watching(world.trigger(inbox, include=["**/*.txt"])) as watch:
        for number in range(20):
            folder = inbox / f"d{number}" / "deep" / "deeper"
            folder.mkdir(parents=True)
            (folder / "a.txt").write_text("x")
            (folder / "empty.txt").touch()
            (folder / "a.bin").write_text("x")

        names = {(await disk.next_file())["path"] for _ in range(40)}

        await world.quiet(watch)
    assert len(names) == 40


async def test_a_folder_moved_in_brings_its_files(world, disk, tmp_path, inbox):
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "e" / "a").write_text("x")
    async with world.watching(world.trigger(inbox)) as watch:
        (tmp_path / "d").rename(inbox / "d")

        event = await disk.next_file()

        await world.quiet(watch)
    assert (event["event"], event["path"]) == ("created", str(inbox / "d/e/a"))


async def test_a_folder_moved_out_takes_its_files(world, disk, tmp_path, inbox):
    (inbox / "d" / "e").mkdir(parents=True)
    (inbox / "d" / "e" / "a").write_text("x")
    async with world.watching(world.trigger(inbox, events=ALL)) as watch:
        (inbox / "d").rename(tmp_path / "d")

        event = await disk.next_file()

        await world.quiet(watch)
    assert (event["event"], event["path"]) == ("deleted", str(inbox / "d/e/a"))


async def test_subfolders_are_left_alone_where_recursive_is_false(world, disk, tmp_path, inbox):
    (inbox / "d").mkdir()
    async with world.watching(world.trigger(inbox, recursive=False)) as watch:
        (inbox / "d" / "a").write_text("x")
        (inbox / "b").write_text("x")

        event = await disk.next_file()

        await world.quiet(watch)
    assert event["name"] == "b"


async def test_a_relative_path_is_read_from_the_home(world, disk, tmp_path, inbox):
    async with world.watching(world.trigger("./in")):
        (inbox / "a").write_text("x")

        event = await disk.next_file()

    assert event["path"] == str(inbox / "a")


async def test_symlinks_to_files_are_files_and_to_folders_are_not_entered(world, disk, tmp_path, inbox):
    (tmp_path / "target").write_text("content")
    async with world.watching(world.trigger(inbox)) as watch:
        (inbox / "loop").symlink_to(inbox, target_is_directory=True)
        (inbox / "dangling").symlink_to("nowhere")
        (inbox / "itself").symlink_to("itself")
        (inbox / "link").symlink_to(tmp_path / "target")

        event = await disk.next_file()

        await world.quiet(watch)
    assert (event["path"], event["size"]) == (str(inbox / "link"), 7)


async def test_a_watched_path_that_is_a_symlink_keeps_its_name(world, disk, tmp_path, inbox):
    (tmp_path / "link").symlink_to(inbox, target_is_directory=True)
    async with world.watching(world.trigger(tmp_path / "link")):
        (inbox / "a").write_text("x")

        event = await disk.next_file()

    assert event["path"] == str(tmp_path / "link" / "a")


@pytest.mark.parametrize("poll", ["auto", "always"])
async def test_a_path_that_is_not_there_is_waited_for(world, disk, tmp_path, poll):
    folder = tmp_path / "x" / "y" / "in"
    async with world.watching(world.trigger(folder, poll=poll), poll_interval_s=0.05) as watch:
        folder.mkdir(parents=True)
        (folder / "a").write_text("x")

        event = await disk.next_file()

        await world.quiet(watch)
    assert event["path"] == str(folder / "a")


async def test_a_watched_folder_that_is_deleted_and_made_again_is_watched_again(world, disk, tmp_path, inbox):
    (inbox / "a").write_text("x")
    async with world.watching(world.trigger(inbox, events=ALL)) as watch:
        for round_ in range(2):
            for file in inbox.iterdir():
                file.unlink()
            inbox.rmdir()
            gone = await disk.next_file()
            inbox.mkdir()
            (inbox / f"b{round_}").write_text("y")
            came = await disk.next_file()

            assert (gone["event"], came["event"], came["name"]) == ("deleted", "created", f"b{round_}")
        await world.quiet(watch)


async def test_a_watched_folder_that_is_moved_away_is_not_a_mass_deletion(world, disk, tmp_path, inbox):
    (inbox / "a").write_text("x")
    async with world.watching(world.trigger(inbox, events=ALL)) as watch:
        inbox.rename(tmp_path / "away")
        await world.quiet(watch)
        (tmp_path / "away" / "b").write_text("y")
        await world.quiet(watch)
        (tmp_path / "away").rename(inbox)

        event = await disk.next_file()

        await world.quiet(watch)
    assert (event["event"], event["path"]) == ("created", str(inbox / "b"))


async def test_a_folder_watched_twice_is_told_of_to_both(world, disk, inbox):
    deep = inbox / "deep"
    deep.mkdir()
    (inbox / "a").write_text("x")
    async with world.watching(world.trigger(inbox, "outer"), world.trigger(deep, "inner")) as watch:
        with (inbox / "a").open("a") as file:
            file.write("more")
        above = await disk.next()
        (deep / "b").write_text("y")
        below = {(await disk.next()).address, (await disk.next()).address}
        watch.update([world.trigger(inbox, "outer")])
        await world.looked(watch)
        (deep / "c").write_text("z")
        left = await disk.next()

        await world.quiet(watch)
    assert (above.address, below, left.address) == ("outer", {"outer", "inner"}, "outer")


def swap(link, target):
    """As deployments do it: there is no moment without the link."""
    fresh = link.with_name("..fresh")
    fresh.symlink_to(target)
    fresh.replace(link)


async def test_a_link_that_is_swapped_on_the_way_leads_to_another_folder_at_once(world, disk, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "in").mkdir(parents=True)
    (tmp_path / "current").symlink_to("one")
    async with world.watching(world.trigger(tmp_path / "current/in")) as watch:
        swap(tmp_path / "current", "two")
        (tmp_path / "two/in/a").write_text("a")
        first = await disk.next_file()
        await world.quiet(watch)
        swap(tmp_path / "current", "one")  # the new link is watched as the old one was
        (tmp_path / "one/in/b").write_text("b")

        then = await disk.next_file()

    assert (first["path"], then["path"]) == (str(tmp_path / "current/in/a"), str(tmp_path / "current/in/b"))


async def test_files_that_lead_through_a_link_are_looked_at_when_it_is_swapped(world, disk, inbox):
    """A volume of Kubernetes: `settings` leads to `..data/settings`, and an update swaps `..data`."""
    for name in ("one", "three"):
        (inbox / f"..{name}").mkdir()
        (inbox / f"..{name}/settings").write_text(name)
    (inbox / "..data").symlink_to("..one")
    (inbox / "settings").symlink_to("..data/settings")
    async with world.watching(world.trigger(inbox, initial="ignore")):
        await world.read()
        swap(inbox / "..data", "..three")

        event = await disk.next_file()

    assert (event["path"], event["event"], event["size"]) == (str(inbox / "settings"), "modified", 5)
