"""The destination `database`, over SQLite and a real PostgreSQL: what is in the table afterwards, and what never is."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import psycopg
import pytest

from flows.dialects import load_flow
from flows.errors import DefinitionError
from flows.executor import World, execute
from flows.steps import make_kinds

HOSTILE = [
    'it\'s "quoted"',
    "'; DROP TABLE letters; --",
    "{{$.input.secret}}",
    "$.input.secret",
    "a\r\nb",
    ":c0 %s ?",
    "é 😀",
    "",
]
TABLE = "CREATE TABLE letters (id INTEGER PRIMARY KEY, \"to\" TEXT, body TEXT DEFAULT 'none', once TEXT UNIQUE)"


class Database:
    def __init__(self, kind, url):
        self.kind, self.url = kind, url

    def ask(self, sql):
        if self.kind == "postgresql":
            with psycopg.connect(self.url, autocommit=True) as connection:
                cursor = connection.execute(sql)
                return cursor.fetchall() if cursor.description else []
        connection = sqlite3.connect(self.url.removeprefix("sqlite:///"))
        try:
            with connection:
                return connection.execute(sql).fetchall()
        finally:
            connection.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    url = f"sqlite:///{tmp_path}/rows.db" if request.param == "sqlite" else request.getfixturevalue("postgresql")
    made = Database(request.param, url)
    made.ask(TABLE)
    return made


async def write(database, rows, *, held=None, record=None, run="run_1", **section):
    output = {"destination": "database", "table": "letters", "data": "$.input.rows", **section}
    steps = [{"id": "w", "type": "output", "output": output}]
    return await execute_steps(database, steps, rows, held=held, record=record, run=run)


async def execute_steps(database, steps, rows, *, held=None, record=None, run="run_1"):
    kinds = make_kinds()
    flow = load_flow({"key": "f", "steps": steps}, key=None, folder=Path("/"), kinds=kinds)
    secrets = {"DATABASE_URL": held or database.url}
    world = World(kinds, None, secrets.__getitem__)
    try:
        return await execute(
            flow, {"rows": rows, "secret": "leaked"}, run_id=run, world=world, record=record or (lambda _attempt: None)
        )
    finally:
        for kind in kinds.values():
            await kind.close()


async def test_rows_are_inserted_and_what_one_leaves_out_has_its_default(database):
    ended = await write(database, [{"id": 1, "to": "a"}, {"id": 2, "to": "b", "body": None}, {"id": 3, "body": {"x": [1]}}])

    assert ended.status == "completed", ended.error
    assert (ended.output["rows"], ended.output["changed"]) == (3, 3)
    assert database.ask('SELECT id, "to", body FROM letters ORDER BY id') == [
        (1, "a", "none"),
        (2, "b", None),
        (3, None, '{"x":[1]}'),
    ]


async def test_hostile_values_are_rows_and_nothing_else(database):
    await write(database, [{"id": number, "body": text} for number, text in enumerate(HOSTILE)])

    assert [body for (body,) in database.ask("SELECT body FROM letters ORDER BY id")] == HOSTILE


async def test_an_upsert_changes_the_row_with_the_same_key(database):
    shape = {"id": "n", "body": "item.text + '!'"}

    for text in ("old", "new"):
        ended = await write(database, {"n": 1, "text": text}, mode="upsert", key=["id"], columns=shape)

    assert ended.status == "completed", ended.error
    assert database.ask("SELECT id, body FROM letters") == [(1, "new!")]


async def test_of_rows_with_the_same_key_the_last_one_stays(database):
    ended = await write(database, [{"id": 1, "body": "a"}, {"id": 2}, {"id": 1, "body": "b"}], mode="upsert", key=["id"])

    assert ended.status == "completed", ended.error
    assert database.ask("SELECT id, body FROM letters ORDER BY id") == [(1, "b"), (2, "none")]


async def test_no_rows_are_no_failure(database):
    ended = await write(database, [])

    assert (ended.status, ended.output["rows"], ended.output["changed"]) == ("completed", 0, 0)


async def test_a_repeated_attempt_inserts_nothing_twice_where_a_column_holds_its_key(database):
    rows = [{"body": "x"}, {"body": "x"}]
    if database.kind == "postgresql":
        database.ask("CREATE SEQUENCE ids")
        database.ask("ALTER TABLE letters ALTER id SET DEFAULT nextval('ids')")

    first = await write(database, rows, idempotencyColumn="once")
    again = await write(database, rows, idempotencyColumn="once")
    other = await write(database, rows, idempotencyColumn="once", run="run_2")

    assert [ended.output["changed"] for ended in (first, again, other)] == [2, 0, 2]
    assert [once for (once,) in database.ask("SELECT once FROM letters ORDER BY once")] == [
        "run_1:w:0", "run_1:w:1", "run_2:w:0", "run_2:w:1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "section", "codes"),
    [
        ([{"id": 1}, {"id": 1}], {}, {"DATABASE_CONSTRAINT"}),
        ([{"id": 1}, {"id": 2, 'x") VALUES (1); DROP TABLE letters; --': 1}], {}, {"DATABASE_REFUSED"}),
        ([{"id": 1}, {"id": 2, "a\nb": 1}], {}, {"DATABASE_NAME"}),
        ([{"id": 1}, {"id": 2, "body": "half \ud800"}], {}, {"DATABASE_VALUE"}),
        ([{"id": 1}, {"id": 2**80}], {}, {"DATABASE_VALUE", "DATABASE_REFUSED"}),
        ([{"id": 1}, "x"], {}, {"OUTPUT_ROWS"}),
        ([{"id": 1}, {"body": "x"}], {"mode": "upsert", "key": ["id"]}, {"OUTPUT_ROWS"}),
        ([{"id": 1}, {"id": None}], {"mode": "upsert", "key": ["id"]}, {"OUTPUT_ROWS"}),
        ([{"id": 1}, {f"column {number}": 1 for number in range(70_000)}], {}, {"OUTPUT_ROWS"}),
        ([{"id": 1}, {}], {}, {"OUTPUT_ROWS"}),
        ([{"id": 1}], {"mode": "upsert", "key": ["body"], "columns": ["id", "body"]}, {"OUTPUT_ROWS"}),
        ([{"id": 1, "body": "x"}], {"mode": "upsert", "key": ["body"]}, {"DATABASE_REFUSED"}),
        ([{"id": 1}], {"idempotencyColumn": "body"}, {"DATABASE_REFUSED"}),
        ([{"id": 1}], {"table": "lettres"}, {"DATABASE_REFUSED"}),
    ],
)  # fmt: skip
async def test_a_step_that_fails_leaves_nothing_of_its_rows(database, rows, section, codes):
    ended = await write(database, rows, **section)

    assert ended.status == "failed"
    assert ended.code in codes, (ended.code, ended.error)
    assert database.ask("SELECT count(*) FROM letters") == [(0,)]


async def test_a_field_of_a_row_never_stands_in_for_the_key_of_the_attempt(database):
    rows = [{"id": 1, "once": "mine"}, {"id": 2, "ONCE": "mine"}]
    ended = [await write(database, [row], idempotencyColumn="once") for row in rows]

    assert [each.status for each in ended] == ["completed", "failed"]
    assert ended[1].code == ("OUTPUT_ROWS" if database.kind == "sqlite" else "DATABASE_REFUSED")
    assert database.ask("SELECT id, once FROM letters") == [(1, "run_1:w:0")]


async def test_each_round_of_a_loop_has_a_key_of_its_own(database):
    output = {"destination": "database", "table": "letters", "data": {"id": "$.loop.item"}, "idempotencyColumn": "once"}
    loop = {"over": "$.input.rows", "steps": [{"id": "w", "type": "output", "output": output}]}

    for _ in range(2):
        ended = await execute_steps(database, [{"id": "each", "type": "loop", "loop": loop}], [1, 2])

    assert ended.status == "completed", ended.error
    assert database.ask("SELECT id FROM letters ORDER BY id") == [(1,), (2,)]
    assert len(set(database.ask("SELECT once FROM letters"))) == 2


@pytest.mark.slow
async def test_a_hundred_thousand_rows_are_one_transaction(database):
    ended = await write(database, [{"id": number, "body": "x"} for number in range(100_000)])

    assert (ended.output["rows"], ended.output["changed"]) == (100_000, 100_000)
    assert database.ask("SELECT count(*) FROM letters") == [(100_000,)]


async def test_a_server_that_is_not_there_is_told_without_its_password():
    attempts = []

    ended = await write(None, [{"id": 1}], held="postgresql://u:s3cr3t@127.0.0.1:1/d", record=attempts.append)

    assert ended.code == "DATABASE_UNREACHABLE"
    assert "s3cr3t" not in repr((ended, attempts))


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"mode": "upsert"}, "upsert needs key"),
        ({"key": ["id"]}, "key is read with upsert only"),
        ({"mode": "upsert", "key": ["id"], "columns": ["body"]}, "«id» is not among the columns"),
        ({"table": "a\nb"}, "no name can have"),
        ({"table": "{{$.input.t}}"}, "never by a value"),
        ({"path": "a.db", "secret": "X"}, "path and secret name two databases"),
        ({"mode": "upsert", "key": ["id"], "idempotencyColumn": "once"}, "is for insert"),
        ({"idempotencyColumn": "once", "columns": ["id", "once"]}, "is among the columns too"),
        ({"data": "$.steps.lettre.output"}, "there is no step «lettre»"),
        ({"tabel": "x"}, "did you mean «table»"),
    ],
)
async def test_what_is_wrong_is_refused_at_load(section, said):
    with pytest.raises(DefinitionError) as caught:
        await write(None, [], held="x", **section)

    assert said in str(caught.value)
