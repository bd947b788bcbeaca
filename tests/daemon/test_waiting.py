"""Runs that wait: left by the worker, woken by what they wait for, found again by the next process."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import pytest

from daemon.at_work import consume, put_due
from daemon.dispatch.local import LocalDispatch
from daemon.expiry import Expiry
from daemon.live import LiveDaemon
from daemon.source_state import StoredState
from daemon.waiting import Waits
from daemon.waiting.pauses import PAUSED, Pauses
from daemon.waiting.resting import AtRest
from daemon.waiting.timer import LEAST, Timer
from daemon.worker import Worker
from flows.dialects import load_flow
from flows.executor import World
from flows.steps import make_kinds
from tests.daemon.benches import benches

KINDS = make_kinds()
PATIENCE_S = 10.0


def a_flow(folder, *steps, key="later", **more):
    return load_flow({"key": key, "steps": list(steps), **more}, key=None, folder=folder, kinds=KINDS)


def calc(step, expression, **more):
    return {"id": step, "type": "transform", "transform": {"expression": expression}, **more}


def note(step, file="notes.txt"):
    return {"id": step, "type": "file-write", "fileWrite": {"path": file, "content": step, "append": True}}


def pause(step="wait", length="1h", **more):
    return {"id": step, "type": "wait", "wait": {"for": length}, **more}


class Clock:
    """The wall's, which can be set."""

    ahead = 0.0

    def __call__(self):
        return time.time() + self.ahead


async def no_events(event):
    raise AssertionError(event)


class Bench:
    """A daemon's line without its intake: store, dispatch, worker, waits."""

    def __init__(self, store, flows, *, concurrency=2):
        self.store, self.clock = store, Clock()
        self.flows = {flow.key: flow for flow in flows}
        self.holder = SimpleNamespace(current=SimpleNamespace(flows=self.flows))
        self.dispatch = LocalDispatch()
        self.waits = Waits(store.waits, clock=self.clock)
        self.pauses = Pauses(StoredState(store, PAUSED), clock=self.clock)
        self.at_rest = AtRest(self.dispatch.put, store.waits.rest, self.pauses)
        self.waits.wake = self.at_rest.wake
        world = World(KINDS, self.flows.__getitem__, None, clock=self.clock, wait=self.waits)
        self.worker = Worker(store, world, lambda: self.flows, waits=self.waits, at_rest=self.at_rest, clock=self.clock)
        self.live = LiveDaemon(
            store,
            self.dispatch,
            self.worker,
            no_events,
            lambda _path, _given: None,
            started_at=0.0,
            version="0",
            at_rest=self.at_rest,
            held=self.pauses,
        )
        self.expiry = Expiry(self.dispatch, self.at_rest)
        self.concurrency = concurrency

    async def start(self):
        due = await self.store.reconcile(time.time())
        await self.pauses.load()
        self.pauses.changed = self.worker.look_at_pauses
        await self.waits.load()
        put_due(self, due)
        self.consuming = asyncio.ensure_future(consume(self.dispatch, self.concurrency, self.worker))
        return self

    async def until_at_rest(self, *runs):
        async with asyncio.timeout(PATIENCE_S):
            while not all(run in self.at_rest for run in runs):
                await asyncio.sleep(0.01)
            await self.store.drained()

    async def until_open(self, run, path):
        async with asyncio.timeout(PATIENCE_S):
            while not any(entry.row.path == path for entry in self.waits.of(run)):
                await asyncio.sleep(0.005)

    async def ended(self, run):
        assert await self.live.ended(run, PATIENCE_S)
        return await self.store.run(run)

    def set_clock(self, ahead_s):
        """As if so much time had passed."""
        self.clock.ahead = ahead_s
        self.waits._timer._arm()

    async def close(self):
        self.waits.close()
        self.expiry.close()
        self.worker.leave()
        await self.dispatch.close(0)
        await self.worker.endings.settled()
        await self.consuming


@pytest.fixture
async def open_bench(tmp_path, monkeypatch):
    """open_bench(flow, …): a bench over the test's database; a second one, after close(), is a restart."""
    monkeypatch.setattr("daemon.worker.LEAVE_S", 0.01)
    async with benches(tmp_path / "camshaft.db", Bench) as opening:
        yield opening


async def test_a_run_that_only_waits_is_left_and_goes_on_when_its_time_has_come(open_bench, tmp_path):
    flow = a_flow(tmp_path, note("before"), pause(), note("after"))
    bench = await open_bench(flow)
    run = await bench.live.start(flow, {})
    await bench.until_at_rest(run)
    resting = bench.worker.so_far(await bench.store.run(run))

    bench.set_clock(3601)
    ended = await bench.ended(run)

    assert (resting.status, bench.worker.under_way()) == ("waiting", ())
    assert ended.status == "completed"
    assert (tmp_path / "notes.txt").read_text() == "beforeafter"
    assert [(a.path, a.number, a.status) for a in ended.attempts] == [
        ("before", 1, "success"),
        ("wait", 1, "success"),
        ("after", 1, "success"),
    ]
    assert 3600_000 <= next(a for a in ended.attempts if a.path == "wait").duration_ms < 3660_000


