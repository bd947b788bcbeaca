"""The worker over a real store: runs end, resume, are left, and pin their versions."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
import structlog

from daemon.alone import execute_once
from daemon.at_work import consume
from daemon.dispatch import Job
from daemon.dispatch.local import LocalDispatch
from daemon.ends import tell
from daemon.live import LiveDaemon, queued_run
from daemon.store.rows import Run
from daemon.worker import Worker
from flows.attempt import Attempt
from flows.dialects import load_flow
from flows.errors import DefinitionError, StepError
from flows.executor import World
from flows.steps import make_kinds
from tests.daemon.benches import benches

KINDS = make_kinds()


def a_flow(folder, *steps, key="work", **more):
    return load_flow({"key": key, "steps": list(steps), **more}, key=None, folder=folder, kinds=KINDS)


def a_world(*flows):
    known = {flow.key: flow for flow in flows}

    def find(key):
        if key not in known:
            raise StepError(f"there is no flow «{key}»", code="FLOW_NOT_FOUND")
        return known[key]

    return World(KINDS, find, lambda name: name)


def bash(step, command, **more):
    return {"id": step, "type": "bash", "bash": {"command": command, "timeout": 60_000}, **more}


def transform(step, expression, **more):
    return {"id": step, "type": "transform", "transform": {"expression": expression}, **more}


async def no_events(event):
    raise AssertionError(event)


class Bench:
    """A store, a dispatch and a worker at work on some flows."""

    def __init__(self, store, flows):
        self.store = store
        self.flows = {flow.key: flow for flow in flows}
        self.dispatch = LocalDispatch()
        self.worker = Worker(store, a_world(*flows), lambda: self.flows)
        self.live = LiveDaemon(
            store, self.dispatch, self.worker, no_events, lambda _path, _given: None, started_at=0.0, version="0"
        )

    async def start(self):
        self.consuming = asyncio.ensure_future(consume(self.dispatch, 4, self.worker))
        return self

    async def run(self, flow, **inputs):
        """Start a run by hand and wait for its end."""
        run = await self.live.start(flow, inputs)
        assert await self.live.ended(run, 30)
        return await self.store.run(run)

    async def close(self):
        self.worker.leave()
        await self.dispatch.close(0)
        await self.worker.endings.settled()
        await self.consuming


@pytest.fixture
async def open_bench(tmp_path):
    """open_bench(flow, …): a bench over the test's database, closed at its end; a second one is a restart."""
    async with benches(tmp_path / "camshaft.db", Bench) as opening:
        yield opening


async def until_recorded(store, run, path):
    async with asyncio.timeout(20):
        while not any(attempt.path == path for attempt in (await store.run(run)).attempts):
            await asyncio.sleep(0.01)


async def test_a_run_of_plain_steps_ends_in_the_call_that_hands_it_out(open_bench, tmp_path):
    flow = a_flow(tmp_path, transform("double", "$.input.n * 2"), transform("next", "$.steps.double.output + 1"))
    bench = await open_bench(flow)

    ended = await bench.run(flow, n=20)

    assert (ended.status, ended.output, ended.trigger, ended.event) == ("completed", 41, None, None)
    assert [(attempt.path, attempt.status, attempt.output) for attempt in ended.attempts] == [
        ("double", "success", 40),
        ("next", "success", 41),
    ]
    assert ended.started_at <= ended.finished_at


async def test_a_plain_run_that_takes_long_gives_others_their_turn_and_ends(open_bench, tmp_path):
    steps = [transform(f"step{number}", "[1,2,3].map(x => x * 2).join('-')") for number in range(2000)]
    flow = a_flow(tmp_path, *steps)
    bench = await open_bench(flow)

    run = await bench.live.start(flow, {})
    async with asyncio.timeout(20):
        while not bench.worker.running(run):
            await asyncio.sleep(0)
    assert await bench.live.ended(run, 30)

    assert (await bench.store.run(run)).status == "completed"


async def test_a_failed_run_keeps_its_error_and_its_code(open_bench, tmp_path):
    flow = a_flow(tmp_path, bash("break", "echo out; echo bad >&2; exit 3"))
    bench = await open_bench(flow)

    ended = await bench.run(flow)

    assert (ended.status, ended.code) == ("failed", "EXIT_STATUS")
    assert "«break»" in ended.error
    assert ended.attempts[-1].status == "failed"


