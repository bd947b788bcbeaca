"""A run goes on from its last recorded step: cut anywhere, it comes to the same end, and nothing recorded runs again."""

import asyncio
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from flows.attempt import Attempt
from flows.dialects import load_flow
from flows.errors import StepError
from flows.executor import World, execute
from flows.step import Output
from flows.steps import make_kinds
from tests.flows.kind import Kind


class ActSpec(BaseModel):
    fails: int = 0  # tries that fail before one succeeds
    pauses: int = 0


class Act(Kind):
    """A kind with effects that fails a number of times, counted over all processes."""

    name = section = "act"
    Spec: ClassVar = ActSpec

    def __init__(self, recorded=()):
        self.ran = []
        self.failed = {}
        for attempt in recorded:
            if attempt.status == "failed" and attempt.kind == "act":
                self.failed[attempt.path] = self.failed.get(attempt.path, 0) + 1

    async def run(self, prepared, scope):
        self.ran.append((scope.path, scope.attempt))
        for _ in range(prepared.pauses):
            await asyncio.sleep(0)
        failed = self.failed.get(scope.path, 0)
        if failed < prepared.fails:
            self.failed[scope.path] = failed + 1
            raise StepError(f"boom {failed}", code="BOOM")
        return Output(f"done {scope.names['data']!r:.20}")


INNER = {
    "key": "inner",
    "steps": [
        {"id": "load", "type": "act", "act": {"fails": 1}, "onError": {"strategy": "retry", "retries": 1, "retryDelayMs": 0}},
        {"id": "show", "type": "transform", "transform": {"expression": "$.steps.load.output + '!'"}},
    ],
}


def run(definition, recorded=()):
    act = Act(recorded)
    kinds = {**make_kinds(), "act": act}
    inner = load_flow(INNER, key=None, folder=Path(), kinds=kinds)
    flow = load_flow(definition, key=None, folder=Path(), kinds=kinds)
    attempts = []

    async def go():
        world = World(kinds, {"inner": inner}.__getitem__, None, turn_s=math.inf)
        async with asyncio.timeout(10):
            return await execute(flow, {}, run_id="run_1", world=world, record=attempts.append, recorded=recorded)

    return asyncio.run(go()), attempts, act


