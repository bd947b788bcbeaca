"""Benches: parts of a daemon at work over the test's database, opened and closed as restarts do it."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager

from daemon.store import open_store


@asynccontextmanager
async def benches(file, kind):
    """Gives open(flow, …): a started `kind` over the database in `file`; open.close() closes the last one, and the rest go at the end."""
    opened = []

    async def open_one(*flows, token="daemon-1", **more):
        stack = AsyncExitStack()
        opened.append(stack)
        store = await stack.enter_async_context(open_store(file, token=token))
        bench = await kind(store, flows, **more).start()
        stack.push_async_callback(bench.close)
        return bench

    async def close_one():
        await opened.pop().aclose()

    open_one.close = close_one
    yield open_one
    while opened:
        await close_one()
