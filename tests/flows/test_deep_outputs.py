"""An output that nobody could store or show fails its step, whichever kind gave it."""

import asyncio
import json
from pathlib import Path

import pytest

from flows.depth import MAX_OUTPUT_DEPTH
from flows.dialects import load_flow
from flows.executor import World, execute
from flows.steps import make_kinds


def nested(depth):
    return json.loads("[" * depth + "]" * depth)


async def run(folder, step, inputs):
    kinds = make_kinds({})
    try:
        flow = load_flow({"key": "k", "steps": [step]}, key=None, folder=folder, kinds=kinds)
        async with asyncio.timeout(10):
            return await execute(
                flow,
                inputs,
                run_id="run_1",
                world=World(kinds, lambda _key: flow, lambda _name: ""),
                record=lambda _attempt: None,
            )
    finally:
        for kind in kinds.values():
            await kind.close()


@pytest.mark.parametrize(
    "step",
    [
        {"id": "a", "type": "transform", "transform": {"expression": "$.input.x"}},
        {"id": "a", "type": "code", "code": {"source": "return $.input.x"}},
        {"id": "a", "type": "file-read", "fileRead": {"path": "x.json", "parseJson": True}},
        {"id": "a", "type": "bash", "bash": {"command": "cat x.json", "parseJson": True}},
    ],
    ids=lambda step: step["type"],
)
@pytest.mark.parametrize(("depth", "code"), [(MAX_OUTPUT_DEPTH, None), (MAX_OUTPUT_DEPTH + 1, "OUTPUT_DEPTH")])
async def test_an_output_is_nested_as_deep_as_it_may_be_and_no_deeper(tmp_path: Path, step, depth, code):
    (tmp_path / "x.json").write_text("[" * depth + "]" * depth)

    ended = await run(tmp_path, step, {"x": nested(depth)})

    assert (ended.code, ended.output) == (code, None if code else nested(depth))
