"""The live stream: what happens, as server-sent events."""

from __future__ import annotations

import asyncio

from aiohttp import web

from daemon.admin.handlers.events import LISTED as EVENT
from daemon.admin.handlers.runs import CAME_FROM, STATUSES
from daemon.admin.parameter import Parameter, Several, Word
from daemon.admin.route import Answer, Asked, Reply, Route
from daemon.admin.schema import FLAG, INSTANT, TEXT, WHOLE, by_name, listed, maybe, record, ref, said, words
from daemon.stream import KINDS, Listener, Wanted
from flows.attempt import AttemptStatus

HEARTBEAT_S = 15.0  # a comment goes out where nothing else does: who is gone is found, and proxies keep the connection
STALL_S = 30.0  # whoever takes nothing of what is sent for so long is gone
RETRY_MS = 2000  # how long a client waits before it comes back
ABOUT = ("flow", "trigger", "run", "chain", "source")
CHAIN = said(maybe(TEXT), "the first event of the chain, or the run that a person started")

SCHEMAS = {
    "StreamEvent": record(
        "`event`: one event is on disk.",
        EVENT | {"chain": CHAIN, "verdicts": by_name(TEXT, "trigger → verdict"), "runs": listed(TEXT, "those it queued")},
    ),
    "StreamVerdict": record(
        "`verdict`: what became of it for one trigger.",
        {
            "event": TEXT,
            "source": TEXT,
            "chain": CHAIN,
            "trigger": TEXT,
            "verdict": TEXT,
            "reason": maybe(TEXT),
            "run": maybe(TEXT),
            "flow": maybe(TEXT),
        },
    ),
    "StreamRun": record(
        "`run`: it is queued, it begins, or it has ended and that is on disk.",
        {"run": TEXT, "status": words(STATUSES), "chain": CHAIN, **CAME_FROM},
    ),
    "StreamStep": record(
        "`step`: a try begins or has ended.",
        {
            "run": TEXT,
            "flow": TEXT,
            "trigger": maybe(TEXT),
            "chain": CHAIN,
            "step": said(TEXT, "its path: each[0].fetch"),
            "kind": TEXT,
            "attempt": WHOLE,
            "status": words(AttemptStatus.__args__),  # type: ignore[attr-defined]  # a Literal has them
            "final": said(FLAG, "it has ended, and no other try follows"),
            "startedAt": INSTANT,
            "durationMs": maybe(WHOLE),
            "error": maybe(TEXT),
            "errorCode": maybe(TEXT),
        },
    ),
    "StreamOpen": record("`open`: from here on everything is told.", {"listening": FLAG}),
    "StreamGap": record(
        "`gap`: what came after the id that was named is not known any more. Read the lists again.", {"after": TEXT}
    ),
    "StreamEnd": record(
        "`end`: the last message. `slow`: too much was not read; `stopping`: the daemon stops.",
        {"reason": words(("slow", "stopping"))},
    ),
}

DESCRIPTION = (
    "Server-sent events. `id` of a message is what a client names as `Last-Event-ID` to go on after it. A comment is sent "
    "every 15 seconds where nothing happens. `data` is JSON of one of the schemas Stream…, by the `event` of the message."
)


async def listen(asked: Asked) -> Reply | web.StreamResponse:
    about = {name: asked.query[name] for name in ABOUT if name in asked.query}
    last = asked.request.headers.get("Last-Event-ID") or None
    request = asked.request
    with asked.behind.stream.listening(Wanted(asked.query["kinds"], about), last, lambda: request.transport is None) as listener:
        response = web.StreamResponse(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        response.content_type = "text/event-stream"
        await response.prepare(request)
        await response.write(f"retry: {RETRY_MS}\n\n".encode())
        try:
            await _send(response, listener)
        except (TimeoutError, ConnectionError) as error:  # it has gone, or is stuck
            error.__traceback__ = None  # who waited for it keeps the error, and that the frames, with all it had still to read
            if request.transport is not None:
                request.transport.abort()
    return response


async def _send(response: web.StreamResponse, listener: Listener) -> None:
    """Until the client goes or is dropped, or the daemon stops."""
    while True:
        frames = await listener.take(HEARTBEAT_S)
        async with asyncio.timeout(STALL_S):
            await response.write(frames or b":\n\n")
        if listener.done:
            return


ROUTES = (
    Route(
        "GET",
        "/v1/stream",
        "what happens, as it happens",
        listen,
        {
            200: Answer(
                "messages until the client goes",
                {"anyOf": [ref(name) for name in SCHEMAS]},
                media="text/event-stream",
            )
        },
        query=(
            Parameter("kinds", "what to tell of", Several(Word(KINDS)), default=KINDS),
            *(Parameter(name, f"only what is about this {name}") for name in ABOUT),
        ),
        refuses=("UNAVAILABLE",),
        description=DESCRIPTION,
    ),
)
