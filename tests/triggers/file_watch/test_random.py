"""Whatever happens to a tree, following the events leads to what is there; also through restarts and polling."""

from __future__ import annotations

import asyncio
import os
import random
import shutil

import pytest

ALL = ["created", "modified", "deleted", "moved"]


class Vandal:
    """Does anything to a folder, at random and quickly."""

    def __init__(self, folder, outside, seed):
        self.folder, self.outside = folder, outside
        self.random = random.Random(seed)
        self.count = 0

    def strike(self):
        self.count += 1
        act = self.random.choice(
            [
                self.write,
                self.write,
                self.write,
                self.append,
                self.move,
                self.delete,
                self.replace,
                self.make,
                self.move_folder,
                self.leave,
                self.come,
                self.remove_folder,
            ]
        )
        act()

    def folders(self):
        return [self.folder, *(path for path in self.folder.rglob("*") if path.is_dir())]

    def file(self):
        return self.random.choice([path for path in self.folder.rglob("*") if path.is_file()] or [None])

    def new(self):
        return self.random.choice(self.folders()) / f"f{self.random.randrange(12)}"

    def write(self):
        path = self.new()
        if not path.is_dir():
            path.write_text("x" * self.random.randrange(1, 50) + str(self.count))

    def append(self):
        if path := self.file():
            with path.open("a") as file:
                file.write(f"more {self.count}")

    def move(self):
        path, target = self.file(), self.new()
        if path and not target.is_dir():
            path.replace(target)

    def replace(self):
        path = self.file()
        if path:
            (self.outside / "new").write_text(f"new {self.count}")
            (self.outside / "new").replace(path)

    def delete(self):
        if path := self.file():
            path.unlink()

    def make(self):
        (self.random.choice(self.folders()) / f"d{self.random.randrange(3)}" / "deep").mkdir(parents=True, exist_ok=True)

    def move_folder(self):
        source, target = self.random.choice(self.folders()), self.random.choice(self.folders()) / f"d{self.random.randrange(9)}"
        if source != self.folder and not target.exists() and not target.is_relative_to(source):
            source.rename(target)

    def leave(self):
        source = self.random.choice(self.folders())
        if source != self.folder:
            source.rename(self.outside / f"gone{self.count}")

    def come(self):
        away = [path for path in self.outside.iterdir() if path.is_dir()]
        target = self.random.choice(self.folders()) / f"d{self.random.randrange(9)}"
        if away and not target.exists():
            self.random.choice(away).rename(target)

    def remove_folder(self):
        if self.random.random() < 0.3:
            source = self.random.choice(self.folders())
            if source != self.folder:
                shutil.rmtree(source)


def follow(state, file):
    """What a mirror would do."""
    if file["event"] == "deleted":
        state.pop(file["path"], None)
        return
    if file["event"] == "moved":
        state.pop(file["oldPath"], None)
    state[file["path"]] = file["size"]


async def still(world, watch):
    async with asyncio.timeout(world.patience_s):
        calm = 0
        while calm < 3:
            await asyncio.sleep(0.1)
            busy = len(watch._watching.settling) or any(root.asked for w in watch._watching.watchers.values() for root in w.roots)
            calm = 0 if busy else calm + 1


@pytest.mark.parametrize(("seed", "poll"), [(1, "auto"), (102, "auto"), (4, "always")])
async def test_following_the_events_leads_to_what_is_there(world, disk, inbox, tmp_path, seed, poll):
    outside = tmp_path / "outside"
    outside.mkdir()
    vandal = Vandal(inbox, outside, seed)
    mine = world.trigger(inbox, events=ALL, initial="emit", poll=poll)
    for _ in range(3):
        async with world.watching(mine, poll_interval_s=0.05) as watch:
            for _ in range(60):
                vandal.strike()
                await asyncio.sleep(vandal.random.choice([0, 0, 0.002, 0.02]))
            if vandal.random.random() < 0.5:
                await still(world, watch)
        for _ in range(20):
            vandal.strike()

    async with world.watching(mine, poll_interval_s=0.05) as watch:
        await still(world, watch)
        known = {
            path: watch._watching.ledgers["inbox"].entries.get(path).version.size
            for path in watch._watching.ledgers["inbox"].entries
        }

    mirror = {}
    while not disk.events.empty():
        follow(mirror, disk.events.get_nowait().document["file"])
    there = {str(path): os.stat(path).st_size for path in inbox.rglob("*") if path.is_file()}
    assert known == there
    assert mirror == there
