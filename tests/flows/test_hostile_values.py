"""Whatever a stranger sends arrives as data, at every kind of step: nothing in a value is run, looked up or filled in again."""

from __future__ import annotations

import json

import pytest
import pytest_asyncio
from aiohttp import web

from flows.dialects import load_flow
from flows.emission import Emitted
from flows.executor import World, execute
from flows.steps import STEP_KINDS, make_kinds
from flows.steps.action_api import ActionSettings

HOSTILE = [
    "'\"'\"'",
    "$(touch ran) `touch ran` ; touch ran",
    "a\nb\r\nc: d",
    "nul \0 here",
    "{{$.input.secret}} {{secret}} {{'{{'}}",
    "$.input.secret",
    "$['input']['secret']",
    "`${1+1}` \\u0041 \\",
    "__proto__",
    "-rf --help",
    "",
    "é 😀 \u2028 \x7f \x1b[31m",
    {"$.input.secret": ["{{$.input.secret}}", "$.input.secret", None, 1e21]},
]


class Echo:
    """Answers with the value it was sent, as a One-style API and as a plain server."""

    async def handle(self, request):
        if request.path == "/v1/knowledge":
            return web.json_response({"rows": [{"method": "POST", "path": "/echo"}]})
        return web.json_response({"value": (await request.json())["value"], "items": [(await request.json())["value"]]})


@pytest_asyncio.fixture
async def server():
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", Echo().handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def hearing(given):
    async def emit(emission):
        given.append(emission)
        return Emitted("evt_1")

    return emit


def calc(step_id, expression):
    return {"id": step_id, "type": "transform", "transform": {"expression": expression}}


ACTION = {"platform": "x", "actionId": "echo", "connectionKey": "k", "data": {"value": "$.input.x"}}
PAGES = {"action": ACTION, "pageTokenField": "next", "resultsField": "items", "inputTokenParam": "queryParams.p"}
SAME = calc("inner", "$.input.x")
CASES = {  # kind → its section, and where the value must come out
    "action": (ACTION, "$.steps.a.output.value"),
    "bash": ({"command": 'cat "$FILE"', "parseJson": True, "env": {"FILE": {"json": "$.input.x"}}}, "$.steps.a.output"),
    "code": ({"source": "const same = $.input.x; return { value: same };"}, "$.steps.a.output.value"),
    "condition": ({"expression": "$.input.x === $.input.x", "then": [SAME]}, "$.steps.inner.output"),
    "data_source": ({"sourceType": "file", "sourceId": "rows.jsonl"}, "$.steps.a.output[0]"),
    "emit": ({"event": "e", "data": {"value": "$.input.x"}, "subject": "$.input.x"}, None),
    "file-read": ({"path": "given.json", "parseJson": True}, "$.steps.a.output"),
    "file-write": ({"path": "made.json", "content": {"value": "$.input.x"}}, None),
    "flow": ({"key": "inner", "inputs": {"x": "$.input.x"}}, "$.steps.a.output.inner.output"),
    "http": ({"url": "URL", "method": "POST", "body": {"value": "$.input.x"}}, "$.steps.a.output.value"),
    "loop": ({"over": ["$.input.x"], "steps": [calc("inner", "$.loop.item")]}, "$.steps.inner.output"),
    "output": ({"destination": "file", "path": "made.json", "data": {"value": "$.input.x"}}, None),
    "paginate": (PAGES, "$.steps.a.output[0]"),
    "parallel": ({"steps": [SAME]}, "$.steps.inner.output"),
    "python": ({"module": "same.py", "input": "$.input.x"}, "$.steps.a.output"),
    "transform": ({"expression": "[$.input.x].concat([]).map(each => ({each}))[0].each"}, "$.steps.a.output"),
    "while": ({"condition": "$.steps.a.output.lastResult === 0", "steps": [SAME]}, "$.steps.a.output.lastResult"),
}


WAITING = {name for name, kind in STEP_KINDS.items() if getattr(kind, "waits", False)}  # what they give is another's answer


@pytest.mark.parametrize(
    "kind", sorted(STEP_KINDS.keys() - {"prompt", *WAITING})
)  # a prompt's text is tried in test_step_prompt.py
@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_values_arrive_as_data_at_every_kind_of_step(kind, value, server, tmp_path):
    section, comes_out = CASES[kind]
    kinds = make_kinds({"action": ActionSettings(base_url=f"{server}/v1")})
    section = {**section, "url": server} if kind == "http" else section
    steps = [{"id": "a", "type": kind, STEP_KINDS[kind].section: section}]
    (tmp_path / "given.json").write_text(json.dumps(value))
    (tmp_path / "rows.jsonl").write_text(json.dumps(value))
    (tmp_path / "same.py").write_text("def run(value):\n    return value\n")
    flow = load_flow(
        {"key": "m", "steps": [*steps, *([calc("z", comes_out)] if comes_out else [])]}, key=None, folder=tmp_path, kinds=kinds
    )
    inner = load_flow({"key": "inner", "steps": [SAME]}, key=None, folder=tmp_path, kinds=kinds)
    given = []
    world = World(kinds, {"inner": inner}.__getitem__, lambda _name: "api-key", emit=hearing(given))

    ended = await execute(flow, {"x": value, "secret": "leaked"}, run_id="run_1", world=world, record=lambda _attempt: None)

    assert ended.status == "completed", ended.error
    out = given[0].data["value"] if given else ended.output
    assert (json.loads((tmp_path / "made.json").read_text())["value"] if kind in {"file-write", "output"} else out) == value
    assert not (tmp_path / "ran").exists()
    for each in kinds.values():
        await each.close()
