"""The OpenAPI document says what a real daemon answers: every route's answer is held against it, and schemathesis asks the rest."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from daemon.admin.openapi import errors_of
from daemon.admin.refusal import ERRORS
from daemon.admin.routes import ROUTES, document
from flows.document import digest

FLOW = {
    "inputs": {"who": {"type": "string", "required": False}, "kind": {"type": "string", "required": False, "enum": ["a"]}},
    "steps": [{"id": "say", "type": "transform", "transform": {"expression": "1"}}],
}
ASKS = {
    "steps": [
        {"id": "ask", "type": "approval", "approval": {"message": "Go?", "timeout": "5s", "form": {"n": {"type": "number"}}}}
    ]
}
SLOW = {"steps": [{"id": "wait", "type": "bash", "bash": {"command": "sleep 2"}}]}
HOOK = {"key": "hook", "trigger": {"type": "webhook", "path": "/a", "filter": "$.body.ok"}, "flow": "greet"}
DAILY = {"key": "daily", "trigger": {"type": "schedule", "cron": "0 9 * * *"}, "flow": "greet"}
TO_EDIT = DAILY | {"key": "edited"}
EDITED = {"text": json.dumps(TO_EDIT | {"priority": 1}), "sha256": sha256(json.dumps(TO_EDIT).encode()).hexdigest()}


@dataclass(frozen=True)
class Ask:
    """One request, and the status that it is answered with. `{run}` and the like are filled with what is there."""

    route: str  # as in the table: GET /v1/runs/{run}
    status: int = 200
    query: str = ""
    body: object = None
    path: str | None = None  # in place of the route's, filled


# One line for each answer of each route: a new route that has none here fails the suite. No line needs another one before it.
ANSWERS = (
    Ask("GET /healthz"),
    Ask("GET /readyz"),
    Ask("POST /v1/reload"),
    Ask("GET /metrics"),
    Ask("GET /v1/status"),
    Ask("GET /v1/triggers"),
    Ask("POST /v1/triggers", 201, body=DAILY | {"key": "new"}),
    Ask("POST /v1/triggers", 201, "?replace=true", body=HOOK),
    Ask("GET /v1/triggers/{key}", path="/v1/triggers/hook"),
    Ask("GET /v1/triggers/{key}", path="/v1/triggers/daily"),
    Ask("DELETE /v1/triggers/{key}", path="/v1/triggers/gone"),
    Ask("POST /v1/tests"),
    Ask("POST /v1/tests", body={"triggers": ["hook"]}),
    Ask("POST /v1/triggers/{key}/test", body={"event": {"body": {"ok": True}}}, path="/v1/triggers/hook/test"),
    Ask("POST /v1/triggers/{key}/test", path="/v1/triggers/hook/test"),
    Ask("POST /v1/triggers/{key}/fire", body={"event": {"body": {"ok": True}}, "wait": 30}, path="/v1/triggers/hook/fire"),
    Ask("POST /v1/triggers/{key}/fire", path="/v1/triggers/daily/fire"),
    Ask("POST /v1/events", body={"path": "/a", "body": {"ok": True}, "headers": {"X-A": "b"}, "type": "t", "wait": 30}),
    Ask("GET /v1/triggers/{key}/explain", query="?last=3", path="/v1/triggers/hook/explain"),
    Ask("POST /v1/triggers/{key}/disable", path="/v1/triggers/switched/disable"),
    Ask("POST /v1/triggers/{key}/enable", path="/v1/triggers/switched/enable"),
    Ask("POST /v1/triggers/{key}/suspend", body={"for": "2h", "reason": "r"}, path="/v1/triggers/switched/suspend"),
    Ask("GET /v1/triggers/{key}/source", path="/v1/triggers/hook/source"),
    Ask("PUT /v1/triggers/{key}/source", body=EDITED, path="/v1/triggers/edited/source"),
    Ask("GET /v1/flows"),
    Ask("GET /v1/flows/{key}", path="/v1/flows/greet"),
    *(
        Ask("GET /v1/flows/{key}/graph", query=f"?format={name}", path="/v1/flows/greet/graph")
        for name in ("svg", "mermaid", "text")
    ),
    Ask("POST /v1/flows/{key}/execute", 200, body={"inputs": {"who": "x"}, "wait": 30}, path="/v1/flows/greet/execute"),
    Ask("POST /v1/flows/{key}/execute", 202, body={"inputs": {}}, path="/v1/flows/slow/execute"),
    Ask("GET /v1/flows/{key}/versions", path="/v1/flows/greet/versions"),
    Ask("GET /v1/flows/{key}/versions/{version}", path=f"/v1/flows/greet/versions/{digest(FLOW | {'key': 'greet'})[:12]}"),
    Ask("GET /v1/flows/{key}/diff", query=f"?from={digest(FLOW | {'key': 'greet'})[:12]}", path="/v1/flows/greet/diff"),
    Ask("GET /v1/triggers/{key}/versions", path="/v1/triggers/hook/versions"),
    Ask("GET /v1/triggers/{key}/versions/{version}", path=f"/v1/triggers/hook/versions/{digest(HOOK)[:12]}"),
    Ask("GET /v1/triggers/{key}/diff", query=f"?from={digest(HOOK)[:12]}", path="/v1/triggers/hook/diff"),
    Ask("GET /v1/runs"),
    Ask("GET /v1/runs", query="?status=completed&flow=greet&trigger=hook&limit=1"),
    Ask("GET /v1/runs/{run}"),
    Ask("GET /v1/runs/{run}", query="?wait=0.01"),
    Ask("GET /v1/runs/{run}/logs"),
    Ask("GET /v1/approvals"),
    Ask(
        "POST /v1/runs/{run}/approvals/{step}",
        body={"decision": "approve", "form": {"n": "5"}, "comment": "fine", "by": "ada"},
        path="/v1/runs/{asking}/approvals/ask",
    ),
    Ask("GET /approvals/{token}"),
    Ask("POST /approvals/{token}", body=b"decision=approve&form.n=5&by=ada"),
    Ask("POST /v1/runs/{run}/cancel", body={"reason": "enough"}),
    Ask("POST /v1/runs/cancel", body={"flow": "slow"}),
    Ask("POST /v1/runs/{run}/pause", body={"reason": "wait"}, path="/v1/runs/{asking}/pause"),
    Ask("POST /v1/runs/{run}/resume", path="/v1/runs/{asking}/resume"),
    Ask("POST /v1/flows/{key}/pause", path="/v1/flows/slow/pause"),
    Ask("POST /v1/flows/{key}/resume", path="/v1/flows/slow/resume"),
    Ask("POST /v1/pause"),
    Ask("POST /v1/resume"),
    Ask("POST /v1/runs/{run}/retry", 202, body={"from": "start", "definition": "pinned"}),
    Ask("POST /v1/runs/{run}/retry", 202),
    Ask("POST /v1/runs/retry", body={"flow": "greet", "status": ["completed"], "since": "2h", "limit": 2, "dryRun": True}),
    Ask("POST /v1/runs/retry", body={"trigger": "hook", "status": ["completed", "failed"], "limit": 1}),
    Ask("GET /v1/events"),
    Ask("GET /v1/events", query="?verdict=filter_false&trigger=hook"),
    Ask("GET /v1/events/{event}"),
    Ask("GET /v1/events/{event}/explain"),
    Ask("POST /api/workflows/{id}/trigger", body={"who": "x"}, path="/api/workflows/greet/trigger"),
    Ask("GET /api/workflows/{id}/executions/{executionId}"),
    *(Ask("GET /v1/schemas/{name}", path=f"/v1/schemas/{name}") for name in ("trigger", "flow", "config")),
    Ask("GET /v1/openapi.json"),
)
HELD_ELSEWHERE = {("GET /v1/stream", 200)}  # it goes on: the test below reads the first of it
REFUSALS = (
    Ask("GET /v1/stream", 400, "?kinds=steps"),
    Ask("GET /healthz", 400, "?x=1"),
    Ask("GET /v1/runs", 400, "?limit=0"),
    Ask("GET /v1/runs", 400, "?limit=1&limit=2"),
    Ask("GET /v1/runs", 400, "?status=done"),
    Ask("GET /v1/runs", 400, "?flow=%00"),
    Ask("GET /v1/runs", 400, "?before=evt_1"),
    Ask("GET /v1/runs", 404, "?event=evt_none"),
    Ask("GET /v1/runs", 409, "?retry_of=run_0"),
    Ask("GET /v1/events", 400, "?before=yesterday"),
    Ask("GET /v1/events", 404, "?chain=evt_none"),
    Ask("GET /v1/events", 409, "?chain=run_0"),
    Ask("GET /v1/runs/{run}", 400, "?wait=nan"),
    Ask("GET /v1/runs/{run}", 404, path="/v1/runs/run_none"),
    Ask("POST /v1/runs/{run}/cancel", 404, path="/v1/runs/run_none/cancel"),
    Ask("POST /v1/runs/{run}/cancel", 400, body={"reason": 5}, path="/v1/runs/run_none/cancel"),
    Ask("POST /v1/runs/cancel", 400, body={}),
    Ask("POST /v1/runs/{run}/retry", 400, body={"definition": "newest"}),
    Ask("POST /v1/runs/{run}/retry", 404, path="/v1/runs/run_none/retry"),
    Ask("POST /v1/runs/{run}/retry", 422, body={"from": "nowhere"}),
    Ask("POST /v1/runs/{run}/retry", 422, body={"inputs": {"kind": "c"}}),
    Ask("POST /v1/runs/retry", 400, body={}),
    Ask("POST /v1/runs/retry", 400, body={"flow": "greet", "limit": 0}),
    Ask("POST /v1/runs/retry", 400, body={"flow": "greet", "since": "soon"}),
    Ask("POST /v1/runs/cancel", 400, body={"flow": "greet", "all": True}),
    Ask("POST /v1/flows/{key}/execute", 400, body={"timeout": "soon"}, path="/v1/flows/greet/execute"),
    Ask("GET /v1/runs/{run}", 409, path="/v1/runs/run_0"),
    Ask("POST /v1/runs/{run}/approvals/{step}", 400, body={"decision": "perhaps"}, path="/v1/runs/{asking}/approvals/ask"),
    Ask("POST /v1/runs/{run}/approvals/{step}", 404, body={"decision": "reject"}, path="/v1/runs/{asking}/approvals/asks"),
    Ask("POST /v1/runs/{run}/approvals/{step}", 409, body={"decision": "reject"}, path="/v1/runs/{run}/approvals/ask"),
    Ask("POST /v1/runs/{run}/approvals/{step}", 422, body={"decision": "approve"}, path="/v1/runs/{asking}/approvals/ask"),
    Ask("POST /v1/runs/{run}/pause", 409),
    Ask("POST /v1/runs/{run}/pause", 404, path="/v1/runs/run_none/pause"),
    Ask("POST /v1/runs/{run}/pause", 400, body={"reason": "x" * 501}, path="/v1/runs/{asking}/pause"),
    Ask("POST /v1/flows/{key}/pause", 404, path="/v1/flows/none/pause"),
    Ask("POST /v1/flows/{key}/resume", 404, path="/v1/flows/none/resume"),
    Ask("GET /v1/events/{event}", 404, path="/v1/events/evt_none"),
    Ask("POST /v1/triggers", 409, body=HOOK),
    Ask("POST /v1/triggers", 422, body={"key": "x", "trigger": {"type": "webhook", "path": "/x"}, "flow": "gret"}),
    Ask("POST /v1/triggers", 413, body=" " * (17 * 1024 * 1024)),
    Ask("POST /v1/triggers/{key}/suspend", 400, body={"for": "soon"}, path="/v1/triggers/hook/suspend"),
    Ask("POST /v1/triggers/{key}/enable", 404, path="/v1/triggers/none/enable"),
    Ask("PUT /v1/triggers/{key}/source", 409, body={"text": "{}", "sha256": ""}, path="/v1/triggers/hook/source"),
    Ask("DELETE /v1/triggers/{key}", 404, path="/v1/triggers/none"),
    Ask("POST /v1/tests", 404, body={"triggers": ["none"]}),
    Ask("POST /v1/triggers/{key}/test", 400, body={"event": []}, path="/v1/triggers/hook/test"),
    Ask("POST /v1/triggers/{key}/test", 404, path="/v1/triggers/none/test"),
    Ask("POST /v1/triggers/{key}/test", 422, body={"event": {"bodi": 1}}, path="/v1/triggers/hook/test"),
    Ask("POST /v1/triggers/{key}/fire", 404, path="/v1/triggers/none/fire"),
    Ask("POST /v1/triggers/{key}/fire", 422, body={"event": {"headers": 5}}, path="/v1/triggers/hook/fire"),
    Ask("POST /v1/events", 400, body={"path": "/a", "method": "BREW"}),
    Ask("POST /v1/events", 400, body={"body": 1}),
    Ask("POST /v1/events", 404, body={"path": "/none"}),
    Ask("GET /v1/triggers/{key}/explain", 400, "?last=101", path="/v1/triggers/hook/explain"),
    Ask("GET /v1/triggers/{key}/explain", 404, path="/v1/triggers/none/explain"),
    Ask("GET /v1/schemas/{name}", 404, path="/v1/schemas/flows"),
    Ask("POST /api/workflows/{id}/trigger", 400, body=[], path="/api/workflows/greet/trigger"),
    Ask("POST /api/workflows/{id}/trigger", 404, path="/api/workflows/none/trigger"),
    Ask("POST /api/workflows/{id}/trigger", 422, body={"kind": "c"}, path="/api/workflows/greet/trigger"),
    Ask("GET /api/workflows/{id}/executions/{executionId}", 404, path="/api/workflows/greet/executions/run_none"),
    Ask("GET /api/workflows/{id}/executions/{executionId}", 409, path="/api/workflows/greet/executions/run_0"),
    Ask("GET /v1/flows/{key}/graph", 400, "?format=png", path="/v1/flows/greet/graph"),
    Ask("GET /v1/flows/{key}/graph", 404, path="/v1/flows/none/graph"),
    Ask("GET /v1/flows/{key}/graph", 404, "?run=run_none", path="/v1/flows/greet/graph"),
    Ask("GET /v1/flows/{key}/graph", 409, "?run=run_0", path="/v1/flows/greet/graph"),
    Ask("POST /v1/flows/{key}/execute", 400, body={"wait": "soon"}, path="/v1/flows/greet/execute"),
    Ask("POST /v1/flows/{key}/execute", 422, body={"inputs": {"kind": "c"}}, path="/v1/flows/greet/execute"),
)


class Served:
    """A real daemon on a home with a trigger and two flows, an event that fired and one that did not."""

    def __init__(self, home: Path, told: dict[str, str]) -> None:
        self.home = home
        self.hooks, self.admin = told["hooks"], told["admin"]
        self.token = (home / "state/admin.token").read_text().strip()
        fired = self.post("/a", {"ok": True})
        self.post("/a", {"ok": True})  # a second run: the beginning that all ids share is of several
        self.post("/a", {"ok": False})
        self.there = {"run": fired["runs"][0], "event": fired["event"], "id": "greet", "executionId": fired["runs"][0]}
        self.answer(Ask("GET /v1/runs/{run}", query="?wait=30"))

    def json(self, route: str, body: object = None, path: str | None = None) -> object:
        return json.loads(self.answer(Ask(route, body=body, path=path))[2])

    def fill(self, name: str) -> str:
        """What stands in a place of a path. Who asks gives up soon, so that a question is made when it is needed."""
        if name not in {"asking", "token"}:
            return self.there[name]
        run = self.json("POST /v1/flows/{key}/execute", {}, "/v1/flows/asks/execute")["run"]
        while not (listed := [one for one in self.json("GET /v1/approvals") if one["run"] == run]):
            pass
        return run if name == "asking" else listed[0]["link"].rpartition("/")[2]

    def post(self, path: str, body: object) -> dict:
        request = urllib.request.Request(self.hooks + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def answer(self, ask: Ask) -> tuple[int, str, bytes]:
        method, _, path = ask.route.partition(" ")
        path = re.sub(r"{(\w+)}", lambda place: self.fill(place[1]), ask.path or path)
        body = ask.body if ask.body is None or isinstance(ask.body, bytes) else json.dumps(ask.body).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.admin + path + ask.query, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, response.headers.get_content_type(), response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers.get_content_type(), error.read()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("served") / "home"
    home_of = {"flows/asks": ASKS, "flows/greet": FLOW, "flows/slow": SLOW, "triggers/hook": HOOK, "triggers/daily": DAILY}
    for name, definition in {
        **home_of,
        "triggers/gone": DAILY | {"key": "gone"},
        "triggers/edited": TO_EDIT,
        "triggers/switched": DAILY | {"key": "switched"},
    }.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / f"{name}.json").write_text(json.dumps(definition))
    command = [str(Path(sys.executable).with_name("camshaft")), "serve", "--home", str(home), "--drain", "0"]
    command += ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
    with (
        (home.parent / "log").open("wb") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as daemon,
    ):
        assert daemon.stdout is not None
        told = dict(daemon.stdout.readline().split() for _ in range(2))
        try:
            yield Served(home, told)
        finally:
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(timeout=30) == 0


def closed(schema):
    """The same, refusing what it does not name: the document is open for later versions, the tests are not."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(value) for name, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
        inner["additionalProperties"] = False
    return inner


