"""Steps that wait: a run that only waits says so, may be left and gone on with at any time, and comes to the same end."""

import asyncio
import json
import math
import random
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from flows.dialects import load_flow
from flows.executor import World, execute
from flows.rest import Rest
from flows.step import Output
from flows.steps import make_kinds
from flows.waiting import Resolution, Wait
from tests.flows.kind import Kind
from tests.flows.test_executor_recovery import INNER, Act, definitions, plain, settled_paths


class Hold(Kind):
    """A kind that waits for whoever answers, and gives the answer."""

    name = section = "hold"
    effects = False
    waits = True

    async def run(self, prepared, scope):
        ended = await scope.wait(Wait("approval"))
        return Output(f"{scope.path} {ended.value}")


class Keeper:
    """Keeps waits as a daemon does: by their places, over any number of processes."""

    def __init__(self):
        self.answers = {}
        self.futures = {}
        self.asked = []

    async def __call__(self, place, wait):
        self.asked.append(place)
        if place not in self.answers:
            future = self.futures[place] = asyncio.get_running_loop().create_future()
            try:
                await future
            finally:
                del self.futures[place]
        return Resolution("approved", 2000.0, 1000.0, self.answers[place])

    def answer(self, place):
        self.answers[place] = f"answer to {place.path}"
        if (future := self.futures.get(place)) is not None and not future.done():
            future.set_result(None)


class Process:
    """One process that works on the run: what it records, and whether all of it waits."""

    def __init__(self, definition, recorded, keeper):
        self.act = Act(recorded)
        kinds = {**make_kinds(), "act": self.act, "hold": Hold()}
        inner = load_flow(INNER, key=None, folder=Path(), kinds=kinds)
        self.flow = load_flow(definition, key=None, folder=Path(), kinds=kinds)
        self.world = World(kinds, {"inner": inner}.__getitem__, None, turn_s=math.inf, wait=keeper)
        self.recorded, self.attempts = recorded, []
        self.leaving = False
        self.resting = asyncio.Event()

    def record(self, attempt):
        if not (self.leaving and attempt.status == "cancelled"):
            self.attempts.append(attempt)

    def start(self):
        def rests(resting):
            (self.resting.set if resting else self.resting.clear)()

        self.rest = Rest(rests)
        work = execute(
            self.flow, {}, run_id="run_1", world=self.world, record=self.record, recorded=self.recorded, rest=self.rest
        )
        return asyncio.ensure_future(work)


def with_holds(steps, numbers, chance):
    """The same steps with others between them that wait."""
    made = []
    for step in steps:
        if "transform" in step:  # what it sees of those beside it hangs on the order of answers
            step = {**step, "transform": {"expression": "1"}}
        for section, fields in (("loop", ("steps",)), ("parallel", ("steps",)), ("condition", ("then", "else"))):
            for name in fields if section in step else ():
                step = {**step, section: {**step[section], name: with_holds(step[section][name], numbers, chance)}}
        made.append(step)
        if chance.random() < 0.5 and step.get("onError", {}).get("strategy") != "fallback":
            made.append({"id": f"h{next(numbers)}", "type": "hold", "hold": {}})
    return made


async def to_the_end(definition, chance, *, leave):
    """Answer and leave at random until the run ends: how it ended, all that was recorded, what ran twice."""
    keeper, recorded, again = Keeper(), [], []
    while True:
        process = Process(definition, tuple(recorded), keeper)
        settled = settled_paths(recorded)
        work = process.start()
        while not work.done():
            resting = asyncio.ensure_future(process.resting.wait())
            await asyncio.wait((work, resting), return_when=asyncio.FIRST_COMPLETED)
            resting.cancel()
            if work.done() or not process.resting.is_set():
                continue
            assert keeper.futures  # it says that it waits, and it does
            if leave and chance.random() < 0.5:
                process.leaving = True
                work.cancel()
                await asyncio.wait((work,))
                break
            process.resting.clear()
            keeper.answer(chance.choice(sorted(keeper.futures, key=str)))
        recorded += process.attempts
        again += [path for path, _ in process.act.ran if path in settled]
        if process.leaving and work.cancelled():
            if chance.random() < 0.5:  # an answer comes while nobody works on it
                unanswered = sorted(set(keeper.asked) - keeper.answers.keys(), key=str)
                keeper.answer(chance.choice(unanswered))
            continue
        return work.result(), recorded, again, keeper


