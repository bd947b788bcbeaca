"""Chains in the store, on every database: found by their runs and events, and counted while they go on."""

from __future__ import annotations

import asyncio

import pytest

from daemon.store import open_store
from daemon.store.rows import Candidate, FollowUp, Run
from triggers.event import Event
from triggers.ids import new_id
from triggers.verdict import Verdict


@pytest.fixture
async def store(location):
    async with open_store(location, token="daemon-1") as opened:
        yield opened


def an_event(source="webhook", **chain):
    event_id = new_id("evt")
    document = {"chain": {"id": event_id, "depth": 0} | chain}
    return Event(event_id, source, "/a", 1000.0, document)


def a_run(event, number=1, **more):
    chain = event.document["chain"]
    given = {"event": event.id, "trigger": f"t{number}", "owner": "daemon-1", "chain": chain["id"], "depth": chain["depth"]}
    return Run(new_id("run"), "flow", "f" * 64, "queued", {}, 1000.0, **(given | more))


def candidates(*runs, also=()):
    fired = [Candidate(Verdict(run.trigger, "dispatched", run=run.id), "t" * 64, run) for run in runs]
    return [*fired, *(Candidate(Verdict(key, "loop_refused", "too deep"), "t" * 64) for key in also)]


async def ends(store, run, *, starts=0, also=()):
    """End a run; the event that follows from it, and the runs that it starts."""
    event = an_event("flow", id=run.chain, depth=run.depth + 1)
    event.subject = run.id
    runs = [a_run(event, number) for number in range(starts)]
    run.status, run.finished_at = "completed", 2000.0
    told = asyncio.get_running_loop().create_future()
    store.finish(run, [], told.set_result, [FollowUp(event, candidates(*runs, also=also))])
    assert await told is None
    return event, runs


@pytest.fixture
async def chain(store):
    """An event whose run starts two, of which one starts a third and one is refused; beside another chain."""
    first, other = an_event(), an_event()
    run, alone = a_run(first), a_run(other)
    await store.accept(first, candidates(run))
    await store.accept(other, candidates(alone))
    second, (left, right) = await ends(store, run, starts=2)
    third, (last,) = await ends(store, left, starts=1)
    fourth, _ = await ends(store, right, also=("refused",))
    return [first, second, third, fourth], [run, left, right, last], (other, alone)


def ids(rows):
    return [row.id for row in rows]


async def test_a_chain_s_runs_and_events_are_found_the_newest_first_and_no_others(store, chain):
    events, runs, (other, alone) = chain
    first = events[0].id

    assert ids(await store.runs(chain=first)) == sorted((run.id for run in runs), reverse=True)
    assert ids(await store.events(chain=first)) == sorted((event.id for event in events), reverse=True)
    assert (ids(await store.runs(chain=other.id)), ids(await store.events(chain=other.id))) == ([alone.id], [other.id])
    assert ids(await store.events(chain=first, verdict="loop_refused")) == [events[3].id]
    assert ids(await store.runs(chain=first, limit=1)) == [max(run.id for run in runs)]
    assert await store.runs(chain="evt_none") == await store.events(chain="") == []


async def test_events_in_a_list_tell_their_chain_and_depth_without_their_documents(store, chain):
    events, _, (other, _) = chain

    told = {event.id: (event.document, event.chain, event.depth) for event in await store.events()}

    assert [told[event.id] for event in events] == [(None, events[0].id, depth) for depth in (0, 1, 2, 2)]
    assert told[other.id] == (None, other.id, 0)


async def test_a_chain_that_a_person_began_is_named_by_its_run(store):
    run = Run(new_id("run"), "flow", "f" * 64, "queued", {}, 1000.0, owner="daemon-1")
    run.chain = run.id
    await store.enqueue(run)

    event, (following,) = await ends(store, run, starts=1)

    assert ids(await store.runs(chain=run.id)) == sorted((run.id, following.id), reverse=True)
    assert ids(await store.events(chain=run.id)) == [event.id]


async def test_of_chains_that_go_on_the_runs_that_others_started_are_counted(store, chain):
    events, (_, _, _, last), _ = chain

    going_on = await store.chain_sizes()
    await ends(store, last)
    over = await store.chain_sizes()

    assert (going_on, over) == ({events[0].id: 3}, {})