DOCUMENT = document()
COMPONENTS = closed(DOCUMENT["components"]["schemas"])


def held_against(ask: Ask, media: str, raw: bytes) -> None:
    """Fail where the answer is not what the document says of this route and status."""
    method, _, path = ask.route.partition(" ")
    said = DOCUMENT["paths"][path][method.lower()]["responses"][str(ask.status)]["content"]
    assert media in said
    if media == "application/json":
        schema = {**closed(said[media]["schema"]), "components": {"schemas": COMPONENTS}}
        checker = Draft202012Validator.FORMAT_CHECKER
        Draft202012Validator(schema, format_checker=checker).validate(json.loads(raw))


@pytest.mark.parametrize("ask", ANSWERS, ids=lambda ask: f"{ask.status} {ask.route}{ask.query}")
def test_what_a_route_answers_is_what_the_document_says(served, ask):
    status, media, raw = served.answer(ask)

    assert status == ask.status, raw
    held_against(ask, media, raw)


@pytest.mark.parametrize("ask", REFUSALS, ids=lambda ask: f"{ask.status} {ask.route}{ask.query}")
def test_what_a_route_refuses_is_what_the_document_says(served, ask):
    status, media, raw = served.answer(ask)

    assert status == ask.status, raw
    held_against(ask, media, raw)
    assert ERRORS[json.loads(raw)["error"]["code"]][0] == status


