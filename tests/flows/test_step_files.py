"""The file-read and file-write steps on real files."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from flows.errors import DefinitionError, StepError
from flows.step import Load, Output, Scope
from flows.steps.file_read import FileRead, FileReadSettings, FileReadSpec
from flows.steps.file_write import FileWrite, FileWriteSettings, FileWriteSpec

HOSTILE = ["it's", '"x"', "$(id)", "`id`", "a\nb", "{{$.y}}", "$.y", "-rf", "*", "é😀", "\\", "\u2028"]


def load() -> Load:
    return Load(Path(), lambda _steps, _path: pytest.fail("no body"), frozenset({"$"}))


def scope(folder: Path, dollar: Any) -> Scope:
    unused: Any = None
    return Scope({"$": dollar or {}}, "run_1", "step", 1, "key-1", folder, unused, unused, unused)


@pytest.fixture
def read(tmp_path):
    async def run(section: dict[str, Any] | str, dollar: Any = None, **settings: Any) -> Output:
        kind = FileRead(FileReadSettings(**settings))
        spec = FileReadSpec.model_validate({"path": section} if isinstance(section, str) else section)
        return await kind.run(kind.prepare(spec, load()), scope(tmp_path, dollar))

    return run


@pytest.fixture
def write(tmp_path):
    async def run(section: dict[str, Any], dollar: Any = None, **settings: Any) -> Output:
        kind = FileWrite(FileWriteSettings(**settings))
        return await kind.run(kind.prepare(FileWriteSpec.model_validate(section), load()), scope(tmp_path, dollar))

    return run


async def failure(awaited: Any) -> StepError:
    with pytest.raises(StepError) as raised:
        await awaited
    return raised.value


# reading


async def test_a_file_is_its_text_from_the_flows_folder(read, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("é\n")

    assert (await read("./data/a.txt")).value == "é\n"
    assert (await read(str(tmp_path / "data/a.txt"))).value == "é\n"
    assert (await read("$.p", {"p": "data/a.txt"})).value == "é\n"
    assert (await read("data/{{$.name}}.txt", {"name": "a"})).value == "é\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [('{"a": 1}', {"a": 1}), ('```json\n{"a": 1}\n```\n', {"a": 1}), ("\ufeff[1]", [1]), ("```\n[]\n```", []), (" null ", None)],
)
async def test_json_is_parsed_also_out_of_a_fence(read, tmp_path, text, value):
    (tmp_path / "a.json").write_text(text)

    assert (await read({"path": "a.json", "parseJson": True})).value == value


@pytest.mark.parametrize("text", ["", "{", "```json\n{}", "NaN", "[" * 3000, '"\\udc00"'])
async def test_a_file_that_is_no_json_fails(read, tmp_path, text):
    (tmp_path / "a.json").write_text(text)

    error = await failure(read({"path": "a.json", "parseJson": True}))

    assert error.code == "BAD_JSON"
    assert str(tmp_path / "a.json") in str(error)


async def test_what_cannot_be_read_has_a_code_of_its_own(read, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "bytes").write_bytes(b"a\xff")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").write_text("12345")
    expected = {
        "nothing": "FILE_NOT_FOUND",
        "file/inner": "FILE_NOT_FOUND",
        "folder": "IS_DIRECTORY",
        "bytes": "FILE_ENCODING",
        "loop": "BAD_PATH",
        "fifo": "NOT_A_FILE",
        "/dev/zero": "NOT_A_FILE",
        "x" * 300: "BAD_PATH",
    }

    codes = {path: (await failure(read(path))).code for path in expected}

    assert codes == expected


async def test_a_file_that_may_not_be_read_says_so(read, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (tmp_path / "secret").write_text("x")
    (tmp_path / "secret").chmod(0)

    assert (await failure(read("secret"))).code == "PERMISSION_DENIED"


async def test_a_file_that_is_too_large_is_not_read(read, tmp_path):
    (tmp_path / "exact").write_text("x" * 100)
    (tmp_path / "more").write_text("x" * 101)

    assert len((await read("exact", max_bytes=100)).value) == 100
    assert (await failure(read("more", max_bytes=100))).code == "FILE_TOO_LARGE"


@pytest.mark.parametrize("path", ["", " ", "a\0b", "\ud800"])
async def test_what_is_no_path_is_refused(read, path):
    assert (await failure(read("$.p", {"p": path}))).code in ("BAD_PATH", "UNSAFE_INTERPOLATION")


@pytest.mark.parametrize("path", [None, {"a": 1}, True])
async def test_a_path_that_is_no_text_is_refused(read, path):
    assert (await failure(read("$.p", {"p": path}))).code == "VALUE_TYPE"


@pytest.mark.parametrize("value", ["../secret", "a/../../secret", "/../secret", "x/../../../../../../etc/passwd", ".."])
async def test_a_value_cannot_lead_out_of_the_folder_that_its_author_wrote(read, tmp_path, value):
    (tmp_path / "out" / "a").mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")

    assert (await failure(read("out/{{$.x}}", {"x": value}))).code == "UNSAFE_INTERPOLATION"
    assert (await failure(read("{{$.base}}/out/{{$.x}}", {"base": str(tmp_path), "x": value}))).code == "UNSAFE_INTERPOLATION"


async def test_a_path_of_the_author_may_go_up(read, tmp_path):
    (tmp_path / "a.txt").write_text("x")

    assert (await read(f"../{tmp_path.name}/{{{{$.n}}}}.txt", {"n": "a"})).value == "x"


async def test_roots_are_the_only_folders_also_behind_links(read, write, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("x")
    (tmp_path / "b").write_text("y")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "b")

    assert (await read("in/a", roots=("in",))).value == "x"
    assert (await failure(read("b", roots=("in",)))).code == "PATH_NOT_ALLOWED"
    assert (await failure(read("in/link", roots=("in",)))).code == "PATH_NOT_ALLOWED"
    assert (await failure(write({"path": "in/link", "content": "z"}, roots=("in",)))).code == "PATH_NOT_ALLOWED"
    assert (tmp_path / "b").read_text() == "y"


# writing


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("plain", "plain"),
        ("{{$.n}} of {{$.s}}", "7 of it's"),
        ("$.s", "it's"),
        ({"a": "$.n", "b": []}, '{\n  "a": 7,\n  "b": []\n}'),
        ("$.list", '[\n  1,\n  "é"\n]'),
        (7, "7"),
        (None, "null"),
        ("", ""),
    ],
)
async def test_text_is_written_as_it_is_and_values_as_indented_json(write, tmp_path, content, text):
    output = await write({"path": "out/deep/a", "content": content}, {"n": 7, "s": "it's", "list": [1, "é"]})

    assert (tmp_path / "out/deep/a").read_text() == text
    assert output.value == {"path": str(tmp_path / "out/deep/a"), "bytesWritten": len(text.encode())}


@pytest.mark.parametrize("value", HOSTILE)
async def test_hostile_values_arrive_as_data_in_content_and_name(write, read, tmp_path, value):
    await write({"path": "out/{{$.x}}.txt", "content": "{{$.x}}"}, {"x": value, "y": "no"})
    await write({"path": "whole", "content": {"x": "$.x"}}, {"x": value, "y": "no"})

    assert [each.name for each in (tmp_path / "out").iterdir()] == [f"{value}.txt"]
    assert (await read("out/{{$.x}}.txt", {"x": value})).value == value
    assert json.loads((tmp_path / "whole").read_text()) == {"x": value}


async def test_append_adds_to_the_end(write, tmp_path):
    for line in ("a\n", "b\n"):
        await write({"path": "log", "content": line, "append": True})

    assert (tmp_path / "log").read_text() == "a\nb\n"


async def test_a_file_is_replaced_whole_and_keeps_its_mode_and_links(write, tmp_path):
    (tmp_path / "real").write_text("old, and longer than the new one")
    (tmp_path / "real").chmod(0o640)
    (tmp_path / "link").symlink_to("real")

    await write({"path": "link", "content": "new"})

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"
    assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o640
    assert sorted(each.name for each in tmp_path.iterdir()) == ["link", "real"]


async def test_a_reader_sees_the_old_file_or_the_new_one(write, tmp_path):
    texts = ["a" * 1_000_000, "b" * 1_000_000]
    (tmp_path / "f").write_text(texts[0])
    seen = set()

    async def change() -> None:
        for number in range(10):
            await write({"path": "f", "content": texts[number % 2]})

    changing = asyncio.create_task(change())
    while not changing.done():
        text = await asyncio.to_thread((tmp_path / "f").read_text)
        seen.add((text[:1], text[-1:], len(text)))
    await changing

    assert seen <= {("a", "a", 1_000_000), ("b", "b", 1_000_000)}


async def test_what_cannot_be_written_has_a_code_and_leaves_nothing(write, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "fifo")
    expected = {
        "folder": "IS_DIRECTORY",
        "file/inner": "BAD_PATH",
        "loop": "BAD_PATH",
        "fifo": "FILE_ERROR",
        "/dev/full": "DISK_FULL",
        "x" * 300: "BAD_PATH",
        "/proc/nothing/x": "FILE_NOT_FOUND",
    }

    codes = {path: (await failure(write({"path": path, "content": "x"}))).code for path in expected}

    assert codes == expected
    assert sorted(each.name for each in tmp_path.iterdir()) == ["fifo", "file", "folder", "loop"]
    assert (tmp_path / "file").read_text() == "x"


async def test_a_device_is_written_to_and_never_replaced(write):
    await write({"path": "/dev/null", "content": "x"})

    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


async def test_half_a_character_cannot_be_written_as_text_and_can_as_json(write, tmp_path):
    error = await failure(write({"path": "a", "content": "$.x"}, {"x": "\ud800"}))
    await write({"path": "b", "content": {"x": "$.x"}}, {"x": "\ud800"})

    assert error.code == "TEXT_ENCODING"
    assert not (tmp_path / "a").exists()
    assert json.loads((tmp_path / "b").read_text()) == {"x": "\ud800"}


async def test_numbers_are_written_as_javascript_writes_them(write, tmp_path):
    await write({"path": "a", "content": "$.x"}, {"x": [1.0, float("nan"), float("inf"), 2.5, -0.0]})

    assert json.loads((tmp_path / "a").read_text()) == [1, None, None, 2.5, 0]


@pytest.mark.parametrize("value", ["../evil", "/../../evil", "a/../../../evil"])
async def test_a_value_cannot_write_outside_of_the_folder_that_its_author_wrote(write, tmp_path, value):
    error = await failure(write({"path": "out/{{$.x}}.json", "content": "x"}, {"x": value}))

    assert error.code == "UNSAFE_INTERPOLATION"
    assert list(tmp_path.iterdir()) == []


def test_all_that_is_wrong_with_a_write_is_told_at_once():
    spec = FileWriteSpec.model_validate({"path": "{{", "content": {"a": ["$.b["]}})

    with pytest.raises(DefinitionError) as raised:
        FileWrite(FileWriteSettings()).prepare(spec, load())

    assert [problem.path for problem in raised.value.problems] == [("path",), ("content", "a", 0)]


def test_the_paths_they_read_are_known_at_load():
    writing = FileWrite(FileWriteSettings()).prepare(
        FileWriteSpec.model_validate({"path": "{{$.steps.a.output}}", "content": ["$.steps.b.output"]}), load()
    )
    reading = FileRead(FileReadSettings()).prepare(FileReadSpec.model_validate({"path": "$.input.p"}), load())

    assert writing.references == (("$", "steps", "a", "output"), ("$", "steps", "b", "output"))
    assert reading.references == (("$", "input", "p"),)