async def test_a_run_that_is_left_goes_on_in_the_next_process_after_its_recorded_steps(open_bench, tmp_path):
    flow = a_flow(
        tmp_path,
        bash("first", "echo 1 >> effects"),
        bash("second", "echo 2 >> effects; touch started; test -e go || sleep 60"),
        transform("last", "'done'"),
    )
    bench = await open_bench(flow)
    run = await bench.live.start(flow, {})
    async with asyncio.timeout(20):
        while not (tmp_path / "started").exists():
            await asyncio.sleep(0.01)

    await open_bench.close()
    (tmp_path / "go").touch()
    again = await open_bench(flow, token="daemon-2")
    due = await again.store.reconcile(now=9e9)
    again.dispatch.put([Job(found.run, found.epoch) for found in due])
    assert await again.live.ended(run, 30)
    ended = await again.store.run(run)

    assert (tmp_path / "effects").read_text().split() == ["1", "2", "2"]
    assert (ended.status, ended.output, ended.epoch) == ("completed", "done", 1)
    assert [(attempt.path, attempt.number, attempt.status) for attempt in ended.attempts] == [
        ("first", 1, "success"),
        ("second", 1, "interrupted"),
        ("second", 2, "success"),
        ("last", 1, "success"),
    ]


async def test_a_run_under_way_is_shown_as_it_stands_also_what_is_not_yet_written(open_bench, tmp_path):
    flow = a_flow(tmp_path, transform("first", "1"), bash("slow", "touch started; sleep 60"))
    bench = await open_bench(flow)
    run = await bench.live.start(flow, {})
    queued = bench.live.so_far(await bench.store.run(run))
    async with asyncio.timeout(20):
        while not (tmp_path / "started").exists():
            await asyncio.sleep(0.01)

    seen = bench.live.so_far(await bench.store.run(run))

    assert queued.status in {"queued", "running"}
    assert (seen.status, seen.started_at is None) == ("running", False)
    assert [(attempt.path, attempt.status) for attempt in seen.attempts] == [("first", "success"), ("slow", "running")]


async def test_a_step_that_says_so_fails_where_it_was_interrupted(open_bench, tmp_path):
    flow = a_flow(tmp_path, bash("pay", "touch started; sleep 60", onInterrupted="fail"))
    bench = await open_bench(flow)
    run = await bench.live.start(flow, {})
    async with asyncio.timeout(20):
        while not (tmp_path / "started").exists():
            await asyncio.sleep(0.01)

    await open_bench.close()
    again = await open_bench(flow, token="daemon-2")
    again.dispatch.put([Job(found.run, found.epoch) for found in await again.store.reconcile(now=9e9)])
    assert await again.live.ended(run, 30)

    ended = await again.store.run(run)
    assert (ended.status, ended.code) == ("failed", "INTERRUPTED")


async def test_a_run_pins_the_version_it_was_queued_with(open_bench, tmp_path):
    old, new = a_flow(tmp_path, transform("say", "'old'")), a_flow(tmp_path, transform("say", "'new'"))
    bench = await open_bench(new)
    await bench.store.save_definitions("flow", [(old, tmp_path)])
    run = queued_run(old, {}, owner=bench.store.token)
    await bench.store.enqueue(run)
    bench.dispatch.put([Job(run.id)])

    assert await bench.live.ended(run.id, 30)
    assert (await bench.store.run(run.id)).output == "old"
    assert (await bench.run(new)).output == "new"


async def test_a_run_that_is_due_while_the_database_cannot_be_read_is_executed_when_it_can(open_bench, tmp_path, monkeypatch):
    monkeypatch.setattr("daemon.home.flow_versions.READ_AGAIN_S", 0.01)
    flow = a_flow(tmp_path, transform("say", "'hello'"))
    bench = await open_bench(flow)
    run = queued_run(flow, {}, owner=bench.store.token)
    await bench.store.enqueue(run)
    bench.store.claim_fresh(run.id)
    tmp_path.rename(aside := tmp_path.with_name("aside"))  # a reader that opens the database now finds no folder
    with structlog.testing.capture_logs() as lines:
        bench.dispatch.put([Job(run.id)])
        async with asyncio.timeout(20):
            while not any(line["event"] == "run.postponed" for line in lines):
                await asyncio.sleep(0.01)
    aside.rename(tmp_path)

    assert await bench.live.ended(run.id, 30)
    assert (await bench.store.run(run.id)).output == "hello"


async def test_a_run_whose_version_is_gone_fails_and_says_so(open_bench, tmp_path):
    old, new = a_flow(tmp_path, transform("say", "'old'")), a_flow(tmp_path, transform("say", "'new'"))
    bench = await open_bench(new)
    run = queued_run(old, {}, owner=bench.store.token)
    await bench.store.enqueue(run)
    bench.dispatch.put([Job(run.id)])

    assert await bench.live.ended(run.id, 30)
    ended = await bench.store.run(run.id)
    assert (ended.status, ended.code) == ("failed", "DEFINITION_LOST")
    assert old.digest[:12] in ended.error


