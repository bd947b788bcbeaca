"""The commands without a daemon: what they print, what they refuse, and how they exit."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.cli import main
from daemon.cli.main import COMMANDS
from tests.daemon.old_stores import RELEASED, make_old

EXAMPLE = Path(__file__).parents[2] / "examples/home"
CAMSHAFT = str(Path(sys.executable).with_name("camshaft"))


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith("CAMSHAFT_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(capsys, monkeypatch):
    """One command in this process: its exit status, what it printed and what it said."""

    def command(*arguments: str, stdin: str | bytes = b"") -> tuple[int, str, str]:
        raw = stdin.encode("utf-8", "surrogatepass") if isinstance(stdin, str) else stdin
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8"))
        status = main(arguments)
        told = capsys.readouterr()
        return status, told.out, told.err

    return command


def process(*arguments: str, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [CAMSHAFT, *arguments], input=stdin, capture_output=True, env={**os.environ, **environment}, timeout=60, check=False
    )


def flow_file(folder: Path, name: str = "f.json", **flow: object) -> str:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(flow))
    return str(file)


def step(name: str, expression: str) -> dict[str, object]:
    return {"id": name, "type": "transform", "transform": {"expression": expression}}


def bash(name: str, command: str, **more: object) -> dict[str, object]:
    return {"id": name, "type": "bash", "bash": {"command": command}, **more}


# What every command has in common


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


# eval


def test_a_value_is_printed_as_json(run):
    assert run("eval", "$.a.b.map(x => x * 2)", "--data", "-", stdin='{"a": {"b": [1, 2]}}') == (0, "[2,4]\n", "")
    assert run("eval", "-1 + 3") == (0, "2\n", "")
    assert run("eval", "'😀'") == (0, '"😀"\n', "")


def test_an_expression_that_is_wrong_is_refused_with_its_column(run):
    status, told, said = run("eval", "1 +")

    assert (status, told) == (3, "")
    assert "<expression>:1:4" in said


def test_a_condition_is_printed_as_a_filter_would_answer(run):
    assert run("eval", "--condition", "$.a.b.c")[1] == "false\n"
    assert run("eval", "--condition", "'no'")[1] == "true\n"


def answers(run, *lines: object) -> list[dict]:
    status, told, said = run(
        "eval", "--batch", stdin="\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n"
    )
    assert (status, said) == (0, "")
    return [json.loads(line) for line in told.splitlines()]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ({"expr": "$.a + 1", "names": {"$": {"a": 2}}}, {"ok": True, "type": "number", "value": 3, "condition": True}),
        ({"expr": "$.a", "names": {"$": {}}}, {"ok": True, "type": "undefined", "condition": False}),
        ({"expr": "0 / 0"}, {"ok": True, "type": "number", "value": "NaN", "condition": False}),
        ({"expr": "-1 / 0"}, {"ok": True, "type": "number", "value": "-Infinity", "condition": True}),
        ({"expr": "-0"}, {"ok": True, "type": "number", "value": "-0", "condition": False}),
        ({"expr": "x => x"}, {"ok": True, "type": "function", "condition": True}),
        ({"expr": "null"}, {"ok": True, "type": "null", "value": None, "condition": False}),
        ({"expr": "'\ud83d'"}, {"ok": True, "type": "string", "value": "\ud83d", "condition": True}),
        ({"path": "$.a[*]", "data": {"a": [1, 2]}}, {"ok": True, "single": False, "values": [1, 2]}),
        ({"path": "$.a", "data": {"a": None}}, {"ok": True, "single": True, "values": [None]}),
        ({"path": "$.b", "data": {"a": None}}, {"ok": True, "single": True, "values": []}),
        ({"template": "{{a.b}}-{{$.a.b}}", "data": {"a": {"b": 0}}}, {"ok": True, "value": "0-0"}),
    ],
)
def test_a_line_of_a_batch_is_answered(run, line, answer):
    (said,) = answers(run, {"id": 7, **line})

    assert said == {"id": 7, **answer}


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ({"expr": "1 +"}, "EXPRESSION_SYNTAX"),
        ({"expr": "nowhere"}, "EXPRESSION_NAME"),
        ({"expr": "'a'.repeat(1e9)"}, "EXPRESSION_LIMIT"),
        ({"path": "body.company"}, "SELECTOR_SYNTAX"),
        ({"template": "{{", "data": {}}, "TEMPLATE_SYNTAX"),
    ],
)
def test_a_line_that_is_refused_says_why_and_where(run, line, code):
    (said,) = answers(run, {"id": "x", **line})

    assert (said["id"], said["ok"], said["code"]) == ("x", False, code)
    assert said["error"]
    assert said["column"] >= 1


def test_a_walk_into_nothing_is_a_false_condition(run):
    (said,) = answers(run, {"id": 1, "expr": "$.a.b.c", "names": {"$": {}}})

    assert (said["ok"], said["code"], said["condition"]) == (False, "EXPRESSION_TYPE", False)


def test_no_line_ends_a_batch_and_every_line_has_its_answer_in_order(run):
    lines = [
        "nonsense",
        "[]",
        "null",
        "5",
        '{"id": 1}',
        '{"id": 2, "expr": 5}',
        '{"id": 3, "expr": "1", "path": "$"}',
        '{"id": 4, "expr": "1", "names": []}',
        "[" * 100_000,
        {"id": 5, "expr": "5"},
    ]

    said = answers(run, *lines)

    assert [(one["id"], one["ok"]) for one in said] == [(None, False)] * 4 + [
        (1, False),
        (2, False),
        (3, False),
        (4, False),
        (None, False),
        (5, True),
    ]


def test_a_line_that_is_no_text_and_one_of_ten_megabytes_are_answered(run):
    big = json.dumps({"id": 2, "expr": "$.length", "names": {"$": "x" * 10_000_000}}).encode()

    status, told, _ = run("eval", "--batch", stdin=b"\xff\xfe\n" + big + b"\n\n" + b'{"id": 3, "expr": "1"}')

    said = [json.loads(line) for line in told.splitlines()]
    assert status == 0
    assert [(one["id"], one["ok"]) for one in said] == [(None, False), (2, True), (3, True)]
    assert said[1]["value"] == 10_000_000


def test_an_answer_comes_before_the_next_line_is_asked():
    with subprocess.Popen([CAMSHAFT, "eval", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as asked:
        assert asked.stdin is not None
        assert asked.stdout is not None
        for number in range(3):
            asked.stdin.write(json.dumps({"id": number, "expr": "1"}).encode() + b"\n")
            asked.stdin.flush()

            assert json.loads(asked.stdout.readline())["id"] == number
        asked.stdin.close()

    assert asked.returncode == 0


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
SOURCES = st.text("$.abc[]'\"()=!<>&|?:{}0123456789+-*/% x\\\ud800é", max_size=30)


@settings(max_examples=200, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "id": VALUES,
            "expr": SOURCES | VALUES,
            "path": SOURCES | VALUES,
            "template": SOURCES | VALUES,
            "data": VALUES,
            "names": st.fixed_dictionaries({"$": VALUES}) | VALUES,
        },
    )
)
def test_every_line_has_an_answer_that_is_json(line):
    from daemon.cli.batch import _answer
    from daemon.cli.evaluate import report

    said = json.loads(_answer(json.dumps(line).encode(), report))

    assert said["ok"] in {True, False}
    assert said["ok"] or (said["code"] and said["error"])


# schedule


def test_the_next_times_of_a_cron_text_are_instants(run):
    status, told, _ = run(
        "schedule",
        "next",
        "0 9 * * 1-5",
        "--timezone",
        "Europe/Berlin",
        "--from",
        "2026-11-20T12:00:00Z",
        "-n",
        "2",
        "-o",
        "json",
    )

    assert (status, json.loads(told)) == (0, ["2026-11-23T08:00:00Z", "2026-11-24T08:00:00Z"])


def test_a_cron_text_that_never_comes_is_refused(run):
    status, told, said = run("schedule", "next", "0 0 30 2 *")

    assert (status, told) == (3, "")
    assert "never comes" in said


def test_a_batch_of_cron_texts_is_answered_line_by_line(run):
    lines = [{"id": 1, "expr": "@daily", "start": "2026-01-01T00:00:00Z", "n": 1}, {"id": 2, "expr": "* * * * * *"}, "x"]

    status, told, _ = run(
        "schedule", "next", "--batch", stdin="\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    )

    said = [json.loads(line) for line in told.splitlines()]
    assert status == 0
    assert said[0] == {"id": 1, "ok": True, "times": ["2026-01-02T00:00:00Z"]}
    assert [(one["id"], one["ok"]) for one in said[1:]] == [(2, False), (None, False)]


# validate and init


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


# trigger, run and event without a daemon


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


# flow execute


def test_a_file_is_executed_with_its_sub_flows_beside_it_and_without_a_home(tmp_path):
    flow_file(tmp_path, "inner.json", steps=[step("a", "$.input.x + 1")])
    file = flow_file(
        tmp_path,
        "outer.json",
        steps=[{"id": "in", "type": "flow", "flow": {"key": "inner", "inputs": {"x": "$.input.x"}}}],
        inputs={"x": {"type": "number"}},
    )

    done = process("flow", "execute", file, "-i", "x=41", "-o", "json", HOME=str(tmp_path))

    said = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, b"")
    assert list(said) == ["run", "status", "steps", "inputs", "output", "error", "_metrics"]
    assert (said["status"], said["inputs"], list(said["steps"])) == ("completed", {"x": 41}, ["in", "in/a"])
    assert said["steps"]["in/a"]["output"] == 42


def test_relative_paths_of_a_file_start_beside_it(tmp_path):
    file = flow_file(tmp_path / "deep", steps=[bash("here", "pwd")])

    done = process("flow", "execute", file, "-o", "json", HOME=str(tmp_path))

    assert json.loads(done.stdout)["output"] == str(tmp_path / "deep")


def test_a_run_that_failed_exits_7_with_its_result(tmp_path):
    file = flow_file(tmp_path, steps=[step("a", "1"), bash("b", "echo no >&2; exit 3")])

    done = process("flow", "execute", file, "-o", "json", "--metrics", HOME=str(tmp_path))

    said = json.loads(done.stdout)
    assert (done.returncode, said["status"], said["steps"]["b"]["status"]) == (7, "failed", "failed")
    assert said["steps"]["b"]["errorCode"]
    assert set(said["_stepTimings"]) == {"a", "b"}


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["gone.json"], 3),
        (["bad.json"], 3),
        (["f.json"], 3),
        (["f.json", "-i", "x"], 2),
        (["f.json", "-i", "x:={"], 2),
        (["f.json", "-i", "x=abc"], 3),
        (["f.json", "--input", "gone.json"], 1),
        (["f.json", "-i", "x=1", "--detach"], 2),
        (["nokey", "--home", "."], 4),
        (["nokey", "--home", ".", "--detach"], 5),
        (["f.json", "-i", "x=1"], 0),
    ],
)
def test_an_execution_exits_as_documented(run, tmp_path, arguments, status):
    flow_file(tmp_path, inputs={"x": {"type": "number"}}, steps=[step("a", "$.input.x")])
    flow_file(tmp_path, "bad.json", steps=[{"id": "a", "type": "bsh"}])

    done = subprocess.run(
        [CAMSHAFT, "flow", "execute", *arguments],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
        env={**os.environ, "HOME": str(tmp_path)},
    )

    assert done.returncode == status
    assert b"Traceback" not in done.stderr
    assert (done.stdout == b"") == (status != 0)


def test_inputs_come_from_a_file_and_single_ones_are_stronger(tmp_path):
    file = flow_file(
        tmp_path, inputs={"a": {"type": "number"}, "b": {"type": "any"}}, steps=[step("x", "[$.input.a, $.input.b]")]
    )

    done = process(
        "flow",
        "execute",
        file,
        "--input",
        "-",
        "-i",
        "a=2",
        "-i",
        'b:={"c": [1]}',
        "-o",
        "json",
        stdin=b'{"a": 1}',
        HOME=str(tmp_path),
    )

    assert json.loads(done.stdout)["output"] == [2, {"c": [1]}]


def test_interrupting_an_execution_prints_what_was_done_and_exits_130(tmp_path):
    started = tmp_path / "started"
    os.mkfifo(started)
    file = flow_file(tmp_path, steps=[step("a", "1"), bash("b", f"echo > {started}; sleep 60", timeoutMs=90_000)])
    with subprocess.Popen(
        [CAMSHAFT, "flow", "execute", file, "-o", "json"], stdout=subprocess.PIPE, env={**os.environ, "HOME": str(tmp_path)}
    ) as asked:
        started.read_text()

        asked.send_signal(signal.SIGINT)
        told, _ = asked.communicate(timeout=30)

    said = json.loads(told)
    assert (asked.returncode, said["status"]) == (130, "cancelled")
    assert (said["steps"]["a"]["status"], said["steps"]["b"]["status"]) == ("success", "cancelled")


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
