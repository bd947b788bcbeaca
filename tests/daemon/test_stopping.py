"""Runs that are to stop, that start too late or take too long: in the worker, and over a restart."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from daemon.at_work import put_due
from daemon.expiry import Expiry
from daemon.jobs import job_of
from daemon.live import queued_run
from daemon.waiting import Waits
from tests.daemon.test_worker import a_flow, bash, open_bench, until_recorded

__all__ = ["open_bench"]  # a fixture

SLOW = bash("slow", "echo begun >> log; sleep 60")


def say(name, **more):
    return bash(name, f"echo {name} >> log", **more)


def handled(folder, *steps, **more):
    return a_flow(folder, *steps, **{"onCancel": [say("stopped")], "finally": [say("last")], **more})


def log(folder):
    file = folder / "log"
    return file.read_text().split() if file.exists() else []


async def queue(bench, run):
    """As the daemon does: on disk, then to the dispatch, by way of what looks after late ones."""
    bench.expiry = Expiry(bench.dispatch, bench.live.at_rest)
    await bench.store.enqueue(run, lambda runs: bench.expiry.put([job_of(run) for run in runs]))
    return run.id


async def ended(bench, run):
    assert await bench.live.ended(run, 30)
    return await bench.store.run(run)


async def take_up(bench):
    """What a daemon does when it starts."""
    bench.waits, bench.expiry = Waits(bench.store.waits), Expiry(bench.dispatch, bench.live.at_rest)
    due = await bench.store.reconcile(time.time())
    put_due(bench, due)
    return due


async def test_a_run_that_is_due_later_is_cancelled_at_once_and_never_begins(open_bench, tmp_path):
    bench = await open_bench(handled(tmp_path, SLOW))
    later = replace(queued_run(bench.flows["work"], {}, owner=bench.store.token), not_before=time.time() + 3600)
    run = await queue(bench, later)

    asked = await bench.live.cancel([run], "a mistake")
    kept = await ended(bench, run)

    assert asked == [run]
    assert (kept.status, kept.code, kept.error, kept.started_at) == ("cancelled", "CANCELLED", "a mistake", None)
    assert log(tmp_path) == []


async def test_a_run_under_way_is_cancelled_and_its_handlers_run(open_bench, tmp_path):
    bench = await open_bench(handled(tmp_path, SLOW, say("never")))
    run = await bench.live.start(bench.flows["work"], {})
    await until_recorded(bench.store, run, "slow")

    asked = [await bench.live.cancel([run], "a mistake"), await bench.live.cancel([run], "again")]
    kept = await ended(bench, run)

    assert asked == [[run], []]
    assert (kept.status, kept.error, kept.cancel_reason) == ("cancelled", "a mistake", "a mistake")
    assert log(tmp_path) == ["begun", "stopped", "last"]
    assert [(attempt.path, attempt.status) for attempt in kept.attempts] == [
        ("slow", "cancelled"), ("onCancel/stopped", "success"), ("finally/last", "success"),
    ]  # fmt: skip


async def test_a_retry_that_waits_is_not_made_after_a_cancel(open_bench, tmp_path):
    again = {"strategy": "retry", "retries": 5, "retryDelayMs": 600_000}
    bench = await open_bench(a_flow(tmp_path, bash("fails", "echo tried >> log; exit 1", onError=again)))
    run = await bench.live.start(bench.flows["work"], {})
    async with asyncio.timeout(20):
        while not any(attempt.status == "failed" for attempt in (await bench.store.run(run)).attempts):
            await asyncio.sleep(0.01)

    await bench.live.cancel([run])
    kept = await ended(bench, run)

    assert (kept.status, log(tmp_path)) == ("cancelled", ["tried"])
    assert [(attempt.number, attempt.status) for attempt in kept.attempts] == [(1, "failed"), (2, "cancelled")]


@pytest.mark.parametrize("handlers", [True, False])
async def test_a_wish_that_was_on_disk_when_the_process_died_is_fulfilled_by_the_next_one(open_bench, tmp_path, handlers):
    flow = (handled if handlers else a_flow)(tmp_path, SLOW, say("never"))
    bench = await open_bench(flow)
    run = await bench.live.start(flow, {})
    await until_recorded(bench.store, run, "slow")
    await bench.store.ask_cancel([run], time.time(), "a mistake")
    await open_bench.close()

    bench = await open_bench(flow, token="daemon-2")
    await take_up(bench)
    kept = await ended(bench, run)

    assert (kept.status, kept.error) == ("cancelled", "a mistake")
    assert log(tmp_path) == ["begun", *(["stopped", "last"] if handlers else [])]
    assert kept.attempts[0].status == "interrupted"


async def test_a_run_to_stop_that_had_not_begun_never_begins_in_the_next_process(open_bench, tmp_path):
    flow = handled(tmp_path, SLOW)
    bench = await open_bench(flow)
    bench.dispatch.pause("runs")
    run = await bench.live.start(flow, {})
    await bench.store.ask_cancel([run], time.time())
    await open_bench.close()

    bench = await open_bench(flow, token="daemon-2")
    (due,) = await take_up(bench)
    kept = await ended(bench, run)

    assert due.stopping
    assert (kept.status, kept.attempts, log(tmp_path)) == ("cancelled", (), [])


async def test_a_run_that_is_cancelled_while_it_is_being_claimed_never_begins(open_bench, tmp_path):
    bench = await open_bench(handled(tmp_path, SLOW))
    run = queued_run(bench.flows["work"], {}, owner=bench.store.token)
    await bench.store.enqueue(run)
    bench.store.claim_fresh(run.id)
    bench.dispatch.put([job_of(run)])
    bench.dispatch.pump()  # it reads the run now

    await bench.live.cancel([run.id])
    kept = await ended(bench, run.id)

    assert (kept.status, kept.attempts, log(tmp_path)) == ("cancelled", (), [])
    assert bench.worker._wishes == {}


async def test_cleaning_up_waits_for_no_place_and_no_pause(open_bench, tmp_path):
    flow = handled(tmp_path, SLOW)
    bench = await open_bench(flow)
    run = await bench.live.start(flow, {})
    await until_recorded(bench.store, run, "slow")
    await bench.store.ask_cancel([run], time.time())
    await open_bench.close()

    bench = await open_bench(flow, token="daemon-2")
    bench.dispatch.pause("runs")
    await take_up(bench)

    assert (await ended(bench, run)).status == "cancelled"
    assert log(tmp_path) == ["begun", "stopped", "last"]


async def test_a_run_that_did_not_start_in_time_has_expired(open_bench, tmp_path):
    bench = await open_bench(handled(tmp_path, SLOW))
    bench.dispatch.pause("runs")
    late = replace(queued_run(bench.flows["work"], {}, owner=bench.store.token), start_by=time.time() + 0.05)
    run = await queue(bench, late)

    kept = await ended(bench, run)
    bench.expiry.close()

    assert (kept.status, kept.code, kept.attempts) == ("cancelled", "EXPIRED", ())
    assert kept.error.startswith("it had not started by 20")
    assert log(tmp_path) == []


async def test_a_run_that_is_held_back_expires_all_the_same(open_bench, tmp_path):
    bench = await open_bench(a_flow(tmp_path, SLOW))
    bench.dispatch.pause("runs")
    late = replace(queued_run(bench.flows["work"], {}, owner=bench.store.token), start_by=time.time() + 0.1)
    run = await queue(bench, late)
    bench.dispatch.discard(run)
    bench.live.at_rest.hold(late)

    kept = await ended(bench, run)
    bench.expiry.close()

    assert (kept.status, kept.code) == ("cancelled", "EXPIRED")


async def test_a_run_that_expired_while_no_process_was_there_is_told_of_at_the_next_start(open_bench, tmp_path):
    flow = a_flow(tmp_path, SLOW)
    bench = await open_bench(flow)
    bench.dispatch.pause("runs")
    run = queued_run(flow, {}, owner=bench.store.token)
    await bench.store.enqueue(replace(run, start_by=time.time() + 0.01))
    await asyncio.sleep(0.02)
    await open_bench.close()

    bench = await open_bench(flow, token="daemon-2")
    await take_up(bench)

    assert (await ended(bench, run.id)).code == "EXPIRED"


async def test_a_run_that_started_in_time_does_not_expire(open_bench, tmp_path):
    bench = await open_bench(a_flow(tmp_path, bash("quick", "sleep 0.3")))
    run = await queue(bench, replace(queued_run(bench.flows["work"], {}, owner=bench.store.token), start_by=time.time() + 0.1))

    assert (await ended(bench, run)).status == "completed"
    bench.expiry.close()


async def test_a_run_that_takes_too_long_is_out_of_time_and_its_handlers_run(open_bench, tmp_path):
    flow = handled(tmp_path, SLOW, onFailure=[say("late")])
    bench = await open_bench(flow)
    run = await bench.live.start(flow, {}, finish_within=0.3)

    kept = await ended(bench, run)

    assert (kept.status, kept.code) == ("failed", "RUN_TIMEOUT")
    assert log(tmp_path) == ["begun", "late", "last"]
    assert kept.attempts[0].status == "cancelled"


async def test_the_time_of_a_run_counts_from_its_first_start_over_a_restart(open_bench, tmp_path):
    flow = a_flow(tmp_path, SLOW)
    bench = await open_bench(flow)
    run = await bench.live.start(flow, {}, finish_within=0.6)
    await until_recorded(bench.store, run, "slow")
    first = (await bench.store.run(run)).started_at
    await open_bench.close()
    await asyncio.sleep(0.6)

    bench = await open_bench(flow, token="daemon-2")
    await take_up(bench)
    kept = await ended(bench, run)

    assert (kept.status, kept.code, kept.started_at) == ("failed", "RUN_TIMEOUT", first)
    assert log(tmp_path) == ["begun"]
    assert [attempt.status for attempt in kept.attempts] == ["interrupted"]


async def test_a_flow_of_plain_steps_keeps_to_its_time_as_well(open_bench, tmp_path):
    step = {"id": "long", "type": "loop", "loop": {"over": list(range(20_000)), "steps": [
        {"id": "one", "type": "transform", "transform": {"expression": "1"}}]}}  # fmt: skip
    flow = a_flow(tmp_path, step)
    bench = await open_bench(flow)
    run = await bench.live.start(flow, {}, finish_within=0.05)

    assert (await ended(bench, run)).code == "RUN_TIMEOUT"


async def test_handlers_that_were_under_way_go_on_in_the_next_process_from_what_is_recorded(open_bench, tmp_path):
    slow = bash("tidy", "echo tidy >> log; test -e go || sleep 60")
    flow = a_flow(tmp_path, say("work"), **{"finally": [say("first"), slow, say("after")]})
    bench = await open_bench(flow)
    run = await bench.live.start(flow, {})
    await until_recorded(bench.store, run, "finally/tidy")
    ending = (await bench.store.run(run)).ending
    await open_bench.close()
    (tmp_path / "go").touch()

    bench = await open_bench(flow, token="daemon-2")
    await take_up(bench)
    kept = await ended(bench, run)

    assert ending["status"] == "completed"
    assert kept.status == "completed"
    assert log(tmp_path) == ["work", "first", "tidy", "tidy", "after"]


async def test_a_run_whose_end_is_on_its_way_to_the_disk_is_not_said_to_be_cancelled(open_bench, tmp_path):
    flow = a_flow(tmp_path, bash("quick", "true"))
    bench = await open_bench(flow)
    run = await bench.live.start(flow, {})
    async with asyncio.timeout(20):
        while run not in bench.worker.endings:
            await asyncio.sleep(0)

    asked = await bench.live.cancel([run])

    assert asked == []
    assert (await ended(bench, run)).status == "completed"


async def test_a_run_that_is_cancelled_while_the_daemon_drains_ends_so_before_the_daemon_does(open_bench, tmp_path):
    bench = await open_bench(handled(tmp_path, SLOW))
    asked, unasked = [await bench.live.start(bench.flows["work"], {}) for _ in range(2)]
    for run in (asked, unasked):
        await until_recorded(bench.store, run, "slow")

    bench.worker.drain()
    new = await bench.live.cancel([asked], "a mistake")
    kept = await ended(bench, asked)
    await open_bench.close()
    bench = await open_bench(handled(tmp_path), token="daemon-2")
    left = await bench.store.run(unasked)

    assert new == [asked]
    assert (kept.status, kept.error) == ("cancelled", "a mistake")
    assert [(attempt.path, attempt.status) for attempt in kept.attempts] == [
        ("slow", "cancelled"), ("onCancel/stopped", "success"), ("finally/last", "success"),
    ]  # fmt: skip
    assert (left.status, [attempt.status for attempt in left.attempts]) == ("running", ["running"])
    assert log(tmp_path) == ["begun", "begun", "stopped", "last"]


async def test_cleaning_up_that_outlasts_the_drain_is_left_and_ends_in_the_next_process(open_bench, tmp_path):
    tidy = bash("tidy", "echo tidy >> log; test -e go || sleep 60")
    flow = a_flow(tmp_path, SLOW, onCancel=[tidy])
    bench = await open_bench(flow)
    run = await bench.live.start(flow, {})
    await until_recorded(bench.store, run, "slow")
    bench.worker.drain()
    await bench.live.cancel([run])
    await until_recorded(bench.store, run, "onCancel/tidy")

    await open_bench.close()
    (tmp_path / "go").touch()
    bench = await open_bench(flow, token="daemon-2")
    left = await bench.store.run(run)
    await take_up(bench)

    assert left.status == "running"
    assert (await ended(bench, run)).status == "cancelled"
    assert log(tmp_path) == ["begun", "tidy", "tidy"]
