"""Whatever happens, each slot ends in exactly one event: fired, or left out with a reason; and the pure rules on their own."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triggers.cron import parse_cron
from triggers.event import Event
from triggers.slots import Armed, Schedule, Slot, plan, turn
from triggers.source import Accepted, Unavailable
from triggers.sources.schedule import ScheduleSource
from triggers.sources.schedule_spec import ScheduleSettings
from triggers.trigger import Trigger

START = datetime(2026, 10, 24, 21, 3, 20, tzinfo=UTC)  # the night before Berlin's clocks go back
CRON = "*/7 * * * *"


class Killed(Exception):  # noqa: N818 - what happened, not what went wrong
    """The process is gone: what it had in memory is gone with it."""


@dataclass
class Store:
    """The store's promises, and a plan of what happens at the next writes: none is kept, or the process dies around one."""

    rows: dict[str, Any] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    causes: set[str] = field(default_factory=set)
    failing: list[str] = field(default_factory=list)
    running: int = 0

    async def load(self) -> dict[str, Any]:
        return dict(self.rows)

    async def save(self, changes: Mapping[str, Any]) -> None:
        self._write(changes, None)

    async def emit(self, event: Event) -> Accepted:
        return self._write(event.state or {}, event)

    def _write(self, changes: Mapping[str, Any], event: Event | None) -> Accepted:
        fails = self.failing.pop() if self.failing else ""
        if fails == "unavailable":
            raise Unavailable("no")
        if fails == "die before":
            raise Killed
        self.rows |= changes
        duplicate = event is not None and event.cause is not None and event.cause.key in self.causes
        if event is not None and event.cause is not None and not duplicate:
            self.causes.add(event.cause.key)
            self.events.append(event)
            self.running += not event.withheld
        if fails == "die after":
            raise Killed
        return Accepted(event.id if event else "", (), {}, duplicate=duplicate)


steps = st.lists(
    st.tuples(st.just("minutes"), st.integers(1, 90))
    | st.tuples(st.just("restart after minutes"), st.integers(0, 1500))
    | st.tuples(st.just("sleep for minutes"), st.integers(6, 1500))
    | st.tuples(
        st.just("fail"), st.lists(st.sampled_from(["unavailable", "die before", "die after", ""]), min_size=1, max_size=4)
    )
    | st.tuples(st.just("runs end"), st.just(0))
    | st.tuples(st.just("edit"), st.just(0)),
    max_size=12,
)
options = st.fixed_dictionaries(
    {
        "overlap": st.sampled_from(["skip", "queue", "queue_one", "allow"]),
        "catchup": st.sampled_from(["none", "last", "all"]),
        "window_s": st.sampled_from([600.0, 7200.0, 86400.0]),
        "jitter_s": st.sampled_from([0.0, 90.0, 1000.0]),
    }
)


async def live(store: Store, trigger: Trigger, history: list[tuple[str, Any]]) -> datetime:
    """Go through it all, with a look every minute. Returns the last moment."""
    now = START

    async def begin() -> ScheduleSource:
        source = ScheduleSource(ScheduleSettings(), state=store, running=lambda _: store.running, clock=lambda: now.timestamp())
        source.update([trigger])
        await dead.enter_async_context(source.open(store.emit))
        return source

    async with AsyncExitStack() as dead:
        source = await begin()
        for what, how in [*history, ("fail", []), ("runs end", 0), ("minutes", 25)]:  # in the end the store takes everything
            if what == "minutes":
                for _ in range(how):
                    now += timedelta(minutes=1)
                    try:
                        await source.fire_due(now)
                    except* Killed:
                        store.failing = []
                        source = await begin()
            elif what == "fail":
                store.failing = list(how)
            elif what == "runs end":
                store.running = 0
            elif what == "edit":
                source.update([trigger])
            else:
                now += timedelta(minutes=how)
                if what == "restart after minutes":
                    store.failing = []
                    source = await begin()
    return now


@settings(max_examples=100, deadline=None)
@given(options, steps)
def test_each_slot_ends_in_exactly_one_event_and_none_is_forgotten(chosen: dict[str, Any], history: list[tuple[str, Any]]):
    cron = parse_cron(CRON, timezone="Europe/Berlin")
    store = Store()

    end = asyncio.run(live(store, Trigger(key="t", type="schedule", spec=Schedule(cron, **chosen), flow="f"), history))

    told: list[datetime] = []
    for event in store.events:
        last = datetime.fromisoformat(event.document["time"])
        about = event.document["trigger"]
        first = datetime.fromisoformat(about.get("firstTime", event.document["time"]))
        told += cron.between(first - timedelta(seconds=1), last, 10_000)
        assert len(cron.between(first - timedelta(seconds=1), last, 10_000)) == about.get("slots", 1)
        assert all(reason for _, reason in event.withheld.values())
    armed = Armed.from_json(store.rows["t"], cron)
    assert armed is not None
    told += armed.waiting
    slots = cron.between(START, end, 10_000)
    assert sorted(told) == slots[: len(told)]
    assert armed.due == (slots[len(told)] if len(told) < len(slots) else cron.next(end))
    assert all(end < Schedule(cron, **chosen).ready("t", slot) for slot in slots[len(told) : len(told) + 1])
    fired = [event.document["time"] for event in store.events if not event.withheld]
    assert fired == sorted(set(fired))


@pytest.mark.parametrize(
    ("overlap", "late", "running", "waiting", "expected"),
    [
        ("skip", False, 0, 0, "fire"),
        ("skip", False, 1, 0, "skip"),
        ("skip", False, 0, 1, "skip"),
        ("skip", True, 1, 0, "wait"),
        ("queue", False, 0, 0, "fire"),
        ("queue", False, 1, 0, "wait"),
        ("queue", False, 0, 1, "wait"),
        ("queue", False, 1, 100, "skip"),
        ("queue_one", False, 1, 0, "wait"),
        ("queue_one", False, 1, 1, "skip"),
        ("queue_one", True, 1, 1, "wait"),
        ("allow", False, 9, 9, "fire"),
    ],
)
def test_whose_turn_it_is(overlap: Any, late: bool, running: int, waiting: int, expected: str):
    chosen = Schedule(parse_cron(CRON, timezone=None), overlap=overlap)

    what, why = turn(chosen, Slot(START, START, late=late), running=running, waiting=waiting)

    assert (what, bool(why)) == (expected, expected == "skip")


def test_nothing_is_planned_before_its_time():
    chosen = Schedule(parse_cron("0 * * * *", timezone=None))
    due = datetime(2026, 11, 23, 9, tzinfo=UTC)

    assert list(plan(chosen, "t", due, now=due - timedelta(microseconds=1), watched_from=START)) == []
    assert [slot.at for slot in plan(chosen, "t", due, now=due, watched_from=START)] == [due]


def test_what_is_armed_comes_back_from_disk_as_it_was():
    cron = parse_cron(CRON, timezone="Europe/Berlin")
    armed = Armed(START.replace(second=0), START.replace(second=5), (START, START + timedelta(minutes=7)))

    assert Armed.from_json(armed.to_json(cron), cron) == armed
    assert Armed.from_json(armed.to_json(cron), parse_cron(CRON, timezone="UTC")) is None
