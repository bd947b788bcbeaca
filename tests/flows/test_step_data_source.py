"""`data_source`: one suite over every connector, then what the kind itself does with their rows."""

from __future__ import annotations

import asyncio
import csv
import gc
import json
import sqlite3
import subprocess
import sys
from contextlib import asynccontextmanager, closing
from pathlib import Path

import psycopg
import pytest

from flows.connectors.sources import CONNECTORS
from flows.connectors.sources.spec import SourceSettings
from tests.flows.airtable import Airtable, record
from tests.flows.google import Google, service_account
from tests.flows.reading import failure, prepared, read, scope, source
from tests.flows.servers import json_answer, serving

PEOPLE = [
    {"name": "Ada", "city": "Berlin", "note": 'it\'s "quoted"'},
    {"name": "Bea", "city": "Rome", "note": "'; DROP TABLE people; --"},
    {"name": "Cem", "city": "Berlin", "note": "{{$.input.secret}} $.input.secret é 😀"},
    {"name": "Dee", "city": "Oslo", "note": ""},
]

SECRET = "s3cret-t0ken"


# Each way to give PEOPLE: a context manager over the kind, the section that reads them, one that fails, and the secret.


@asynccontextmanager
async def csv_file(folder, request):
    with (folder / "people.csv").open("w", newline="") as file:
        written = csv.DictWriter(file, PEOPLE[0])
        written.writeheader()
        written.writerows(PEOPLE)
    async with source() as kind:
        yield kind, {"sourceType": "file", "sourceId": "people.csv"}, {"sourceType": "file", "sourceId": "nowhere.csv"}, SECRET


@asynccontextmanager
async def json_lines(folder, request):
    (folder / "people.jsonl").write_text("\n".join(json.dumps(each) for each in PEOPLE))
    async with source() as kind:
        yield (
            kind,
            {"sourceType": "file", "sourceId": "people.jsonl"},
            {"sourceType": "file", "sourceId": "nowhere.jsonl"},
            SECRET,
        )


@asynccontextmanager
async def api(folder, request):
    async def answer(asked):
        if asked.headers.get("Authorization") != f"Bearer {SECRET}" or asked.path != "/people":
            return json_answer({"error": f"no: {asked.headers.get('Authorization')}"}, status=403)
        start = int(asked.query["from"])
        return json_answer({"people": PEOPLE[start : start + 2]})

    query = {
        "items": "people",
        "auth": {"type": "bearer", "secret": "KEY"},
        "paging": {"type": "offset", "param": "from", "size": 2},
    }
    async with serving(answer) as (url, _), source() as kind:
        yield (
            kind,
            {"sourceType": "api", "sourceId": f"{url}/people", "query": query},
            {"sourceType": "api", "sourceId": f"{url}/other", "query": query},
            SECRET,
        )


@asynccontextmanager
async def airtable(folder, request):
    records = [record(number, **person) for number, person in enumerate(PEOPLE)]
    made = Airtable({"app1": {"People": records}}, SECRET, allowed=10_000)
    plain = {"transform": {"map": {name: name for name in PEOPLE[0]}}}
    section = {"sourceType": "airtable", "sourceId": "app1", "query": {"table": "People"}, **plain}
    async with serving(made) as (url, _), source(airtable=made.settings(url, requests_per_second=10_000)) as kind:
        yield kind, section, section | {"sourceId": "app2"}, SECRET


@asynccontextmanager
async def google_sheets(folder, request):
    made = Google({"abc": {"People": [list(PEOPLE[0]), *([each or " " for each in person.values()] for person in PEOPLE)]}})
    section = {"sourceType": "google_sheets", "sourceId": "abc", "query": {"sheet": "People"}}
    section["transform"] = {"map": {**{name: name for name in PEOPLE[0]}, "note": "item.note.trim()"}}
    async with serving(made) as (url, _), source(google_sheets=made.settings(url)) as kind:
        yield kind, section, section | {"query": {"sheet": "Nobody"}}, service_account(url)


def asking(table, **query):
    return {"sourceType": "database", "query": {"sql": f"SELECT name, city, note FROM {table} ORDER BY name", **query}}


@asynccontextmanager
async def sqlite_file(folder, request):
    with closing(sqlite3.connect(folder / "people.db", isolation_level=None)) as made:
        made.execute("CREATE TABLE people (name TEXT, city TEXT, note TEXT)")
        made.executemany("INSERT INTO people VALUES (:name, :city, :note)", PEOPLE)
    async with source() as kind:
        yield kind, asking("people", path="people.db"), asking("nowhere", path="people.db"), SECRET