@settings(max_examples=80, deadline=None)
@given(definition=definitions(), seed=st.integers(0, 10_000))
def test_waits_answered_in_any_order_in_a_run_left_at_any_time_give_what_one_process_gives(definition, seed):
    chance = random.Random(seed)
    definition = {**definition, "steps": with_holds(definition["steps"], iter(range(1000)), chance)}

    async def both():
        async with asyncio.timeout(20):
            straight = await to_the_end(definition, random.Random(seed), leave=False)
            return straight, await to_the_end(definition, random.Random(seed + 1), leave=True)

    (whole, _, _, _), (ended, recorded, again, _) = asyncio.run(both())

    assert again == []
    assert ended.status == whole.status
    done = [attempt.path for attempt in recorded if attempt.status == "success"]
    assert sorted(set(done)) == sorted(done)
    assert not [attempt for attempt in recorded if attempt.kind == "hold" and attempt.status in {"running", "interrupted"}]
    body_failed = any(attempt.container and attempt.status == "failed" for attempt in recorded)
    if whole.status == "completed" and not body_failed:  # else what had begun beside the failed step may differ
        assert plain(ended.steps) == plain(whole.steps)
        assert plain(ended.output) == plain(whole.output)


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


async def test_a_run_that_is_held_lets_what_is_under_way_end_and_begins_nothing():
    steps = [
        {"id": "slow", "type": "act", "act": {"pauses": 50}},
        {"id": "each", "type": "loop", "loop": {"over": [1, 2], "steps": [{"id": "item", "type": "act", "act": {}}]}},
        {"id": "calc", "type": "transform", "transform": {"expression": "1"}},
    ]
    process = Process({"key": "k", "steps": steps}, (), Keeper())
    work = process.start()
    await until(lambda: process.act.ran)

    process.rest.hold()
    await until(process.resting.is_set)
    for _ in range(50):
        await asyncio.sleep(0)
    held = [attempt.path for attempt in process.attempts if attempt.status == "success"]
    process.rest.release()
    ended = await work

    assert held == ["slow"]
    assert ended.status == "completed"
    assert [path for path, _ in process.act.ran] == ["slow", "each[0].item", "each[1].item"]


async def test_a_retry_of_a_held_run_waits_too_and_the_run_can_be_left_meanwhile():
    rule = {"strategy": "retry", "retries": 3, "retryDelayMs": 0}
    definition = {"key": "k", "steps": [{"id": "a", "type": "act", "act": {"fails": 2, "pauses": 20}, "onError": rule}]}
    process = Process(definition, (), Keeper())
    work = process.start()
    await until(lambda: process.act.ran)

    process.rest.hold()
    await until(process.resting.is_set)
    process.leaving = True
    work.cancel()
    await asyncio.wait((work,))
    again = Process(definition, tuple(process.attempts), Keeper())
    ended = await again.start()

    assert [(a.number, a.status) for a in process.attempts] == [(1, "running"), (1, "failed")]
    assert ended.status == "completed"
    assert [number for _, number in again.act.ran] == [2, 3]


@settings(max_examples=40, deadline=None)
@given(definition=definitions(), seed=st.integers(0, 10_000))
def test_a_run_held_and_released_at_any_time_comes_to_the_same_end(definition, seed):
    chance = random.Random(seed)
    definition = {**definition, "steps": with_holds(definition["steps"], iter(range(1000)), random.Random(1))}
    definition = json.loads(json.dumps(definition).replace('"hold"', '"act"'))

    async def go(*, hold):
        process = Process(definition, (), Keeper())
        work = process.start()
        async with asyncio.timeout(20):
            while not work.done():
                if hold and chance.random() < 0.3:
                    process.rest.hold()
                    for _ in range(chance.randrange(6)):
                        await asyncio.sleep(0)
                    process.rest.release()
                await asyncio.sleep(0)
        return work.result(), process

    whole, first = asyncio.run(go(hold=False))
    ended, second = asyncio.run(go(hold=True))

    assert ended.status == whole.status
    if whole.status == "completed" and not any(a.container and a.status == "failed" for a in second.attempts):
        assert plain(ended.steps) == plain(whole.steps)
        assert sorted(first.act.ran) == sorted(second.act.ran)
