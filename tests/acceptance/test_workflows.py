"""The workflow specification's API on a real daemon: started over HTTP, looked at in its words, once for one key."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

pytestmark = pytest.mark.long

NODES = {
    "version": "1.0",
    "nodes": [
        {"id": "rows", "type": "transform", "config": {"expression": "data.customers"}},
        {
            "id": "any",
            "type": "condition",
            "config": {"condition": "length(data) > 0", "trueBranch": "count", "falseBranch": "none"},
        },
        {"id": "count", "type": "transform", "config": {"expression": "length(data.input)"}},
        {"id": "none", "type": "transform", "config": {"expression": "'nobody'"}},
    ],
    "edges": [{"id": "e1", "source": "rows", "target": "any"}],
}
SLOW = {"steps": [{"id": "wait", "type": "bash", "bash": {"command": "sleep 60"}}]}


class Api:
    """The admin listener over TCP, as somebody's program uses it."""

    def __init__(self, client: aiohttp.ClientSession, daemon) -> None:
        self.client, self.daemon = client, daemon
        self.token = (daemon.home / "state/admin.token").read_text().strip()

    async def ask(self, method, path, body=None, **headers):
        headers = {"Authorization": f"Bearer {self.token}"} | {name.replace("_", "-"): text for name, text in headers.items()}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        async with self.client.request(method, f"{self.daemon.admin}{path}", data=data, headers=headers) as answer:
            return answer.status, await answer.json()

    async def trigger(self, workflow, body=None, **headers):
        return await self.ask("POST", f"/api/workflows/{workflow}/trigger", body, **headers)

    async def ended(self, workflow, execution):
        await self.daemon.until("SELECT 1 FROM runs WHERE id = ? AND finished_at IS NOT NULL", execution)
        return await self.ask("GET", f"/api/workflows/{workflow}/executions/{execution}")


@pytest.fixture
async def api(home, write, daemon_of, client):
    write(home, "flows/count.json", NODES)
    write(home, "flows/slow.json", SLOW)
    return Api(client, await daemon_of(home))


async def test_a_workflow_is_triggered_with_its_body_as_inputs_and_told_in_the_words_of_the_specification(api):
    status, started = await api.trigger("count", {"customers": ["Ada", "Grace"]})
    shown, execution = await api.ended("count", started["executionId"])

    assert (status, list(started), shown) == (200, ["executionId"], 200)
    assert {name: execution[name] for name in ("workflowId", "executionId", "status", "output", "successRate", "error")} == {
        "workflowId": "count",
        "executionId": started["executionId"],
        "status": "completed",
        "output": 2,
        "successRate": 1.0,
        "error": None,
    }
    assert {execution[name] for name in ("totalTokens", "inputTokens", "outputTokens", "totalCost", "cacheHitRate")} == {None}
    assert execution["endTime"] - execution["startTime"] == pytest.approx(execution["totalDuration"], abs=1)
    assert [(node["nodeId"], node["type"], node["status"], node["attempts"]) for node in execution["nodeExecutions"]] == [
        ("rows", "transform", "completed", 1),
        ("any", "condition", "completed", 1),
        ("count", "transform", "completed", 1),
        ("none", "transform", "skipped", 0),
    ]
    assert execution["_metrics"]["totalDurationMs"] == execution["totalDuration"]


async def test_a_flow_of_steps_is_a_workflow_too_and_no_body_is_no_inputs(api):
    refused = await api.trigger("deal-process")
    status, started = await api.trigger("deal-process", {"companyName": "Acme"})
    _, execution = await api.ended("deal-process", started["executionId"])
    _, empty = await api.trigger("count")
    _, nothing = await api.ended("count", empty["executionId"])

    assert (refused[0], refused[1]["error"]["problems"][0]["problem"]) == (422, 'Missing required input: "companyName"')
    assert (status, execution["output"]) == (200, "Hello Acme")
    assert (nothing["status"], nothing["output"]) == ("completed", "nobody")