@asynccontextmanager
async def postgresql_server(folder, request):
    url = request.getfixturevalue("postgresql")
    with psycopg.connect(url, autocommit=True) as made, made.cursor() as cursor:
        cursor.execute("CREATE TABLE people (name TEXT, city TEXT, note TEXT)")
        cursor.executemany("INSERT INTO people VALUES (%(name)s, %(city)s, %(note)s)", PEOPLE)
    async with source() as kind:
        yield kind, asking("people", secret="PEOPLE"), asking("nowhere", secret="PEOPLE"), url


WAYS = {
    "airtable": airtable,
    "google_sheets": google_sheets,
    "api": api,
    "csv": csv_file,
    "jsonl": json_lines,
    "sqlite": sqlite_file,
    "postgresql": postgresql_server,
}


@pytest.fixture(params=WAYS)
def way(request, tmp_path):
    return WAYS[request.param](tmp_path, request)


def test_every_connector_is_one_of_the_ways():
    assert set(CONNECTORS) <= {"database", "file", *WAYS}  # sqlite and postgresql; csv and jsonl


async def test_every_source_gives_the_same_rows(way, tmp_path):
    async with way as (kind, section, _, secret):
        output = await read(kind, section, tmp_path, secret=secret)

    assert output.value == PEOPLE
    assert {name: output.response[name] for name in ("rowsRead", "rows", "truncated", "truncatedBy")} == {
        "rowsRead": 4,
        "rows": 4,
        "truncated": False,
        "truncatedBy": None,
    }


async def test_rows_are_filtered_mapped_and_limited_while_they_are_read(way, tmp_path):
    transform = {"filter": "item.city === input.city", "map": {"who": "name", "n": "item.note.length"}, "limit": 1}
    async with way as (kind, section, _, secret):
        output = await read(kind, {**section, "transform": transform}, tmp_path, secret=secret, city="Berlin")

    assert output.value == [{"who": "Ada", "n": 13}]
    assert output.response["rowsRead"] == 1


async def test_rows_behind_the_bounds_of_the_step_are_left_out_and_it_is_said(way, tmp_path):
    async with way as (kind, section, _, secret):
        by_rows = await read(kind, {**section, "maxRows": 3}, tmp_path, secret=secret)
        by_bytes = await read(kind, {**section, "maxBytes": 150}, tmp_path, secret=secret)
        exact = await read(kind, {**section, "maxRows": 4}, tmp_path, secret=secret)

    assert (by_rows.value, by_rows.response["truncatedBy"]) == (PEOPLE[:3], "maxRows")
    assert (by_bytes.value, by_bytes.response["truncatedBy"]) == (PEOPLE[:2], "maxBytes")
    assert (exact.value, exact.response["truncated"]) == (PEOPLE, False)


async def test_a_failure_has_a_code_and_tells_no_secret(way, tmp_path):
    async with way as (kind, _, failing, secret):
        error = await failure(kind, failing, tmp_path, secret=secret)

    assert error.code.isupper()
    assert not error.retryable or error.code in ("FILE_NOT_FOUND", "HTTP_STATUS")
    assert secret not in f"{error} {error.output}"


async def test_no_secret_stands_in_what_is_prepared_or_given(way, tmp_path):
    async with way as (kind, section, _, secret):
        made = prepared(kind, section, tmp_path)
        output = await kind.run(made, scope(tmp_path, secret=secret))

    assert secret not in f"{made} {output}"


async def test_many_readings_at_one_time_give_each_its_rows(way, tmp_path):
    async with way as (kind, section, _, secret):
        outputs = await asyncio.gather(*(read(kind, section, tmp_path, secret=secret) for _ in range(20)))

    assert all(output.value == PEOPLE for output in outputs)


async def test_a_cancelled_reading_leaves_nothing_open(way, tmp_path):
    async with way as (kind, section, _, secret):
        await read(kind, section, tmp_path, secret=secret)  # what is kept between attempts is there now
        before = descriptors()
        for pauses in range(6):
            task = asyncio.create_task(read(kind, section, tmp_path, secret=secret))
            for _ in range(pauses):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        gc.collect()
        async with asyncio.timeout(5):  # a thread in the middle of a read closes its file when it comes back
            while descriptors() > before:
                await asyncio.sleep(0.001)

        assert (await read(kind, section, tmp_path, secret=secret)).value == PEOPLE


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_filter_that_cannot_be_evaluated_names_its_row(way, tmp_path):
    async with way as (kind, section, _, secret):
        error = await failure(kind, {**section, "transform": {"map": "item.name.repeat(1e9)"}}, tmp_path, secret=secret)

    assert (error.code, error.retryable) == ("EXPRESSION_LIMIT", False)
    assert str(error).startswith("row 0: ")


