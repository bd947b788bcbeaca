"""Webhooks: an HTTP request to /hooks/<path> becomes an event, and is answered once that event is on disk."""

from __future__ import annotations

import socket
import time as clocks
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, ClassVar

from triggers.bodies.refused import Refused
from triggers.by_hand import ByHand
from triggers.event import Event
from triggers.http_answer import Answer, error_answer
from triggers.source import Emit, Model, SourceError
from triggers.sources.webhook_answers import method_answer
from triggers.sources.webhook_by_hand import below_hooks, handed_in, request_by_hand
from triggers.sources.webhook_hook import FindSecret, Hook
from triggers.sources.webhook_path import PREFIX
from triggers.sources.webhook_receiver import Arrived, Overtaken, Place, Receiver
from triggers.sources.webhook_routes import Routes
from triggers.sources.webhook_spec import WebhookSettings, WebhookSpec, prepare
from triggers.trigger import Trigger

if TYPE_CHECKING:
    from aiohttp.web import BaseRequest

    from triggers.http_listener import Listener

Aside = Callable[["BaseRequest"], Awaitable[Answer | None]]
"""Answers what is no hook. None: it knows nothing of this address either."""


class WebhookSource:
    """The public listener. One request is one event for all triggers at its path."""

    type: ClassVar[str] = "webhook"
    Spec: ClassVar[Model] = WebhookSpec
    Settings: ClassVar[Model] = WebhookSettings

    def __init__(
        self,
        settings: WebhookSettings,
        *,
        secret: FindSecret,
        sockets: Sequence[socket.socket] = (),
        aside: Aside | None = None,
        clock: Callable[[], float] = clocks.time,
    ) -> None:
        """`sockets`: they listen already, and are served in the place of `settings.listen`. `aside`: what else is answered there."""
        self._settings = settings
        self._sockets = sockets
        self._secret = secret
        self._aside = aside
        self._receiver = Receiver(settings, clock)
        self._routes = Routes(())
        self._listener: Listener | None = None

    @staticmethod
    def prepare(section: Mapping[str, Any], *, key: str) -> WebhookSpec:  # noqa: ARG004 - the seam's; a hook is found by its path
        return prepare(section)

    @staticmethod
    def addresses(key: str, spec: WebhookSpec) -> tuple[str, ...]:  # noqa: ARG004 - as above
        return (spec.path,)

    @staticmethod
    def by_hand(key: str, spec: WebhookSpec, given: Mapping[str, Any], *, now: datetime) -> ByHand:  # noqa: ARG004 - as above
        return request_by_hand(spec, given, now)

    def handed_in(self, path: str, given: Mapping[str, Any]) -> Event | None:
        """The event of a request that the owner hands in. None: nobody listens there. Raises LookupError: the methods it takes."""
        found = self._routes.find(below_hooks(path))
        return None if found is None else handed_in(found, given, datetime.now(UTC))

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

    def traffic(self) -> tuple[Sequence[int], int]:
        """Answers so far by the first digit of their status, and connections that are open."""
        return self._listener.traffic() if self._listener is not None else ((0,) * 6, 0)

    def update(self, triggers: Sequence[Trigger]) -> None:
        self.plan(triggers)()

    def plan(self, triggers: Sequence[Trigger]) -> Callable[[], None]:
        """In a thread. Hooks at which nothing has changed are kept, with the secrets they have looked up."""
        by_path: dict[str, list[Trigger]] = {}
        for trigger in triggers:
            by_path.setdefault(trigger.spec.path, []).append(trigger)
        known = self._routes.hooks
        routes = Routes([Hook.of(path, listening, self._secret, known.get(path)) for path, listening in by_path.items()])
        return lambda: self._swap(routes)

    def _swap(self, routes: Routes) -> None:
        self._routes = routes
        self._receiver.generation += 1

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
        self._receiver.emit = emit
        if self._sockets:
            await listener.adopt(self._sockets)
        else:
            await listener.open(*split_address(settings.listen))
        self._listener = listener
        address = listener.address  # who connects to a path is a proxy: it speaks for strangers
        self._receiver.loopback = isinstance(address, tuple) and ip_address(address[0].partition("%")[0]).is_loopback
        try:
            yield
        finally:
            await listener.close(settings.drain_s)
            self._listener = None

    async def run(self) -> None:
        """The loop calls back by itself."""

    async def _answer(self, request: BaseRequest) -> Answer:
        arrived: Arrived | None = None
        while True:
            try:
                return await self._answer_by(request, arrived)
            except Refused as refused:
                return refused.answer
            except Overtaken as overtaken:  # what was decided by hooks that are no more is decided again
                arrived = overtaken.arrived

    def _answer_by(self, request: BaseRequest, arrived: Arrived | None) -> Awaitable[Answer]:
        """By the hooks that are in force now. What it gives raises Overtaken where they are not any more before the event is handed in."""
        path, _, query = request.raw_path.partition("?")
        hook = self._routes.literal.get(path)
        params: dict[str, str] = {}
        if hook is not None:
            below = hook.path
        else:
            found = self._routes.find(path)
            if found is None:
                return self._answer_beside(request)
            hook, below, params = found
        takers = hook.takers.get(request.method)
        if takers is not None:
            return self._receiver.take(request, hook, takers, Place(below, params, query), arrived)
        if request.method == "HEAD" and "GET" in hook.takers:
            return _ready(self._receiver.probe(request, hook.takers["GET"]))
        return _ready(method_answer(request, hook))

    async def _answer_beside(self, request: BaseRequest) -> Answer:
        beside = None if self._aside is None else await self._aside(request)
        if beside is not None:
            return beside
        return error_answer(404, "NO_HOOK", "nothing listens at this address", f"hooks are at {PREFIX}/<path>")


async def _ready(answer: Answer) -> Answer:
    return answer


def split_address(listen: str) -> tuple[str, int]:
    """`127.0.0.1:8420`, `[::1]:0`, `:8420`. Raises SourceError."""
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535 or (":" in host and not host.startswith("[")):
        raise SourceError(f"«{listen}» is no address to listen on: write HOST:PORT, like 127.0.0.1:8420 or [::1]:8420")
    return host.removeprefix("[").removesuffix("]") or "0.0.0.0", int(port)  # noqa: S104 - `:8420` asks for it
