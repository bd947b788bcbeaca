"""What a connection held in memory goes when it ends, however it ends: none of it waits for the garbage collector."""

import asyncio

import pytest
from aiohttp import StreamReader
from aiohttp.web import BaseRequest

from tests.garbage import left_over
from tests.triggers.webhook.wire import GOOD, HEAD, wired
from triggers.http_listener import Connection

BEGUN = HEAD + b"Content-Length: 2000\r\n\r\n" + b"x" * 1000
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n"


async def to_its_end(wire, *parts, leaves=False):
    """Send the parts one after the other; read what is answered, or go away without a word."""
    reader, writer = await wire.connect()
    server = wire.source._listener._server
    for part in parts:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0.02)  # else two parts may come as one
    if leaves:
        writer.transport.abort()
    else:
        writer.write_eof()
        await asyncio.wait_for(reader.read(), 10)
        writer.close()
    await server.emptied(5)


@pytest.mark.parametrize(
    ("parts", "leaves"),
    [
        pytest.param([GOOD], False, id="answered"),
        pytest.param([GOOD], True, id="not read"),
        pytest.param([GOOD * 5], True, id="several not read"),
        pytest.param([HEAD + b"Content-Length: 1100000\r\n\r\n" + b"x" * 1_100_000], False, id="too large"),
        pytest.param([HEAD + b"Content-Length: 3000\r\n\r\n" + b"x" * 3000], False, id="no JSON"),
        pytest.param([BEGUN], False, id="a body that ends early"),
        pytest.param([BEGUN], True, id="a body that breaks off"),
        pytest.param([CHUNKED, b"zz\r\n"], False, id="a broken chunk"),
        pytest.param([CHUNKED + b"zz\r\n"], False, id="a broken chunk at once"),
        pytest.param([CHUNKED], True, id="chunks that break off"),
        pytest.param([b"no HTTP\r\n\r\n"], False, id="no HTTP"),
        pytest.param([HEAD + b"X: " + b"a" * 100_000 + b"\r\n\r\n"], False, id="a long header"),
        pytest.param([HEAD], True, id="a head that breaks off"),
    ],
)
async def test_a_connection_that_has_ended_leaves_nothing_for_the_garbage_collector(parts, leaves):
    async with wired() as wire:
        found = await left_over(lambda: to_its_end(wire, *parts, leaves=leaves))

    assert (found[Connection], found[StreamReader], found[BaseRequest]) == (0, 0, 0)


async def test_a_body_that_does_not_come_in_time_leaves_nothing_for_the_garbage_collector():
    async with wired(body_timeout_s=0.05) as wire:
        statuses = []

        async def too_slow():
            statuses.append((await wire.tell(BEGUN))[0])
            await wire.source._listener._server.emptied(5)

        found = await left_over(too_slow)

    assert (set(statuses), found[Connection], found[StreamReader]) == ({408}, 0, 0)