@pytest.mark.parametrize(("of", "status"), [("token", 413), ("nobody", 404)])
def test_a_form_that_is_too_large_is_a_page_as_the_document_says(served, of, status):
    token = served.fill("token") if of == "token" else "nobody"
    ask = Ask("POST /approvals/{token}", status, path=f"/approvals/{token}", body=b"a" * 300_000)

    answered, media, raw = served.answer(ask)

    assert answered == status, raw
    held_against(ask, media, raw)


def test_every_answer_of_every_route_is_held_against_the_document():
    said = {(f"{route.method} {route.path}", status) for route in ROUTES for status in route.answers if status < 400}

    assert said - HELD_ELSEWHERE == {(ask.route, ask.status) for ask in ANSWERS}


def test_the_daemon_answers_the_document_that_the_table_makes(served):
    _, _, raw = served.answer(Ask("GET /v1/openapi.json"))

    assert json.loads(raw) == json.loads(json.dumps(DOCUMENT))


def test_the_document_is_whole():
    named = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(DOCUMENT)))
    operations = [operation for path in DOCUMENT["paths"].values() for operation in path.values()]

    assert named == set(COMPONENTS)
    assert len({operation["operationId"] for operation in operations}) == len(operations) == len(ROUTES)
    for schema in COMPONENTS.values():
        Draft202012Validator.check_schema(schema)


