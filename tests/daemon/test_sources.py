"""The daemon's sources: opened when a trigger needs them, updated, closed; and what a source that fails does."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from daemon.sources import Sources
from triggers.source import SourceError


class Listening:
    """Another source: it says what happens to it."""

    def __init__(self, story, *, fails=None, ends=None):
        self.story = story
        self.fails = fails
        self.ends = ends
        self.opened = asyncio.Event()

    def update(self, triggers):
        self.story.append(("update", [trigger.key for trigger in triggers]))

    @asynccontextmanager
    async def open(self, emit):
        if self.fails:
            raise self.fails
        self.story.append(("open", None))
        self.emit = emit
        self.opened.set()
        yield
        self.story.append(("close", None))

    async def run(self):
        if self.ends:
            raise self.ends


def a_trigger(key, kind):
    return SimpleNamespace(key=key, type=kind)


async def emit(event):
    raise AssertionError(event)


async def test_only_what_triggers_need_is_opened_and_what_is_always_wanted():
    made = {}

    def make(kind):
        made[kind] = Listening([])
        return made[kind]

    sources = Sources(make, emit, always=("webhook",))
    await sources.start([a_trigger("a", "schedule")])
    await sources.close()

    assert made.keys() == {"webhook", "schedule"}
    assert made["schedule"].story == [("update", ["a"]), ("open", None), ("close", None)]
    assert made["webhook"].story[0] == ("update", [])


async def test_a_type_that_comes_later_is_opened_and_one_that_goes_is_updated_to_nothing():
    made = {}

    def make(kind):
        made[kind] = Listening([])
        return made[kind]

    sources = Sources(make, emit)
    await sources.start([a_trigger("a", "schedule")])
    prepared = await sources.prepare([a_trigger("b", "file-watch")])
    assert made["schedule"].story == [("update", ["a"]), ("open", None)]
    prepared.swap()
    await sources.close()

    assert made["schedule"].story == [("update", ["a"]), ("open", None), ("update", []), ("close", None)]
    assert made["file-watch"].story == [("update", ["b"]), ("open", None), ("close", None)]


async def test_a_source_that_cannot_be_opened_stops_the_start_with_its_reason():
    sources = Sources(lambda _kind: Listening([], fails=SourceError("the port is taken")), emit, always=("webhook",))

    with pytest.raises(SourceError, match="the port is taken"):
        await sources.start([])

    await sources.close()


async def test_a_source_that_gives_up_later_is_told_and_the_others_close_in_order():
    stories = {"webhook": [], "schedule": []}
    sources = Sources(
        lambda kind: Listening(stories[kind], ends=RuntimeError("a defect") if kind == "schedule" else None),
        emit,
        always=("webhook",),
    )
    await sources.start([a_trigger("a", "schedule")])

    with pytest.raises(RuntimeError, match="a defect"):
        async with asyncio.timeout(5):
            await asyncio.shield(sources.broken)
    await sources.close()

    assert stories["webhook"][-1] == ("close", None)


async def test_what_a_source_hands_in_before_its_triggers_are_in_force_waits_for_them():
    made, seen = {}, []

    class Emitting:
        async def __call__(self, event):
            seen.append(event)
            return event

        async def together(self, events):
            seen.extend(events)
            return events

    def make(kind):
        made[kind] = Listening([])
        return made[kind]

    sources = Sources(make, Emitting())
    prepared = await sources.prepare([a_trigger("a", "schedule")])
    early = [asyncio.create_task(work) for work in (made["schedule"].emit("one"), made["schedule"].emit.together(["two"]))]
    await asyncio.sleep(0)

    assert seen == []
    prepared.swap()
    assert await asyncio.gather(*early) == ["one", ["two"]]
    assert await made["schedule"].emit("three") == "three"
    await sources.close()


async def test_a_source_that_cannot_be_opened_later_leaves_everything_as_it_was():
    made = {}

    def make(kind):
        made[kind] = Listening([], fails=SourceError("no such folder") if kind == "file-watch" else None)
        return made[kind]

    sources = Sources(make, emit)
    await sources.start([a_trigger("a", "webhook")])

    with pytest.raises(SourceError, match="no such folder"):
        await sources.prepare([a_trigger("b", "webhook"), a_trigger("c", "schedule"), a_trigger("d", "file-watch")])

    assert not sources.broken.done()
    assert made["webhook"].story == [("update", ["a"]), ("open", None)]
    assert made["schedule"].story[-1] == ("close", None)
    await sources.close()


async def test_a_source_whose_triggers_are_the_same_is_not_told():
    made = {}

    def make(kind):
        made[kind] = Listening([])
        return made[kind]

    kept, other = a_trigger("a", "schedule"), a_trigger("b", "webhook")
    sources = Sources(make, emit)
    await sources.start([kept, other])
    (await sources.prepare([kept, a_trigger("b", "webhook")])).swap()
    await sources.close()

    assert made["schedule"].story == [("update", ["a"]), ("open", None), ("close", None)]
    assert made["webhook"].story[2] == ("update", ["b"])
