"""What tools rely on, literally: the answers of commands and of the daemon, as processes."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.acceptance.database import ON_POSTGRESQL, names_its_store

pytestmark = pytest.mark.long

CAMSHAFT = Path(sys.executable).parent / "camshaft"


# ---- flow execute

FLOW = {
    "key": "main",
    "inputs": {"name": {"type": "string"}, "n": {"type": "number", "default": 3}},
    "steps": [
        {"id": "say", "type": "bash", "bash": {"command": "echo talk >&2; echo said"}},
        {"id": "read", "type": "file-read", "fileRead": {"path": "rel.txt"}},
        {"id": "sub", "type": "flow", "flow": {"key": "child", "inputs": {"x": "$.input.name"}}},
        {"id": "last", "type": "transform", "transform": {"expression": "$.input.n * 2"}},
    ],
}
CHILD = {
    "key": "child",
    "inputs": {"x": {"type": "string"}},
    "steps": [{"id": "a", "type": "transform", "transform": {"expression": "$.input.x + '!'"}}],
}


@pytest.fixture
def beside(tmp_path, write):
    """A folder that is no home, with flows that need each other and a file."""
    folder = tmp_path / "beside"
    write(folder, "main.json", FLOW)
    write(folder, "child.json", CHILD)
    write(folder, "rel.txt", "relative\n")
    write(
        folder,
        "fail.yaml",
        'key: fail\nsteps:\n  - {id: no, type: bash, bash: {command: "echo out; exit 9"}}\n  - {id: after, type: transform, transform: {expression: "1"}}\n',
    )
    write(folder, "refused.json", '{\n  "steps": [\n    {"id": "a", "type": "bassh", "bash": {"command": "x"}}\n  ]\n}')
    return folder


def test_flow_execute_prints_the_run_as_json_and_nothing_else(beside, run):
    done = run("flow", "execute", beside / "main.json", "-i", "name=Ann", "-i", "n:=5", "-o", "json")
    timed = run("flow", "execute", beside / "main.json", "--input", "-", "--metrics", "-o", "json", stdin='{"name": "Bob"}')

    said = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert said.keys() == {"run", "status", "steps", "inputs", "output", "error", "_metrics"}
    assert (said["status"], said["inputs"], said["output"], said["error"]) == ("completed", {"name": "Ann", "n": 5}, 10, None)
    assert {"say", "read", "sub", "last"} <= said["steps"].keys()
    for step in said["steps"].values():
        assert step.keys() == {"status", "output", "error", "errorCode", "durationMs", "attempts"}
    assert said["steps"]["say"]["output"] == "said"
    assert said["steps"]["read"]["output"] == "relative\n"
    assert said["steps"]["sub/a"]["output"] == "Ann!"
    assert said["_metrics"]["steps"]["say"]["durationMs"] == said["steps"]["say"]["durationMs"]
    assert isinstance(said["_metrics"]["totalDurationMs"], int)
    timings = json.loads(timed.stdout)["_stepTimings"]
    assert json.loads(timed.stdout)["inputs"] == {"name": "Bob", "n": 3}
    assert timings.keys() == said["steps"].keys()
    assert all(isinstance(duration, int) for duration in timings.values())


def test_flow_execute_s_exit_status_tells_what_kind_of_end_it_was(beside, run):
    commands = [
        (beside / "fail.yaml", "-o", "json"),
        (beside / "refused.json", "-o", "json"),
        ("-o", "json"),
        (beside / "main.json", "-i", "name", "-o", "json"),
        (beside / "main.json", "-i", "name=A", "-o", "xml"),
        (beside / "main.json", "--nope"),
    ]
    with ThreadPoolExecutor() as pool:
        failed, refused, *usage = pool.map(lambda command: run("flow", "execute", *command), commands)

    said = json.loads(failed.stdout)
    assert (failed.returncode, said["status"]) == (7, "failed")
    assert (said["steps"]["no"]["status"], said["steps"]["no"]["errorCode"]) == ("failed", "EXIT_STATUS")
    assert said["steps"]["no"]["attempts"] == 1
    assert "after" not in {name for name, step in said["steps"].items() if step["status"] == "success"}
    assert said["error"]
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "refused.json:3:" in refused.stderr
    assert "«bash»" in refused.stderr
    assert [(one.returncode, one.stdout) for one in usage] == [(2, "")] * 4
    assert not any("Traceback" in one.stderr for one in (failed, refused, *usage))


async def test_flow_execute_means_the_same_with_and_without_a_daemon(home, daemon_of, run):
    def asked(*arguments):
        done = run("flow", "execute", *arguments, "-o", "json", home=home)
        return done.returncode, json.loads(done.stdout) if done.stdout else None

    def plain(result):
        code, said = result
        return code, said and [said["status"], said["inputs"], said["output"], {k: v["output"] for k, v in said["steps"].items()}]

    cases = [("deal-process", "-i", "companyName=Acme"), ("deal-process",), ("no-such-flow",)]  # the second lacks an input
    with ThreadPoolExecutor() as pool:
        alone = [plain(result) for result in pool.map(lambda case: asked(*case), cases)]
    daemon = await daemon_of(home)
    served = [plain(asked(*case)) for case in cases]

    assert alone == served
    assert alone[0][0] == 0
    assert alone[1][0] in {2, 3}
    assert alone[2][0] == 4
    assert daemon.rows("SELECT DISTINCT status FROM runs") == [("completed",)]


# ---- validate

MISTAKES = {
    # file: (text, where, what the problem or its hint says)
    "triggers/comma.json": ('{"trigger": {"type": "webhook", "path": "/x",}, "flow": "f"}', (1, 45), "comma"),
    "triggers/field.json": (
        '{\n  "trigger": {"type": "webhook", "path": "/x", "fliter": "true"},\n  "flow": "f"\n}',
        (2, 48),
        "«filter»",
    ),
    "triggers/filter.yaml": ("trigger:\n  type: webhook\n  path: /x\n  filter: \"$.body.a === 'x' &&\"\nflow: f\n", (4, 31), "ends"),
    "triggers/name.yaml": ("trigger:\n  type: webhook\n  path: /x\n  filter: body.a === 'x'\nflow: f\n", (4, 11), "$.body"),
    "triggers/type.json": ('{"trigger": {"type": "webhok", "path": "/x"}, "flow": "f"}', (1, 22), "«webhook»"),
    "triggers/cron.yaml": ('trigger:\n  type: schedule\n  cron: "0 9 * * 8"\nflow: f\n', (3, 18), "0-7"),
    "triggers/never.yaml": ('trigger:\n  type: schedule\n  cron: "0 0 30 2 *"\nflow: f\n', (3, None), "never"),
    "triggers/zone.yaml": ("trigger:\n  type: schedule\n  cron: 0 0 1 2 *\n  timezone: Europe/Berlni\nflow: f\n", (4, 13), "Europe/Berlin"),
    "triggers/no-flow.json": ('{"trigger": {"type": "webhook", "path": "/x"}, "flow": "fff"}', (1, 56), "no flow"),
    "triggers/flowless.json": ('{"trigger": {"type": "webhook", "path": "/x"}}', (1, 1), "flow is missing"),
    "triggers/mapping.json": (
        '{"trigger": {"type": "webhook", "path": "/x"}, "flow": "f", "inputMapping": {"n": "$.body[n]"}}',
        (1, None),
        "['n']",
    ),
    "triggers/unmapped.json": ('{"trigger": {"type": "webhook", "path": "/x"}, "flow": "f", "inputMapping": {}}', (1, None), "«n»"),
    "triggers/enabled.json": ('{"enabled": "yes", "trigger": {"type": "webhook", "path": "/x"}, "flow": "f"}', (1, 13), "true or false"),
    "triggers/auth.json": (
        '{"trigger": {"type": "webhook", "path": "/x", "auth": {"type": "bearer", "secret": "hunter2"}}, "flow": "f"}',
        (1, None),
        "never holds a secret",
    ),
    "triggers/signature.json": (
        '{"trigger": {"type": "webhook", "path": "/x", "auth": {"type": "hmak", "secret": {"env": "A"}}}, "flow": "f"}',
        (1, None),
        "«hmac»",
    ),
    "triggers/list.json": ("[1]", (1, 1), "object"),
    "triggers/empty.json": ("", (1, 1), "empty"),
    "triggers/twice.json": ('{"key": "a", "key": "b", "trigger": {"type": "webhook", "path": "/x"}, "flow": "f"}', (1, 14), "twice"),
    "triggers/deep.json": ("[" * 5000 + "]" * 5000, (1, 201), "deep"),
    "triggers/deep.yaml": ("a: " + "[" * 5000 + "]" * 5000, (1, None), "deep"),
    "triggers/number.json": ('{"key": ' + "9" * 5000 + "}", (1, 9), "number"),
    "triggers/tab.yaml": ("trigger:\n\ttype: webhook\n", (2, 1), "tab"),
    "triggers/code.yaml": ('a: !!python/object/apply:os.system ["true"]\n', (1, 4), "plain data"),
    "triggers/bomb.yaml": (
        'a: &a ["x", "x"]\n' + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)),
        (None, None),
        "100,000",
    ),
    "triggers/two.yaml": ("a: 1\n---\nb: 2\n", (2, 1), "second document"),
    "triggers/duration.json": (
        '{"trigger": {"type": "webhook", "path": "/x"}, "flow": "f", "idempotency": {"key": "$.id", "ttl": "24"}}',
        (1, None),
        "unit",
    ),
    "triggers/key.json": ('{"key": "../../x", "trigger": {"type": "webhook", "path": "/x"}, "flow": "f"}', (1, 9), "«x»"),
    "flows/cycle.json": (
        ('{"steps": [{"id": "a", "type": "transform", "needs": ["b"], "transform": {"expression": "1"}},\n'
        ' {"id": "b", "type": "transform", "needs": ["a"], "transform": {"expression": "1"}}]}'),
        (1, None),
        "a → b → a",
    ),
    "flows/step.json": ('{"steps": [{"id": "a", "type": "transfrom", "transform": {"expression": "1"}}]}', (1, 32), "«transform»"),
    "flows/double.json": (
        ('{"steps": [{"id": "a", "type": "transform", "transform": {"expression": "1"}},\n'
        ' {"id": "a", "type": "transform", "transform": {"expression": "1"}}]}'),
        (2, 9),
        "two steps",
    ),
    "flows/unknown.json": ('{"steps": [{"id": "a", "type": "transform", "transform": {"expression": "$.steps.nope.output"}}]}', (1, None), "«nope»"),
    "flows/later.json": (
        ('{"steps": [{"id": "a", "type": "transform", "transform": {"expression": "$.steps.b.output"}},\n'
        ' {"id": "b", "type": "transform", "transform": {"expression": "1"}}]}'),
        (1, None),
        "«b»",
    ),
    "flows/sub.json": ('{"steps": [{"id": "a", "type": "flow", "flow": {"key": "no-such"}}]}', (1, None), "«no-such»"),
    "flows/self.json": ('{"steps": [{"id": "a", "type": "flow", "flow": {"key": "self"}}]}', (1, None), "self → self"),
    "flows/near.json": ('{"steps": [{"id": "a", "type": "bash", "timeoutMS": 3, "bash": {"command": "x"}}]}', (1, 40), "«timeoutMs»"),
    "flows/text.json": ('{"steps": "x"}', (1, 11), "list"),
}  # fmt: skip


def test_validate_tells_every_mistake_with_its_place(tmp_path, write, run):
    folder = tmp_path / "broken"
    write(folder, "camshaft.toml", "")
    good = [{"id": "a", "type": "transform", "transform": {"expression": "$.input.n"}}]
    write(folder, "flows/f.json", {"key": "f", "inputs": {"n": {"type": "number"}}, "steps": good})
    for name, (text, _, _) in MISTAKES.items():
        write(folder, name, text)
    (folder / "triggers" / "binary.json").write_bytes(b"\xff\xfe\x00\x01")

    done = run("validate", folder, "-o", "json")

    found: dict[str, list] = {}
    for problem in json.loads(done.stdout):
        assert problem.keys() == {"file", "line", "column", "path", "problem", "hint"}
        found.setdefault(str(problem["file"]).removeprefix(f"{folder}/"), []).append(problem)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert found.keys() == MISTAKES.keys() | {"triggers/binary.json"}
    for name, (_, (line, column), words) in MISTAKES.items():
        said = [one for one in found[name] if words in f"{one['problem']} {one['hint']}"]
        assert said, (name, found[name])
        assert any(line in (None, one["line"]) and column in (None, one["column"]) for one in said), (name, said)


def test_validate_of_what_is_right_is_an_empty_list(home, run, run_json):
    assert run_json("validate", home) == []
    assert run_json("validate", home / "triggers" / "auto-process-deal.json", home / "flows") == []
    missing = run("validate", home / "nowhere.json", "-o", "json")
    assert missing.returncode == 3
    assert json.loads(missing.stdout)[0]["file"] == str(home / "nowhere.json")


async def test_trigger_add_tells_the_same_places_with_and_without_a_daemon(home, write, daemon_of, run):
    broken = 'trigger:\n  type: webhook\n  path: /x\n  filter: "$.body.a ==="\n  fliter: x\nflow: deal-process\n'
    file = write(home.parent, "broken.yaml", broken)

    alone = run("trigger", "add", file, home=home)
    await daemon_of(home)
    served = run("trigger", "add", file, home=home)

    assert alone.returncode == served.returncode == 3
    assert alone.stderr == served.stderr
    assert f"{file}:4:24 " in served.stderr
    assert f"{file}:5:3 " in served.stderr


# ---- the daemon

DEAL = {"source": "email", "company": "Acme", "email": "a@b.c"}


async def test_webhook_answers_runs_and_events_are_told_in_their_forms(home, write, daemon_of, client, run_json):
    trigger = json.loads((home / "triggers/auto-process-deal.json").read_text())
    write(home, "triggers/second.json", {**trigger, "key": "second", "inputMapping": {"companyName": "$.body.nothing.here"}})
    write(home, "triggers/off.json", {**trigger, "key": "off", "enabled": False})
    write(
        home, "triggers/error.json", {**trigger, "key": "error", "trigger": {**trigger["trigger"], "filter": "$.body.source()"}}
    )
    slots = {"key": "slots", "trigger": {"type": "schedule", "cron": "0 9 * * 1-5", "timezone": "Europe/Berlin"}}
    write(home, "triggers/slots.json", {**slots, "flow": "deal-process", "inputMapping": {"companyName": "x"}})
    daemon = await daemon_of(home)

    async with client.post(f"{daemon.hooks}/deal-created", json=DEAL) as answer:
        status, said = answer.status, await answer.json()
    async with client.post(f"{daemon.hooks}/deal-created", json={"source": "web"}) as answer:
        none_matched, nothing = answer.status, await answer.json()
    await daemon.all_ended()
    event = run_json("event", "show", said["event"], home=home)
    shown = run_json("run", "show", said["runs"][0], home=home)
    by_prefix = run_json("run", "show", said["runs"][0][:-3], home=home)
    listed = run_json("trigger", "list", home=home)

    assert (status, none_matched, nothing["runs"]) == (202, 200, [])
    assert said.keys() == {"event", "runs", "verdicts"}
    assert said["event"].startswith("evt_")
    assert [run[:4] for run in said["runs"]] == ["run_"]
    assert said["verdicts"]["auto-process-deal"] == "dispatched"
    assert said["verdicts"]["second"] == "mapping_error"
    assert said["verdicts"]["error"] in {"filter_false", "filter_error"}
    assert {verdict["trigger"]: verdict["verdict"] for verdict in event["verdicts"]} == said["verdicts"]
    assert all({"trigger", "verdict", "reason", "run"} <= verdict.keys() for verdict in event["verdicts"])
    assert all(verdict["reason"] for verdict in event["verdicts"] if verdict["verdict"] != "dispatched")
    assert {"run", "status", "steps", "inputs", "output", "error", "_metrics", "event", "trigger", "flow"} <= shown.keys()
    assert by_prefix == shown
    assert [(row["key"], row["type"], row["flow"], row["enabled"]) for row in listed] == [
        ("auto-process-deal", "webhook", "deal-process", True),
        ("error", "webhook", "deal-process", True),
        ("off", "webhook", "deal-process", False),
        ("second", "webhook", "deal-process", True),
        ("slots", "schedule", "deal-process", True),
    ]
    assert [len(row["next"]) for row in listed] == [0, 0, 0, 0, 3]
    assert all(slot.endswith("Z") and len(slot) == 20 for slot in listed[-1]["next"])


async def test_strangers_learn_no_trigger_s_name(home, write, daemon_of, client):
    """Beyond loopback `verdicts` is only told where the hook has `auth`."""
    trigger = json.loads((home / "triggers/auto-process-deal.json").read_text())
    section = {"type": "webhook", "path": "/guarded", "auth": {"type": "bearer", "secret": {"env": "DEAL_SECRET"}}}
    write(home, "triggers/guarded.json", {**trigger, "key": "guarded", "trigger": section})
    daemon = await daemon_of(home, "--listen", "0.0.0.0:0", env={"DEAL_SECRET": "s3cret"})
    url = daemon.hooks.replace("0.0.0.0", "127.0.0.1")

    async with client.post(f"{url}/deal-created", json=DEAL) as answer:
        plain = await answer.json()
    async with client.post(f"{url}/guarded", json=DEAL, headers={"Authorization": "Bearer s3cret"}) as answer:
        guarded = await answer.json()
    async with client.post(f"{url}/guarded", json=DEAL, headers={"Authorization": "Bearer wrong"}) as answer:
        refused, text = answer.status, await answer.text()

    assert plain.keys() == {"event", "runs"}
    assert guarded["verdicts"] == {"guarded": "dispatched"}
    assert refused == 401
    assert "guarded" not in text


@names_its_store
async def test_a_home_is_found_by_camshaft_home_and_flags_win_over_the_environment_and_that_over_the_file(
    home, write, daemon_of, run, run_json
):
    write(home, "camshaft.toml", '[http]\nlisten = "127.0.0.1:1"\nadmin = "127.0.0.1:2"\n[worker]\nconcurrency = 3\n')
    daemon = await daemon_of(home, env={"CAMSHAFT_HTTP__LISTEN": "127.0.0.1:3"})

    by_environment = run("trigger", "list", "-o", "json", env={"CAMSHAFT_HOME": str(home)})
    by_flag = run("trigger", "list", "-o", "json", home=home, env={"CAMSHAFT_HOME": "/nowhere"})
    other = shutil.copytree(home, home.parent / "other", ignore=shutil.ignore_patterns("state"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        wanted = "{}:{}".format(*taken.getsockname())
        refused = run("serve", home=other, env={"CAMSHAFT_HTTP__LISTEN": wanted})

    assert ":3" not in daemon.hooks[-3:]
    assert wanted in refused.stderr  # the environment's, not the file's
    assert json.loads(by_environment.stdout) == json.loads(by_flag.stdout)
    assert json.loads(by_flag.stdout)[0]["key"] == "auto-process-deal"
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr


async def test_what_a_home_s_database_holds_is_readable_by_nobody_else(daemon):
    modes = {file.name: oct(os.stat(file).st_mode & 0o077) for file in (daemon.home / "state").iterdir()}

    assert set(modes.values()) == {"0o0"}, modes
    assert ON_POSTGRESQL or daemon.rows("PRAGMA journal_mode") == [("wal",)]
