"""Sessions with SQLite and PostgreSQL: one suite over both, then what only SQLite can do."""

from __future__ import annotations

import asyncio
import sqlite3
import tracemalloc
from contextlib import aclosing, suppress
from pathlib import Path

import pytest

from flows.connectors.database import PostgresqlServer, SqliteFile, quoted
from tests.flows.databases import ask, do, failure

HOSTILE = ["'; DROP TABLE t; --", '"', "a\\'b", "{{$.input.x}}", "$.input.x", ":name %s %(name)s", "é 😀", ""]


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request, tmp_path):
    if request.param == "sqlite":
        file = tmp_path / "rows.db"
        sqlite3.connect(file).close()
        return SqliteFile(file)
    return PostgresqlServer(request.getfixturevalue("postgresql"))


async def test_what_is_written_is_read_and_a_failure_takes_all_of_it_back(databases, address):
    await do(databases, address, "CREATE TABLE t (a INTEGER, b TEXT)")

    async with databases.session(address, read_only=False, timeout_s=10) as session:
        one = await session.execute("INSERT INTO t VALUES (:a, :b)", {"a": 1, "b": "x", "unused": []})
        many = await session.execute_all([("INSERT INTO t VALUES (:a, :b)", [{"a": 2, "b": None}, {"a": 3, "b": "z"}])])
    with suppress(RuntimeError):
        async with databases.session(address, read_only=False, timeout_s=10) as session:
            await session.execute("DELETE FROM t")
            raise RuntimeError

    assert (one, many) == (1, 2)
    assert await ask(databases, address, "SELECT a, b FROM t ORDER BY a") == [
        {"a": 1, "b": "x"},
        {"a": 2, "b": None},
        {"a": 3, "b": "z"},
    ]


async def test_batches_are_executed_in_their_order_and_their_rows_are_counted_together(databases, address):
    await do(databases, address, "CREATE TABLE t (a INTEGER UNIQUE, b TEXT)")
    both, one = "INSERT INTO t (a, b) VALUES (:a, :b)", "INSERT INTO t (a) VALUES (:a) ON CONFLICT (a) DO NOTHING"
    change = "UPDATE t SET b = b || :b WHERE a < :a"

    async with databases.session(address, read_only=False, timeout_s=10) as session:
        nothing = await session.execute_all([])
        some = await session.execute_all(
            [
                (both, [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]),
                (one, [{"a": 2}]),
                (change, [{"a": 3, "b": "!"}]),
                (both, [{"a": 3, "b": "z"}]),
                (change, [{"a": 2, "b": "?"}, {"a": 9, "b": "."}]),
            ]
        )

    assert (nothing, some) == (0, 2 + 0 + 2 + 1 + 4)
    assert [row["b"] for row in await ask(databases, address, "SELECT b FROM t ORDER BY a")] == ["x!?.", "y!.", "z."]


async def test_a_batch_that_fails_among_others_is_the_failure_and_takes_all_of_them_back(databases, address):
    await do(databases, address, "CREATE TABLE t (a INTEGER UNIQUE)")
    insert, other = "INSERT INTO t (a) VALUES (:a)", "INSERT INTO t VALUES (:a)"

    async def work():
        async with databases.session(address, read_only=False, timeout_s=10) as session:
            batches = [(insert if number % 2 else other, [{"a": number if number != 400 else 7}]) for number in range(800)]
            await session.execute_all(batches)

    error = await failure(work())

    assert (error.code, error.retryable) == ("DATABASE_CONSTRAINT", False)
    assert await ask(databases, address, "SELECT a FROM t") == []


@pytest.mark.parametrize("value", HOSTILE)
async def test_values_are_bound_and_never_read_as_sql(databases, address, value):
    await do(databases, address, "CREATE TABLE t (a TEXT)")

    async with databases.session(address, read_only=False, timeout_s=10) as session:
        await session.execute("INSERT INTO t VALUES (:name)", {"name": value})

    assert await ask(databases, address, "SELECT a, ':name' AS literal FROM t WHERE a = :name", {"name": value}) == [
        {"a": value, "literal": ":name"}
    ]


