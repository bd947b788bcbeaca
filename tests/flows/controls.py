"""What tests of the control steps share: a kind that counts, a run of steps, and short ways to write them."""

import asyncio
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from flows.dialects import load_flow
from flows.errors import StepError
from flows.executor import World, execute
from flows.step import Output
from flows.steps import make_kinds
from tests.flows.kind import Kind


class WorkSpec(BaseModel):
    fail: bool = False
    pauses: int = 0


class Work(Kind):
    """A kind with effects that counts how many run at one time."""

    name = section = "work"
    Spec: ClassVar = WorkSpec

    def __init__(self):
        self.running = 0
        self.most = 0

    async def run(self, prepared, scope):
        self.running += 1
        self.most = max(self.most, self.running)
        for _ in range(prepared.pauses):
            await asyncio.sleep(0)
        self.running -= 1
        if prepared.fail:
            raise StepError("boom", code="BOOM")
        return Output(scope.names["loop"].get("i"))


def not_found(key: str) -> Any:
    raise StepError(f"there is no flow «{key}»", code="FLOW_NOT_FOUND", retryable=False)


async def run(*steps, inputs=None, flows=(), work=None, turn_s=0.005, record=lambda _attempt: None, **given):
    kinds = {**make_kinds(), "work": work or Work()}
    known = {each["key"]: load_flow(each, key=None, folder=Path(), kinds=kinds) for each in flows}
    flow = load_flow({"key": "main", "steps": list(steps), **given}, key=None, folder=Path(), kinds=kinds)
    world = World(kinds, lambda key: known[key] if key in known else not_found(key), None, {"HOME": "/home/x"}, turn_s=turn_s)
    async with asyncio.timeout(10):
        return await execute(flow, inputs or {}, run_id="run_1", world=world, record=record)


def calc(step_id, expression="1", **given):
    return {"id": step_id, "type": "transform", "transform": {"expression": expression}, **given}


def work(step_id, **section):
    return {"id": step_id, "type": "work", "work": section}


def loop(step_id, over, *steps, **section):
    return {"id": step_id, "type": "loop", "loop": {"over": over, "steps": list(steps), **section}}


def branch(step_id, expression, then=(), otherwise=()):
    return {
        "id": step_id,
        "type": "condition",
        "condition": {"expression": expression, "then": list(then), "else": list(otherwise)},
    }


def beside(step_id, *steps, **section):
    return {"id": step_id, "type": "parallel", "parallel": {"steps": list(steps), **section}}


def call(step_id, key, **inputs):
    return {"id": step_id, "type": "flow", "flow": {"key": key, "inputs": inputs}}
