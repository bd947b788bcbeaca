"""The destination `file`: what stands in it afterwards, whatever was written."""

from __future__ import annotations

import asyncio
import csv
import os
import threading
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.connectors.destinations.file_append import append_lines
from flows.connectors.settings import ConnectorSettings
from flows.dialects import load_flow
from flows.errors import DefinitionError
from flows.executor import World, execute
from flows.steps import make_kinds
from flows.steps.file_write import FileWriteSettings

ROWS = [{"name": "Ada", "n": 1, "ok": True}, {"name": 'B "x", \n y', "n": None, "more": {"a": [1]}}]


def definition(**section):
    return {"key": "f", "steps": [{"id": "w", "type": "output", "output": {"destination": "file", **section}}]}


def load(folder, kinds=None, **section):
    return load_flow(definition(**section), key=None, folder=folder, kinds=kinds or make_kinds())


def refused(folder, **section):
    with pytest.raises(DefinitionError) as caught:
        load(folder, **section)
    return [str(problem) for problem in caught.value.problems]


async def write(folder, value=None, kinds=None, **section):
    """One run with the value as its input `rows`: how it ended."""
    kinds = kinds or make_kinds()
    flow = load(folder, kinds, **{"data": "$.input.rows", **section})
    return await execute(flow, {"rows": value}, run_id="run_1", world=World(kinds, None, None), record=lambda _attempt: None)


def read_csv(file):
    with file.open(newline="", encoding="utf-8") as opened:
        return list(csv.reader(opened))


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("a.json", [{"a": 1}, 2, "é"], '[\n{"a":1},\n2,\n"é"\n]\n'),
        ("a.json", {"a": 1}, '{\n  "a": 1\n}\n'),
        ("a.json", [], "[]\n"),
        ("a.json", "half \ud800", '"half \\ud800"\n'),
        ("a.jsonl", [{"a": 1}, {"b": "x\ny"}], '{"a":1}\n{"b":"x\\ny"}\n'),
        ("a.ndjson", {"a": 1}, '{"a":1}\n'),
        ("a.txt", "as it is\r\n\0", "as it is\r\n\0"),
        ("a.txt", {"a": 1}, '{"a":1}'),
        ("a.csv", ROWS, 'name,n,ok,more\r\nAda,1,true,\r\n"B ""x"", \n y",,,"{""a"":[1]}"\r\n'),
        ("a.csv", [], ""),
    ],
)
async def test_a_value_is_written_in_the_format_of_the_path_s_end(tmp_path, path, value, text):
    ended = await write(tmp_path, value, path=path)

    assert ended.status == "completed", ended.error
    assert (tmp_path / path).read_bytes() == text.encode("utf-8", "surrogatepass")
    assert ended.output["bytesWritten"] == len(text.encode("utf-8", "surrogatepass"))
    assert ended.output.get("rows") == (len(value) if isinstance(value, list) else None)


async def test_columns_choose_order_and_make_over(tmp_path):
    shape = {"who": "name", "twice": "item.n * 2", "fixed": 7, "first letter": "data.name[0]"}

    await write(tmp_path, [{"name": "Ada", "n": 2}, {"name": "Bea", "n": 3}], path="a.csv", columns=shape)
    await write(tmp_path, [{"b": 1, "a b": 2}, {"c": 3}], path="b.csv", columns=["a b", "b"])
    await write(tmp_path, ["x", "y"], path="c.jsonl", columns={"mark": "item"})

    assert read_csv(tmp_path / "a.csv") == [
        ["who", "twice", "fixed", "first letter"],
        ["Ada", "4", "7", "A"],
        ["Bea", "6", "7", "B"],
    ]
    assert read_csv(tmp_path / "b.csv") == [["a b", "b"], ["2", "1"], ["", ""]]
    assert (tmp_path / "c.jsonl").read_text() == '{"mark":"x"}\n{"mark":"y"}\n'


async def test_lines_are_appended_each_on_its_own_and_a_heading_stands_once(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"old":1}')  # whose writer left out the last line end

    for number in (1, 2):
        await write(tmp_path, [{"n": number, "x": "y"}], path="a.csv", mode="append")
        await write(tmp_path, {"n": number}, path="a.jsonl", mode="append")

    assert read_csv(tmp_path / "a.csv") == [["n", "x"], ["1", "y"], ["2", "y"]]
    assert (tmp_path / "a.jsonl").read_text() == '{"old":1}\n{"n":1}\n{"n":2}\n'


async def test_rows_are_appended_in_the_columns_of_the_heading_that_is_there(tmp_path):
    (tmp_path / "a.csv").write_text("b,a\r\n1,2\r\n")

    await write(tmp_path, [{"a": "A", "b": "B"}, {"a": "A2"}], path="a.csv", mode="append")
    strange = await write(tmp_path, [{"c": 1}], path="a.csv", mode="append")

    assert read_csv(tmp_path / "a.csv") == [["b", "a"], ["1", "2"], ["B", "A"], ["", "A2"]]
    assert (strange.code, strange.error) == ("FILE_COLUMNS", f"step «w»: the first line of {tmp_path}/a.csv has no column «c»")


async def test_rows_of_two_that_begin_one_file_at_once_stand_in_the_same_columns(tmp_path):
    rows = [{"a": "A", "b": "B"} if number % 2 else {"b": "B", "a": "A"} for number in range(12)]

    await asyncio.gather(*(write(tmp_path, [row], path="a.csv", mode="append") for row in rows))

    heading, *lines = read_csv(tmp_path / "a.csv")
    assert sorted(heading) == ["a", "b"]
    assert lines == [[name.upper() for name in heading]] * 12


