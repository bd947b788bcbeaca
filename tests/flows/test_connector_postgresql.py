"""Sessions with PostgreSQL: its values, its connections, and a server that goes away."""

from __future__ import annotations

import asyncio
import signal

import psycopg
import pytest

from flows.connectors.database import AsJson, Databases, PostgresqlServer
from tests.flows.databases import ask, do, failure
from tests.postgresql_server import PASSWORD, free_port


async def test_batches_that_nobody_waits_for_any_more_are_broken_off(databases, postgresql):
    address = PostgresqlServer(postgresql)
    await do(databases, address, "CREATE TABLE t (a INTEGER)")
    sleeping = "SELECT count(*) AS c FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%:sleeper%' AND pid <> pg_backend_pid()"
    sleeper = "INSERT INTO t SELECT :a FROM (SELECT pg_sleep(60) /* :sleeper */) AS s"

    async def work():
        async with databases.session(address, read_only=False, timeout_s=60) as session:
            await session.execute_all([("INSERT INTO t VALUES (:a)", [{"a": 1}]), (sleeper, [{"a": 2}, {"a": 3}])] * 10)

    task = asyncio.create_task(work())
    while await ask(databases, address, sleeping) == [{"c": 0}]:
        await asyncio.sleep(0.01)
    task.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await task

    assert await ask(databases, address, sleeping) == [{"c": 0}]
    assert await ask(databases, address, "SELECT a FROM t") == []


async def test_values_of_postgresql_become_json(databases, postgresql):
    sql = """
        SELECT 1.10::numeric AS d, 'NaN'::numeric AS dnan, 'NaN'::float8 AS fnan, 12345678901234567890::numeric AS big,
        '2026-11-28 10:00:00+02'::timestamptz AS tz, '2026-11-28 10:00:00.5'::timestamp AS ts, '2026-11-28'::date AS day,
        '10:00'::time AS t, '1 mon 2 days'::interval AS span, '00000000-0000-0000-0000-00000000000a'::uuid AS u, '\\x00ff'::bytea AS b,
        '{"a": [1, null]}'::jsonb AS j, ARRAY[1.5::numeric, NULL] AS l, '10.0.0.1'::inet AS ip, '[1,5)'::int4range AS r,
        true AS yes, NULL AS n
    """

    (row,) = await ask(databases, PostgresqlServer(postgresql), sql)

    assert row == {
        "d": "1.10", "dnan": None, "fnan": None, "big": "12345678901234567890", "tz": "2026-11-28T08:00:00Z",
        "ts": "2026-11-28T10:00:00.500000", "day": "2026-11-28", "t": "10:00:00", "span": "1 mon 2 days",
        "u": "00000000-0000-0000-0000-00000000000a", "b": "AP8=", "j": {"a": [1, None]}, "l": ["1.5", None], "ip": "10.0.0.1",
        "r": "[1, 5)", "yes": True, "n": None,
    }  # fmt: skip


async def test_lists_are_arrays_and_what_is_marked_is_json(databases, postgresql):
    sql = "SELECT 2 = ANY(:ids) AS found, :doc AS doc, :plain AS plain, :mixed AS mixed"
    params = {"ids": [1, 2], "doc": {"a": "{{x}}"}, "plain": AsJson([1, 2]), "mixed": [1, "a"]}

    rows = await ask(databases, PostgresqlServer(postgresql), sql, params)

    assert rows == [{"found": True, "doc": {"a": "{{x}}"}, "plain": [1, 2], "mixed": [1, "a"]}]


async def test_what_python_cannot_hold_is_a_failure_with_a_code(databases, postgresql):
    error = await failure(ask(databases, PostgresqlServer(postgresql), "SELECT 'infinity'::timestamptz AS never"))

    assert (error.code, error.retryable) == ("DATABASE_VALUE", False)


@pytest.mark.parametrize(("opens", "closes", "code"), [("[", "]", "DATABASE_VALUE"), ('{"a":', "}", None)])
async def test_json_that_is_nested_deep_is_given_or_refused(databases, postgresql, opens, closes, code):
    sql = f"SELECT (repeat('{opens}', 990) || '1' || repeat('{closes}', 990))::json AS deep"

    if code is None:
        assert len(await ask(databases, PostgresqlServer(postgresql), sql)) == 1
    else:
        assert (await failure(ask(databases, PostgresqlServer(postgresql), sql))).code == code


