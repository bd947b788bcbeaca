"""Rows that a real daemon writes, over a kill between the commit and the record of it: once where the flow says how."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from tests.acceptance.conftest import PATIENCE_S
from tests.line import a_line

pytestmark = pytest.mark.long


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

    async with a_line(users_postgresql) as (line, url):
        line.at_commit, line.goes_silent = "after", True
        first = await daemon_of(home, env={"DATABASE_URL": url})
        await start(first)
        async with asyncio.timeout(PATIENCE_S):
            await line.reached.wait()
        await first.kill()
    second = await daemon_of(home, env={"DATABASE_URL": users_postgresql})
    await second.all_ended()

    with psycopg.connect(users_postgresql) as connection:
        stored = connection.execute("SELECT number, body FROM letters").fetchall()
    assert second.rows("SELECT status FROM runs") == [("completed",)]
    assert stored == [(7, "x")] * rows
