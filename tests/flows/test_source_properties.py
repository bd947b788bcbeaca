"""What holds for sources whatever is written and whatever comes: by generated definitions, names, values, files and headers."""

from __future__ import annotations

import asyncio
import csv
import io
import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.connectors.database import Databases, SqliteFile, quoted
from flows.connectors.rows import names_of
from flows.connectors.settings import ConnectorSettings
from flows.connectors.sources import CONNECTORS, connector_class
from flows.connectors.sources.google_sheets import _is_range, _rows
from flows.connectors.sources.paging import next_link
from flows.connectors.sources.spec import SourceSpec
from flows.connectors.statement import read_statement
from flows.dialects.steps_spec import fields_of
from flows.errors import DefinitionError
from flows.steps.data_source import DataSource
from tests.flows.reading import load, read, source

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
SCRAPS = st.sampled_from(
    ["", "{{", "{{$.input.x}}", "$.input.x", "$.", "A1:B2", "GET", "https://example.com/{{$.input.x}}", "SELECT :a", "rows.csv", "\0",
     "\ud800", "link", "cursor", -1, 0, 1, 2**70, 1.5, True, None, [], {}, ["a"], {"a": "{{"}, {"type": "page"}, {"env": "X"}, [{"field": "a"}]]
)  # fmt: skip
JSON = st.recursive(
    SCRAPS | TEXT, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=6
)
KIND = DataSource(ConnectorSettings())
SOURCES = st.sampled_from(sorted(CONNECTORS))


@st.composite
def sections(draw):
    name = draw(SOURCES)
    known = fields_of(connector_class(name).Query)
    query = draw(JSON | st.dictionaries(st.sampled_from(known) | TEXT, JSON, max_size=5))
    transform = draw(JSON | st.dictionaries(st.sampled_from(["filter", "map", "limit"]), JSON, max_size=3))
    return {"source_type": name, "source_id": draw(st.none() | SCRAPS.filter(lambda each: isinstance(each, str) and each)), "query": query,
            "transform": transform}  # fmt: skip


@settings(max_examples=200)
@given(sections())
def test_whatever_is_written_loads_or_is_refused_with_a_reason(section):
    spec = SourceSpec.model_construct(**section, max_rows=None, max_bytes=None, timeout=None)

    problems = problems_of(spec)

    assert {problem.path[:1] for problem in problems} <= {(), ("query",), ("sourceId",), ("transform",)}
    assert all(problem.problem for problem in problems)


def problems_of(spec):
    try:
        KIND.prepare(spec, load())
    except DefinitionError as error:
        return error.problems
    return ()


def databases_do(work):
    async def run():
        databases = Databases()
        with tempfile.TemporaryDirectory() as folder:
            sqlite3.connect(Path(folder) / "x.db").close()
            async with databases.session(SqliteFile(Path(folder) / "x.db"), read_only=False, timeout_s=10) as session:
                return await work(session)

    return asyncio.run(run())


@settings(max_examples=60, deadline=None)
@given(TEXT.filter(lambda text: text and len(text.encode()) <= 63 and text.isprintable()), TEXT)
def test_any_name_is_one_column_and_any_text_one_value(name, value):
    async def work(session):
        await session.execute(f"CREATE TABLE {quoted(name)} ({quoted(name)} TEXT)")
        await session.execute(f"INSERT INTO {quoted(name)} VALUES (:v)", {"v": value})
        return [row async for batch in session.rows(f"SELECT {quoted(name)} FROM {quoted(name)}") for row in batch]

    (row,) = databases_do(work)

    assert list(row.values()) == [value]


@given(st.text(st.sampled_from("':\"$aE-*/\\ \n%(t)s;?@{}"), max_size=60))
def test_reading_a_statement_loses_nothing_and_ends(text):
    statement = read_statement(text)

    assert "".join(part for part, _ in statement.parts) == text
    assert statement.postgresql.replace("%%", "").count("%(") >= len(statement.names)


@given(TEXT)
def test_what_stands_in_a_literal_is_no_parameter(text):
    literal = "'" + text.replace("'", "''") + "'"

    assert read_statement(f"SELECT {literal}, :real").names == ("real",)


CELLS = st.lists(TEXT, min_size=2, max_size=2)


@settings(max_examples=60, deadline=None)
@given(st.lists(CELLS, max_size=20), st.sampled_from(",;\t|"), st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]))
def test_what_a_program_writes_as_csv_is_read_as_it_was(rows, delimiter, encoding):
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([["a", "b"], *rows])

    async def run():
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "r.csv").write_bytes(text.getvalue().encode(encoding))
            query = {"delimiter": delimiter, "encoding": encoding}
            async with source() as kind:
                return await read(kind, {"sourceType": "file", "sourceId": "r.csv", "query": query}, Path(folder))

    assert asyncio.run(run()).value == [{"a": a, "b": b} for a, b in rows]


@given(st.text(st.sampled_from('<>;,="rel nxtpv/?'), max_size=80) | TEXT)
def test_any_link_header_is_read_or_passed_over(header):
    found = next_link(header)

    assert found is None or f"<{found}" in header.replace(" ", "") or found in header


@given(st.lists(st.text(max_size=3), max_size=8))
def test_names_of_columns_are_all_different_and_keep_their_places(headings):
    names = names_of(headings)

    assert len(set(names)) == len(names) == len(headings)
    assert all(name.startswith(heading.strip()) for name, heading in zip(names, headings, strict=True))


VALUES = st.lists(st.lists(st.sampled_from(["", "a", 1, True, 2.5]), max_size=4), max_size=5)


@given(VALUES)
def test_no_cell_of_a_sheet_is_lost(values):
    listed = [row for row in values if any(cell != "" for cell in row)]

    rows = _rows(values, header=True)

    assert [[cell for cell in row.values() if cell is not None] for row in rows] == [
        [cell for cell in row if cell != ""] for row in listed[1:]
    ]


@pytest.mark.parametrize("text", ["A1", "A1:B2", "A:D", "1:5", "$A$1:$B", "A2:D", "Deals", "my_range.1"])
def test_ranges_are_known(text):
    assert _is_range(text, "sheet")
    assert _is_range(text, None)


@pytest.mark.parametrize("text", ["", "A1:", "A1;B2", "A1&x=1", "A1'!B2", "x y", "!A1", "A1 B2", "a\n"])
def test_what_is_no_range_is_known(text):
    assert not _is_range(text, "sheet")
