"""What follows from a run's end: written with it, once, or not at all. On both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from daemon.store import open_store
from daemon.store.errors import Fenced
from daemon.store.rows import FollowUp
from tests.daemon.store_rows import a_run, accepted_run, an_event, dispatched
from triggers.event import Cause


@pytest.fixture
async def store(location):
    async with open_store(location, token="daemon-1") as opened:
        yield opened


async def test_what_follows_from_a_run_s_end_is_written_with_it_and_its_runs_are_told(store):
    run = await accepted_run(store)
    event = an_event(source="flow", address="deal-process")
    next_run = a_run(event, chain=run.chain, depth=1)
    told, queued = asyncio.get_running_loop().create_future(), []
    before = store.tally()[0]

    store.finish(
        replace(run, status="completed", finished_at=1.0),
        [],
        told.set_result,
        [FollowUp(event, [dispatched(next_run)])],
        queued.extend,
    )
    error = await told

    assert (error, store.tally()[0] - before) == (None, 1)
    assert queued == [next_run]
    assert store.claim_fresh(next_run.id) == next_run
    kept = await store.run(next_run.id)
    assert (kept.status, kept.chain, kept.depth) == ("queued", run.event, 1)
    assert [verdict.run for verdict in (await store.event(event.id)).verdicts] == [next_run.id]


async def test_what_follows_happens_once_for_its_cause_and_once_for_its_idempotency_key(store):
    once = Cause("idempotency:auto", "key", ttl_s=3600)
    queued = []

    async def ends(cause, once):
        run = await accepted_run(store)
        event = an_event(source="flow", cause=cause)
        told = asyncio.get_running_loop().create_future()
        follow_up = FollowUp(event, [dispatched(a_run(event), once=once)])
        store.finish(replace(run, status="failed", finished_at=1.0), [], told.set_result, [follow_up], queued.extend)
        assert await told is None

    await ends(Cause("flow:auto", "run_1"), once)
    await ends(Cause("flow:auto", "run_1"), None)
    await ends(Cause("flow:auto", "run_2"), once)

    assert len(queued) == 1
    assert len(await store.events(source="flow")) == 2
    assert len(await store.events(verdict="duplicate")) == 1


async def test_of_a_run_that_is_not_ours_any_more_nothing_follows(store):
    run = await accepted_run(store, owner="daemon-0")
    cause = Cause("flow:auto", run.id)
    event = an_event(source="flow", cause=cause)
    told, queued = asyncio.get_running_loop().create_future(), []
    follow_up = FollowUp(event, [dispatched(a_run(event))])

    store.finish(replace(run, status="completed", finished_at=1.0), [], told.set_result, [follow_up], queued.extend)

    assert isinstance(await told, Fenced)
    assert queued == []
    assert await store.event(event.id) is None
    assert not (await store.accept(an_event(cause=cause), [])).duplicate
