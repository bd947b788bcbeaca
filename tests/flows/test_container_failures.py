"""What a step that runs others fails with, and how it is tried again."""

import asyncio
from pathlib import Path

import pytest

from flows.dialects import load_flow
from flows.errors import StepError
from flows.executor import World, execute
from flows.step import Output
from flows.steps import make_kinds
from tests.flows.kind import Kind

BUSY = {"id": "ask", "type": "busy", "busy": {"expression": "1"}}


class Busy(Kind):
    """A server that is busy once, and says for how long."""

    name = section = "busy"

    def __init__(self):
        self.asked = 0

    async def run(self, _prepared, _scope):
        self.asked += 1
        if self.asked == 1:
            raise StepError("busy", code="HTTP_STATUS", status=429, retry_after_s=0.2)
        return Output("done")


@pytest.mark.parametrize(
    "around",
    [
        {"type": "loop", "loop": {"over": [1], "steps": [BUSY]}},
        {"type": "while", "while": {"condition": "false", "steps": [BUSY]}},
        {"type": "parallel", "parallel": {"steps": [BUSY]}},
        {"type": "condition", "condition": {"expression": "true", "then": [BUSY]}},
        {"type": "flow", "flow": {"key": "inner"}},
    ],
)
async def test_a_step_around_one_that_a_server_told_to_come_back_later_does_so(around):
    kinds, attempts = {**make_kinds(), "busy": Busy()}, []
    flow = load_flow(
        {"key": "k", "steps": [{"id": "whole", **around, "onError": {"strategy": "retry", "retries": 1, "retryDelayMs": 0}}]},
        key=None, folder=Path(), kinds=kinds,
    )  # fmt: skip
    inner = load_flow({"key": "inner", "steps": [BUSY]}, key=None, folder=Path(), kinds=kinds)

    async with asyncio.timeout(10):
        ended = await execute(flow, {}, run_id="run_1", world=World(kinds, lambda _key: inner, None), record=attempts.append)

    first, second = (attempt for attempt in attempts if attempt.path == "whole")
    assert (ended.status, first.status, first.code, second.status) == ("completed", "failed", "HTTP_STATUS", "success")
    assert second.started_at - first.started_at >= 0.2
