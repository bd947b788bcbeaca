"""Webhooks: an HTTP request to /hooks/<path> becomes an event, and is answered once that event is on disk."""

from __future__ import annotations

import socket
import time as clocks
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
import structlog

from triggers.by_hand import ByHand
from triggers.event import Event
from triggers.http_answer import Answer, error_answer
from triggers.ids import new_id
from triggers.source import Accepted, Emit, Model, SourceError, Unavailable
from triggers.sources.webhook_body import Held, Refused, check_type, parse_body, read_body, too_large, unsupported
from triggers.sources.webhook_by_hand import request_by_hand
from triggers.sources.webhook_hook import FindSecret, Hook, Takers
from triggers.sources.webhook_request import expect, headers_of, query_of, storable
from triggers.sources.webhook_spec import PREFIX, WebhookSettings, WebhookSpec, decoded_path, prepare
from triggers.trigger import Trigger

if TYPE_CHECKING:
    from aiohttp.web import BaseRequest

    from triggers.http_listener import Listener

log = structlog.get_logger()

REFUSALS_A_MINUTE = 60  # events that only tell of failed auth: enough to see what goes on, too few to fill a disk


class WebhookSource:
    """The public listener. One request is one event for all triggers at its path."""

    type: ClassVar[str] = "webhook"
    Settings: ClassVar[Model] = WebhookSettings

    def __init__(
        self,
        settings: WebhookSettings,
        *,
        secret: FindSecret,
        sockets: Sequence[socket.socket] = (),
        clock: Callable[[], float] = clocks.time,
    ) -> None:
        """`sockets`: they listen already, and are served in the place of `settings.listen`."""
        self._settings = settings
        self._sockets = sockets
        self._secret = secret
        self._clock = clock
        self._held = Held(settings.max_held_bytes)
        self._hooks: dict[str, Hook] = {}  # by the path as it stands in a request
        self._listener: Listener | None = None
        self._emit: Emit | None = None
        self._loopback = False
        self._minute = 0  # of the refusals that were counted last
        self._refusals = 0
        self._second = -1
        self._second_text = ""

    @staticmethod
    def prepare(section: Mapping[str, Any], *, key: str) -> WebhookSpec:  # noqa: ARG004 - the seam's; a hook is found by its path
        return prepare(section)

    @staticmethod
    def addresses(key: str, spec: WebhookSpec) -> tuple[str, ...]:  # noqa: ARG004 - as above
        return (spec.path,)

    @staticmethod
    def by_hand(key: str, spec: WebhookSpec, given: Mapping[str, Any], *, now: datetime) -> ByHand:  # noqa: ARG004 - as above
        return request_by_hand(spec, given, now)

    @property
    def url(self) -> str:
        """Where hooks are: `http://127.0.0.1:8420/hooks`. Raises SourceError while it is not open."""
        if self._listener is None:
            raise SourceError("the webhook listener is not open")
        from triggers.http_listener import address_text  # with aiohttp, which only an open source has loaded

        address = self._listener.address
        if not isinstance(address, tuple):
            return f"http+unix:{address}:{PREFIX}"
        return f"http://{address_text(*address[:2])}{PREFIX}"

    def update(self, triggers: Sequence[Trigger]) -> None:
        by_path: dict[str, list[Trigger]] = {}
        for trigger in triggers:
            by_path.setdefault(trigger.spec.path, []).append(trigger)
        self._hooks = {f"{PREFIX}{path}": Hook.of(path, listening, self._secret) for path, listening in by_path.items()}

    @asynccontextmanager
    async def open(self, emit: Emit) -> AsyncIterator[None]:
        from triggers.http_listener import Limits, Listener  # aiohttp takes 0.28 s and 20 MB: only who listens pays

        settings = self._settings
        limits = Limits(
            header_timeout_s=settings.header_timeout_s,
            keepalive_timeout_s=settings.keepalive_timeout_s,
            max_connections=settings.max_connections,
            max_target_bytes=settings.max_target_bytes,
            max_header_bytes=settings.max_header_bytes + (settings.max_header_bytes == settings.max_target_bytes),
            max_headers=settings.max_headers,
        )
        listener = Listener(self._answer, limits)
        self._emit = emit
        if self._sockets:
            await listener.adopt(self._sockets)
        else:
            await listener.open(*split_address(settings.listen))
        self._listener = listener
        address = listener.address  # who connects to a path is a proxy: it speaks for strangers
        self._loopback = isinstance(address, tuple) and ip_address(address[0].partition("%")[0]).is_loopback
        try:
            yield
        finally:
            await listener.close(settings.drain_s)
            self._listener = None

    async def run(self) -> None:
        """The loop calls back by itself."""

    # ---- one request

    async def _answer(self, request: BaseRequest) -> Answer:
        try:
            target = request.raw_path
            path, _, query = target.partition("?")
            hook = self._hooks.get(path) or self._find(path)
            if hook is None:
                return error_answer(404, "NO_HOOK", "nothing listens at this address", f"hooks are at {PREFIX}/<path>")
            takers = hook.takers.get(request.method)
            if takers is None:
                said = f"this hook does not take {request.method}"
                return error_answer(405, "METHOD", said, headers=hook.allow)
            return await self._take(request, hook, takers, query)
        except Refused as refused:
            return refused.answer

    def _find(self, path: str) -> Hook | None:
        """A hook whose path was written in another way: percent-encoded, with a slash at the end, behind a host."""
        if "://" in path[:8]:
            path = "/" + path.partition("://")[2].partition("/")[2]
        decoded = decoded_path(path)
        return None if decoded is None else self._hooks.get(decoded)

    async def _take(self, request: BaseRequest, hook: Hook, takers: Takers, query: str) -> Answer:
        now = self._clock()
        raw, form = await self._body(request)
        headers = headers_of(request)
        failed = takers.refuse(headers, raw, now) if takers.guards else {}
        refused = takers.guarded and len(failed) == takers.count
        body = None if refused else await self._value(request, raw, form)
        event = self._event(request, hook, takers, body, now)
        event.document["headers"] = storable(headers, takers.private)
        event.document["query"] = query_of(query) if query else {}
        if failed:
            event = replace(event, failed_auth=failed)
        if refused:
            await self._tell_refusal(event)
            return unauthorized()
        assert self._emit is not None
        try:
            pending = self._emit(event)
            del raw, headers, body, event  # while this one waits for its commit, their memory serves the next: a tenth of all CPU
            accepted = await pending
        except Unavailable as unavailable:
            return _unavailable(unavailable)
        status = 202 if accepted.runs and not accepted.duplicate else 200
        return Answer(status, orjson.dumps(self._said(accepted, failed, takers)) + b"\n")

    async def _body(self, request: BaseRequest) -> tuple[bytes, str]:
        """The raw body and how it is to be read. Raises Refused."""
        headers = request.headers
        length = headers.get("Content-Length")
        # The parser has seen to it that a length is digits.
        if length is not None and (len(length) > 18 or int(length) > self._settings.max_body_bytes):
            raise Refused(too_large(self._settings.max_body_bytes))
        encoding = headers.get("Content-Encoding")
        if encoding is not None and encoding.lower() not in ("", "identity"):
            said = f"a body encoded as {encoding[:40]} is not read"
            raise Refused(
                error_answer(415, "CONTENT_ENCODING", said, "send it as it is", headers=b"\r\nAccept-Encoding: identity")
            )
        content_type = headers.get("Content-Type", "")
        form = check_type(content_type)
        if form == "other" and request.body_exists and length != "0":
            raise Refused(unsupported(content_type))
        expected = headers.get("Expect")
        if expected is not None:
            expect(request, expected)
        settings = self._settings
        raw = await read_body(request, max_bytes=settings.max_body_bytes, timeout_s=settings.body_timeout_s, held=self._held)
        return raw, form

    async def _value(self, request: BaseRequest, raw: bytes, form: str) -> Any:
        """The body as a JSON value: None for an empty one, which is a legal ping."""
        if not raw:
            return None
        if form == "json":
            return await parse_body(raw, max_depth=self._settings.max_depth)
        if form == "lenient" and raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
            return await parse_body(raw, max_depth=self._settings.max_depth)
        raise Refused(unsupported(request.headers.get("Content-Type", "")))

    def _event(self, request: BaseRequest, hook: Hook, takers: Takers, body: Any, now: float) -> Event:
        event_id = new_id("evt")
        at = self._instant(now)
        document = {
            "id": event_id,
            "type": "webhook.received",
            "source": f"{PREFIX}{hook.path}",
            "time": at,
            "subject": None,
            "trigger": {"type": "webhook", "firedAt": at},  # match.py adds the key for a trigger that asks for it
            "chain": {"id": event_id, "depth": 0},
            "body": body,
            "params": {},
            "method": request.method,
            "path": hook.path,
            "remote": request.remote,
        }
        return Event(event_id, "webhook", hook.path, now, document, withheld=takers.withheld)

    def _instant(self, now: float) -> str:
        """`2026-11-23T09:00:00.000Z`: a second's text is made once."""
        second = int(now)
        if second != self._second:
            self._second, self._second_text = second, datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._second_text}.{int((now - second) * 1000):03d}Z"

    async def _tell_refusal(self, event: Event) -> None:
        """Record a request that nobody let in, without its body, and no more than so many a minute: strangers send them."""
        assert self._emit is not None
        minute = int(event.time // 60)
        if minute != self._minute:
            if self._refusals > REFUSALS_A_MINUTE:
                log.warning("webhook.refusals_not_recorded", count=self._refusals - REFUSALS_A_MINUTE)
            self._minute, self._refusals = minute, 0
        self._refusals += 1
        if self._refusals > REFUSALS_A_MINUTE:
            return
        try:
            await self._emit(event)
        except Unavailable:
            log.warning("webhook.refusal_not_recorded", path=event.address)

    def _said(self, accepted: Accepted, failed: Mapping[str, str], takers: Takers) -> dict[str, Any]:
        """What the sender is told: the names of triggers only where it is one of us, or has passed their auth."""
        said: dict[str, Any] = {"event": accepted.event_id, "runs": accepted.runs}
        if self._loopback:
            said["verdicts"] = accepted.verdicts
        elif takers.guarded:
            said["verdicts"] = {key: verdict for key, verdict in accepted.verdicts.items() if key not in failed}
        return said


def _unavailable(error: Unavailable) -> Answer:
    retry = b"\r\nRetry-After: %d" % error.retry_after_s
    return error_answer(503, "UNAVAILABLE", "this event could not be made durable now", "send it again", headers=retry)


def unauthorized() -> Answer:
    """One answer for all reasons: which one it was is for the owner, in `camshaft event explain`."""
    hint = "the owner of this hook finds the reason in its events"
    return error_answer(
        401, "UNAUTHORIZED", "the request did not prove who sent it", hint, headers=b"\r\nWWW-Authenticate: Bearer"
    )


def split_address(listen: str) -> tuple[str, int]:
    """`127.0.0.1:8420`, `[::1]:0`, `:8420`. Raises SourceError."""
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535 or (":" in host and not host.startswith("[")):
        raise SourceError(f"«{listen}» is no address to listen on: write HOST:PORT, like 127.0.0.1:8420 or [::1]:8420")
    return host.removeprefix("[").removesuffix("]") or "0.0.0.0", int(port)  # noqa: S104 - `:8420` asks for it
