"""The one table of routes: method, path, what it is for, and who answers."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from daemon.errors import BadRequest
from daemon.operations import Operations
from flows.suggest import did_you_mean

MAX_WAIT_S = 3600.0  # of one request: whoever waits longer asks again


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, taken apart."""

    operations: Operations
    ready: Callable[[], Mapping[str, bool]]
    key: str  # what stands in the path
    query: Mapping[str, str]
    body: Any  # the JSON of a POST


Handler = Callable[[Asked], Awaitable[tuple[int, Any]]]


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str
    summary: str
    handler: Handler
    query: tuple[str, ...] = ()  # the parameters it knows; others are refused
    public: bool = False  # True: answers without a token


async def health(_: Asked) -> tuple[int, Any]:
    return 200, {"ok": True}


async def readiness(asked: Asked) -> tuple[int, Any]:
    checks = dict(asked.ready())
    ready = all(checks.values())
    return 200 if ready else 503, {"ready": ready, "checks": checks}


async def status(asked: Asked) -> tuple[int, Any]:
    return 200, await asked.operations.status()


async def list_triggers(asked: Asked) -> tuple[int, Any]:
    return 200, asked.operations.list_triggers()


async def add_trigger(asked: Asked) -> tuple[int, Any]:
    overwrite = _flag(asked.query, "replace")
    return 201, await asked.operations.add_trigger(asked.body, key=asked.query.get("key", ""), overwrite=overwrite)


async def show_trigger(asked: Asked) -> tuple[int, Any]:
    return 200, asked.operations.show_trigger(asked.key)


async def remove_trigger(asked: Asked) -> tuple[int, Any]:
    return 200, await asked.operations.remove_trigger(asked.key)


async def list_flows(asked: Asked) -> tuple[int, Any]:
    return 200, asked.operations.list_flows()


async def show_flow(asked: Asked) -> tuple[int, Any]:
    return 200, asked.operations.show_flow(asked.key)


async def execute_flow(asked: Asked) -> tuple[int, Any]:
    body = {} if asked.body is None else asked.body
    if not isinstance(body, dict) or not isinstance(body.get("inputs", {}), dict):
        raise BadRequest("the body is an object, and its inputs are one", '{"inputs": {}, "wait": true}')
    for name in body:
        if name not in {"inputs", "wait"}:
            raise BadRequest(f"the body has no field «{name}»", did_you_mean(name, ("inputs", "wait")))
    wait = body.get("wait", False)
    if not isinstance(wait, bool | int | float):
        raise BadRequest("wait is true, false or a number of seconds")
    wait_s = MAX_WAIT_S * wait if isinstance(wait, bool) else _wait(str(wait))
    run = await asked.operations.execute_flow(asked.key, body.get("inputs", {}), wait_s=wait_s)
    return 200 if run["status"] in {"completed", "failed", "cancelled"} else 202, run


async def list_runs(asked: Asked) -> tuple[int, Any]:
    return 200, await asked.operations.list_runs(**_narrowed(asked.query))


async def show_run(asked: Asked) -> tuple[int, Any]:
    return 200, await asked.operations.show_run(asked.key, wait_s=_wait(asked.query.get("wait", "0")))


async def cancel_run(asked: Asked) -> tuple[int, Any]:
    return 200, await asked.operations.cancel_run(asked.key)


async def list_events(asked: Asked) -> tuple[int, Any]:
    return 200, await asked.operations.list_events(**_narrowed(asked.query))


async def show_event(asked: Asked) -> tuple[int, Any]:
    return 200, await asked.operations.show_event(asked.key)


async def explain_event(asked: Asked) -> tuple[int, Any]:
    return 200, await asked.operations.explain_event(asked.key)


ROUTES = (
    Route("GET", "/healthz", "the process answers", health, public=True),
    Route("GET", "/readyz", "webhooks are taken and runs go on; 503 while not", readiness, public=True),
    Route("GET", "/v1/status", "what the daemon does right now", status),
    Route("GET", "/v1/triggers", "all triggers, with the next times of schedules", list_triggers),
    Route("POST", "/v1/triggers", "add the trigger that the body defines", add_trigger, ("key", "replace")),
    Route("GET", "/v1/triggers/{key}", "one trigger, with what is needed to try it", show_trigger),
    Route("DELETE", "/v1/triggers/{key}", "remove a trigger and its file", remove_trigger),
    Route("GET", "/v1/flows", "all flows", list_flows),
    Route("GET", "/v1/flows/{key}", "one flow, with its definition", show_flow),
    Route("POST", "/v1/flows/{key}/execute", "start a run by hand; with `wait` answer at its end", execute_flow),
    Route("GET", "/v1/runs", "runs, the newest first", list_runs, ("flow", "status", "trigger", "event", "limit", "before")),
    Route("GET", "/v1/runs/{key}", "one run with its steps and metrics; `wait` seconds for its end", show_run, ("wait",)),
    Route("POST", "/v1/runs/{key}/cancel", "stop a run", cancel_run),
    Route("GET", "/v1/events", "events, the newest first", list_events, ("source", "trigger", "verdict", "limit", "before")),
    Route("GET", "/v1/events/{key}", "one event with its verdicts", show_event),
    Route("GET", "/v1/events/{key}/explain", "why each candidate fired, or why it did not", explain_event),
)


async def answer(
    route: Route, request: web.Request, operations: Operations, ready: Callable[[], Mapping[str, bool]]
) -> tuple[int, Any]:
    """Take the request apart, refusing what has no meaning, and let the route's handler answer."""
    for name in request.query:
        if name not in route.query:
            raise BadRequest(f"there is no parameter «{name}» here", did_you_mean(name, route.query))
    body = _read_json(await request.read()) if route.method == "POST" else None
    return await route.handler(Asked(operations, ready, request.match_info.get("key", ""), request.query, body))


def _read_json(raw: bytes) -> Any:
    if not raw:
        return None
    try:
        value = orjson.loads(raw)  # first for its bound on depth
        return json.loads(raw) if isinstance(value, dict | list) else value  # whole numbers of any size
    except (ValueError, RecursionError) as error:
        raise BadRequest("the body is not JSON", str(error)[:200]) from error


def _narrowed(query: Mapping[str, str]) -> dict[str, Any]:
    which: dict[str, Any] = dict(query)
    if "limit" in which:
        if not (which["limit"].isascii() and which["limit"].isdigit()) or len(which["limit"]) > 9:
            raise BadRequest("limit is a whole number")
        which["limit"] = int(which["limit"])
    return which


def _wait(text: str) -> float:
    try:
        wait_s = float(text)
    except ValueError:
        wait_s = -1.0
    if not 0 <= wait_s <= MAX_WAIT_S:
        raise BadRequest(f"wait is a number of seconds from 0 to {MAX_WAIT_S:.0f}")
    return wait_s


def _flag(query: Mapping[str, str], name: str) -> bool:
    text = query.get(name, "false").lower()
    if text not in {"true", "false", "1", "0", ""}:
        raise BadRequest(f"{name} is true or false")
    return text in {"true", "1", ""}