async def test_what_waits_takes_no_place_of_the_concurrency(open_bench, tmp_path):
    waiting, quick = a_flow(tmp_path, pause()), a_flow(tmp_path, note("quick"), key="quick")
    bench = await open_bench(waiting, quick, concurrency=1)
    runs = [await bench.live.start(waiting, {}) for _ in range(20)]
    await bench.until_at_rest(*runs)

    ended = await bench.ended(await bench.live.start(quick, {}))

    assert ended.status == "completed"
    assert len(bench.at_rest) == 20
    assert bench.live.status()["atRest"] == 20


async def test_a_wait_survives_a_restart_and_keeps_its_due_time(open_bench, tmp_path):
    flow = a_flow(tmp_path, note("before"), pause(), note("after"))
    bench = await open_bench(flow)
    run = await bench.live.start(flow, {})
    await bench.until_at_rest(run)
    due = bench.waits.next_end(run)
    await open_bench.close()

    bench = await open_bench(flow, token="daemon-2")
    found = (run in bench.at_rest, bench.waits.next_end(run), bench.dispatch.depth())
    bench.set_clock(3601)
    ended = await bench.ended(run)

    assert found == (True, pytest.approx(due, abs=1e-5), 0)
    assert ended.status == "completed"
    assert (tmp_path / "notes.txt").read_text() == "beforeafter"


async def test_a_wait_that_was_over_while_nothing_ran_ends_at_the_start(open_bench, tmp_path):
    flow = a_flow(tmp_path, pause(length="3s"), note("after"))
    bench = await open_bench(flow)
    run = await bench.live.start(flow, {})
    await bench.until_at_rest(run)
    await open_bench.close()

    bench = await open_bench(flow, token="daemon-2")
    bench.set_clock(4)
    ended = await bench.ended(run)

    assert ended.status == "completed"


async def test_a_process_that_ends_before_it_left_the_run_leaves_it_to_wait_in_the_next_one(open_bench, tmp_path, monkeypatch):
    monkeypatch.setattr("daemon.worker.LEAVE_S", 60)
    flow = a_flow(tmp_path, note("before"), pause(), note("after"))
    bench = await open_bench(flow)
    run = await bench.live.start(flow, {})
    await bench.until_open(run, "wait")
    await open_bench.close()  # it leaves at once what only waits
    monkeypatch.setattr("daemon.worker.LEAVE_S", 0.01)

    bench = await open_bench(flow, token="daemon-2")
    waits = await bench.store.waits.live()
    bench.set_clock(3601)
    ended = await bench.ended(run)

    assert [(row.path, row.number) for row in waits] == [("wait", 1)]
    assert [(a.path, a.number, a.status) for a in ended.attempts][1] == ("wait", 1, "success")
    assert (tmp_path / "notes.txt").read_text() == "beforeafter"


async def test_a_run_is_not_left_while_something_of_it_works(open_bench, tmp_path):
    busy = {"id": "busy", "type": "bash", "bash": {"command": "until [ -e go ]; do sleep 0.01; done", "timeout": 60_000}}
    flow = a_flow(tmp_path, {"id": "both", "type": "parallel", "parallel": {"steps": [pause(), busy]}})
    bench = await open_bench(flow)
    run = await bench.live.start(flow, {})
    await bench.until_open(run, "both.wait")
    for _ in range(10):
        await asyncio.sleep(0.01)  # longer than a run that only waits is kept
    working = bench.worker.running(run)
    (tmp_path / "go").touch()
    await bench.until_at_rest(run)
    bench.set_clock(3601)
    ended = await bench.ended(run)

    assert working
    assert ended.status == "completed"
    assert [a.status for a in ended.attempts if a.path == "both.busy"] == ["success"]


async def test_several_waits_of_one_run_end_each_by_itself_and_inside_loops_and_subflows(open_bench, tmp_path):
    inner = a_flow(tmp_path, pause(length="2h"), note("inner"), key="inner")
    steps = [
        {"id": "each", "type": "loop", "loop": {"over": [1, 3], "maxConcurrency": 2, "steps": [pause(length="{{$.loop.item}}h"), note("item")]}},
        {"id": "sub", "type": "flow", "flow": {"key": "inner"}},
    ]  # fmt: skip
    flow = a_flow(tmp_path, {"id": "both", "type": "parallel", "parallel": {"steps": steps}})
    bench = await open_bench(flow, inner)
    run = await bench.live.start(flow, {})
    await bench.until_at_rest(run)
    order = []
    for hours in (1, 2, 3):
        open_before = sorted(entry.row.path for entry in bench.waits.of(run))
        order.append(open_before)
        bench.set_clock(hours * 3600 + 1)
        async with asyncio.timeout(PATIENCE_S):
            while len(bench.waits.of(run)) == len(open_before):
                await asyncio.sleep(0.005)
        if hours < 3:
            await bench.until_at_rest(run)

    ended = await bench.ended(run)

    assert order == [
        ["both.each[0].wait", "both.each[1].wait", "both.sub/wait"],
        ["both.each[1].wait", "both.sub/wait"],
        ["both.each[1].wait"],
    ]
    assert ended.status == "completed"
    assert (tmp_path / "notes.txt").read_text() == "iteminneritem"
    assert {a.number for a in ended.attempts} == {1}


