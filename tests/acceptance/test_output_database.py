"""Rows that a real daemon writes, over a kill between the commit and the record of it: once where the flow says how."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager, suppress

import psycopg
import pytest

from tests.acceptance.conftest import PATIENCE_S


@asynccontextmanager
async def a_line(url):
    """The URL by a line that falls silent when the answer to a COMMIT comes by, and the event of that."""
    port, committed, carriers = int(re.search(r":(\d+)/", url)[1]), asyncio.Event(), set()

    async def carry(reader, writer, *, back):
        try:
            while data := await reader.read(65536):
                if back and b"COMMIT\0" in data:
                    committed.set()
                    await asyncio.Event().wait()
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def join(reader, writer):
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        for carrier in (carry(reader, there_writer, back=False), carry(there_reader, writer, back=True)):
            carriers.add(asyncio.create_task(carrier))

    server = await asyncio.start_server(join, "127.0.0.1", 0)
    try:
        yield re.sub(r":\d+/", f":{server.sockets[0].getsockname()[1]}/", url, count=1), committed
    finally:
        server.close()
        for carrier in carriers:
            carrier.cancel()
        await asyncio.gather(*carriers, return_exceptions=True)


@pytest.mark.parametrize(
    ("section", "rows"),
    [
        pytest.param({}, 2, id="insert"),
        pytest.param({"idempotencyColumn": "once"}, 1, id="idempotencyColumn"),
        pytest.param({"mode": "upsert", "key": ["number"]}, 1, id="upsert", marks=pytest.mark.slow),
    ],
)
async def test_a_row_that_was_committed_before_a_kill_is_written_again_unless_the_flow_says_how_not(
    home_of, daemon_of, start, users_postgresql, section, rows
):
    with psycopg.connect(users_postgresql, autocommit=True) as connection:
        unique = "UNIQUE" if section.get("key") else ""
        connection.execute(f"CREATE TABLE letters (number INTEGER {unique}, body TEXT, once TEXT UNIQUE)")
    output = {"destination": "database", "table": "letters", "data": {"number": 7, "body": "x"}, **section}
    home = home_of({"flows/first.json": {"key": "first", "steps": [{"id": "w", "type": "output", "output": output}]}})

    async with a_line(users_postgresql) as (url, committed):
        first = await daemon_of(home, env={"DATABASE_URL": url})
        await start(first)
        async with asyncio.timeout(PATIENCE_S):
            await committed.wait()
        await first.kill()
    second = await daemon_of(home, env={"DATABASE_URL": users_postgresql})
    await second.all_ended()

    with psycopg.connect(users_postgresql) as connection:
        stored = connection.execute("SELECT number, body FROM letters").fetchall()
    assert second.rows("SELECT status FROM runs") == [("completed",)]
    assert stored == [(7, "x")] * rows
