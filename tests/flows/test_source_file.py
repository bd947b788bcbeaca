"""`data_source` over files: CSV, JSON and JSON Lines."""

from __future__ import annotations

import json
import os

import pytest

from flows.steps.file_read import FileReadSettings
from tests.flows.reading import failure, read, refused, source


async def rows(folder, name, content, query=None, **section):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    async with source() as kind:
        output = await read(kind, {"sourceType": "file", "sourceId": name, "query": query or {}, **section}, folder)
    return output.value


async def fails(folder, name, content, query=None, **section):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    async with source() as kind:
        return await failure(kind, {"sourceType": "file", "sourceId": name, "query": query or {}, **section}, folder)


@pytest.mark.parametrize(
    ("content", "query", "expected"),
    [
        ("a,b\n1,x\n2,\n", {}, [{"a": "1", "b": "x"}, {"a": "2", "b": ""}]),
        ("\ufeffa,b\r\n1,x\r\n\r\n", {}, [{"a": "1", "b": "x"}]),
        ('a,b\n"1,5","say ""hi""\nthere"\n', {}, [{"a": "1,5", "b": 'say "hi"\nthere'}]),
        ("a;b\n'1;5';x\n", {"delimiter": ";", "quote": "'"}, [{"a": "1;5", "b": "x"}]),
        ("1,x\n2,y\n", {"header": False}, [["1", "x"], ["2", "y"]]),
        ("1,x\n", {"header": ["n", "t"]}, [{"n": "1", "t": "x"}]),
        ("a,,a\n1,2,3\n", {}, [{"a": "1", "column_2": "2", "a_2": "3"}]),
        ("a,b\n1\n1,2,3\n", {"ragged": True}, [{"a": "1", "b": None}, {"a": "1", "b": "2", "column_3": "3"}]),
        ("a,b\n", {}, []),
        ("", {}, []),
        ("=1+1,{{$.input.x}}\n$.input.x,'; DROP\0\n", {}, [{"=1+1": "$.input.x", "{{$.input.x}}": "'; DROP\0"}]),
        ("größe\n1\n".encode("latin-1"), {"encoding": "latin-1"}, [{"größe": "1"}]),
        ("a\n1\n".encode("utf-16"), {"encoding": "utf-16"}, [{"a": "1"}]),
    ],
)
async def test_csv_is_read_as_text_row_by_row(content, query, expected, tmp_path):
    assert await rows(tmp_path, "rows.csv", content, query) == expected


async def test_tabs_part_the_cells_of_a_file_that_says_so_by_its_name(tmp_path):
    assert await rows(tmp_path, "rows.TSV", "a\tb\n1\t2,3\n") == [{"a": "1", "b": "2,3"}]


@pytest.mark.parametrize(
    ("name", "content", "query", "expected"),
    [
        ("r.json", '[{"a": 1}, 2, null]', {}, [{"a": 1}, 2, None]),
        ("r.json", '\ufeff{"data": {"rows": [[{"a": 1}]]}}', {"items": "data.rows[0]"}, [{"a": 1}]),
        ("r.jsonl", '{"a": 1}\n\n{"a": "{{x}}"}', {}, [{"a": 1}, {"a": "{{x}}"}]),
        ("r.ndjson", "", {}, []),
        ("r.txt", "[1]", {"format": "json"}, [1]),
    ],
)
async def test_json_and_json_lines_keep_their_types(name, content, query, expected, tmp_path):
    assert await rows(tmp_path, name, content, query) == expected


@pytest.mark.parametrize(
    ("name", "content", "query", "code", "said"),
    [
        ("r.csv", "a,b\n1,2\n1,2,3\n", {}, "FILE_ROW", "line 3 has 3 cells, and the heading has 2"),
        ("r.csv", 'a\n"1"2\n', {}, "FILE_ROW", "line 2 is no CSV"),
        ("r.csv", 'a\n1\n"open\n\n', {}, "FILE_ROW", "is no CSV: unexpected end of data"),
        ("r.csv", "a\n" + "x" * 2_000_000, {}, "FILE_ROW", "line 2 is longer than 1,048,576 characters"),
        ("r.csv", "a\n" + '"x\n' + '","\n' * 3_000_000, {}, "FILE_ROW", "belongs to a row of more than 8,388,608 characters"),
        ("r.csv", b"a\n1\n\xff\n", {}, "FILE_ENCODING", "is no text in utf-8"),
        ("r.jsonl", '{"a": 1}\n{"a": \n', {}, "FILE_ROW", "line 2 is not JSON"),
        ("r.jsonl", "[" * 100_000, {}, "FILE_ROW", "line 1 is not JSON"),
        ("r.json", '{"a": [1', {}, "BAD_JSON", "is not JSON"),
        ("r.json", "[" * 100_000, {}, "BAD_JSON", "is not JSON"),
        ("r.json", b"\xff", {}, "FILE_ENCODING", "is no text in utf-8"),
        ("r.json", '{"rows": [], "n": 1}', {}, "SOURCE_ROWS", 'not a list of rows; lists stand at rows: "items" says which'),
        ("r.json", '{"rows": 1}', {"items": "rows"}, "SOURCE_ROWS", "has no list of rows at rows"),
    ],
)
async def test_what_cannot_be_read_is_told_with_its_line(name, content, query, code, said, tmp_path):
    error = await fails(tmp_path, name, content, query)

    assert (error.code, error.retryable) == (code, False)
    assert said in str(error)