def told(run):
    return [(attempt.path, attempt.kind, attempt.number, attempt.status) for attempt in run.attempts]


async def test_a_waiting_run_can_be_cancelled_at_rest_and_while_it_is_being_left(open_bench, tmp_path):
    flow = a_flow(tmp_path, pause(), note("after"))
    bench = await open_bench(flow)
    resting, leaving = await bench.live.start(flow, {}), await bench.live.start(flow, {})
    await bench.until_at_rest(resting, leaving)
    bench.at_rest.wake(leaving)
    async with asyncio.timeout(PATIENCE_S):
        while not bench.worker.running(leaving):
            await asyncio.sleep(0)

    cancelled = await bench.live.cancel([resting, leaving])
    ends = [await bench.ended(run) for run in (resting, leaving)]

    assert cancelled == [resting, leaving]
    assert [(run.status, run.code) for run in ends] == [("cancelled", "CANCELLED")] * 2
    assert [told(run) for run in ends] == [[("wait", "wait", 1, "cancelled")]] * 2
    assert len(bench.waits) == 0
    assert await bench.store.waits.live() == []
    assert not (tmp_path / "notes.txt").exists()


async def test_a_run_at_rest_fails_when_the_time_of_its_flow_is_over(open_bench, tmp_path):
    flow = a_flow(tmp_path, pause(length="2h"), note("after"), timeoutMs=3_600_000)
    bench = await open_bench(flow)
    run = await bench.live.start(flow, {})
    await bench.until_at_rest(run)

    bench.set_clock(3601)
    ended = await bench.ended(run)

    assert (ended.status, ended.code) == ("failed", "FLOW_TIMEOUT")
    assert told(ended) == [("wait", "wait", 1, "cancelled")]
    assert not (tmp_path / "notes.txt").exists()


async def test_the_time_of_its_flow_is_known_after_a_restart_too(open_bench, tmp_path):
    flow = a_flow(tmp_path, pause(length="2h"), note("after"), timeoutMs=3_600_000)
    bench = await open_bench(flow)
    run = await bench.live.start(flow, {})
    await bench.until_at_rest(run)
    await open_bench.close()

    bench = await open_bench(flow, token="daemon-2")
    found = run in bench.at_rest
    bench.set_clock(3601)
    ended = await bench.ended(run)

    assert (found, ended.status, ended.code) == (True, "failed", "FLOW_TIMEOUT")
    assert not (tmp_path / "notes.txt").exists()


async def test_a_step_that_waits_longer_than_its_own_timeout_has_timed_out(open_bench, tmp_path):
    flow = a_flow(
        tmp_path,
        pause(length="2h", timeoutMs=3_600_000, onError={"strategy": "continue"}),
        calc("said", "$.steps.wait.errorCode"),
    )
    bench = await open_bench(flow)
    run = await bench.live.start(flow, {})
    await bench.until_at_rest(run)

    bench.set_clock(3601)
    ended = await bench.ended(run)

    assert (ended.status, ended.output) == ("completed", "TIMEOUT")
    assert [a.status for a in ended.attempts] == ["timeout", "success"]


async def test_a_wait_that_is_given_up_is_closed(open_bench, tmp_path):
    body = {
        "id": "both",
        "type": "parallel",
        "timeoutMs": 50,
        "parallel": {"steps": [pause()]},
        "onError": {"strategy": "continue"},
    }
    flow = a_flow(tmp_path, body, pause("later", "2h"))
    bench = await open_bench(flow)
    run = await bench.live.start(flow, {})
    await bench.until_open(run, "later")

    await bench.store.drained()
    live = await bench.store.waits.live()

    assert [row.path for row in live] == ["later"]
    assert [entry.row.path for entry in bench.waits.of(run)] == ["later"]


async def test_what_a_timer_holds_does_not_grow_with_what_is_not_wanted_any_more():
    timer = Timer(lambda _thing: None, lambda thing: thing == "wanted", time.time)

    for number in range(5 * LEAST):
        timer.add(time.time() + 1e6, "wanted" if number % 100 == 0 else "done")
    timer.close()

    assert len(timer._heap) <= LEAST
    assert sum(thing == "wanted" for _, _, thing in timer._heap) == 50
