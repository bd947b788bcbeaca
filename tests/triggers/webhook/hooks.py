"""A webhook source for triggers that a test chooses, an intake that keeps what comes, and a client."""

import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp

from triggers.source import Accepted, Unavailable
from triggers.sources.webhook import WebhookSource
from triggers.trigger import Trigger

SECRETS = {"TOKEN": b"tok", "KEY": b"key", "OLD": b"old"}


def find_secret(ref):
    return SECRETS[ref["env"]]


def trigger(key, path="/deal-created", *, enabled=True, **section):
    return Trigger(key, "webhook", WebhookSource.prepare({"path": path, **section}, key=key), "flow", enabled=enabled)


class Intake:
    """Takes events as the daemon's does, and keeps them; `answer` may be changed or made to raise."""

    def __init__(self):
        self.events = []
        self.answer = lambda event: Accepted(event.id, ("run_1",), {"a": "dispatched"})
        self.gate = None

    async def __call__(self, event):
        self.events.append(event)
        if self.gate is not None:
            await self.gate.wait()
        return self.answer(event)


class World:
    def __init__(self, source, intake, client):
        self.source, self.intake, self.client = source, intake, client

    async def send(self, path="/deal-created", data=None, *, method="POST", **more):
        async with self.client.request(method, f"{self.source.url}{path}", data=data, **more) as response:
            text = await response.text()
            return response, json.loads(text) if text else None

    @property
    def document(self):
        (event,) = self.intake.events
        return event.document

    async def connect(self):
        url = self.source.url.removeprefix("http://").removesuffix("/hooks")
        host, port = url.split(":")
        return await asyncio.open_connection(host, int(port))


@asynccontextmanager
async def opened(*triggers, clock=None, **settings):
    more = {} if clock is None else {"clock": clock}
    source = WebhookSource(WebhookSource.Settings(listen="127.0.0.1:0", **settings), secret=find_secret, **more)
    source.update(triggers)
    intake = Intake()
    async with source.open(intake), aiohttp.ClientSession() as client:
        yield World(source, intake, client)


def unavailable():
    raise Unavailable("the disk is full", retry_after_s=7)
