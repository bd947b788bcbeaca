"""A One-style API: what an action is (its method and path), which connections there are, and the passthrough itself.

What is known of actions and connections is kept for a while: a flow of many steps asks once. All of it is told by a server,
so none of it is trusted further than a path and a method go.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import orjson
from pydantic import BaseModel, ConfigDict, Field

from flows.errors import StepError
from flows.steps.http_exchange import Client, Request
from flows.steps.http_response import Answer, retry_after_s, scrubbed, without
from flows.steps.json_text import json_text
from flows.text import as_text

KEPT_S = 300.0  # what was asked about an action or the connections; a connection made again has another key by then
MOST_KEPT = 256  # answers of this kind: which action is asked about may come from an event
MAX_PAGES = 100  # of connections, a hundred on each
SHOWN_CHARACTERS = 500  # of what a refused call answered, in the error's message
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_VARIABLE = re.compile(r"\{\{([^{}]+)\}\}|\{([^{}]+)\}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")


class ActionSettings(BaseModel):
    """`[steps.action]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str = Field(default="https://api.withone.ai/v1", pattern=r"^https?://\S+$", description="where the API is")
    secret: str = Field(default="ONE_SECRET", min_length=1, description="the name of the secret that holds the API's key")
    timeout_s: float = Field(default=120.0, gt=0, description="for one call")
    max_bytes: int = Field(default=10 * 1024 * 1024, gt=0, description="of one answer")
    allow_private: bool = Field(default=True, description="whether the API may be at a loopback or private address")
    validate_input: bool = Field(
        default=True, description="whether an action's required fields are looked for before it is called"
    )


@dataclass(frozen=True, slots=True)
class Action:
    """What the API says of an action."""

    id: str
    method: str
    path: str  # with {{names}} that path variables fill
    custom: bool  # it takes its connection in the body as well
    required: Mapping[str, tuple[str, ...]]  # pathVars, queryParams, data → the names that must be given
    example: Any = None  # of what it answers


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an action, made."""

    action: str
    connection: str | Mapping[str, Any]  # its key, or {platform, tag}
    data: Any = None
    path_vars: Mapping[str, Any] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, Any] = field(default_factory=dict)


class ActionApi:
    """The API at one address with one key."""

    def __init__(self, settings: ActionSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._base = settings.base_url.rstrip("/")
        self._clock = clock
        self._client = Client(user_agent="camshaft", trust_env=False, allow_private=settings.allow_private)
        self._kept: dict[tuple[str, str], tuple[float, Any]] = {}  # (key, what was asked) → until when, the answer

    async def call(self, call: Call, secret: Callable[[str], str]) -> Any:
        """What the action answers. Raises StepError: HTTP_STATUS, ACTION_UNKNOWN, ACTION_INPUT, CONNECTION_UNKNOWN, …"""
        key = secret(self._settings.secret).strip()
        if not key or _CONTROL.search(key):
            raise StepError(
                f"the secret {self._settings.secret} is empty or has control characters", code="SECRET_UNUSABLE", retryable=False
            )
        action = await self._kept_or(key, f"action {call.action}", lambda: self._action(call.action, key))
        connection = await self._connection(call.connection, key)
        if self._settings.validate_input:
            _check_input(action, call)
        request = self._request(action, call, connection, key)
        answer = await self._send(request, (key, connection))
        return without(_value(answer), (key, connection))

    async def example(self, action: str, secret: Callable[[str], str]) -> Any:
        """What the API gives as an example of the action's answer. None: it gives none, or cannot be asked."""
        try:
            key = secret(self._settings.secret).strip()
            return (await self._kept_or(key, f"action {action}", lambda: self._action(action, key))).example
        except StepError:
            return None

    async def close(self) -> None:
        await self._client.close()

    async def _kept_or(self, key: str, what: str, ask: Callable[[], Any]) -> Any:
        kept = self._kept.get((key, what))
        if kept is not None and self._clock() < kept[0]:
            return kept[1]
        answer = await ask()
        self._keep((key, what), answer)
        return answer

    def _keep(self, asked: tuple[str, str], answer: Any) -> None:
        """The one that is kept last ends last: those at the front are over, or the oldest where there are too many."""
        now = self._clock()
        self._kept.pop(asked, None)
        while self._kept:
            oldest = next(iter(self._kept))
            if self._kept[oldest][0] > now and len(self._kept) < MOST_KEPT:
                break
            del self._kept[oldest]
        self._kept[asked] = (now + KEPT_S, answer)

    async def _action(self, action: str, key: str) -> Action:
        said = await self._ask(f"/knowledge?{urlencode({'_id': action})}", key)
        rows = said.get("rows") if isinstance(said, dict) else None
        if not isinstance(rows, list) or not rows or not isinstance(rows[0], dict):
            raise StepError(f"the API knows no action «{action[:200]}»", code="ACTION_UNKNOWN", retryable=False)
        row = rows[0]
        method, path = row.get("method"), row.get("path")
        if not isinstance(method, str) or method.upper() not in METHODS or not isinstance(path, str):
            raise StepError(f"the API gives no method and path for action «{action[:200]}»", code="ACTION_UNKNOWN")
        tags = row.get("tags")
        schema, custom = row.get("ioSchema"), isinstance(tags, list) and "custom" in tags
        return Action(action, method.upper(), path, custom, _required(schema), _example(schema))

    async def _connection(self, wanted: str | Mapping[str, Any], key: str) -> str:
        """A connection's key. A platform with several needs a tag that tells one from the others."""
        if isinstance(wanted, str):
            return wanted
        platform, tag = as_text(wanted.get("platform")), wanted.get("tag")
        known = await self._kept_or(key, "connections", lambda: self._connections(key))
        found = [each for each in known if str(each.get("platform", "")).lower() == platform.lower()]
        if tag:
            found = [each for each in found if tag in (each.get("tags") or ())]
        named = f"«{platform}»" + (f" with the tag «{as_text(tag)}»" if tag else "")
        if not found:
            self._kept.pop((key, "connections"), None)  # it may be made in the next minute
            raise StepError(f"there is no connection to {named}", code="CONNECTION_UNKNOWN", retryable=False)
        if len(found) > 1:
            said = f"there are {len(found)} connections to {named}: a tag must tell them apart"
            raise StepError(said, code="CONNECTION_AMBIGUOUS", retryable=False)
        return str(found[0].get("key"))

    async def _connections(self, key: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for page in range(1, MAX_PAGES + 1):
            said = await self._ask(f"/vault/connections?{urlencode({'page': page, 'limit': 100})}", key)
            rows = said.get("rows") if isinstance(said, dict) else None
            found += [row for row in rows or () if isinstance(row, dict)]
            pages = said.get("pages") if isinstance(said, dict) else None
            if not isinstance(pages, int) or page >= pages:
                break
        return found

    async def _ask(self, target: str, key: str) -> Any:
        """What the API itself answers, about actions and connections."""
        answer = await self._send(self._made("GET", target, {"x-one-secret": key}, None), (key,))
        return _value(answer)

    def _request(self, action: Action, call: Call, connection: str, key: str) -> Request:
        path = _filled(action.path, call.path_vars)
        pairs = [
            (name, as_text(one))
            for name, value in call.query.items()
            for one in (value if isinstance(value, list) else [value])
            if one is not None
        ]
        try:
            query = f"?{urlencode(pairs)}" if pairs else ""
        except UnicodeEncodeError as error:
            raise StepError("a query parameter has half a character", code="TEXT_ENCODING", retryable=False) from error
        headers = {"Accept": "application/json, text/event-stream, */*", "Content-Type": "application/json"}
        headers |= {name: _header(name, value) for name, value in call.headers.items() if value is not None}
        headers |= {
            "x-one-secret": key,
            "x-one-connection-key": _header("connectionKey", connection),
            "x-one-action-id": action.id,
        }
        body = None
        if action.method not in {"GET", "HEAD"}:
            data = call.data
            if action.custom:
                data = {**(data if isinstance(data, dict) else {}), "connectionKey": connection}
            body = None if data is None else json_text(data).encode()
        return self._made(action.method, f"/passthrough/{path.lstrip('/')}{query}", headers, body)

    def _made(self, method: str, target: str, headers: dict[str, str], body: bytes | None) -> Request:
        shown = target.partition("?")[0]
        private = frozenset({"x-one-secret", "x-one-connection-key"})
        limits = (self._settings.timeout_s, self._settings.max_bytes)
        return Request(method, f"{self._base}{target}", shown, headers, private, body, *limits, max_redirects=0)

    async def _send(self, request: Request, secrets: tuple[str, ...]) -> Answer:
        answer = scrubbed(await self._client.send(request), secrets)
        if 200 <= answer.status < 300:
            return answer
        value = without(_value(answer), secrets)
        said = value if isinstance(value, str) else json_text(value)
        raise StepError(
            f"{request.method} {request.shown} answered {answer.phrase}: {said[:SHOWN_CHARACTERS]}",
            code="HTTP_STATUS",
            status=answer.status,
            retry_after_s=retry_after_s(answer, time.time()),
            output={"status": answer.status, "body": value},
        )


def _required(schema: Any) -> dict[str, tuple[str, ...]]:
    """The names that an action's schema requires, by the field of the step they are given in."""
    groups = schema.get("inputSchema", {}) if isinstance(schema, dict) else {}
    groups = groups.get("properties", {}) if isinstance(groups, dict) else {}
    found = {}
    for group, name in (("path", "pathVars"), ("query", "queryParams"), ("body", "data")):
        part = groups.get(group) if isinstance(groups, dict) else None
        names = part.get("required") if isinstance(part, dict) else None
        found[name] = tuple(each for each in names or () if isinstance(each, str)) if isinstance(names, list) else ()
    return found


def _example(schema: Any) -> Any:
    shown = schema.get("ioExample") if isinstance(schema, dict) else None
    return shown.get("output") if isinstance(shown, dict) else None


def _check_input(action: Action, call: Call) -> None:
    given = {"pathVars": call.path_vars, "queryParams": call.query, "data": call.data if isinstance(call.data, dict) else {}}
    missing = [
        f'{where} is missing "{name}"'
        for where, names in action.required.items()
        for name in names
        if given[where].get(name) in (None, "")
    ]
    if missing:
        raise StepError(f"the action requires more: {'; '.join(missing)}", code="ACTION_INPUT", retryable=False)


def _filled(path: str, variables: Mapping[str, Any]) -> str:
    """The path with its variables, each as one segment: no value can lead to another path."""

    def value_of(found: re.Match[str]) -> str:
        name = (found[1] or found[2]).strip()
        text = as_text(variables.get(name))
        if not text:
            raise StepError(f'the action\'s path needs the variable "{name}" in pathVars', code="ACTION_INPUT", retryable=False)
        if text in {".", ".."}:
            raise StepError(
                f'the path variable "{name}" is «{text}», which is another path', code="UNSAFE_INTERPOLATION", retryable=False
            )
        try:
            return quote(text, safe="!'()*:")
        except UnicodeEncodeError as error:
            raise StepError(f'the path variable "{name}" has half a character', code="TEXT_ENCODING", retryable=False) from error

    return _VARIABLE.sub(value_of, path)


def _header(name: str, value: Any) -> str:
    """One line: a value with a line break would become headers of its own."""
    text = as_text(value).strip(" \t")
    if isinstance(value, (dict, list)) or _CONTROL.search(text) or not _HEADER_NAME.match(name):
        raise StepError(f"the header {name[:60]!a} or its value cannot be sent", code="BAD_HEADER", retryable=False)
    return text


def _value(answer: Answer) -> Any:
    """JSON whatever the media type says, as passthroughs mislabel it; else text, or what little can be said of bytes."""
    if not answer.body.strip():
        return {}
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        pass
    kind = answer.headers.get("content-type") or "text/plain"
    try:
        text = answer.body.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        return {"binary": True, "size": len(answer.body), "contentType": kind}
    return {"text": text, "contentType": kind}
