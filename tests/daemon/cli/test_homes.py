"""Homes without a daemon: made, checked, changed and read."""

from __future__ import annotations

import json
import os

import pytest

from tests.daemon.cli.installed import EXAMPLE, bash, flow_file, process
from tests.daemon.old_stores import RELEASED, make_old


def test_the_example_home_is_valid(run):
    assert run("validate", str(EXAMPLE), "-o", "json")[:2] == (0, "[]\n")


def test_what_is_wrong_is_listed_with_its_place(run, tmp_path):
    (tmp_path / "t.json").write_text(
        '{\n  "key": "t",\n  "trigger": {"type": "webhook", "path": "/a", "filter": "$.body ="},\n  "flow": "f"\n}'
    )

    status, told, _ = run("validate", "t.json", "-o", "json")

    (problem,) = json.loads(told)
    assert status == 3
    assert list(problem) == ["file", "line", "column", "path", "problem", "hint"]
    assert (problem["file"], problem["line"], problem["path"]) == ("t.json", 3, "trigger.filter")


def test_a_lone_trigger_is_not_checked_against_flows_that_are_not_known(run, tmp_path):
    (tmp_path / "t.json").write_text('{"key": "t", "trigger": {"type": "webhook", "path": "/a"}, "flow": "f"}')

    assert run("validate", "t.json")[0] == 0


def test_a_trigger_inside_a_home_is_checked_against_its_flows(run, tmp_path):
    (tmp_path / "home/triggers").mkdir(parents=True)
    (tmp_path / "home/triggers/t.json").write_text('{"trigger": {"type": "webhook", "path": "/a"}, "flow": "f"}')
    (tmp_path / "home/triggers/other.json").write_text("{")

    status, told, _ = run("validate", "home/triggers/t.json", "-o", "json")

    assert status == 3
    assert [(problem["file"], problem["path"]) for problem in json.loads(told)] == [("home/triggers/t.json", "flow")]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", "{", "a.json:1"),
        ("a.json", '{"a": 1}', "neither a trigger"),
        ("a.json", "[]", "neither a trigger"),
        ("a.txt", "x", "not definitions"),
        ("a.yaml", "a: [", "a.yaml:"),
        ("camshaft.toml", "[htp]\n", "htp"),
        ("a.json", '{"steps": [{"id": "a", "type": "flow", "flow": {"key": "gone"}}]}', "no flow «gone»"),
    ],
)
def test_files_of_every_kind_of_mistake_are_refused(run, tmp_path, name, text, said):
    (tmp_path / name).write_text(text)

    status, told, _ = run("validate", str(tmp_path / name))

    assert status == 3
    assert said in told


def test_what_is_not_there_is_a_problem(run):
    assert run("validate", "gone.json")[0] == 3
    assert run("validate", ".")[0] == 3


def test_a_warning_is_told_and_refused_only_when_asked(run, tmp_path):
    file = flow_file(tmp_path, key="f", steps=[bash("a", "echo {{$.input.x}}")], settings={})

    loose, strict = run("validate", file, "-o", "json"), run("validate", file, "--strict", "-o", "json")

    assert loose[:2] == (0, "[]\n")
    assert "warning" in loose[2]
    assert strict[0] == 3


def test_a_home_is_made_that_loads_and_runs(run, tmp_path):
    home = str(tmp_path / "new")

    made, valid = run("init", home), run("validate", home)
    done = process("flow", "execute", "greet", "--home", home, "-i", "name=Ada", "-o", "json")

    assert (made[0], valid[0], done.returncode) == (0, 0, 0)
    assert json.loads(done.stdout)["output"] == "Hello, Ada!"


def test_a_home_is_made_where_it_is_named_and_nowhere_else(run, tmp_path, monkeypatch):
    unnamed, twice = run("init"), run("init", "a", "--home", "b")
    named = run("init", "--home", str(tmp_path / "a"))
    monkeypatch.setenv("CAMSHAFT_HOME", str(tmp_path / "b"))
    known = run("init")

    assert [said[0] for said in (unnamed, twice, named, known)] == [2, 2, 0, 0]
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_a_home_is_not_made_over_anything(run, tmp_path):
    (tmp_path / "file").write_text("x")

    assert run("init", str(tmp_path))[0] == 3
    assert run("init", str(tmp_path / "file"))[0] == 3
    assert os.listdir(tmp_path) == ["file"]