def plain(value):
    """Without what tells how long it took and how often it was interrupted."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items() if key not in {"durationMs", "attempts"}}
    return [plain(each) for each in value] if isinstance(value, list) else value


def settled_paths(recorded):
    """Paths that a later process must not run again."""
    last = {attempt.path: attempt for attempt in recorded}
    return {
        path for path, attempt in last.items() if attempt.final and attempt.status in {"success", "skipped", "failed", "timeout"}
    }


@st.composite
def step_lists(draw, numbers, depth=0):
    steps = [draw(one_step(numbers, depth)) for _ in range(draw(st.integers(1, 4 if depth == 0 else 2)))]
    if steps[0]["type"] == "act" and draw(st.booleans()):
        spare = f"s{next(numbers)}"
        steps[0]["onError"] = {"strategy": "fallback", "fallbackStepId": spare}
        steps.append({"id": spare, "type": "act", "act": {}})
    return steps


@st.composite
def one_step(draw, numbers, depth):
    name = f"s{next(numbers)}"
    kinds = ["act", "act", "transform", "flow"] + (["loop", "parallel", "condition"] if depth < 2 else [])
    kind = draw(st.sampled_from(kinds))
    step = {"id": name, "type": kind}
    if kind == "act":
        step["act"] = {"fails": draw(st.sampled_from([0, 0, 0, 1, 2])), "pauses": draw(st.integers(0, 2))}
    elif kind == "transform":
        step["transform"] = {"expression": "({seen: Object.keys($.steps).length > 0})"}
    elif kind == "flow":
        step["flow"] = {"key": "inner"}
    elif kind == "loop":
        body = draw(step_lists(numbers, depth + 1))
        step["loop"] = {"over": [1, 2, 3], "maxConcurrency": draw(st.integers(1, 3)), "steps": body}
    elif kind == "parallel":
        step["parallel"] = {"steps": draw(step_lists(numbers, depth + 1))}
    else:
        answer = draw(st.sampled_from(["true", "false"]))
        step["condition"] = {
            "expression": answer,
            "then": draw(step_lists(numbers, depth + 1)),
            "else": draw(step_lists(numbers, depth + 1)),
        }
    if draw(st.integers(0, 5)) == 0:
        step["if"] = draw(st.sampled_from(["true", "false"]))
    rule = draw(st.sampled_from([None, None, "continue", "retry"]))
    if rule == "retry":
        step["onError"] = {"strategy": "retry", "retries": 2, "retryDelayMs": 0}
    elif rule == "continue":
        step["onError"] = {"strategy": "continue"}
    return step


@st.composite
def definitions(draw):
    numbers = iter(range(1000))
    return {"key": "k", "steps": draw(step_lists(numbers))}


@settings(max_examples=120, deadline=None)
@given(definition=definitions(), cut=st.floats(0, 1))
def test_a_run_cut_anywhere_comes_to_the_same_end_and_runs_nothing_recorded_again(definition, cut):
    whole, attempts, _ = run(definition)
    recorded = attempts[: int(cut * len(attempts))]

    ended, later, act = run(definition, recorded)

    settled = settled_paths(recorded)
    assert not [path for path, _ in act.ran if path in settled]
    assert not [attempt.path for attempt in later if attempt.path in settled]
    assert ended.status == whole.status
    if whole.status == "completed":  # else what had begun beside the failed step may differ
        assert plain(ended.steps) == plain(whole.steps)
        assert plain(ended.output) == plain(whole.output)


@settings(max_examples=60, deadline=None)
@given(definition=definitions(), first=st.floats(0, 1), second=st.floats(0, 1))
def test_a_run_may_be_cut_twice(definition, first, second):
    whole, attempts, _ = run(definition)
    recorded = attempts[: int(first * len(attempts))]
    _, later, _ = run(definition, recorded)
    recorded = [*recorded, *later[: int(second * len(later))]]

    ended, _, act = run(definition, recorded)

    assert not [path for path, _ in act.ran if path in settled_paths(recorded)]
    assert ended.status == whole.status
    if whole.status == "completed":
        assert plain(ended.steps) == plain(whole.steps)


def recorded_attempt(path="a", number=1, status="running", **given):
    return Attempt(path, path, "act", number, status, 1000.0, effects=True, **given)


def flow_with(**given):
    return {"key": "k", "steps": [{"id": "a", "type": "act", "act": given.pop("act", {}), **given}]}


def test_a_step_that_was_in_flight_is_recorded_as_interrupted_and_runs_again():
    ended, attempts, act = run(flow_with(), [recorded_attempt()])

    assert ended.status == "completed"
    assert [(a.number, a.status, a.final) for a in attempts] == [
        (1, "interrupted", False),
        (2, "running", True),
        (2, "success", True),
    ]
    assert act.ran == [("a", 2)]


def test_a_step_that_must_not_run_twice_fails_when_it_was_in_flight():
    ended, attempts, act = run(flow_with(onInterrupted="fail"), [recorded_attempt()])

    assert (ended.status, ended.code) == ("failed", "INTERRUPTED")
    assert [(a.number, a.status, a.final) for a in attempts] == [(1, "interrupted", True)]
    assert act.ran == []


def test_a_step_that_failed_by_interruption_stays_failed_in_the_next_process():
    first, attempts, _ = run(flow_with(onInterrupted="fail"), [recorded_attempt()])

    ended, later, act = run(flow_with(onInterrupted="fail"), [recorded_attempt(), *attempts])

    assert (ended.status, ended.code) == (first.status, first.code)
    assert later == []
    assert act.ran == []


def test_onerror_decides_what_follows_an_interruption_that_fails():
    ended, _, _ = run(flow_with(onInterrupted="fail", onError={"strategy": "continue"}), [recorded_attempt()])

    assert ended.status == "completed"
    assert ended.steps["a"]["errorCode"] == "INTERRUPTED"


def test_an_interruption_uses_up_no_retry_and_a_failure_does():
    rule = {"strategy": "retry", "retries": 1, "retryDelayMs": 0}
    failed = recorded_attempt(status="failed", error="boom", code="BOOM", final=False)
    interrupted = recorded_attempt(number=2)

    ended, attempts, _ = run(flow_with(onError=rule, act={"fails": 9}), [failed, interrupted])

    assert [(a.number, a.status) for a in attempts] == [(2, "interrupted"), (3, "running"), (3, "failed")]
    assert ended.status == "failed"


def test_a_cancelled_step_runs_again_when_the_run_is_resumed():
    ended, attempts, _ = run(flow_with(), [recorded_attempt(), recorded_attempt(status="cancelled")])

    assert ended.status == "completed"
    assert attempts[-1].number == 2


def test_a_final_failure_is_not_tried_again():
    recorded = [recorded_attempt(status="failed", error="boom", code="BOOM")]

    ended, attempts, act = run(flow_with(), recorded)

    assert (ended.status, ended.error) == ("failed", "step «a»: boom")
    assert attempts == []
    assert act.ran == []


def test_the_steps_inside_a_finished_loop_are_seen_by_later_steps_after_a_restart():
    steps = [
        {"id": "each", "type": "loop", "loop": {"over": [10, 20], "steps": [
            {"id": "twice", "type": "transform", "transform": {"expression": "$.loop.item * 2"}}]}},
        {"id": "last", "type": "transform", "transform": {"expression": "$.steps.twice.output"}},
    ]  # fmt: skip
    definition = {"key": "k", "steps": steps}
    _, attempts, _ = run(definition)

    ended, later, _ = run(definition, [attempt for attempt in attempts if attempt.path != "last"])

    assert ended.output == 40
    assert [attempt.path for attempt in later] == ["last"]


def test_a_retried_container_does_its_work_again_under_another_path_and_the_same_key():
    keys = []

    class Keyed(Act):
        async def run(self, prepared, scope):
            keys.append((scope.path, scope.idempotency_key))
            raise StepError("boom", code="BOOM")

    loop = {
        "id": "each",
        "type": "loop",
        "onError": {"strategy": "retry", "retries": 1, "retryDelayMs": 0},
        "loop": {"over": [1], "steps": [{"id": "a", "type": "act", "act": {}}]},
    }
    kinds = {**make_kinds(), "act": Keyed()}
    flow = load_flow({"key": "k", "steps": [loop]}, key=None, folder=Path(), kinds=kinds)

    asyncio.run(execute(flow, {}, run_id="run_1", world=World(kinds, None, None), record=lambda _attempt: None))

    assert keys == [("each[0].a", "run_1:each[0].a"), ("each#2[0].a", "run_1:each[0].a")]


def test_records_of_the_same_attempt_count_once():
    twice = [recorded_attempt(), replace(recorded_attempt(), status="success", output="kept")]

    ended, attempts, _ = run(flow_with(), twice)

    assert ended.output == "kept"
    assert attempts == []


class Answering(Kind):
    """Fails once as a server that is overloaded, then gives 1."""

    name = section = "ask"
    Spec: ClassVar = ActSpec

    def __init__(self):
        self.asked = 0

    async def run(self, _prepared, _scope):
        self.asked += 1
        if self.asked == 1:
            raise StepError("503 Service Unavailable", code="HTTP_STATUS", status=503)
        return Output(1)


async def test_the_status_that_a_server_gave_decides_of_the_next_try_also_after_a_crash():
    kind = Answering()
    kinds = {**make_kinds(), "ask": kind}
    rule = {"strategy": "retry", "retries": 1, "retryDelayMs": 0, "retryOn": [503]}
    flow = load_flow(
        {"key": "k", "steps": [{"id": "a", "type": "ask", "ask": {}, "onError": rule}]}, key=None, folder=Path(), kinds=kinds
    )
    recorded = []

    def note(attempt):
        recorded.append(attempt)
        if attempt.status == "failed":
            raise RuntimeError("the process ends here")

    with pytest.raises(RuntimeError):
        await execute(flow, {}, run_id="r", world=World(kinds, None, None), record=note)
    ended = await execute(flow, {}, run_id="r", world=World(kinds, None, None), record=recorded.append, recorded=list(recorded))

    assert (ended.status, ended.output, kind.asked) == ("completed", 1, 2)


@pytest.mark.parametrize(
    ("delay_ms", "asked_s", "failed_before_s", "least_s", "most_s"),
    [(400, None, 0.0, 0.3, 5.0), (0, 0.4, 0.0, 0.3, 5.0), (400, None, 60.0, 0.0, 0.3), (400, None, -60.0, 0.3, 5.0)],
)
async def test_what_is_left_of_a_retrys_delay_is_waited_for_after_a_crash(delay_ms, asked_s, failed_before_s, least_s, most_s):
    kinds = {**make_kinds(), "act": Act()}
    rule = {"strategy": "retry", "retries": 1, "retryDelayMs": delay_ms}
    flow = load_flow(flow_with(onError=rule), key=None, folder=Path(), kinds=kinds)
    began = time.time()
    said = None if asked_s is None else {"status": 429, "retryAfterS": asked_s}
    failed = replace(
        recorded_attempt(status="failed", error="boom", code="BOOM", final=False, duration_ms=0, response=said),
        started_at=began - failed_before_s,
    )
    attempts = []

    ended = await execute(flow, {}, run_id="r", world=World(kinds, None, None), record=attempts.append, recorded=[failed])

    assert ended.status == "completed"
    assert least_s <= attempts[0].started_at - began <= most_s
