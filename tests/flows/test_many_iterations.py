"""Loops over many items: what each iteration costs does not grow with those before it."""

import asyncio
import gc
import time
from pathlib import Path

from flows.attempt import Attempt
from flows.dialects import load_flow
from flows.execution import Execution
from flows.executor import World, execute
from flows.recovery import Recorded
from flows.step import Output
from flows.steps import make_kinds
from tests.flows.kind import Kind


class Look(Kind):
    """Counts how much of the iterations before is still there."""

    name = section = "look"
    effects = False

    def __init__(self):
        self.most = 0

    def run(self, _prepared, scope):
        if scope.names["loop"]["i"] % 50 == 0:
            self.most = max(self.most, sum(isinstance(each, Execution) for each in gc.get_objects()))
        return Output(scope.names["loop"]["i"])


def test_an_iteration_that_has_ended_is_let_go_of():
    look = Look()
    kinds = {**make_kinds(), "look": look}
    inner = {"id": "a", "type": "look", "look": {"expression": "1"}}
    each = {"id": "each", "type": "loop", "loop": {"over": list(range(2000)), "steps": [inner]}}
    flow = load_flow({"key": "k", "steps": [each]}, key=None, folder=Path(), kinds=kinds)

    ended = asyncio.run(execute(flow, {}, run_id="run_1", world=World(kinds, None, None), record=lambda _attempt: None))

    assert (ended.status, ended.steps["a"]["output"]) == ("completed", 1999)
    assert look.most < 400  # they end in the collector's hands, whose turns differ between versions of Python


def test_each_of_many_sub_flows_knows_when_it_began():
    attempts = [
        Attempt(f"each[{number}].call/a", "a", "transform", 1, "success", started_at=float(number)) for number in range(20_000)
    ]
    recorded = Recorded(attempts)

    began = [recorded.begun_at(f"each[{number}].call/") for number in range(20_000)]

    assert began == [float(number) for number in range(20_000)]


class Slow(Kind):
    """A plain kind that holds the loop for two milliseconds."""

    name = section = "slow"
    effects = False

    def __init__(self):
        self.ran = 0

    def run(self, _prepared, _scope):
        time.sleep(0.002)
        self.ran += 1
        return Output(None)


async def test_iterations_at_one_time_have_one_turn_together_before_others_have_theirs():
    slow = Slow()
    kinds = {**make_kinds(), "slow": slow}
    steps = [{"id": name, "type": "slow", "slow": {"expression": "1"}} for name in ("a", "b", "c")]
    each = {"id": "each", "type": "loop", "loop": {"over": list(range(100)), "maxConcurrency": 50, "steps": steps}}
    flow = load_flow({"key": "k", "steps": [each]}, key=None, folder=Path(), kinds=kinds)
    run = asyncio.create_task(execute(flow, {}, run_id="run_1", world=World(kinds, None, None), record=lambda _attempt: None))

    between = []
    while not run.done():
        before = slow.ran
        await asyncio.sleep(0)
        between.append(slow.ran - before)

    assert run.result().status == "completed"
    assert max(between) < 60  # one step of each, and what there is time for; it was some of each
