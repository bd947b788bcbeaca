"""A disk that keeps the store's contract, and a source at work over real folders."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest

from triggers.files.spec import Settings
from triggers.source import Accepted, Unavailable
from triggers.sources.file_watch import FileWatchSource
from triggers.trigger import Trigger

SETTLE = "60ms"
PATIENCE_S = 10.0  # how long a test waits for what must come; a quiet machine needs a fraction


class Disk:
    """The store's part, as the contract has it: rows, and events whose rows are saved with them or not at all."""

    def __init__(self) -> None:
        self.rows: dict[str, object] = {}
        self.events: asyncio.Queue = asyncio.Queue()
        self.causes: set = set()
        self.down = 0  # so many events cannot be made durable
        self.crash = False  # True: the next event is durable, and its sender never hears of it

    async def load(self):
        return json.loads(json.dumps(self.rows))

    async def save(self, changes):
        for key, value in changes.items():
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = json.loads(json.dumps(value))

    async def emit(self, event):
        if self.down:
            self.down -= 1
            raise Unavailable("the disk is full", retry_after_s=0)
        json.dumps(event.document).encode()
        cause = (event.cause.scope, event.cause.key)
        cause[1].encode()
        if cause in self.causes:
            return Accepted(event.id, (), {}, duplicate=True)
        self.causes.add(cause)
        await self.save(event.state or {})
        self.events.put_nowait(event)
        if self.crash:
            raise asyncio.CancelledError
        return Accepted(event.id, (), {})

    async def next(self):
        return await asyncio.wait_for(self.events.get(), PATIENCE_S)

    async def next_file(self):
        return (await self.next()).document["file"]


class World:
    """One home, one disk, and as many sources after each other as a test starts."""

    patience_s = PATIENCE_S

    def __init__(self, disk, home):
        self.disk = disk
        self.home = home

    def trigger(self, folder, key="inbox", **section):
        section = {"paths": [str(folder)], "settle": SETTLE, **section}
        return Trigger(key, "file-watch", FileWatchSource.prepare(section, key=key), "flow")

    def source(self, **settings):
        return FileWatchSource(Settings(**{"open_settle_s": 0.6, **settings}), state=self.disk, home=self.home)

    @contextlib.asynccontextmanager
    async def watching(self, *triggers, **settings):
        """A source at work whose first look at every path is over."""
        watch = self.source(**settings)
        watch.update(triggers)
        async with watch.open(self.disk.emit):
            running = asyncio.create_task(watch.run())
            try:
                await self.looked(watch, len(triggers), running)
                yield watch
            finally:
                running.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await running

    async def looked(self, watch, count=1, running=None):
        """All definitions are applied, every path has been looked at."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                watchers = watch._watching.watchers.values()
                if len(watchers) == count and all(
                    watcher.surveyed and not any(root.asked for root in watcher.roots) for watcher in watchers
                ):
                    return
                assert running is None or not running.done(), running.exception()
                await asyncio.sleep(0.005)

    async def read(self):
        """The content of all that was there before is known."""
        async with asyncio.timeout(PATIENCE_S):
            while not all(row["sha256"] for key, row in self.disk.rows.items() if not key.endswith(":")):
                await asyncio.sleep(0.005)

    async def quiet(self, watch):
        """Nothing more comes: whatever was told has been looked at."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                await asyncio.sleep(0.15)
                if not len(watch._watching.settling):
                    break
        assert self.disk.events.empty(), self.disk.events.get_nowait().document


@pytest.fixture
def world(disk, tmp_path):
    return World(disk, tmp_path)


@pytest.fixture
def disk():
    return Disk()


@pytest.fixture
def inbox(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    return folder