async def test_a_nul_is_refused_by_postgresql(databases, postgresql):
    error = await failure(ask(databases, PostgresqlServer(postgresql), "SELECT :a::text", {"a": "a\0b"}))

    assert (error.code, error.retryable) == ("DATABASE_VALUE", False)


async def test_connections_are_used_again_and_no_more_than_a_few_are_open(databases, postgresql):
    address = PostgresqlServer(postgresql)
    mine = "SELECT pg_backend_pid() AS pid, pg_sleep(0.02)"

    pids = {row["pid"] for rows in await asyncio.gather(*(ask(databases, address, mine) for _ in range(30))) for row in rows}

    assert 1 <= len(pids) <= 8
    assert {row["pid"] for row in await ask(databases, address, mine)} <= pids


async def test_a_connection_that_nobody_uses_is_closed_in_time(postgresql):
    databases = Databases(idle_s=0.05)
    (mine,) = await ask(databases, PostgresqlServer(postgresql), "SELECT pg_backend_pid() AS pid")

    with psycopg.connect(postgresql, autocommit=True) as other:
        async with asyncio.timeout(10):
            while other.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (mine["pid"],)).fetchall():
                await asyncio.sleep(0.01)
    await databases.close()


async def test_a_connection_that_died_while_idle_is_replaced(databases, postgresql):
    address = PostgresqlServer(postgresql)
    (before,) = await ask(databases, address, "SELECT pg_backend_pid() AS pid")
    with psycopg.connect(postgresql, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", (before["pid"],))

    (after,) = await ask(databases, address, "SELECT pg_backend_pid() AS pid")

    assert after["pid"] != before["pid"]


async def test_a_database_that_goes_away_in_the_middle_is_worth_another_try(databases, postgresql):
    address = PostgresqlServer(postgresql)

    async def read():
        async with databases.session(address, read_only=True, timeout_s=60) as session:
            (mine,) = await anext(session.rows("SELECT pg_backend_pid() AS pid"))
            rows = session.rows("SELECT i, repeat('x', 1000) AS t FROM generate_series(1, 1000000) AS n(i)")
            await anext(rows)
            with psycopg.connect(postgresql, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s)", (mine["pid"],))
            async for _ in rows:
                pass

    error = await failure(read())

    assert (error.code, error.retryable) == ("DATABASE_LOST", True)
    assert await ask(databases, address, "SELECT 1 AS a") == [{"a": 1}]


async def test_a_server_that_is_not_there_is_worth_another_try_and_its_password_is_not_told(databases):
    address = PostgresqlServer(f"postgresql://camshaft:{PASSWORD}@127.0.0.1:{free_port()}/x?options=-csecret%3Doption")

    error = await failure(ask(databases, address, "SELECT 1"))

    assert (error.code, error.retryable) == ("DATABASE_UNREACHABLE", True)
    assert "ECONNREFUSED" in str(error)
    assert not any(secret in f"{error} {address!r} {address}" for secret in (PASSWORD, "secret", "option"))


@pytest.mark.slow
async def test_a_server_that_crashes_and_comes_back_serves_the_next_try(databases, own_postgresql):
    server = own_postgresql
    server.start()
    address = PostgresqlServer(server.url)
    try:
        await ask(databases, address, "SELECT 1 AS a")
        server.stop(signal.SIGQUIT)
        gone = await failure(ask(databases, address, "SELECT 1 AS a"))
        server.start()

        assert (gone.code, gone.retryable) == ("DATABASE_UNREACHABLE", True)
        assert await ask(databases, address, "SELECT 1 AS a") == [{"a": 1}]
    finally:
        server.stop()


async def test_an_address_that_libpq_does_not_take_is_not_repeated(databases):
    error = await failure(ask(databases, PostgresqlServer("postgresql://u:p@db/x?s3cret=1"), "SELECT 1"))

    assert error.code == "DATABASE_URL"
    assert "s3cret" not in str(error)