async def test_cancelling_ends_a_run_as_cancelled_whether_it_runs_or_waits(open_bench, tmp_path):
    flow = a_flow(tmp_path, bash("slow", "touch started; sleep 60"))
    bench = await open_bench(flow)
    running = await bench.live.start(flow, {})
    await until_recorded(bench.store, running, "slow")
    bench.dispatch.pause("runs")
    waiting = await bench.live.start(flow, {})

    assert await bench.live.cancel([running]) == [running]
    assert await bench.live.cancel([waiting]) == [waiting]
    assert await bench.live.cancel(["run_unknown"]) == []
    assert await bench.live.ended(running, 30)
    assert await bench.live.ended(waiting, 30)

    first, second = await bench.store.run(running), await bench.store.run(waiting)
    assert (first.status, second.status) == ("cancelled", "cancelled")
    assert first.attempts[-1].status == "cancelled"
    assert second.attempts == ()


async def test_a_defect_of_a_kind_ends_its_run_and_not_the_worker(open_bench, tmp_path):
    flow = a_flow(tmp_path, transform("say", "'hello'"))
    bench = await open_bench(flow)
    broken = replace(flow, graph=None)
    bench.flows["work"] = broken
    bench.worker._flows._plain[flow.digest] = True

    failed = await bench.run(broken)
    bench.flows["work"] = flow
    fine = await bench.run(flow)

    assert (failed.status, failed.code) == ("failed", "INTERNAL")
    assert fine.status == "completed"


async def test_runs_of_a_trigger_are_counted_until_their_end_is_on_disk_and_then_told(open_bench, tmp_path):
    flow = a_flow(tmp_path, transform("say", "'hello'"))
    bench = await open_bench(flow)
    told = []
    bench.worker.run_ended = told.append
    run = replace(queued_run(flow, {}, owner=bench.store.token), trigger="daily")
    await bench.store.enqueue(run)
    bench.worker.queued("daily")
    counted = bench.worker.by_trigger["daily"]
    bench.dispatch.put([Job(run.id)])

    assert await bench.live.ended(run.id, 30)

    assert counted == 1
    assert bench.worker.by_trigger["daily"] == 0
    assert told == ["daily"]


async def test_a_run_over_which_the_clock_was_set_back_took_no_time_and_not_less(tmp_path):
    run = queued_run(a_flow(tmp_path, transform("a", "1")), {}, owner="daemon-1")
    run.status, run.started_at, run.finished_at = "completed", 7200.0, 3600.0

    with structlog.testing.capture_logs() as lines:
        tell(run)

    assert [(line["event"], line["duration_ms"]) for line in lines] == [("run.completed", 0)]


async def test_a_flow_refuses_inputs_by_hand_as_it_does_those_of_events(open_bench, tmp_path):
    flow = a_flow(tmp_path, transform("say", "$.input.n"), inputs={"n": {"type": "number"}})
    bench = await open_bench(flow)

    with pytest.raises(DefinitionError, match="n"):
        await bench.live.start(flow, {"n": "many"})

    assert await bench.store.runs() == []


async def test_a_run_without_a_daemon_ends_with_its_attempts_and_needs_no_store(tmp_path):
    flow = a_flow(tmp_path, bash("hello", "echo hello"))

    ended = await execute_once(flow, queued_run(flow, {}, owner=None), world=a_world(flow), store=None)

    assert (ended.status, ended.output) == ("completed", "hello")
    assert [attempt.status for attempt in ended.attempts] == ["running", "success"]


async def test_cancelling_a_run_without_a_daemon_ends_it_as_cancelled_with_what_it_did(tmp_path):
    flow = a_flow(tmp_path, bash("first", "echo 1"), bash("slow", "touch started; sleep 60"))
    work = asyncio.ensure_future(execute_once(flow, queued_run(flow, {}, owner=None), world=a_world(flow), store=None))
    async with asyncio.timeout(20):
        while not (tmp_path / "started").exists():
            await asyncio.sleep(0.01)

    work.cancel()
    ended = await work

    assert ended.status == "cancelled"
    assert {attempt.path: attempt.status for attempt in ended.attempts} == {"first": "success", "slow": "cancelled"}


async def test_an_attempt_recorded_by_an_earlier_process_is_not_run_again_even_alone(open_bench, tmp_path):
    flow = a_flow(tmp_path, bash("once", "echo again >> effects; echo new"))
    bench = await open_bench(flow)
    run: Run = queued_run(flow, {}, owner=bench.store.token)
    await bench.store.enqueue(run)
    bench.store.claim_fresh(run.id)
    await bench.store.record(run.id, [Attempt("once", "once", "bash", 1, "success", 1.0, 5, "old", effects=True)])
    bench.dispatch.put([Job(run.id)])

    assert await bench.live.ended(run.id, 30)

    assert not (tmp_path / "effects").exists()
    assert (await bench.store.run(run.id)).output == "old"