@pytest.mark.parametrize(("make", "code"), [(None, "FILE_NOT_FOUND"), (os.mkdir, "IS_DIRECTORY"), (os.mkfifo, "NOT_A_FILE")])
async def test_what_is_no_file_is_told(make, code, tmp_path):
    if make:
        make(tmp_path / "r.csv")

    async with source() as kind:
        assert (await failure(kind, {"sourceType": "file", "sourceId": "r.csv"}, tmp_path)).code == code


async def test_a_json_file_that_is_too_large_is_refused_and_one_of_lines_is_not(tmp_path):
    (tmp_path / "r.json").write_text("[" + "1," * 1000 + "1]")
    (tmp_path / "r.jsonl").write_text("1\n" * 1000)

    async with source(file_read=FileReadSettings(max_bytes=1000)) as kind:
        error = await failure(kind, {"sourceType": "file", "sourceId": "r.json"}, tmp_path)
        output = await read(kind, {"sourceType": "file", "sourceId": "r.jsonl"}, tmp_path)

    assert error.code == "FILE_TOO_LARGE"
    assert len(output.value) == 1000


async def test_a_path_takes_values_and_does_not_leave_its_folder(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "monday.csv").write_text("a\n1\n")
    (tmp_path / "secret.csv").write_text("a\n1\n")
    section = {"sourceType": "file", "query": {"path": "in/{{$.input.day}}.csv"}}

    async with source() as kind:
        output = await read(kind, section, tmp_path, day="monday")
        error = await failure(kind, section, tmp_path, day="../secret")

    assert (output.value, output.response["path"]) == ([{"a": "1"}], str(tmp_path / "in" / "monday.csv"))
    assert error.code == "UNSAFE_INTERPOLATION"


async def test_what_file_read_may_not_read_is_not_read_here_either(tmp_path):
    (tmp_path / "r.csv").write_text("a\n1\n")

    async with source(file_read=FileReadSettings(roots=(str(tmp_path / "in"),))) as kind:
        error = await failure(kind, {"sourceType": "file", "sourceId": "r.csv"}, tmp_path)

    assert error.code == "PATH_NOT_ALLOWED"


async def test_lines_behind_the_limit_are_not_read(tmp_path):
    good = "\n".join(json.dumps({"n": number}) for number in range(2000))

    assert await rows(tmp_path, "r.jsonl", good + "\nbroken", transform={"limit": 2}) == [{"n": 0}, {"n": 1}]


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({}, 'the file is not named (one of them: "sourceId": "rows.csv", or path in query)'),
        ({"sourceId": "a.csv", "query": {"path": "b.csv"}}, "sourceId: the file is named twice"),
        ({"sourceId": "a.xls"}, 'sourceId: its name does not say what it holds (add "format": "csv" (or json, jsonl) to query)'),
        ({"sourceId": "a.csv", "query": {"encoding": "utf-9"}}, "query.encoding: «utf-9» is no encoding"),
        ({"sourceId": "a.csv", "query": {"encoding": "base64"}}, "query.encoding: «base64» is no encoding of texts"),
        ({"sourceId": "a.csv", "query": {"delimiter": '"'}}, "query.delimiter: delimiter and quote are the same"),
        ({"sourceId": "a.csv", "query": {"delimiter": "\n"}}, "query.delimiter: «\n» parts no cells"),
        ({"sourceId": "a.csv", "query": {"delimiter": ",,"}}, "query.delimiter: delimiter is longer than 1"),
        (
            {"sourceId": "a.csv", "query": {"delimeter": ","}},
            "query.delimeter: delimeter is not known here (did you mean «delimiter»?)",
        ),
        ({"sourceId": "{{", "query": {}}, "sourceId: the {{ is not closed"),
        ({"sourceId": "a.csv", "query": []}, "query: query is a list, and must be an object"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused_at_load(section, said):
    assert any(problem.startswith(said) for problem in refused({"sourceType": "file", **section})), said
