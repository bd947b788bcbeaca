"""`data_source` over databases: what a query may say, and what it may not do."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from flows.connectors.sources.database import DatabaseSettings
from tests.flows.reading import failure, prepared, read, refused, source
from tests.postgresql_server import PASSWORD


@pytest.fixture
def file(tmp_path):
    with closing(sqlite3.connect(tmp_path / "shop.db", isolation_level=None)) as made:
        made.execute("CREATE TABLE orders (id INTEGER, who TEXT)")
        made.executemany("INSERT INTO orders VALUES (?, ?)", [(1, "Ada"), (2, "Bea"), (3, "x'; DROP TABLE orders; --")])
    return tmp_path / "shop.db"


def asking(sql, params=None, path="shop.db", **query):
    return {"sourceType": "database", "query": {"sql": sql, "params": params or {}, "path": path, **query}}


async def test_a_file_is_asked_with_bound_values(file):
    section = asking("SELECT id FROM orders WHERE who = :who OR id = :n", {"who": "$.input.who", "n": 1})

    async with source() as kind:
        output = await read(kind, section, file.parent, who="x'; DROP TABLE orders; --")

    assert output.value == [{"id": 1}, {"id": 3}]
    assert output.response == {
        "sourceType": "database",
        "rowsRead": 2,
        "rows": 2,
        "bytes": 18,
        "truncated": False,
        "truncatedBy": None,
        "database": str(file),
    }


async def test_a_server_is_asked_by_the_name_of_its_secret(postgresql):
    section = {"sourceType": "database", "query": {"sql": "SELECT :n::int AS n", "params": {"n": 7}, "secret": "SHOP"}}
    named = []

    def secret(name):
        named.append(name)
        return postgresql

    async with source() as kind:
        output = await read(kind, section, secret=secret)

    assert (output.value, named, prepared(kind, section).query.secrets) == ([{"n": 7}], ["SHOP"], ("SHOP",))
    assert PASSWORD not in str(output)


async def test_a_step_that_names_no_database_asks_that_of_the_settings(postgresql):
    section = {"sourceType": "database", "query": {"sql": "SELECT 1 AS n"}}

    async with source(database=DatabaseSettings(secret="MAIN")) as kind:
        output = await read(kind, section, secret={"MAIN": postgresql}.__getitem__)

    assert output.value == [{"n": 1}]


async def test_a_secret_may_name_a_file(file):
    async with source() as kind:
        output = await read(kind, asking("SELECT max(id) AS m FROM orders", path=None), file.parent, secret="sqlite:///shop.db")

    assert output.value == [{"m": 3}]


async def test_nothing_is_changed_unless_the_step_says_so(file):
    delete = "DELETE FROM orders WHERE id > :n RETURNING id"

    async with source() as kind:
        error = await failure(kind, asking(delete, {"n": 1}), file.parent)
        output = await read(kind, {**asking(delete, {"n": 1}, readOnly=False), "transform": {"limit": 1}}, file.parent)
        left = await read(kind, asking("SELECT id FROM orders"), file.parent)

    assert (error.code, error.retryable) == ("DATABASE_REFUSED", False)
    assert (output.value, left.value) == ([{"id": 2}], [{"id": 1}])


async def test_a_value_that_is_missing_fails_and_null_is_null(file):
    async with source() as kind:
        with pytest.raises(Exception, match="nothing is at"):
            await read(kind, asking("SELECT :n AS n", {"n": "$.input.n"}), file.parent)
        assert (await read(kind, asking("SELECT :n AS n", {"n": "$.input.n"}), file.parent, n=None)).value == [{"n": None}]


async def test_a_statement_has_its_time(file):
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"

    async with source() as kind:
        error = await failure(kind, asking(endless, timeout=100), file.parent)

    assert (error.code, error.retryable) == ("TIMEOUT", True)


async def test_two_statements_are_refused(file):
    async with source() as kind:
        error = await failure(kind, asking("SELECT 1; DROP TABLE orders"), file.parent)

    assert error.code == "DATABASE_REFUSED"


async def test_files_outside_of_the_folders_that_are_allowed_are_not_opened(file, tmp_path):
    async with source(database=DatabaseSettings(roots=(str(tmp_path / "in"),))) as kind:
        error = await failure(kind, asking("SELECT 1"), file.parent)

    assert error.code == "PATH_NOT_ALLOWED"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (
            {"sql": "SELECT * FROM t WHERE a = '{{$.input.a}}'"},
            "query.sql: nothing is put into a statement, and it has {{ (write :name",
        ),
        ({"sql": "SELECT * FROM t WHERE a = $.input.a"}, "query.sql: nothing is put into a statement, and it has $."),
        ({"sql": "SELECT * FROM t WHERE a = '$.input.a'"}, "query.sql: nothing is put into a statement, and it has $.input"),
        (
            {"sql": "SELECT :nmae", "params": {"name": 1}},
            "query.sql: the statement has :nmae, and params does not (did you mean «name»?)",
        ),
        ({"sql": "SELECT $1"}, "query.sql: $1 is no parameter here"),
        ({"sql": "SELECT ?", "path": "a.db"}, "query.sql: ? is no parameter here"),
        ({"sql": "SELECT 1", "path": "a.db", "secret": "X"}, "query.secret: path and secret name two databases"),
        ({"sql": "SELECT :a", "params": {"a": "$.input[x"}}, "query.params.a: "),
        ({"sql": ""}, "query.sql: sql is empty"),
        ({}, "query.sql: sql is missing"),
        ({"sql": "SELECT 1", "params": []}, "query.params: params is a list, and must be an object"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused_at_load(query, said):
    problems = refused({"sourceType": "database", "query": query})

    assert any(problem.startswith(said) for problem in problems), problems


async def test_paths_of_the_databases_own_are_no_paths_of_ours(file):
    async with source() as kind:
        output = await read(kind, asking("SELECT json_extract('{\"a\": 5}', '$.a') AS a, '?' AS q"), file.parent)

    assert output.value == [{"a": 5, "q": "?"}]


def test_a_database_is_not_named_by_sourceId():
    said = refused({"sourceType": "database", "sourceId": "shop.db", "query": {"sql": "SELECT 1"}})

    assert said[0].startswith("sourceId: a database is not named by sourceId (path for an SQLite file")


async def test_a_parameter_that_nothing_reads_is_told():
    warnings = []

    async with source() as kind:
        prepared(kind, asking("SELECT 1", {"a": 1}), warnings=warnings)

    assert warnings == [(("query", "params", "a"), "the statement has no :a", "take it out")]
