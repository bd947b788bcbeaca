"""What a run held in memory goes when it ends: none of it waits for the garbage collector, which comes late and stops the loop."""

from __future__ import annotations

import asyncio

import pytest

from daemon.recorder import Recorder
from flows.execution import Execution
from flows.steps.http_exchange import Request
from flows.trial import Trial
from tests.daemon.test_waiting import KINDS, a_flow, calc, note, open_bench, pause  # noqa: F401 - a fixture
from tests.garbage import left_over


def inside(kind, **section):
    return {"id": kind, "type": kind, kind: section}


def bash(command, **more):
    return {"id": "sh", "type": "bash", "bash": {"command": command}, **more}


def http(url, **section):
    return {"id": "call", "type": "http", "http": {"url": url, **section}}


@pytest.fixture(autouse=True)
async def closed():
    """The client of http steps is for one loop."""
    yield
    await KINDS["http"].close()


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([calc("a", "1"), calc("b", "$.steps.a.output + 1")], id="plain steps"),
        pytest.param([note("a"), bash("true")], id="steps that touch the world"),
        pytest.param([http("http://127.0.0.1:1/", method="POST", body={"a": 1})], id="a server that is not there"),
        pytest.param([bash("sleep 30", timeoutMs=30)], id="a step that takes too long"),
        pytest.param([calc("a", "$.nothing.at.all")], id="a plain step that fails"),
        pytest.param(
            [bash("exit 3", onError={"strategy": "retry", "retries": 1, "retryDelayMs": 1})], id="a step that fails again"
        ),
        pytest.param([inside("loop", over="$.input.list", steps=[note("x")])], id="a loop"),
        pytest.param([inside("loop", over="$.input.list", steps=[bash("exit 3")])], id="a loop that fails"),
        pytest.param([inside("while", condition="$.loop.iteration < 2", steps=[calc("x", "1")])], id="a while"),
        pytest.param([inside("parallel", steps=[note("x"), calc("y", "2")])], id="steps side by side"),
        pytest.param([inside("condition", expression="true", then=[note("x")])], id="a condition"),
        pytest.param([inside("flow", key="later", inputs={"list": []}) | {"if": "$.input.list.length > 0"}], id="a sub-flow"),
        pytest.param([inside("code", source="return 1")], id="a script"),
        pytest.param([pause(length="1ms"), calc("x", "1")], id="a wait"),
    ],
)
async def test_a_run_that_has_ended_leaves_nothing_for_the_garbage_collector(open_bench, tmp_path, steps):  # noqa: F811
    flow = a_flow(tmp_path, *steps)
    bench = await open_bench(flow)

    async def to_its_end():
        return await bench.ended(await bench.live.start(flow, {"list": [1, 2]}))

    found = await left_over(to_its_end)

    assert (found[Recorder], found[Execution], found[Trial], found[Request]) == (0, 0, 0, 0)


async def test_a_run_that_was_left_for_a_wait_leaves_nothing_for_the_garbage_collector(open_bench, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr("daemon.worker.LEAVE_S", 0.01)
    monkeypatch.setattr("daemon.waiting.waits.SOON_S", 0.0)
    flow = a_flow(tmp_path, note("a"), pause(length="400ms"), calc("x", "1"))
    bench = await open_bench(flow)

    async def to_its_end():
        run = await bench.live.start(flow, {})
        await bench.until_at_rest(run)
        return await bench.ended(run)

    found = await left_over(to_its_end)

    assert (found[Recorder], found[Execution], found[Trial]) == (0, 0, 0)


async def test_a_run_that_is_cancelled_leaves_nothing_for_the_garbage_collector(open_bench, tmp_path):  # noqa: F811
    flow = a_flow(tmp_path, note("a"), bash("sleep 30"))
    bench = await open_bench(flow)

    async def to_its_end():
        run = await bench.live.start(flow, {})
        async with asyncio.timeout(10):
            while len(bench.worker.so_far(await bench.store.run(run)).attempts) < 3:  # the command has begun
                await asyncio.sleep(0.01)
        await bench.live.cancel([run])
        return await bench.ended(run)

    found = await left_over(to_its_end)

    assert (found[Recorder], found[Execution], found[Trial]) == (0, 0, 0)