async def test_while_a_run_goes_on_its_end_is_not_known(api):
    _, started = await api.trigger("slow")
    await api.daemon.until("SELECT 1 FROM runs WHERE status = 'running'")
    _, execution = await api.ask("GET", f"/api/workflows/slow/executions/{started['executionId']}")

    assert (execution["status"], execution["endTime"], execution["totalDuration"]) == ("running", None, None)
    assert [(node["nodeId"], node["status"], node["endTime"]) for node in execution["nodeExecutions"]] == [
        ("wait", "running", None)
    ]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "none/trigger", {}, 404, "NOT_FOUND"),
        ("POST", "count/trigger", [1], 400, "BAD_REQUEST"),
        ("POST", "count/trigger", b'{"a"', 400, "BAD_REQUEST"),
        ("POST", "count/trigger", b"[" * 100_000, 400, "BAD_REQUEST"),
        ("POST", "count/trigger?x=1", {}, 400, "BAD_REQUEST"),
        ("GET", "count/executions/run_none", None, 404, "NOT_FOUND"),
    ],
)
async def test_what_has_no_meaning_is_refused_and_starts_nothing(api, method, path, body, status, code):
    answered, said = await api.ask(method, f"/api/workflows/{path}", body)

    assert (answered, said["error"]["code"]) == (status, code)
    assert api.daemon.rows("SELECT id FROM runs") == []


async def test_an_execution_of_another_workflow_is_none_of_this_one(api):
    _, started = await api.trigger("deal-process", {"companyName": "Acme"})
    status, said = await api.ask("GET", f"/api/workflows/count/executions/{started['executionId']}")

    assert status == 404
    assert said["error"]["hint"] == f"{started['executionId']} is one of «deal-process»"


async def test_nobody_without_the_token_triggers_a_workflow(api):
    async with api.client.post(f"{api.daemon.admin}/api/workflows/count/trigger", json={}) as answer:
        status = answer.status

    assert status == 401
    assert api.daemon.rows("SELECT id FROM runs") == []


async def test_requests_of_one_idempotency_key_start_one_run_also_at_once_and_over_kill_9(api, daemon_of):
    at_once = await asyncio.gather(*(api.trigger("count", {"customers": []}, Idempotency_Key="k-1") for _ in range(8)))
    await api.daemon.kill()
    again = Api(api.client, await daemon_of(api.daemon.home))
    later = await again.trigger("count", {"customers": []}, Idempotency_Key="k-1")
    other = await again.trigger("count", {"customers": []}, Idempotency_Key="k-2")
    of_another = await again.trigger("deal-process", {"companyName": "Acme"}, Idempotency_Key="k-1")
    different = await again.trigger("count", {"customers": [1]}, Idempotency_Key="k-1")
    await again.daemon.all_ended()

    assert {status for status, _ in (*at_once, later, other, of_another)} == {200}
    assert len({said["executionId"] for _, said in (*at_once, later)}) == 1
    assert len({said["executionId"] for _, said in (later, other, of_another)}) == 3
    assert (different[0], different[1]["error"]["code"]) == (409, "CONFLICT")
    assert again.daemon.rows("SELECT flow, COUNT(*) FROM runs GROUP BY flow ORDER BY flow") == [("count", 2), ("deal-process", 1)]


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "é"])
async def test_a_key_that_is_no_word_is_refused(api, key):
    status, said = await api.trigger("count", {}, Idempotency_Key=key)

    assert (status, said["error"]["code"]) == (400, "BAD_REQUEST")


async def test_a_run_that_was_answered_survives_the_process(api, daemon_of):
    _, started = await api.trigger("count", {"customers": ["Ada"]})
    await api.daemon.kill()
    again = Api(api.client, await daemon_of(api.daemon.home))
    _, execution = await again.ended("count", started["executionId"])

    assert (execution["status"], execution["output"]) == ("completed", 1)
