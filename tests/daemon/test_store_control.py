"""What the store keeps of control over a run: when it is due, how long it may take, that it is to stop, what it does again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from time import time

import pytest

from daemon.store import open_store
from daemon.store.errors import Fenced
from daemon.store.outputs import Outputs
from daemon.store.rows import Candidate, Run
from flows.attempt import Attempt
from triggers.event import Event
from triggers.ids import new_id
from triggers.verdict import Verdict

NOW = 1_795_000_000.0


@pytest.fixture
async def store(location):
    async with open_store(location, token="daemon-1") as opened:
        yield opened


def a_run(**changes):
    return replace(Run(new_id("run"), "deal", "f" * 64, "queued", {}, NOW, owner="daemon-1"), **changes)


async def end(store, run, status="completed", attempts=()):
    done = asyncio.get_running_loop().create_future()
    ended = replace(run, status=status, started_at=NOW, finished_at=NOW + 1)
    store.finish(ended, attempts, lambda error: done.set_result(None) if error is None else done.set_exception(error))
    await done


async def test_the_limits_of_a_run_come_back_as_they_were_given_from_either_door(store):
    limits = {"not_before": NOW + 60, "start_by": NOW + 3600, "finish_within": 1800.5, "retry_of": "run_1"}
    event = Event(new_id("evt"), "webhook", "/deal", NOW, {"body": 1})
    hooked, by_hand, free = a_run(event=event.id, trigger="auto", **limits), a_run(**limits), a_run()

    await store.accept(event, [Candidate(Verdict("auto", "dispatched", run=hooked.id), "t" * 64, hooked)])
    await store.enqueue(by_hand)
    await store.enqueue(free)

    for run in (hooked, by_hand, free):
        kept = await store.claim(run.id)
        assert {name: getattr(kept, name) for name in limits} == {name: getattr(run, name) for name in limits}


async def test_the_time_of_a_run_is_over_so_long_after_its_first_start():
    run = a_run(finish_within=60.0)

    assert run.finish_by is None
    assert replace(run, started_at=NOW).finish_by == NOW + 60
    assert replace(run, started_at=NOW, finish_within=None).finish_by is None


async def test_a_delayed_run_is_handed_back_with_its_time_by_recovery(location):
    later, expiring, cancelled = (
        a_run(not_before=NOW + 60),
        a_run(start_by=NOW + 5),
        a_run(not_before=NOW + 60, start_by=NOW + 90),
    )
    async with open_store(location, token="daemon-1") as first:
        for run in (later, expiring, cancelled):
            await first.enqueue(run)
        await first.ask_cancel([cancelled.id], NOW)

    async with open_store(location, token="daemon-2") as second:
        due = {found.run: (found.not_before, found.start_by) for found in await second.reconcile(NOW + 1)}

    assert due == {later.id: (NOW + 60, None), expiring.id: (0.0, NOW + 5), cancelled.id: (0.0, NOW + 90)}


async def test_the_wish_to_stop_is_kept_once_and_only_of_runs_that_have_not_ended(store):
    going, ended = a_run(), a_run()
    for run in (going, ended):
        await store.enqueue(run)
    await end(store, ended)

    first = await store.ask_cancel([going.id, ended.id, "run_nowhere"], NOW + 1, "a typo\0 in it")
    again = await store.ask_cancel([going.id], NOW + 2, "another reason")
    kept, untouched = await store.run(going.id), await store.run(ended.id)

    assert (first, again) == ([going.id], [])
    assert (kept.status, kept.cancel_asked) == ("queued", NOW + 1)
    assert kept.cancel_reason.startswith("a typo")
    assert (untouched.cancel_asked, untouched.cancel_reason) == (None, None)


async def test_another_processs_run_can_be_told_to_stop(location):
    run = a_run(owner="cli-1")
    async with open_store(location, token="cli-1", leased=True) as command:
        await command.enqueue(run)
        async with open_store(location, token="daemon-2") as daemon:
            asked = await daemon.ask_cancel([run.id], NOW)

        kept = await command.claim(run.id)

    assert asked == [run.id]
    assert kept.cancel_asked == NOW


async def test_how_the_main_steps_came_out_is_kept_for_who_runs_the_handlers_and_fenced(store):
    run, other = a_run(), a_run(owner="daemon-2")
    for each in (run, other):
        await store.enqueue(each)
    ending = {"status": "failed", "error": "step «a»: no", "code": "EXIT_STATUS", "step": "a"}

    await store.save_ending(run.id, ending)

    assert (await store.claim(run.id)).ending == ending
    with pytest.raises(Fenced):
        await store.save_ending(other.id, ending)


async def test_that_an_attempt_was_copied_is_kept(store):
    run = a_run()
    await store.enqueue(run)
    plain = Attempt("a", "a", "transform", 1, "success", NOW, 1, 1)
    copied = replace(plain, path="b", step="b", copied=True)

    await end(store, run, attempts=[plain, copied])

    assert [(attempt.path, attempt.copied) for attempt in (await store.run(run.id)).attempts] == [("a", False), ("b", True)]


async def test_a_run_that_does_another_again_is_queued_with_what_it_takes_over(location, tmp_path):
    outputs = Outputs(tmp_path / "outputs", 1024)
    big = Attempt("a", "a", "bash", 1, "success", NOW, 12, "x" * 5000, effects=True, copied=True)
    lost = replace(big, path="b", step="b", output=1, number=2)
    async with open_store(location, token="daemon-1", outputs=outputs) as store:
        first = a_run()
        await store.enqueue(first)
        await end(store, first, "failed")
        again = a_run(retry_of=first.id)
        await store.enqueue(again, attempts=[big, lost])

        claimed = await store.claim(again.id)

        assert store.claim_fresh(again.id) is None  # else its records were not seen
        assert [(one.path, one.number, one.output, one.copied) for one in claimed.attempts] == [
            ("a", 1, "x" * 5000, True), ("b", 2, 1, True),
        ]  # fmt: skip
        assert [run.id for run in await store.runs(retry_of=first.id)] == [again.id]


async def test_a_run_that_does_another_again_is_listed_with_its_event_and_chain_and_pruned_with_age(store):
    event = Event(new_id("evt"), "webhook", "/deal", NOW, {"body": 1})
    first = a_run(event=event.id, trigger="auto", chain=event.id)
    await store.accept(event, [Candidate(Verdict("auto", "dispatched", run=first.id), "t" * 64, first)])
    await end(store, first, "failed")
    again = replace(first, id=new_id("run"), retry_of=first.id)
    await store.enqueue(again)
    await end(store, again)

    of_event = {run.id for run in await store.runs(event=event.id)}
    of_chain = {run.id for run in await store.runs(chain=event.id)}
    await store.prune(age_days=1, rows=None, now=time() + 10 * 86_400)

    assert of_event == of_chain == {first.id, again.id}
    assert await store.runs() == []
