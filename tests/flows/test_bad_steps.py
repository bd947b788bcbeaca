"""What goes wrong in one step ends as an attempt with a stable code, and the branches beside it keep their results."""

import asyncio

import pytest

from flows.dialects import load_flow
from flows.executor import World, execute
from flows.steps import make_kinds
from flows.steps.bash import BashSettings

KINDS = make_kinds({"bash": BashSettings(grace_s=0.1, max_output_bytes=12 * 1024 * 1024)})


@pytest.fixture(autouse=True)
async def closed():
    """The client of http steps is for one loop."""
    yield
    await KINDS["http"].close()


def shell(step_id, command, **section):
    return {"id": step_id, "type": "bash", "bash": {"command": command, **section}}


def calc(step_id, expression):
    return {"id": step_id, "type": "transform", "transform": {"expression": expression}}


LOOPS = {"id": "bad", "type": "flow", "flow": {"key": "{{$.input.again}}", "inputs": {"again": "$.input.again"}}}
BAD = {
    "no UTF-8": (shell("bad", "printf '\\377'"), "OUTPUT_ENCODING"),
    "nothing where JSON must be": (shell("bad", "true", parseJson=True), "BAD_JSON"),
    "output without end": (shell("bad", "yes"), "OUTPUT_LIMIT"),
    "ignores SIGTERM": (shell("bad", "trap '' TERM; while :; do sleep 1; done", timeout=100), "TIMEOUT"),
    "leaves grandchildren": (shell("bad", "(trap '' TERM; sleep 60) & sleep 60", timeout=100), "TIMEOUT"),
    "no such program": (shell("bad", "no-such-program-here"), "EXIT_STATUS"),
    "no such folder": (shell("bad", "true", cwd="nowhere"), "CWD_NOT_FOUND"),
    "kills itself": (shell("bad", "kill -9 $$"), "KILLED"),
    "writes into a closed pipe": (shell("bad", "exec >&-; echo x"), "EXIT_STATUS"),
    "too much for a command": (shell("bad", "echo {{$.input.big | shell}}"), "COMMAND_TOO_LONG"),
    "a pattern without end": (calc("bad", "'a'.repeat(1e9)"), "EXPRESSION_LIMIT"),
    "a flow that calls itself for ever": (LOOPS, "FLOW_DEPTH"),
    "a file that is not there": ({"id": "bad", "type": "file-read", "fileRead": {"path": "nowhere"}}, "FILE_NOT_FOUND"),
    "a server that is not there": ({"id": "bad", "type": "http", "http": {"url": "http://127.0.0.1:9/"}}, "CONNECT_FAILED"),
}
BIG = "x" * 10_000_000


@pytest.mark.parametrize("what", BAD)
async def test_what_goes_wrong_has_a_code_and_the_branch_beside_it_its_result(what, tmp_path):
    bad, code = BAD[what]
    beside = [{**bad, "onError": {"strategy": "continue"}}, shell("good", "echo fine")]
    steps = [{"id": "both", "type": "parallel", "parallel": {"steps": beside}}, calc("z", "$.steps.bad.errorCode")]
    flow = load_flow({"key": "main", "steps": steps}, key=None, folder=tmp_path, kinds=KINDS)
    again = load_flow({"key": "again", "steps": [LOOPS]}, key=None, folder=tmp_path, kinds=KINDS)
    world = World(KINDS, {"again": again}.__getitem__, None)

    async with asyncio.timeout(20):
        ended = await execute(flow, {"again": "again", "big": BIG}, run_id="run_1", world=world, record=lambda _attempt: None)

    assert (ended.status, ended.output) == ("completed", code)
    assert ended.steps["good"]["output"] == "fine"


async def test_a_value_of_ten_megabytes_goes_through_every_way_there_is(tmp_path):
    steps = [
        calc("a", "$.input.big"),
        shell("b", 'cat "$FILE"', parseJson=True, env={"FILE": {"json": "$.steps.a.output"}}),
        {"id": "c", "type": "file-write", "fileWrite": {"path": "big", "content": "$.steps.b.output"}},
        {"id": "d", "type": "file-read", "fileRead": {"path": "big"}},
        {"id": "e", "type": "loop", "loop": {"over": ["$.steps.d.output"], "steps": [calc("f", "$.loop.item.length")]}},
    ]
    flow = load_flow({"key": "main", "steps": steps}, key=None, folder=tmp_path, kinds=KINDS)

    ended = await execute(flow, {"big": BIG}, run_id="run_1", world=World(KINDS, None, None), record=lambda _attempt: None)

    assert ended.status == "completed", ended.error
    assert ended.steps["f"]["output"] == len(BIG)
