"""The executor with step kinds of the test: order, failures, retries, fallbacks, skipping."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from flows.dialects import load_flow
from flows.errors import StepError
from flows.graph import Edge, Graph, Step
from tests.flows.executing import KINDS, failing_work, fails, flow_of, gives, row, run, told, world


async def test_steps_in_a_row_run_in_order_and_hand_on_their_output():
    a, b = Step("a", "call", gives(1)), Step("b", "call", lambda scope: scope.names["data"] + 1)

    ended, attempts = await run(flow_of([a, b], row(a, b)))

    assert ended.status == "completed"
    assert ended.output == 2
    assert told(attempts) == [("a", 1, "success"), ("b", 1, "success")]


async def test_a_flow_without_steps_completes():
    ended, _ = await run(flow_of([]))

    assert ended.status == "completed"
    assert ended.output is None


async def test_the_first_step_is_given_the_inputs_as_data():
    ended, _ = await run(flow_of([Step("a", "call", lambda scope: scope.names["data"]["n"])]), {"n": 7})

    assert ended.output == 7


async def test_names_show_inputs_steps_loop_and_environment_with_and_without_the_dollar():
    step = Step("a", "call", lambda scope: scope.names["$"]["env"]["HOME"] + scope.names["input"]["x"])

    ended, _ = await run(flow_of([step]), {"x": "!"}, world=world(env={"HOME": "/h"}))

    assert ended.output == "/h!"


async def test_a_step_with_effects_is_recorded_when_it_begins_and_when_it_ends():
    _, attempts = await run(flow_of([Step("a", "work", failing_work(0))]))

    assert told(attempts) == [("a", 1, "running"), ("a", 1, "success")]
    assert all(attempt.effects for attempt in attempts)


async def test_what_depends_on_a_step_with_effects_waits_until_its_record_is_on_disk():
    saved = asyncio.get_running_loop().create_future()
    begun = []
    a, b = Step("a", "work", failing_work(0)), Step("b", "call", lambda _scope: begun.append("b"))
    flow = flow_of([a, b], row(a, b))

    running = asyncio.create_task(run(flow, record=lambda attempt: saved if told([attempt])[0] == ("a", 1, "success") else None))
    for _ in range(20):
        await asyncio.sleep(0)

    assert begun == []
    saved.set_result(None)
    ended, _ = await running
    assert begun == ["b"]
    assert ended.status == "completed"


async def test_records_of_plain_steps_are_not_waited_for():
    never = asyncio.get_running_loop().create_future()
    a, b = Step("a", "call", gives(1)), Step("b", "call", gives(2))

    ended, _ = await run(flow_of([a, b], row(a, b)), record=lambda _attempt: never)

    assert ended.status == "completed"


async def test_only_a_step_that_must_not_run_twice_waits_for_the_record_that_it_begins():
    waited = []

    def record(attempt):
        done = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(lambda: (waited.append((attempt.step, attempt.status)), done.set_result(None)))
        return done

    async def see(_scope):
        return list(waited)

    _, attempts = await run(flow_of([Step("once", "work", see, on_interrupted="fail")]), record=record)
    assert attempts[-1].output == [("once", "running")]
    waited.clear()
    _, attempts = await run(flow_of([Step("again", "work", see)]), record=record)
    assert attempts[-1].output == []


async def test_an_error_of_the_record_ends_the_run_and_is_raised():
    class DiskFullError(Exception):
        pass

    def record(attempt):
        if attempt.status == "success":
            raise DiskFullError

    a, b = Step("a", "work", failing_work(0), on_error="continue"), Step("b", "call", gives(1))

    with pytest.raises(DiskFullError):
        await run(flow_of([a, b], row(a, b)), record=record)


async def test_an_error_of_the_record_inside_a_loop_is_not_taken_for_the_loops_failure():
    class LeaseLostError(Exception):
        pass

    body = Graph((Step("inner", "work", failing_work(0)),), (), Path())
    loop = load_flow(
        {"key": "k", "steps": [{"id": "each", "type": "loop", "loop": {"over": [1, 2, 3], "maxConcurrency": 2, "steps": []}}]},
        key=None,
        folder=Path(),
        kinds=KINDS,
    ).graph.steps[0]
    loop = replace(loop, prepared=replace(loop.prepared, body=body), on_error="continue")

    def record(attempt):
        if attempt.path == "each[1].inner":
            raise LeaseLostError

    with pytest.raises(LeaseLostError):
        await run(flow_of([loop]), record=record)


async def test_the_run_fails_with_the_first_step_that_failed():
    a, b, c = Step("a", "call", gives(1)), Step("b", "call", fails("no luck")), Step("c", "call", gives(3))

    ended, attempts = await run(flow_of([a, b, c], row(a, b, c)))

    assert (ended.status, ended.error, ended.code) == ("failed", "step «b»: no luck", "BOOM")
    assert list(ended.steps) == ["a", "b"]
    assert told(attempts) == [("a", 1, "success"), ("b", 1, "failed")]


async def test_what_runs_beside_a_failed_step_goes_on_and_nothing_new_starts():
    go = asyncio.Event()

    async def slow(_scope):
        await go.wait()
        return "slow"

    async def fail(_scope):
        go.set()
        raise StepError("boom", code="BOOM")

    slow_step, after = Step("slow", "work", slow), Step("after", "call", gives(1))

    ended, _ = await run(flow_of([slow_step, after, Step("bad", "work", fail)], [Edge("slow", "after")]))

    assert ended.status == "failed"
    assert ended.steps["slow"]["status"] == "success"
    assert "after" not in ended.steps


async def test_a_continued_failure_lets_the_next_step_run():
    a = Step("a", "call", fails(), on_error="continue")
    b = Step("b", "call", lambda scope: scope.names["steps"]["a"]["errorCode"])

    ended, _ = await run(flow_of([a, b], row(a, b)))

    assert ended.status == "completed"
    assert ended.steps["a"]["status"] == "failed"
    assert ended.output == "BOOM"


async def test_with_continue_steps_fed_only_by_failed_ones_are_skipped_and_the_run_ends_failed():
    a, b, c, d = (Step("a", "call", fails()), *(Step(name, "call", gives(name)) for name in "bcd"))
    edges = [Edge("a", "b"), Edge("b", "c"), Edge("a", "d"), Edge("e", "d")]

    ended, attempts = await run(flow_of([a, b, c, d, Step("e", "call", gives(5))], edges, on_failure="continue"))

    assert ended.status == "failed"
    assert {name: result["status"] for name, result in ended.steps.items()} == {
        "a": "failed",
        "b": "skipped",
        "c": "skipped",
        "d": "success",
        "e": "success",
    }
    assert {attempt.step: attempt.code for attempt in attempts if attempt.status == "skipped"} == {
        "b": "SOURCE_FAILED",
        "c": "SOURCE_FAILED",
    }


async def test_a_branch_that_is_not_taken_is_skipped_all_the_way_down():
    steps = [Step("ask", "call", gives(True)), *(Step(name, "call", gives(name)) for name in ("yes", "no", "after", "join"))]
    edges = [
        Edge("ask", "yes", "true"),
        Edge("ask", "no", "false"),
        Edge("no", "after"),
        Edge("after", "join"),
        Edge("yes", "join"),
    ]

    ended, attempts = await run(flow_of(steps, edges))

    assert {name for name, result in ended.steps.items() if result["status"] == "success"} == {"ask", "yes", "join"}
    assert {attempt.code for attempt in attempts if attempt.status == "skipped"} == {"NOT_TAKEN"}


async def test_no_more_steps_run_at_one_time_than_the_graph_allows():
    running, most = 0, 0

    async def work(_scope):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    ended, _ = await run(flow_of([Step(f"s{n}", "work", work) for n in range(9)], max_concurrent=3))

    assert ended.status == "completed"
    assert most == 3


async def test_others_on_the_loop_get_their_turn_while_many_plain_steps_run():
    turns = []

    async def other():
        while True:
            turns.append(1)
            await asyncio.sleep(0)

    def busy(_scope):
        return sum(range(2000))

    watcher = asyncio.create_task(other())
    await asyncio.sleep(0)
    before = len(turns)
    ended, _ = await run(flow_of([Step(f"s{n}", "call", busy) for n in range(1000)]))
    watcher.cancel()

    assert ended.status == "completed"
    assert len(turns) > before
