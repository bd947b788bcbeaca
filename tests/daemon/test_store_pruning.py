"""Pruning: what goes, what stays, and that nobody is held up by it."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from time import time

import pytest

from daemon.store import compiled, open_store
from daemon.store.hot import Hot
from daemon.store.pruning import EVENTS, RUNS, Pruning
from tests.daemon.store_rows import a_run, an_attempt, an_event, dispatched, finish
from triggers.event import Cause
from triggers.ids import first_id, new_id


@pytest.fixture
async def store(location):
    async with open_store(location, token="daemon-1") as opened:
        yield opened


async def test_old_events_are_pruned_with_their_runs_and_live_ones_stay(store):
    later = time() + 31 * 86_400
    old, live, new = an_event(), an_event(), replace(an_event(), id=f"{first_id('evt', later)}0000000000000000")
    ended, going = a_run(old), a_run(live)
    await store.accept(old, [dispatched(ended)])
    await store.accept(live, [dispatched(going)])
    await store.accept(new, [])
    await finish(store, replace(ended, status="completed", finished_at=1000.0), [an_attempt()])

    pruned = await store.prune(age_days=30, rows=None, now=later)

    assert pruned == 1
    assert [event.id for event in await store.events()] == [new.id, live.id]
    assert await store.run(ended.id) is None
    assert (await store.run(going.id)).status == "queued"


async def test_a_cause_goes_with_its_event_so_that_slots_do_not_gather_for_ever(store):
    cause = Cause("schedule:daily", "slot")
    await store.accept(an_event(cause=cause), [])

    await store.prune(age_days=None, rows=0, now=2000.0)
    again = await store.accept(an_event(cause=cause), [])

    assert not again.duplicate


async def test_an_idempotency_key_is_known_for_its_ttl_also_when_its_event_has_been_pruned(store):
    key = Cause("idempotency:auto", "delivery-1", ttl_s=3600.0)
    first, again, late = an_event(), an_event(), an_event(time=1000.0 + 3601)
    await store.accept(first, [dispatched(a_run(first), once=key)])
    await finish(store, replace((await store.runs())[0], status="completed", finished_at=1000.0), [])

    await store.prune(age_days=None, rows=0, now=2000.0)
    within = await store.accept(again, [dispatched(a_run(again), once=key)])
    await store.prune(age_days=None, rows=0, now=5000.0)
    after = await store.accept(late, [dispatched(a_run(late), once=key)])

    assert (within.verdicts, after.verdicts) == ({"auto": "duplicate"}, {"auto": "dispatched"})


async def test_an_event_whose_run_is_being_done_again_stays(store):
    event = an_event()
    run = a_run(event)
    await store.accept(event, [dispatched(run)])
    await finish(store, replace(run, status="failed", finished_at=1000.0), [])
    again = replace(run, id=new_id("run"), retry_of=run.id)
    await store.enqueue(again)

    kept = await store.prune(age_days=1, rows=0, now=time() + 2 * 86_400)
    there = await store.event(event.id)
    await finish(store, replace(again, status="completed", finished_at=1001.0), [])
    pruned = await store.prune(age_days=1, rows=0, now=time() + 2 * 86_400)

    assert (kept, there.id, pruned) == (0, event.id, 2)
    assert await store.runs() == []


class Between:
    """The database, where somebody does a run again between the look and the bite."""

    def __init__(self, store, again):
        self.loop, self.store, self.again = asyncio.get_running_loop(), store, again

    def fetch(self, hot, row=()):
        found = self.store._database.fetch(hot, row)
        if hot is compiled.ENDED_EVENTS:
            asyncio.run_coroutine_threadsafe(self.store.enqueue(self.again), self.loop).result(30)
        return found


async def test_an_event_whose_run_is_done_again_between_the_look_and_the_bite_stays(store):
    first, other = an_event(), an_event()
    run, gone = a_run(first), a_run(other)
    for event, each in ((first, run), (other, gone)):
        await store.accept(event, [dispatched(each)])
        await finish(store, replace(each, status="failed", finished_at=1000.0), [])
    between = Between(store, replace(run, id=new_id("run"), retry_of=run.id))

    pruned = await Pruning(between, store._inside).prune(None, 0, 2000.0)

    assert pruned == 1
    assert [event.id for event in await store.events()] == [first.id]


async def test_pruning_goes_by_bites_with_turns_for_events_between_them(store, monkeypatch):
    monkeypatch.setattr("daemon.store.pruning.BITE_S", 0.0)
    for _ in range(3):
        await asyncio.gather(*(store.accept(an_event(), []) for _ in range(100)))
    before, turns = store.tally()[0], 0

    pruning = asyncio.ensure_future(store.prune(age_days=None, rows=10, now=2000.0))
    while not pruning.done():
        await store.accept(an_event(), [])
        turns += 1
    pruned = await pruning

    assert pruned >= 290
    assert turns >= 3
    assert store.tally()[0] - before >= 6  # of 50 events each


async def test_deleted_keys_and_expired_causes_are_forgotten_and_what_is_needed_is_not(store):
    await store.save_state("file-watch", {f"/in/{number}": None for number in range(120)} | {"/in/kept": {"size": 1}})
    for number in range(120):
        cause = Cause("cloudevent:POST /x", str(number), ttl_s=10.0 if number else 10_000.0)
        await store.accept(an_event(cause=cause), [])

    await store.prune(age_days=None, rows=None, now=2000.0)
    left = await store._inside(lambda connection: [connection.execute(hot).fetchall() for hot in (CAUSES, STATE)])

    assert left == [[("0",)], [("/in/kept",)]]


CAUSES = Hot(0, "SELECT key FROM causes", b"SELECT key FROM causes", ())
STATE = Hot(0, *2 * ("SELECT key FROM source_state WHERE source = 'file-watch'",), ())


async def test_events_beyond_the_number_of_rows_are_pruned_oldest_first(store):
    events = [an_event() for _ in range(5)]
    for event in events:
        await store.accept(event, [])

    await store.prune(age_days=None, rows=2, now=2000.0)

    assert [event.id for event in await store.events()] == [events[4].id, events[3].id]


def plan(hot):
    """How SQLite goes about it."""
    connection = sqlite3.connect(":memory:")
    for statement in compiled.SCHEMA:
        connection.execute(statement)
    steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {hot.sqlite}", (1,) * hot.sqlite.count("?"))]
    connection.close()
    return steps


@pytest.mark.parametrize(
    "hot",
    [
        *EVENTS,
        *RUNS,
        compiled.FORGET_CAUSE,
        compiled.FORGET_STATE,
        compiled.EVENTS_DONE_AGAIN,
        compiled.ENDED_EVENTS,
        compiled.RUNS_BY_HAND,
    ],
)
def test_what_the_writer_deletes_and_what_is_older_is_found_by_an_index_and_no_table_is_gone_through(hot):
    scanned = [step for step in plan(hot) if step.startswith("SCAN") and "runs_retries" not in step]

    assert scanned == []