def test_many_that_append_to_a_new_file_at_once_write_one_heading_and_all_lines(tmp_path):
    file = tmp_path / "deep" / "a.csv"
    threads = [threading.Thread(target=partial(append_lines, file, b"%d\n" % n, first=b"n\n")) for n in range(20)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert file.read_text().splitlines()[0] == "n"
    assert sorted(map(int, file.read_text().splitlines()[1:])) == list(range(20))


@pytest.mark.parametrize(
    ("section", "value", "code"),
    [
        ({"path": "a.csv"}, [{"a": 1}, "x"], "OUTPUT_ROWS"),
        ({"path": "a.csv"}, [{"a": "half \ud800"}], "TEXT_ENCODING"),
        ({"path": "a.txt"}, "half \ud800", "TEXT_ENCODING"),
        ({"path": "a.csv", "columns": {"a": "item.x.y"}}, [{}], "EXPRESSION_TYPE"),
        ({"path": "a.json", "data": "$.input.gone"}, None, "PATH_MISSING"),
        ({"path": "sub/{{$.input.rows}}", "format": "text", "data": 1}, "../../etc/passwd", "UNSAFE_INTERPOLATION"),
        ({"path": "folder", "format": "text"}, "x", "IS_DIRECTORY"),
        ({"path": "pipe", "format": "jsonl", "mode": "append"}, "x", "NOT_A_FILE"),
        ({"path": "pipe", "format": "csv", "mode": "append"}, {"a": 1}, "NOT_A_FILE"),
        ({"path": "binary.csv", "mode": "append"}, {"a": 1}, "FILE_COLUMNS"),
    ],
)  # fmt: skip
async def test_what_cannot_be_written_fails_with_its_code_and_leaves_the_old_file(tmp_path, section, value, code):
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    os.mkfifo(tmp_path / "pipe")
    for name in ("a.csv", "a.txt", "a.json"):
        (tmp_path / name).write_text("old")

    ended = await write(tmp_path, value, **section)

    assert (ended.status, ended.code) == ("failed", code)
    assert {(tmp_path / name).read_text() for name in ("a.csv", "a.txt", "a.json")} == {"old"}


async def test_values_nested_beyond_all_reason_are_refused_and_not_half_written(tmp_path):
    value = []
    for _ in range(5000):
        value = [value]

    ended = await write(tmp_path, [value], path="a.jsonl")

    assert (ended.code, (tmp_path / "a.jsonl").exists()) == ("OUTPUT_DATA", False)


async def test_the_roots_of_file_write_hold_for_the_destination_too(tmp_path):
    settings_of_files = ConnectorSettings(sections={"steps.file_write": FileWriteSettings(roots=("allowed",))})
    kinds = make_kinds({"connectors": settings_of_files})

    allowed = await write(tmp_path, 1, kinds, path="allowed/a.json")
    outside = await write(tmp_path, 1, kinds, path="a.json")

    assert (allowed.status, outside.code) == ("completed", "PATH_NOT_ALLOWED")


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"path": "a.xml"}, 'steps[0].output.path: the path «a.xml» does not say in which format ("format": "json", "jsonl", "csv" or "text")'),
        ({"path": "a.json", "mode": "append"}, 'steps[0].output.mode: a JSON document has an end: nothing can be appended ("format": "jsonl")'),
        ({"path": "a.txt", "columns": ["a"]}, 'steps[0].output.columns: a text has no columns ("format": "csv")'),
        ({"path": "a.csv", "columns": []}, "steps[0].output.columns: columns is empty: nothing would be written (leave it out for all fields of a row)"),
        ({"path": "a.csv", "columns": ["a", "a"]}, "steps[0].output.columns: columns names «a» twice"),
        ({"path": "a.csv", "columns": {"a": "item."}}, None),
        ({"path": "a.csv", "data": "{{$.input.x | gone}}"}, None),
        ({"path": "", "format": "csv"}, "steps[0].output.path: path is empty"),
        ({"format": "csv"}, "steps[0].output.path: path is missing"),
        ({"path": "a.csv", "fromat": "csv"}, "steps[0].output.fromat: fromat is not known here (did you mean «format»?)"),
        ({"path": "a.csv", "mode": "apend"}, "steps[0].output.mode: mode is «apend» (did you mean «append»?; allowed are replace, append)"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_refused_at_its_place(tmp_path, section, problem):
    said = refused(tmp_path, **section)

    assert len(said) == 1
    assert problem is None or said == [problem]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(TEXT, min_size=2, max_size=2), min_size=1, max_size=5), st.booleans())
async def test_any_texts_come_back_from_csv_as_they_were(tmp_path_factory, rows, append):
    folder = tmp_path_factory.mktemp("csv")
    value = [{"a": a, "b,\n": b} for a, b in rows]

    ended = await write(folder, value, path="x.csv", mode="append" if append else "replace")

    assert ended.status == "completed", ended.error
    assert read_csv(folder / "x.csv") == [["a", "b,\n"], *rows]


async def test_a_hundred_thousand_rows_are_written_and_others_get_their_turn(tmp_path):
    turns = 0

    async def count():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.ensure_future(count())

    ended = await write(tmp_path, [{"n": n, "x": "y"} for n in range(100_000)], path="a.csv")

    counting.cancel()
    assert ended.output["rows"] == 100_000
    assert (tmp_path / "a.csv").read_bytes().count(b"\r\n") == 100_001
    assert turns > 20
