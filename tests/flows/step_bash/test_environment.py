"""What a command is given: its shell, folder and environment; and what is refused at load."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.errors import DefinitionError
from flows.steps.bash import Bash, BashSettings, BashSpec
from tests.flows.step_bash.commands import failure, make_load


async def test_a_missing_shell_is_named(bash):
    error = await failure(bash("true", shell="no-such-shell"))

    assert (error.code, error.retryable) == ("BINARY_MISSING", False)
    assert "no-such-shell" in str(error)


async def test_a_shell_can_be_another_one(bash):
    output = await bash("echo $0", shell="sh")

    assert output.value.endswith("sh")


async def test_a_command_that_is_not_found_says_so(bash):
    error = await failure(bash("no-such-command"))

    assert error.code == "EXIT_STATUS"
    assert "no-such-command" in str(error)


async def test_a_command_that_begins_with_a_dash_is_no_option_of_the_shell(bash):
    error = await failure(bash("-x"))

    assert "-x" in str(error)
    assert error.output["exitCode"] == 127


async def test_only_the_named_environment_reaches_the_command(bash, monkeypatch):
    monkeypatch.setenv("DEAL_SECRET", "hunter2")
    monkeypatch.setenv("ALLOWED", "yes")

    output = await bash("env", env=("PATH", "ALLOWED"))

    names = {line.partition("=")[0] for line in output.value.splitlines()}
    ours = {"CAMSHAFT_RUN_ID", "CAMSHAFT_STEP", "CAMSHAFT_ATTEMPT", "CAMSHAFT_IDEMPOTENCY_KEY"}
    assert names - {"PWD", "SHLVL", "_"} == {"PATH", "ALLOWED", *ours}


async def test_the_attempt_is_named_in_the_environment(bash):
    output = await bash("echo $CAMSHAFT_RUN_ID $CAMSHAFT_STEP $CAMSHAFT_ATTEMPT $CAMSHAFT_IDEMPOTENCY_KEY")

    assert output.value == "run_1 step 1 key-1"


async def test_the_folder_is_the_flows_and_cwd_goes_on_from_it(bash, tmp_path):
    (tmp_path / "inner").mkdir()

    here = await bash("pwd")
    inner = await bash({"command": "pwd", "cwd": "./{{$.name}}"}, {"name": "inner"})

    assert (here.value, inner.value) == (str(tmp_path), str(tmp_path / "inner"))


async def test_a_folder_that_is_missing_is_named(bash):
    error = await failure(bash({"command": "pwd", "cwd": "nowhere"}))

    assert error.code == "CWD_NOT_FOUND"
    assert "nowhere" in str(error)


async def test_json_in_the_environment_is_a_file_that_is_gone_afterwards(bash, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    section = {"command": "echo $F; stat -c %a $F; cat $F", "env": {"F": {"json": {"deal": "$.deal", "n": 1}}}}

    output = await bash(section, {"deal": {"name": "Å'\"$(id)"}})

    path, mode, text = output.value.split("\n", 2)
    assert (mode, json.loads(text)) == ("600", {"deal": {"name": "Å'\"$(id)"}, "n": 1})
    assert not Path(path).exists()
    assert [each.name for each in tmp_path.glob("camshaft-*")] == []


async def test_the_file_is_gone_also_when_the_command_fails(bash, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    await failure(bash({"command": "exit 1", "env": {"F": {"json": "$.x"}}}, {"x": 1}))

    assert list(tmp_path.glob("camshaft-*")) == []


async def test_values_in_the_environment_are_text_as_javascript_prints_it(bash):
    values = {"text": "a b", "number": 7, "yes": True, "nothing": None, "list": [1, "x"]}
    section = {
        "command": 'printf "%s|" "$A" "$B" "$C" "$D" "$E"',
        "env": {n: f"$.{k}" for n, k in zip("ABCDE", values, strict=True)},
    }

    output = await bash(section, values)

    assert output.value == 'a b|7|true||[1,"x"]|'


async def test_a_variable_of_the_step_is_stronger_than_the_daemons(bash, monkeypatch):
    monkeypatch.setenv("LANG", "C.UTF-8")

    output = await bash({"command": "echo $LANG", "env": {"LANG": "de_DE"}})

    assert output.value == "de_DE"


async def test_a_variable_that_is_null_is_not_set(bash):
    output = await bash({"command": "echo ${A-unset}", "env": {"A": None}})

    assert output.value == "unset"


@pytest.mark.parametrize("name", ["A B", "A=B", "", "1A", "A\0", "BASH_FUNC_x%%"])
def test_a_name_that_no_variable_can_have_is_refused_at_load(tmp_path, name):
    spec = BashSpec.model_validate({"command": "true", "env": {name: "x"}})

    with pytest.raises(DefinitionError) as raised:
        Bash(BashSettings()).prepare(spec, make_load(tmp_path))

    assert raised.value.problems[0].path == ("env", name)


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    spec = BashSpec.model_validate({"command": "echo {{$.x | shel}}", "cwd": "{{", "env": {"A": {"json": "$.a["}}})

    with pytest.raises(DefinitionError) as raised:
        Bash(BashSettings()).prepare(spec, make_load(tmp_path))

    assert [problem.path for problem in raised.value.problems] == [("command",), ("cwd",), ("env", "A", "json")]


def test_the_paths_it_reads_are_known_at_load(tmp_path):
    section = {"command": "echo {{$.steps.a.output | shell}}", "cwd": "$.input.d", "env": {"A": {"json": "$.steps.b.output.c"}}}

    prepared = Bash(BashSettings()).prepare(BashSpec.model_validate(section), make_load(tmp_path))

    assert set(prepared.references) == {("$", "steps", "a", "output"), ("$", "input", "d"), ("$", "steps", "b", "output", "c")}


@pytest.mark.parametrize(
    ("section", "dollar", "code"),
    [
        ({"command": "echo $A", "env": {"A": "$.x"}}, {"x": "a\0b"}, "NUL_CHARACTER"),
        ({"command": "echo $A", "env": {"A": "$.x"}}, {"x": "\ud800"}, "TEXT_ENCODING"),
        ({"command": "echo {{$.x | shell}}"}, {"x": "\ud800"}, "TEXT_ENCODING"),
        ({"command": "echo {{$.x | shell}}"}, {"x": "y" * 200_000}, "COMMAND_TOO_LONG"),
        ({"command": "echo $A", "env": {"A": "$.x"}}, {"x": "y" * 200_000}, "COMMAND_TOO_LONG"),
        ({"command": "$.x"}, {"x": {"a": 1}}, "VALUE_TYPE"),
        ({"command": "$.y"}, {"x": 1}, "TEMPLATE_MISSING"),
    ],
)
async def test_what_no_command_can_be_given_fails_with_a_code(bash, section, dollar, code):
    error = await failure(bash(section, dollar))

    assert error.code == code
