"""A bound webhook source, and raw connections to it."""

import asyncio
import json
from contextlib import asynccontextmanager

from triggers.source import Accepted
from triggers.sources.webhook import WebhookSource
from triggers.trigger import Trigger

HEAD = b"POST /hooks/a HTTP/1.1\r\nHost: x\r\n"
GOOD = HEAD + b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Wire:
    """A bound source, and raw connections to it."""

    def __init__(self, source):
        self.source = source
        self.events = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.arrived = asyncio.Event()

    async def emit(self, event):
        self.events.append(event)
        self.arrived.set()
        await self.gate.wait()
        return Accepted(event.id, ("run_1",), {})

    async def connect(self):
        host, port = self.source.url.removeprefix("http://").removesuffix("/hooks").split(":")
        return await asyncio.open_connection(host, int(port))

    async def tell(self, data):
        """Send, and read until the other side closes. The answer's status, headers and JSON."""
        reader, writer = await self.connect()
        writer.write(data)
        try:
            return answer_of(await asyncio.wait_for(reader.read(), 10))
        finally:
            writer.close()


def answer_of(raw):
    head, _, body = raw.partition(b"\r\n\r\n")
    status = int(head.split(b" ")[1]) if head else None
    return status, head, json.loads(body) if body else None


async def one_answer(reader):
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    return int(head.split(b" ")[1]), head, json.loads(await reader.readexactly(length))


@asynccontextmanager
async def wired(*sockets, **settings):
    """`sockets`: they listen already."""
    source = WebhookSource(WebhookSource.Settings(listen="127.0.0.1:0", **settings), secret=lambda ref: b"", sockets=sockets)
    source.update([Trigger("a", "webhook", WebhookSource.prepare({"path": "/a"}, key="a"), "flow")])
    wire = Wire(source)
    async with source.open(wire.emit):
        yield wire
