"""Waits in the store, on every database: opened once, resolved once, found by the next process, gone with their runs."""

from __future__ import annotations

from time import time

import pytest

from daemon.store import open_store
from daemon.store.rows import Run
from daemon.store.waits import WaitRow
from flows.attempt import Attempt
from triggers.ids import new_id

NOON = 1_800_000_000.0


@pytest.fixture
async def store(location):
    async with open_store(location, token="daemon-1") as opened:
        yield opened


async def queued(store, **more):
    run = Run(new_id("run"), "flow", "f" * 64, "queued", {}, NOON, owner="daemon-1", **more)
    await store.enqueue(run)
    return run


def a_wait(run, path="approve", number=1, **more):
    return WaitRow(run.id, path, number, "approval", NOON, NOON + 60, NOON + 90, {"message": "Ship «it»?\ud800"}, **more)


def resolved(row):
    row.how, row.resolved_at, row.resolved_by, row.resolution = "approved", NOON + 5, "ada", {"form": {"n": 2**70}}
    return row


async def test_an_open_wait_is_found_as_it_was_written(store):
    run = await queued(store)
    wait = a_wait(run)

    await store.waits.open(wait)

    assert [(row.how, row.detail["message"][:10]) for row in await store.waits.live()] == [(None, "Ship «it»?")]
    (found,) = await store.waits.live()
    assert (found.run, found.path, found.number, found.kind) == (run.id, "approve", 1, "approval")
    assert (found.created_at, found.due_at, found.limit_at) == (NOON, NOON + 60, NOON + 90)


async def test_a_wait_that_is_there_stays_as_it_is(store):
    run = await queued(store)
    await store.waits.open(a_wait(run))

    await store.waits.open(WaitRow(run.id, "approve", 1, "timer", NOON + 1000))
    await store.waits.open(a_wait(run, number=2))

    assert sorted((row.number, row.kind, row.created_at) for row in await store.waits.live()) == [
        (1, "approval", NOON),
        (2, "approval", NOON),
    ]


async def test_a_wait_is_resolved_once(store):
    run = await queued(store)
    await store.waits.open(a_wait(run))
    await store.waits.resolve(resolved(a_wait(run)))

    late = resolved(a_wait(run))
    late.how, late.resolved_by = "rejected", "bob"
    await store.waits.resolve(late)

    (found,) = await store.waits.live()
    assert (found.how, found.resolved_at, found.resolved_by) == ("approved", NOON + 5, "ada")
    assert found.resolution == {"form": {"n": 2**70}}


async def test_a_wait_whose_attempt_is_recorded_or_whose_run_has_ended_is_not_live(store):
    one, other = await queued(store), await queued(store)
    for run in (one, other):
        await store.waits.open(a_wait(run))
        await store.waits.open(a_wait(run, "b"))
    await store.record(one.id, [Attempt("approve", "approve", "approval", 1, "success", NOON)])
    other.status, other.finished_at = "cancelled", NOON
    told = []
    store.finish(other, [], told.append)
    await store.drained()

    assert told == [None]
    assert [(row.run, row.path) for row in await store.waits.live()] == [(one.id, "b")]


async def test_nobody_opens_a_wait_of_a_run_that_is_not_his(store):
    run = Run(new_id("run"), "flow", "f" * 64, "queued", {}, NOON, owner="daemon-2")
    await store.enqueue(run)

    await store.waits.open(a_wait(run))

    assert await store.waits.live() == []


async def test_that_a_run_rests_is_seen_and_the_last_word_counts(store):
    run = await queued(store)

    await store.waits.rest(run.id, NOON, "waiting")
    resting = (await store.run(run.id)).status
    again = store.waits.rest(run.id, NOON, "waiting")
    await store.record(run.id, [], starts_run_at=NOON)  # in one group with the line above
    await again

    assert resting == "waiting"
    assert (await store.run(run.id)).status == "running"
    assert [(due.run, due.status) for due in await store.reconcile(NOON)] == [(run.id, "running")]


async def test_pruning_takes_waits_with_their_runs(store):
    run = await queued(store)
    await store.waits.open(a_wait(run))
    run.status, run.finished_at = "completed", time()
    store.finish(run, [], lambda _: None)
    await store.drained()

    await store.prune(age_days=1, rows=None, now=time() + 90_000)

    assert await store.run(run.id) is None
    assert await store._inside(lambda connection: connection.execute(ALL).fetchall()) == []


class ALL:
    """Every wait there is."""

    sqlite = "SELECT run FROM waits"
    postgresql = b"SELECT run FROM waits"


async def test_what_strangers_type_is_kept_also_where_no_database_has_such_characters(store):
    run = await queued(store)
    hostile = "a\x00b\ud800\u202e" + "x" * 5000
    wait = a_wait(run)
    await store.waits.open(wait)
    wait.how, wait.resolved_at, wait.resolved_by, wait.resolution = "approved", NOON, hostile, {"comment": hostile, "by": hostile}

    await store.waits.resolve(wait)

    (found,) = await store.waits.live()
    assert found.how == "approved"
    assert found.resolution == {"comment": hostile, "by": hostile}
    assert found.resolved_by.startswith("a")
    assert [row.how for row in await store.waits_of(run.id)] == ["approved"]