# -- the kind


async def test_more_rows_than_the_settings_allow_fail_and_are_not_cut_silently(tmp_path):
    (tmp_path / "r.jsonl").write_text("123456\n" * 11)
    section = {"sourceType": "file", "sourceId": "r.jsonl"}

    async with source(data_source=SourceSettings(max_rows=10)) as kind:
        by_rows = await failure(kind, section, tmp_path)
        kept = await read(kind, {**section, "maxRows": 11}, tmp_path)
    async with source(data_source=SourceSettings(max_bytes=70)) as kind:
        by_bytes = await failure(kind, section, tmp_path)

    assert [(each.code, each.retryable) for each in (by_rows, by_bytes)] == [("ROWS_LIMIT", False)] * 2
    assert "more than the 10 rows of the setting max_rows" in str(by_rows)
    assert len(kept.value) == 11


async def test_a_source_that_takes_too_long_is_given_up(tmp_path):
    sqlite3.connect(tmp_path / "a.db").close()
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    section = {"sourceType": "database", "timeout": 100, "query": {"path": "a.db", "sql": endless}}

    async with source() as kind, asyncio.timeout(5):
        error = await failure(kind, section, tmp_path)

    assert (error.code, error.retryable, error.timed_out) == ("TIMEOUT", True, False)


async def test_a_filter_over_many_rows_gives_others_their_turn(tmp_path):
    (tmp_path / "r.jsonl").write_text("1\n" * 100_000)
    turns = 0

    async def count():
        nonlocal turns
        while True:
            await asyncio.sleep(0.001)
            turns += 1

    counting = asyncio.create_task(count())
    async with source() as kind:
        output = await read(kind, {"sourceType": "file", "sourceId": "r.jsonl", "transform": {"filter": "item > 1"}}, tmp_path)
    counting.cancel()

    assert (output.value, output.response["rowsRead"]) == ([], 100_000)
    assert turns > 10


MEASURED = """
import asyncio, resource, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.flows.reading import read, source

async def main():
    section = {section!r}
    async with source() as kind:
        await read(kind, {{**section, "maxRows": 1}}, Path({folder!r}), secret={secret!r})
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        output = await read(kind, section, Path({folder!r}), secret={secret!r})
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(output.response["rowsRead"], len(output.value), grown)

asyncio.run(main())
"""

MILLION = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT i, 'a text of the row' AS t FROM n",
    "postgresql": "SELECT i, 'a text of the row' AS t FROM generate_series(1, 1000000) AS n(i)",
}


@pytest.mark.slow
@pytest.mark.parametrize("what", ["csv", "jsonl", "sqlite", "postgresql"])
def test_a_source_of_a_million_rows_takes_the_memory_of_those_that_are_kept(what, tmp_path, request):
    secret = ""
    if what == "csv":
        (tmp_path / "r.csv").write_text("i,t\n" + "".join(f"{i},a text of the row\n" for i in range(1, 1_000_001)))
        section = {"sourceType": "file", "sourceId": "r.csv"}
    elif what == "jsonl":
        (tmp_path / "r.jsonl").write_text("".join(f'{{"i": {i}, "t": "a text of the row"}}\n' for i in range(1, 1_000_001)))
        section = {"sourceType": "file", "sourceId": "r.jsonl"}
    else:
        section = {"sourceType": "database", "query": {"sql": MILLION[what], "path": "r.db"}}
        sqlite3.connect(tmp_path / "r.db").close()
    if what == "postgresql":
        secret = request.getfixturevalue("postgresql")
        del section["query"]["path"]
    section["transform"] = {"filter": "Number(item.i) % 100000 === 0", "map": "item.i"}
    script = MEASURED.format(root=str(Path(__file__).parents[2]), section=section, folder=str(tmp_path), secret=secret)

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    read_rows, kept, grown_kib = map(int, done.stdout.split())
    assert (read_rows, kept) == (1_000_000, 10)
    assert grown_kib < 24 * 1024, grown_kib
