"""Servers on loopback that answer as APIs document it, for the tests of sources."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

from aiohttp import web


@asynccontextmanager
async def serving(handle):
    """The address of a server that answers everything with `handle(request)`; what it was asked is in the list beside it."""
    seen = []

    async def answer(request):
        seen.append(request)
        await request.read()
        return await handle(request)

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", seen
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw_serving(*chunks, close=True):
    """A server that writes these bytes to whoever connects, whatever is asked."""

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
        if not close:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def json_answer(value, status=200, **headers):
    return web.Response(text=json.dumps(value), status=status, content_type="application/json", headers=headers)