def test_the_document_says_who_needs_a_token():
    needs_none = {path for path, methods in DOCUMENT["paths"].items() for said in methods.values() if said.get("security") == []}

    assert DOCUMENT["security"] == [{"token": []}, {}]
    assert needs_none == {"/healthz", "/readyz", "/approvals/{token}"}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_a_route_refuses_only_with_codes_that_are_explained(route):
    assert {code for codes in errors_of(route).values() for code in codes} <= set(ERRORS)


MESSAGES = {"open": "StreamOpen", "event": "StreamEvent", "verdict": "StreamVerdict", "run": "StreamRun", "step": "StreamStep"}


def test_the_messages_of_the_stream_are_what_the_document_says(served):
    request = urllib.request.Request(f"{served.admin}/v1/stream", headers={"Authorization": f"Bearer {served.token}"})
    seen = set()
    with urllib.request.urlopen(request, timeout=30) as response:
        assert response.headers.get_content_type() == "text/event-stream"
        while seen != set(MESSAGES):
            name, _, text = response.readline().decode().strip().partition(": ")
            if name == "event":
                kind = text
                if kind == "open":
                    served.post("/a", {"ok": True})
            elif name == "data":
                schema = {**COMPONENTS[MESSAGES[kind]], "components": {"schemas": COMPONENTS}}
                Draft202012Validator(schema).validate(json.loads(text))
                seen.add(kind)


HOLDING = "(pause|resume)$"  # what is held back does not end, and other routes wait for ends: these are asked for themselves


@pytest.mark.slow
@pytest.mark.parametrize("which", ["--exclude-path-regex", "--include-path-regex"], ids=["all others", "pausing"])
def test_whatever_the_document_allows_is_answered_as_it_says(served, tmp_path, which):
    """schemathesis: every parameter and body that may be, and many that may not. Never 500, no status that is not documented."""
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,ignored_auth"
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{served.admin}/v1/openapi.json"]
    command += ["--header", f"Authorization: Bearer {served.token}", "--checks", checks, "--seed", "1", "--max-examples", "15"]
    command += ["--phases", "examples,coverage,fuzzing", "--no-color", "--generation-database", "none"]
    command += ["--exclude-path", "/v1/stream"]  # it goes on
    command += [which, HOLDING]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path)
    served.json("POST /v1/resume")

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
