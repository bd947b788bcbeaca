"""One request to a hook, from its head to its answer: size → signature on raw bytes → body → event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog

from triggers.bodies import read_value
from triggers.bodies.arriving import Held, check_transfer, read_body, too_large
from triggers.bodies.content import Content, check_content, content_of
from triggers.bodies.inflate import codings_of
from triggers.bodies.refused import Limits, Refused
from triggers.bodies.unpack import MAX_ON_LOOP_BYTES, unpack
from triggers.cloud_events import CloudEvent, in_headers, of_headers, read_batch, read_structured
from triggers.event import Event
from triggers.http_answer import Answer
from triggers.source import Accepted, Emit, Unavailable
from triggers.sources.webhook_answers import (
    accepted_answer,
    batch_answer,
    challenge_answer,
    kept_from_slack,
    slack_challenge,
    unauthorized,
    unavailable_answer,
)
from triggers.sources.webhook_event import Instants, cloud_event, document_of
from triggers.sources.webhook_hook import Hook, Takers
from triggers.sources.webhook_request import expect, headers_of, query_of, storable
from triggers.sources.webhook_spec import WebhookSettings

if TYPE_CHECKING:
    from aiohttp.web import BaseRequest

log = structlog.get_logger()

REFUSALS_A_MINUTE = 60  # events that only tell of failed auth: enough to see what goes on, too few to fill a disk

Arrived = tuple[bytes, Content, tuple[str, ...]]
"""A body as it came, what its type says, and which codings it is in."""


class Place(NamedTuple):
    """Where a request went."""

    path: str  # below /hooks
    params: dict[str, str]
    query: str


class Overtaken(Exception):  # noqa: N818 - no error: a reload came between a request's head and its event
    """The hook that was to take the request is not in force any more. The body has come."""

    def __init__(self, arrived: Arrived) -> None:
        self.arrived = arrived
        super().__init__()


class Receiver:
    """Takes requests for as long as its source is open."""

    def __init__(self, settings: WebhookSettings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._limits = Limits(settings.max_depth, settings.max_fields, settings.max_parts, settings.max_events)
        self._held = Held(settings.max_held_bytes)
        self._instants = Instants()
        self._minute = 0  # of the refusals that were counted last
        self._refusals = 0
        self.emit: Emit | None = None  # set while the source is open
        self.generation = 0  # of the hooks in force: another number after each reload that changed them
        self.loopback = False  # its senders are on this machine, and may be told the names of triggers

    async def take(
        self, request: BaseRequest, hook: Hook, takers: Takers, place: Place, arrived: Arrived | None = None
    ) -> Answer:
        """Returns when the event is on disk. Raises Refused, and Overtaken.

        Who may send is judged by the same triggers that the event is for: a body may come so slowly that a reload comes first.
        """
        now, generation = self._clock(), self.generation
        headers = headers_of(request)
        if arrived is None:
            arrived = await self._arrived(request, headers)
            self._still(generation, arrived)
        raw, content, codings = arrived
        failed = await self._refused(takers, headers, raw, now) if takers.guards else {}
        self._still(generation, arrived)
        document = document_of(request, hook, place.path, place.params, self._instants.text(now))
        document["headers"] = storable(headers, takers.private)
        document["query"] = query_of(place.query, self._settings.max_fields) if place.query else {}
        event = Event(document["id"], "webhook", hook.path, now, document, failed_auth=failed, withheld=takers.withheld)
        if failed and takers.refuses_all(failed):
            await self._tell_refusal(event)
            return unauthorized()
        if content.cloud_events is not None or in_headers(headers):
            found = await self._cloud_events(request, raw, content, codings)
            self._still(generation, arrived)
            made = [cloud_event(one, document, hook, takers, failed, now, self._settings.identity_ttl_s) for one in found]
            return await self._hand_in(made, takers, failed, batched=content.cloud_events == "batched")
        if codings or len(raw) > MAX_ON_LOOP_BYTES:
            document["bodyType"], document["body"] = await self._unpacked(raw, content, codings, read_value)
            self._still(generation, arrived)
        else:
            document["bodyType"], document["body"] = read_value(raw, content, self._limits)
        challenge = slack_challenge(document)
        if challenge is not None:
            event.withheld = kept_from_slack(takers)
        del arrived, raw, headers, document
        assert self.emit is not None
        try:
            pending = self.emit(event)
            del event  # while this one waits for its commit, its memory serves the next: a tenth of all CPU
            accepted = await pending
        except Unavailable as unavailable:
            return unavailable_answer(unavailable)
        if challenge is not None:
            return challenge_answer(challenge)
        return accepted_answer(accepted, self._told(accepted, failed, takers))

    async def _refused(self, takers: Takers, headers: Mapping[str, str], raw: bytes, now: float) -> dict[str, str]:
        """Off the loop where it takes long: each secret of each trigger is one digest of the body, 1.5 ms for 1 MiB."""
        if len(raw) <= MAX_ON_LOOP_BYTES:
            return takers.refuse(headers, raw, now)
        with self._held.holding(len(raw)):
            return await asyncio.to_thread(takers.refuse, headers, raw, now)

    def _still(self, generation: int, arrived: Arrived) -> None:
        if self.generation != generation:
            raise Overtaken(arrived)

    def probe(self, request: BaseRequest, takers: Takers) -> Answer:
        """HEAD: what GET would be told, as far as the sender goes. It makes no event: who sends it wants to know, not to act."""
        now = self._clock()
        failed = takers.refuse(headers_of(request), b"", now) if takers.guards else {}
        return unauthorized() if failed and takers.refuses_all(failed) else Answer(200, None)

    async def _arrived(self, request: BaseRequest, headers: Mapping[str, str]) -> Arrived:
        """Raises Refused, as early as it can."""
        length = headers.get("content-length")
        # The parser has seen to it that a length is digits.
        if length is not None and (len(length) > 18 or int(length) > self._settings.max_body_bytes):
            raise Refused(too_large(self._settings.max_body_bytes))
        if "transfer-encoding" in headers:
            check_transfer(headers["transfer-encoding"])
        codings = codings_of(headers["content-encoding"]) if "content-encoding" in headers else ()
        content = content_of(request.headers.get("Content-Type", ""))  # where there are several, the first
        if request.body_exists and length != "0":
            check_content(content)
        expected = headers.get("expect")
        if expected is not None:
            expect(request, expected)
        settings = self._settings
        raw = await read_body(request, max_bytes=settings.max_body_bytes, timeout_s=settings.body_timeout_s, held=self._held)
        return raw, content, codings if raw else ()

    async def _unpacked(
        self, raw: bytes, content: Content, codings: tuple[str, ...], read: Callable[[bytes, Content, Limits], Any]
    ) -> Any:
        return await unpack(
            raw,
            codings,
            lambda data: read(data, content, self._limits),
            max_inflated_bytes=self._settings.max_inflated_bytes,
            held=self._held,
        )

    async def _cloud_events(
        self, request: BaseRequest, raw: bytes, content: Content, codings: tuple[str, ...]
    ) -> list[CloudEvent]:
        if content.cloud_events == "batched":
            return list(await self._unpacked(raw, content, codings, read_batch))
        if content.cloud_events == "structured":
            return [await self._unpacked(raw, content, codings, read_structured)]
        attributes = of_headers(request.headers.items(), request.headers.get("Content-Type", ""))
        form, data = await self._unpacked(raw, content, codings, read_value)
        return [CloudEvent(attributes, form, data)]

    async def _hand_in(self, events: list[Event], takers: Takers, failed: Mapping[str, str], *, batched: bool) -> Answer:
        """CloudEvents: all of them are on disk, or none is and the sender is asked to come again."""
        assert self.emit is not None
        try:
            if not batched:
                accepted = await self.emit(events[0])
                return accepted_answer(accepted, self._told(accepted, failed, takers))
            accepted_all = await self.emit.together(events) if events else ()
        except Unavailable as unavailable:
            return unavailable_answer(unavailable)
        return batch_answer(accepted_all, [self._told(accepted, failed, takers) for accepted in accepted_all])

    async def _tell_refusal(self, event: Event) -> None:
        """Record a request that nobody let in, without its body, and no more than so many a minute: strangers send them."""
        assert self.emit is not None
        minute = int(event.time // 60)
        if minute != self._minute:
            if self._refusals > REFUSALS_A_MINUTE:
                log.warning("webhook.refusals_not_recorded", count=self._refusals - REFUSALS_A_MINUTE)
            self._minute, self._refusals = minute, 0
        self._refusals += 1
        if self._refusals > REFUSALS_A_MINUTE:
            return
        try:
            await self.emit(event)
        except Unavailable:
            log.warning("webhook.refusal_not_recorded", path=event.address)

    def _told(self, accepted: Accepted, failed: Mapping[str, str], takers: Takers) -> Mapping[str, str] | None:
        """Verdicts for the sender: only where it is one of us, or has passed the triggers' auth."""
        if self.loopback:
            return accepted.verdicts
        if takers.guarded:
            return {key: verdict for key, verdict in accepted.verdicts.items() if key not in failed}
        return None