@pytest.mark.parametrize("name", ['Deal "A"', "a'b", "select", "a.b", "é 😀", "x; DROP TABLE t", "a:b %s"])
async def test_a_quoted_name_is_one_name_whatever_is_in_it(databases, address, name):
    await do(
        databases, address, f"CREATE TABLE {quoted(name)} ({quoted(name)} INTEGER)", f"INSERT INTO {quoted(name)} VALUES (7)"
    )

    assert await ask(databases, address, f"SELECT {quoted(name)} FROM {quoted(name)}") == [{name: 7}]


async def test_columns_of_one_name_are_told_apart(databases, address):
    assert await ask(databases, address, "SELECT 1 AS id, 2 AS id, 3 AS id_2") == [{"id": 1, "id_2": 2, "id_2_2": 3}]


async def test_a_read_only_session_changes_nothing(databases, address):
    await do(databases, address, "CREATE TABLE t (a INTEGER)")

    error = await failure(ask(databases, address, "DELETE FROM t"))

    assert (error.code, error.retryable) == ("DATABASE_REFUSED", False)


async def test_a_statement_without_rows_gives_none(databases, address):
    await do(databases, address, "CREATE TABLE t (a INTEGER)")

    assert await ask(databases, address, "INSERT INTO t VALUES (1)", read_only=False) == []
    assert await ask(databases, address, "SELECT a FROM t") == [{"a": 1}]
    assert await ask(databases, address, "SELECT a FROM t WHERE a > 1") == []


@pytest.mark.parametrize(
    ("sql", "params", "code"),
    [
        ("SELECT nothing FROM nowhere", None, "DATABASE_REFUSED"),
        ("SELEKT 1", None, "DATABASE_REFUSED"),
        ("SELECT :a", {}, "DATABASE_VALUE"),
        ("SELECT :a", {"a": "\ud800"}, "DATABASE_VALUE"),
        ("INSERT INTO keyed VALUES (1, 'secret row')", None, "DATABASE_CONSTRAINT"),
    ],
)
async def test_what_cannot_be_done_is_a_failure_that_is_not_tried_again(databases, address, sql, params, code):
    await do(databases, address, "CREATE TABLE keyed (a INTEGER PRIMARY KEY, b TEXT)", "INSERT INTO keyed VALUES (1, 'x')")

    error = await failure(ask(databases, address, sql, params, read_only=False))

    assert (error.code, error.retryable) == (code, False)
    assert "secret row" not in str(error)


async def test_a_number_that_no_column_can_hold_is_refused(databases, tmp_path, postgresql):
    sqlite3.connect(tmp_path / "a.db").close()

    in_sqlite = await failure(ask(databases, SqliteFile(tmp_path / "a.db"), "SELECT :a", {"a": 2**70}))
    in_postgresql = await failure(ask(databases, PostgresqlServer(postgresql), "SELECT :a::bigint", {"a": 2**70}))

    assert (in_sqlite.code, in_postgresql.code) == ("DATABASE_VALUE", "DATABASE_VALUE")


async def test_many_rows_are_read_in_the_memory_of_a_few(databases, address):
    series = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) SELECT i, 'some text of the row' AS t FROM n"
        if isinstance(address, SqliteFile)
        else "SELECT i, 'some text of the row' AS t FROM generate_series(1, 30000) AS n(i)"
    )
    count = 0
    async with databases.session(address, read_only=True, timeout_s=60) as session:
        rows = session.rows(series)
        await anext(rows)
        tracemalloc.start()
        async for batch in rows:
            count += len(batch)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert count > 29_000
    assert peak_bytes < 2_000_000