def test_triggers_are_added_listed_and_removed_without_a_daemon(run, tmp_path):
    home = str(tmp_path / "home")
    run("init", home)

    added = run(
        "trigger",
        "add",
        "--key",
        "nightly",
        "--cron",
        "0 2 * * *",
        "--flow",
        "greet",
        "-m",
        "name=Ada",
        "--home",
        home,
        "-o",
        "json",
    )
    listed = run("trigger", "list", "--home", home, "-o", "json")
    removed = run("trigger", "rm", "nightly", "--home", home)
    gone = run("trigger", "rm", "nightly", "--home", home)

    assert (added[0], len(json.loads(added[1])["next"])) == (0, 3)
    assert [(one["key"], list(one)) for one in json.loads(listed[1])] == [
        (key, ["key", "type", "flow", "enabled", "state", "suspended", "next"]) for key in ("hello", "nightly")
    ]
    assert (removed[0], gone[0]) == (0, 4)


def test_an_added_file_that_is_refused_is_told_at_its_line(run, tmp_path):
    home = str(tmp_path / "home")
    run("init", home)
    (tmp_path / "t.json").write_text('{\n  "trigger": {"type": "webhook", "path": "/a"},\n  "flow": "gret"\n}')

    status, _, said = run("trigger", "add", "t.json", "--home", home)

    assert status == 3
    assert said.startswith("camshaft: t.json:3:11 flow: there is no flow «gret»")


def test_a_trigger_comes_from_standard_input_in_yaml(run, tmp_path):
    home = str(tmp_path / "home")
    run("init", home)

    status, told, _ = run(
        "trigger", "add", "-", "--home", home, stdin="key: t\ntrigger: {type: webhook, path: /t}\nflow: greet\n"
    )

    assert status == 0
    assert "http://127.0.0.1:8700/hooks/t" in told


def test_a_home_without_a_database_has_no_runs_and_no_events(run, tmp_path):
    assert run("run", "list", "--home", str(tmp_path), "-o", "json")[:2] == (0, "[]\n")
    assert run("event", "list", "--home", str(tmp_path), "-o", "jsonl")[:2] == (0, "")
    assert run("run", "show", "run_1", "--home", str(tmp_path))[0] == 4


def test_a_flow_of_a_home_is_kept_for_run_show(run, tmp_path):
    home = str(tmp_path / "home")
    run("init", home)

    done = process("flow", "execute", "greet", "--home", home, "-i", "name=Ada", "-o", "json")
    executed = json.loads(done.stdout)
    status, told, _ = run("run", "show", executed["run"][:20], "--home", home, "-o", "json")

    shown = json.loads(told)
    assert status == 0
    assert (shown["flow"], shown["trigger"], shown["event"]) == ("greet", None, None)
    assert {name: shown[name] for name in executed} == executed


def test_a_strangers_text_does_not_steer_the_terminal(run, tmp_path):
    home = str(tmp_path / "home")
    run("init", home)

    process("flow", "execute", "greet", "--home", home, "-i", "name=\x1b[2J\x1b]0;gone\x07")
    told = run("run", "show", json.loads(run("run", "list", "--home", home, "-o", "json")[1])[0]["run"], "--home", home)[1]

    assert "\x1b" not in told
    assert "[2J" in told


def test_a_command_brings_the_database_of_an_earlier_camshaft_to_its_schema_and_reads_it(run, tmp_path):
    state = tmp_path / "state"
    make_old(state / "camshaft.db", RELEASED)

    status, said, _ = run("run", "list", "--home", str(tmp_path), "-o", "json")

    assert status == 0
    assert [row["run"][-1] for row in json.loads(said)] == ["c", "b", "a"]
    assert (state / "camshaft.db.0001.backup").is_file()
