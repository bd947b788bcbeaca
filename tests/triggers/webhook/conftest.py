"""A bound webhook source, an intake that keeps what comes, and clients of several kinds."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack

import aiohttp
import pytest
from yarl import URL

from triggers.source import Accepted
from triggers.sources.webhook import WebhookSource
from triggers.trigger import Trigger

SECRETS = {"TOKEN": b"tok", "KEY": b"key"}


class Intake:
    """Takes events as the daemon's does, and keeps them; `answer` may be changed or made to raise."""

    def __init__(self):
        self.events = []
        self.together_sizes = []
        self.answer = lambda event: Accepted(event.id, ("run_1",), {"a": "dispatched"})

    async def __call__(self, event):
        accepted = self.answer(event)
        self.events.append(event)
        return accepted

    async def together(self, events):
        accepted = [self.answer(event) for event in events]
        self.together_sizes.append(len(events))
        self.events += events
        return accepted


class World:
    """What a test of hooks needs."""

    def __init__(self, source, triggers, intake, client):
        self.source, self.triggers, self.intake, self.client = source, triggers, intake, client

    @property
    def host(self):
        return self.source.url.removeprefix("http://").removesuffix("/hooks")

    async def send(self, data=None, *, path="/a", method="POST", **headers):
        """Status, JSON, and the response itself. `content_type=` is the header Content-Type."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        skip = () if isinstance(data, aiohttp.FormData) else ("Content-Type",)
        url = URL(f"{self.source.url}{path}", encoded=True)
        async with self.client.request(method, url, data=data, headers=named, skip_auto_headers=skip) as response:
            text = await response.text()
            return response.status, json.loads(text) if text else None, response

    async def body_of(self, data, **headers):
        """What `$.body` and `$.bodyType` become."""
        status, said, _ = await self.send(data, **headers)
        assert status == 202, said
        document = self.intake.events[-1].document
        return document["body"], document["bodyType"]

    async def refused(self, data, **headers):
        """Status and code of a body that is not taken; it made no event."""
        before = len(self.intake.events)
        status, said, _ = await self.send(data, **headers)
        assert len(self.intake.events) == before
        return status, said["error"]["code"]

    async def raw(self, data):
        """Send bytes, and read until the other side closes."""
        host, port = self.host.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(data)
            return await asyncio.wait_for(reader.read(), 20)
        finally:
            writer.close()

    async def curl(self, *arguments, path="/a"):
        """The real curl: status and body of the answer."""
        process = await asyncio.create_subprocess_exec(
            *("curl", "-sS", "-o", "-", "-w", "\n%{http_code}", "--max-time", "20", *arguments, f"{self.source.url}{path}"),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        text, _, status = out.decode().rpartition("\n")
        return int(status), json.loads(text) if text.startswith("{") else None

    @property
    def document(self):
        return self.intake.events[-1].document


def hook(key="a", path="/a", *, enabled=True, **section):
    return Trigger(key, "webhook", WebhookSource.prepare({"path": path, **section}, key=key), "flow", enabled=enabled)


@pytest.fixture
async def listening():
    """listening(section, …, **settings): a source that listens for triggers of these sections; without any, for one at /a."""
    async with AsyncExitStack() as stack:

        async def make(*sections, find_secret=lambda ref: SECRETS[ref["env"]], **settings):
            source = WebhookSource(WebhookSource.Settings(listen="127.0.0.1:0", **settings), secret=find_secret)
            triggers = [hook(**section) for section in sections or ({},)]
            source.update(triggers)
            intake = Intake()
            await stack.enter_async_context(source.open(intake))
            return World(source, triggers, intake, await stack.enter_async_context(aiohttp.ClientSession()))

        yield make