async def test_rows_that_are_left_early_leave_the_session_usable(databases, address):
    sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT i FROM n"

    async with asyncio.timeout(5), databases.session(address, read_only=True, timeout_s=60) as session:
        async with aclosing(session.rows(sql)) as rows:
            first = await anext(rows)
        again = [row async for batch in session.rows("SELECT 1 AS a") for row in batch] if session.dialect == "sqlite" else []

    assert first[0] == {"i": 1}
    assert again in ([{"a": 1}], [])


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS m FROM n"


async def test_a_statement_that_takes_too_long_is_broken_off(databases, address):
    async with asyncio.timeout(5):
        error = await failure(ask(databases, address, ENDLESS, timeout_s=0.2))

    assert (error.code, error.retryable) == ("TIMEOUT", True)


async def test_a_cancel_breaks_the_statement_off_and_closes_what_it_was_on(databases, address, postgresql):
    begun = asyncio.Event()

    async def work():
        async with databases.session(address, read_only=True, timeout_s=60) as session:
            begun.set()
            async for _ in session.rows(ENDLESS):
                pass

    task = asyncio.create_task(work())
    await begun.wait()
    await asyncio.sleep(0)
    task.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await task

    if isinstance(address, PostgresqlServer):
        running = "SELECT count(*) AS c FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%n(i)%' AND pid <> pg_backend_pid()"
        assert await ask(databases, address, running) == [{"c": 0}]
    else:
        assert not [fd for fd in Path("/proc/self/fd").iterdir() if fd.exists() and str(fd.resolve()) == str(address.path)]


@pytest.mark.parametrize(("content", "code"), [(None, "DATABASE_UNREACHABLE"), (b"no database" * 100, "DATABASE_UNREACHABLE")])
async def test_a_file_that_is_no_database_is_named(databases, tmp_path, content, code):
    file = tmp_path / "x.db"
    if content is not None:
        file.write_bytes(content)

    error = await failure(ask(databases, SqliteFile(file), "SELECT * FROM sqlite_master"))

    assert (error.code, error.retryable) == (code, False)
    assert str(file) in str(error)
    assert file.exists() == (content is not None)


async def test_no_other_file_can_be_reached_from_a_database(databases, tmp_path):
    sqlite3.connect(tmp_path / "a.db").close()
    other = sqlite3.connect(tmp_path / "b.db")
    other.close()

    error = await failure(ask(databases, SqliteFile(tmp_path / "a.db"), f"ATTACH '{tmp_path / 'b.db'}' AS b", read_only=False))

    assert error.code == "DATABASE_REFUSED"


async def test_a_locked_file_is_busy_and_worth_another_try(databases, tmp_path):
    file = tmp_path / "a.db"
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    async def write():
        async with databases.session(SqliteFile(file), read_only=False, timeout_s=0.1):
            pass

    error = await failure(write())
    holder.close()

    assert (error.code, error.retryable) == ("DATABASE_BUSY", True)


async def test_values_of_sqlite_become_json(databases, tmp_path):
    sqlite3.connect(tmp_path / "a.db").close()
    sql = "SELECT 1 AS i, 1.5 AS f, 9e999 AS inf, 'x' AS t, x'00ff' AS b, NULL AS n, :o AS o, :yes AS yes"

    rows = await ask(databases, SqliteFile(tmp_path / "a.db"), sql, {"o": {"a": [1, "é"]}, "yes": True})

    assert rows == [{"i": 1, "f": 1.5, "inf": None, "t": "x", "b": "AP8=", "n": None, "o": '{"a":[1,"é"]}', "yes": 1}]


async def test_text_of_sqlite_that_is_no_utf_8_is_a_failure_with_its_name(databases, tmp_path):
    sqlite3.connect(tmp_path / "a.db").close()

    error = await failure(ask(databases, SqliteFile(tmp_path / "a.db"), "SELECT CAST(x'ff' AS TEXT) AS bad"))

    assert (error.code, error.retryable) == ("DATABASE_VALUE", False)
