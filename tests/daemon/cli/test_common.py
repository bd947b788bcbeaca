"""What all commands have in common: help, mistakes, where a home is found, and how they end."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from contextlib import suppress

import pytest

from daemon.cli.main import COMMANDS
from tests.daemon.cli.installed import CAMSHAFT, EXAMPLE


def test_help_names_every_command_and_imports_none_of_them():
    code = "import sys; from daemon.cli import main; main(['--help']); print([m for m in sys.modules if m in {'pydantic', 'aiohttp', 'structlog', 'sqlalchemy', 'yaml'}])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert all(re.search(rf"\b{name}\b", told) for name, _, _ in COMMANDS)
    assert told.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "arguments",
    [[name, "--help"] for name, _, _ in COMMANDS]
    + [
        ["trigger", "add", "--help"],
        ["flow", "execute", "--help"],
        ["run", "list", "--help"],
        ["event", "explain", "--help"],
        ["schedule", "next", "--help"],
    ],
)
def test_each_command_has_help_that_names_the_home(run, arguments):
    status, told, said = run(*arguments)

    assert (status, said) == (0, "")
    assert "Usage: camshaft" in told
    group = "COMMAND" in told.splitlines()[0]
    assert group or "--home" in told


@pytest.mark.parametrize(
    "arguments",
    [
        ["nope"],
        ["trigger", "nope"],
        ["run", "list", "--nope"],
        ["run", "list", "--status", "odd"],
        ["schedule", "next"],
        ["eval"],
        ["flow", "execute"],
        ["trigger", "add"],
    ],
)
def test_a_wrong_command_is_one_line_and_exit_2(run, tmp_path, arguments):
    status, told, said = run(
        *arguments,
        *(
            ["--home", str(tmp_path)]
            if arguments[0] in {"trigger", "flow"} and len(arguments) > 1 and arguments[1] != "nope"
            else []
        ),
    )

    assert (status, told) == (2, "")
    assert said.startswith("camshaft: ")
    assert said.count("\n") == 1


def test_a_wrong_word_is_told_with_the_one_that_was_meant(run):
    assert "did you mean «trigger»?" in run("triger", "list")[2]


def test_a_home_that_is_not_there_is_told_with_the_way_to_make_it(run, tmp_path):
    status, told, said = run("trigger", "list", "--home", str(tmp_path / "none"))

    assert (status, told) == (1, "")
    assert "camshaft init" in said


@pytest.mark.parametrize("where", ["after", "before", "joined", "environment", "folder"])
def test_a_home_is_given_in_several_ways(run, monkeypatch, where):
    arguments = ["flow", "list", "-o", "json"]
    if where == "environment":
        monkeypatch.setenv("CAMSHAFT_HOME", str(EXAMPLE))
    elif where == "folder":
        monkeypatch.chdir(EXAMPLE)
    else:
        arguments = {
            "after": [*arguments, "--home", str(EXAMPLE)],
            "before": ["--home", str(EXAMPLE), *arguments],
            "joined": [f"--home={EXAMPLE}", *arguments],
        }[where]

    status, told, _ = run(*arguments)

    assert (status, len(json.loads(told))) == (0, 10)


def test_a_reader_who_has_had_enough_is_no_error():
    command = f"{CAMSHAFT} schedule next '* * * * *' -n 10000 | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, timeout=60)

    assert done.stderr == ""
    assert done.stdout.splitlines()[1] in {"141", "0"}


@pytest.mark.parametrize("noun", ["trigger", "flow", "run", "event"])
def test_a_name_that_is_empty_names_nothing(run, tmp_path, noun):
    assert run(noun, "show", "", "--home", tmp_path) == (2, "", "camshaft: a key or an id is empty\n")


def test_a_failure_is_one_line_that_steers_no_terminal(run, tmp_path):
    status, told, said = run("trigger", "show", "a\nb\x1b[2J", "--home", tmp_path)

    assert (status, told) == (4, "")
    assert said == "camshaft: there is no trigger «a b�[2J» (camshaft trigger list)\n"


@pytest.mark.parametrize(
    ("columns", "first"),
    [
        (20, "KEY    auto-process-deal"),
        (60, "KEY    auto-process-deal"),
        (80, "KEY                   TYPE        FLOW              STATE    NEXT"),
        (200, "KEY                   TYPE        FLOW              STATE    NEXT"),
    ],
)
def test_a_terminal_that_is_too_narrow_for_a_table_has_a_line_for_each_column(columns, first):
    reader, writer = pty.openpty()
    command = [CAMSHAFT, "trigger", "list", "--home", str(EXAMPLE)]
    environment = {**os.environ, "COLUMNS": str(columns), "NO_COLOR": "1"}
    with os.fdopen(reader, "rb", buffering=0) as read, subprocess.Popen(command, stdout=writer, env=environment) as asked:
        os.close(writer)
        told = b""
        with suppress(OSError):  # what a terminal says whose other side has gone
            while part := read.read(65536):
                told += part

    lines = re.sub(r"\x1b\[[0-9;]*m", "", told.decode()).splitlines()
    assert (asked.returncode, lines[0].rstrip()) == (0, first)
    assert all(word in told.decode() for word in ("note-failures", "file-watch", "count-words"))


@pytest.mark.parametrize("home", [["--home", ""], ["--home="]])
def test_a_home_whose_name_is_empty_is_not_the_current_folder(run, home):
    before, after = run(*home, "trigger", "list"), run("trigger", "list", *home)

    assert before == after == (2, "", "camshaft: --home is empty (name the home's folder)\n")
