"""What a client of the admin API held in memory goes when it goes: none of it waits for the garbage collector."""

import asyncio

import pytest
from aiohttp import StreamReader

from daemon.admin.wire import Connection
from tests.daemon.test_admin import AUTHORIZED, get, served
from tests.garbage import left_over

HEAD = b"POST /v1/triggers HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n" + b"".join(
    f"{name}: {value}\r\n".encode() for name, value in AUTHORIZED.items()
)
BEGUN = HEAD + b"Content-Length: 200000\r\n\r\n" + b"x" * 100_000


@pytest.mark.parametrize("leaves", [True, False], ids=["breaks off", "ends early"])
async def test_a_body_that_does_not_come_whole_leaves_nothing_for_the_garbage_collector(tmp_path, leaves):
    async with served(tmp_path, tcp=True) as where:

        async def to_its_end():
            reader, writer = await asyncio.open_connection(where.tcp.host, where.tcp.port)
            writer.write(BEGUN)
            await writer.drain()
            await get(where, "/healthz")  # else it may be gone before it was heard
            if leaves:
                writer.transport.abort()
            else:
                writer.write_eof()
                await asyncio.wait_for(reader.read(), 10)
                writer.close()
            await get(where, "/healthz")  # its end was heard

        found = await left_over(to_its_end)

    assert (found[Connection], found[StreamReader]) == (0, 0)
