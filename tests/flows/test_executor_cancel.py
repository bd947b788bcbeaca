"""Cancelling a run: everything under way is cancelled, recorded, and gone before execute() raises."""

import asyncio
from pathlib import Path

import pytest

from flows.dialects import load_flow
from flows.errors import StepError
from flows.executor import World, execute
from flows.flow import Flow
from flows.graph import Graph, Step
from flows.inputs import Inputs
from flows.retry import RetryPolicy
from flows.step import Output
from flows.steps import make_kinds
from tests.flows.kind import Kind


class Hang(Kind):
    """A kind that tells when it began and when it was cancelled, and cleans up for a while."""

    name = section = "hang"

    def __init__(self):
        self.begun = asyncio.Semaphore(0)
        self.cleaned = []

    async def run(self, prepared, scope):
        self.begun.release()
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(3):
                await asyncio.sleep(0)
            self.cleaned.append(scope.path)


class Fail(Kind):
    name = section = "fail"

    async def run(self, prepared, scope):
        raise StepError("boom", code="BOOM")


def start(flow, kinds, find_flow=None):
    attempts = []
    world = World(kinds, find_flow, None)
    return asyncio.create_task(execute(flow, {}, run_id="run_1", world=world, record=attempts.append)), attempts


def load(steps, kinds, key="k"):
    return load_flow({"key": key, "steps": steps}, key=None, folder=Path(), kinds=kinds)


def hang(name):
    return {"id": name, "type": "hang", "hang": {}}


async def cancelled(running):
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(5):
            await running


async def test_cancelling_a_run_cancels_every_step_and_records_it():
    kind = Hang()
    kinds = {**make_kinds(), "hang": kind}
    flow = load([{"id": "p", "type": "parallel", "parallel": {"steps": [hang("a"), hang("b")]}}], kinds)
    running, attempts = start(flow, kinds)
    await kind.begun.acquire()
    await kind.begun.acquire()

    await cancelled(running)

    assert sorted(kind.cleaned) == ["p.a", "p.b"]
    assert {attempt.path for attempt in attempts if attempt.status == "cancelled"} == {"p.a", "p.b", "p"}


async def test_cancelling_reaches_loops_branches_and_sub_flows():
    kind = Hang()
    kinds = {**make_kinds(), "hang": kind}
    inner = load([hang("deep")], kinds, key="inner")
    call = {"id": "call", "type": "flow", "flow": {"key": "inner"}}
    branch = {"id": "ask", "type": "condition", "condition": {"expression": "true", "then": [call]}}
    loop = {"id": "each", "type": "loop", "loop": {"over": [1, 2], "maxConcurrency": 2, "steps": [branch]}}
    running, attempts = start(load([loop], kinds), kinds, {"inner": inner}.__getitem__)
    await kind.begun.acquire()
    await kind.begun.acquire()

    await cancelled(running)

    assert sorted(kind.cleaned) == ["each[0].ask.call/deep", "each[1].ask.call/deep"]
    assert sum(attempt.status == "cancelled" for attempt in attempts) == 7


async def test_cancelling_reaches_a_retry_that_waits():
    kinds = {"fail": Fail()}
    step = Step("a", "fail", retry=RetryPolicy(tries=2, first_delay_s=600))
    flow = Flow("k", "steps", Graph((step,), (), Path()), Inputs({}), Path(), None, "")
    running, attempts = start(flow, kinds)
    while not any(attempt.status == "failed" for attempt in attempts):
        await asyncio.sleep(0)
    await asyncio.sleep(0)

    await cancelled(running)

    assert [(attempt.number, attempt.status) for attempt in attempts] == [(1, "running"), (1, "failed"), (2, "cancelled")]


async def test_a_second_cancel_does_not_leave_children_behind():
    kind = Hang()
    kinds = {**make_kinds(), "hang": kind}
    running, _ = start(load([hang("a")], kinds), kinds)
    await kind.begun.acquire()

    running.cancel()
    await asyncio.sleep(0)
    await cancelled(running)

    assert kind.cleaned == ["a"]


async def test_cancelling_while_a_record_is_awaited_leaves_the_record_alone():
    class Done(Kind):
        name = section = "done"

        async def run(self, prepared, scope):
            return Output(1)

    commit = asyncio.get_running_loop().create_future()
    step = Step("a", "done")
    flow = Flow("k", "steps", Graph((step,), (), Path()), Inputs({}), Path(), None, "")
    attempts = []

    def record(attempt):
        attempts.append(attempt.status)
        return commit if attempt.status == "success" else None

    running = asyncio.create_task(execute(flow, {}, run_id="r", world=World({"done": Done()}, None, None), record=record))
    while "success" not in attempts:
        await asyncio.sleep(0)

    await cancelled(running)

    assert not commit.cancelled()
    assert attempts == ["running", "success"]


async def test_a_run_cancelled_before_its_first_step_records_nothing_that_did_not_happen():
    kind = Hang()
    kinds = {**make_kinds(), "hang": kind}
    running, attempts = start(load([hang("a")], kinds), kinds)

    await cancelled(running)

    assert attempts == []


async def test_a_step_timeout_of_a_container_cancels_its_steps():
    kind = Hang()
    kinds = {**make_kinds(), "hang": kind}
    loop = {
        "id": "each",
        "type": "loop",
        "timeoutMs": 20,
        "onError": {"strategy": "continue"},
        "loop": {"over": [1], "steps": [hang("a")]},
    }
    running, attempts = start(load([loop], kinds), kinds)

    ended = await running

    assert ended.status == "completed"
    assert ended.steps["each"]["status"] == "timeout"
    assert [(attempt.path, attempt.status) for attempt in attempts][-2:] == [("each[0].a", "cancelled"), ("each", "timeout")]
