"""`trigger test`, `fire` and `explain`: commands in this process, on a home without a daemon and with a real one."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon.cli import main

CAMSHAFT = str(Path(sys.executable).with_name("camshaft"))
DEAL = {"source": "email", "company": "Acme", "email": "a@b.c"}
HOOK = {
    "trigger": {"type": "webhook", "path": "/deal-created", "filter": "$.body.source === 'email'"},
    "flow": "deal-process",
    "inputMapping": {"companyName": "$.body.company", "founderEmail": "$.body.email"},
}
FLOW = {
    "inputs": {"companyName": {"type": "string"}, "founderEmail": {"type": "string", "required": False}},
    "steps": [{"id": "greet", "type": "transform", "transform": {"expression": "'Hello ' + $.input.companyName"}}],
}


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def home(tmp_path, write, monkeypatch) -> Path:
    for name in [name for name in os.environ if name.startswith("CAMSHAFT_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "home"
    write(folder, "camshaft.toml", "")
    write(folder, "triggers/auto-process-deal.json", HOOK)
    write(folder, "flows/deal-process.json", FLOW)
    return folder


@pytest.fixture
def run(capsys, monkeypatch):
    """One command in this process."""

    def command(*arguments, home: Path | None = None, stdin: str = "") -> Done:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        status = main([*map(str, arguments), *(["--home", str(home)] if home else [])])
        told = capsys.readouterr()
        return Done(status, told.out, told.err)

    return command


@pytest.fixture
def run_json(run):
    """The same with -o json, which must succeed: its data."""

    def command(*arguments, **more):
        done = run(*arguments, "-o", "json", **more)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return command


@pytest.fixture
def serve():
    """serve(home): a real daemon, until the end of the test. Gives where its hooks are."""
    with ExitStack() as stack:

        def start(home: Path) -> str:
            log = stack.enter_context((home.parent / "log").open("wb"))
            command = [CAMSHAFT, "serve", "--home", str(home), "--listen", "127.0.0.1:0"]
            daemon = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True))
            stack.callback(daemon.send_signal, signal.SIGTERM)
            assert daemon.stdout is not None
            return daemon.stdout.readline().split()[1]

        yield start


def post(address: str, body) -> None:
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        response.read()


@pytest.fixture
def tested(home, write):
    """The home with a trigger that carries tests, one of which is not met, and one that is switched off."""
    write(
        home,
        "triggers/tested.json",
        {
            "trigger": {"type": "webhook", "path": "/t", "filter": "$.body.n > 1"},
            "flow": "deal-process",
            "inputMapping": {"companyName": "{{$.body.n}}"},
            "enabled": False,
            "tests": [
                {"name": "two", "event": {"body": {"n": 2}}, "expect": {"fires": True, "inputs": {"companyName": "2"}}},
                {"event": {"body": {"n": 1}}, "expect": {"verdict": "filter_false", "reason": "`$.body.n` was `1`"}},
            ],
        },
    )
    return home


def test_a_definition_s_own_tests_run_without_a_daemon_and_store_nothing(tested, run, run_json):
    passed = run("trigger", "test", home=tested)

    assert passed.returncode == 0, passed.stderr
    assert passed.stdout.splitlines() == ["ok    tested  two", "ok    tested  test 2", "2 passed, 0 failed"]
    assert run_json("trigger", "test", "auto-process-deal", home=tested)["untested"] == ["auto-process-deal"]
    assert not (tested / "state").exists()


def test_a_test_that_is_not_met_is_exit_6_and_says_what_differs(tested, run, write):
    definition = json.loads((tested / "triggers/tested.json").read_text())
    definition["tests"][0]["expect"]["inputs"] = {"companyName": 2}
    write(tested, "triggers/tested.json", definition)

    failed = run("trigger", "test", "tested", home=tested)

    assert failed.returncode == 6
    assert 'the input «companyName» is "2", not 2' in failed.stdout
    assert failed.stdout.splitlines()[-1] == "1 passed, 1 failed"


def test_tests_that_are_written_wrong_are_refused_by_validate_at_their_place(tested, run, write):
    file = write(
        tested,
        "triggers/bad.yaml",
        "trigger: {type: webhook, path: /b}\nflow: deal-process\ntests:\n  - event: {}\n    expect: {fire: true}\n",
    )

    checked = run("validate", tested)

    assert checked.returncode == 3
    assert f"{file}:5:14 tests[0].expect.fire" in checked.stdout
    assert "did you mean «fires»" in checked.stdout


@pytest.mark.parametrize("served", [False, True])
def test_one_event_is_tried_with_and_without_a_daemon(tested, run, run_json, serve, served):
    _ = serve(tested) if served else None

    def tried(*arguments):
        return run_json("trigger", "test", "auto-process-deal", *arguments, home=tested)

    fires = tried("--body", json.dumps(DEAL))
    quiet = tried("--body", '{"source": "web"}', "-H", "X-Id: 5", "--query", "a=b")
    off = run_json("trigger", "test", "tested", "--body", '{"n": 5}', home=tested)
    unmet = run("trigger", "test", "tested", "--body", '{"n": 0}', "--expect-fires", home=tested)

    assert (fires["fires"], fires["inputs"]) == (True, {"companyName": "Acme", "founderEmail": "a@b.c"})
    assert (quiet["verdict"], quiet["detail"]["deciding"], quiet["inputs"]) == ("filter_false", "$.body.source === 'email'", None)
    assert (off["fires"], off["enabled"]) == (True, False)
    assert unmet.returncode == 6
    assert run_json("event", "list", home=tested) == run_json("run", "list", home=tested) == []


def test_what_is_no_event_is_refused_where_it_is_wrong(tested, run, write):
    file = write(tested, "event.json", '{"body": {},\n "hedders": {}}')

    def said(*arguments, status, stdin=""):
        done = run("trigger", "test", *arguments, home=tested, stdin=stdin)
        assert done.returncode == status, done.stderr
        return done.stderr

    assert "--body is not JSON" in said("tested", "--body", "{n: 1", status=2)
    assert f"{file}:2:2 hedders" in said("tested", "--event", file, status=3)
    assert "did you mean «headers»" in said("tested", "--event", "-", status=3, stdin='{"hedders": {}}')
    assert "holds no event" in said("tested", "--event", "-", status=2, stdin="[1]")
    assert "takes name=value" in said("tested", "--header", "nonsense", status=2)
    assert "did you mean «tested»" in said("testd", "--body", "{}", status=4)
    assert "one trigger" in said("--body", "{}", status=2)
    assert "goes with an event" in said("tested", "--expect-fires", status=2)
    assert "there is no file" in said("tested", "--file", tested, status=1).lower()


def test_firing_by_hand_goes_through_the_one_door(home, run, run_json, serve, tmp_path):
    (tmp_path / "deal.json").write_text(json.dumps(DEAL))
    alone = run("trigger", "fire", "auto-process-deal", home=home)
    serve(home)

    fired = run_json("trigger", "fire", "auto-process-deal", "--body", f"@{tmp_path}/deal.json", "--wait", home=home)
    quiet = run("trigger", "fire", "auto-process-deal", "--body", '{"source": "web"}', home=home)
    event = run_json("event", "show", fired["event"], home=home)
    again = run_json("trigger", "test", "auto-process-deal", "--event", "-", home=home, stdin=json.dumps(event))

    assert alone.returncode == 5
    assert "camshaft serve" in alone.stderr
    assert fired["ended"][0]["output"] == "Hello Acme"
    assert (event["source"], event["address"], event["document"]["body"]) == ("manual", "auto-process-deal", DEAL)
    assert quiet.returncode == 6
    assert '`$.body.source` was `"web"`' in quiet.stdout
    assert again["fires"]
    assert run_json("event", "list", "--verdict", "filter_false", home=home)[0]["source"] == "manual"


def test_each_kind_of_trigger_is_fired_with_a_document_of_its_own(home, write, run, run_json, serve, tmp_path):
    (tmp_path / "new.txt").write_text("hello")
    sections = {
        "daily": ({"type": "schedule", "cron": "0 9 * * *", "timezone": "Asia/Tokyo"}, "$.trigger.scheduledDate"),
        "inbox": ({"type": "file-watch", "paths": [str(tmp_path / "in")]}, "{{$.file.name}} {{$.file.size}}"),
        "after": ({"type": "flow", "flow": "deal-process", "on": ["failed", "completed"]}, "{{$.flow.run}} {{$.flow.outputs}}"),
    }
    for key, (section, company) in sections.items():
        write(home, f"triggers/{key}.json", {"trigger": section, "flow": "greet", "inputMapping": {"companyName": company}})
    write(
        home,
        "flows/greet.json",
        {"steps": [{"id": "a", "type": "transform", "transform": {"expression": "$.input.companyName"}}]},
    )
    serve(home)

    def fired(*arguments):
        return run_json("trigger", "fire", *arguments, "--wait", home=home)["ended"][0]["output"]

    deal = run_json("trigger", "fire", "auto-process-deal", "--body", json.dumps(DEAL), "--wait", home=home)
    bad = run("trigger", "fire", "daily", "--at", "noon", home=home)

    assert fired("daily", "--at", "2026-11-28T23:00:00Z") == "2026-11-29"
    assert fired("inbox", "--file", tmp_path / "new.txt") == "new.txt 5"
    assert fired("after", "--run", deal["runs"][0]) == f"{deal['runs'][0]} Hello Acme"
    assert (bad.returncode, "must be an instant" in bad.stderr) == (3, True)


def test_a_run_that_fails_is_exit_7_and_a_repeated_idempotency_key_exit_6(home, write, run, serve):
    write(home, "flows/deal-process.json", {"steps": [{"id": "a", "type": "bash", "bash": {"command": "exit 1"}}]})
    definition = json.loads((home / "triggers/auto-process-deal.json").read_text())
    write(home, "triggers/auto-process-deal.json", definition | {"idempotency": {"key": "$.body.company"}})
    serve(home)

    first = run("trigger", "fire", "auto-process-deal", "--body", json.dumps(DEAL), "--wait", home=home)
    second = run("trigger", "fire", "auto-process-deal", "--body", json.dumps(DEAL), "--wait", home=home)

    assert (first.returncode, second.returncode) == (7, 6)
    assert "duplicate" in second.stdout


def test_explaining_a_trigger_says_what_it_waits_for_what_is_in_its_way_and_what_was(home, write, run, run_json, serve):
    section = {"type": "webhook", "path": "/secret", "auth": {"type": "bearer", "secret": {"env": "NO_SUCH_TOKEN"}}}
    write(
        home,
        "triggers/secret.json",
        {"trigger": section, "flow": "deal-process", "enabled": False, "inputs": {"companyName": "x"}},
    )
    write(
        home,
        "triggers/after.json",
        {
            "trigger": {"type": "flow", "flow": "deal-process", "on": "failed"},
            "flow": "deal-process",
            "inputs": {"companyName": "x"},
        },
    )
    hooks = serve(home)
    for body in (DEAL, {"source": "web"}, {"source": "email"}):
        post(f"{hooks}/deal-created", body)
    (started,) = run_json("run", "list", home=home)
    run_json("run", "show", started["run"], home=home)

    def explained(key, *more):
        return run_json("trigger", "explain", key, *more, home=home)

    deal, secret, after = explained("auto-process-deal"), explained("secret"), explained("after")
    run("trigger", "suspend", "after", "--reason", "a holiday", home=home)
    text = run("trigger", "explain", "auto-process-deal", "--last", "2", home=home).stdout

    assert (deal["waitsFor"], deal["inTheWay"]) == ("POST /hooks/deal-created", [])
    assert [one["verdict"] for one in deal["events"]] == ["mapping_error", "filter_false", "dispatched"]
    assert '`$.body.source` was `"web"`' in deal["events"][1]["explanation"]
    assert any("`enabled` is false" in said for said in secret["inTheWay"])
    assert any("NO_SUCH_TOKEN" in said for said in secret["inTheWay"])
    assert secret["events"] == []
    assert any("the last run of «deal-process» is completed" in said for said in after["inTheWay"])
    assert any("a holiday" in said for said in explained("after")["inTheWay"])
    assert text.count("evt_") == 2
    assert "in the way  nothing" in text
    assert run("trigger", "explain", "nobody", home=home).returncode == 4


def test_a_path_that_is_taken_away_by_a_more_specific_one_is_in_the_way(home, write, run_json):
    for key, path in (("any", "/orders/:id"), ("new", "/orders/new"), ("lines", "/orders/:id/lines"), ("rest", "/*all")):
        write(
            home,
            f"triggers/{key}.json",
            {"trigger": {"type": "webhook", "path": path}, "flow": "deal-process", "inputs": {"companyName": "x"}},
        )

    def in_the_way(key):
        return [said for said in run_json("trigger", "explain", key, home=home)["inTheWay"] if "go to" in said]

    assert in_the_way("any") == ["requests to /orders/new go to «new»"]
    assert in_the_way("rest") == [
        "requests to /deal-created go to «auto-process-deal»",
        "requests to /orders/:id go to «any»",
        "requests to /orders/:id/lines go to «lines»",
        "requests to /orders/new go to «new»",
    ]
    assert in_the_way("new") == []


def test_a_definition_that_is_not_in_force_is_in_the_way_of_what_was_edited(home, write, run, run_json, serve):
    file = home / "triggers/auto-process-deal.json"
    before = file.read_text()
    serve(home)

    def in_the_way(text):
        file.write_text(text)
        assert run("reload", home=home).returncode == 3
        return run_json("trigger", "explain", "auto-process-deal", home=home)["inTheWay"]

    broken = in_the_way(before.replace('"path"', '"pth"'))
    write(home, "flows/other.json", {"steps": 5})
    unedited, edited = in_the_way(before), in_the_way(before.replace("email'", "mail'"))

    assert len(broken) == 2
    assert all(said.startswith(f"an older definition is in force, for its file is refused: {file}:") for said in broken)
    assert unedited == []
    assert edited == ["an older definition is in force: the home is refused for other files (camshaft validate)"]


def test_a_trigger_that_is_refused_explains_that_without_a_daemon(home, write, run_json):
    write(home, "triggers/broken.json", {"trigger": {"type": "webhook", "path": "/b"}, "flow": "deal-proces"})

    explained = run_json("trigger", "explain", "broken", home=home)

    assert explained["waitsFor"] is None
    assert "did you mean «deal-process»" in explained["inTheWay"][0]
    assert "no daemon serves this home" in run_json("trigger", "explain", "auto-process-deal", home=home)["inTheWay"][0]


def test_the_owner_hands_in_a_request_without_its_auth_and_the_event_says_so(home, write, run, run_json, serve):
    section = {"type": "webhook", "path": "/orders/:id", "auth": {"type": "bearer", "secret": {"env": "NO_SUCH_TOKEN"}}}
    write(
        home,
        "triggers/orders.json",
        {
            "trigger": section | {"filter": "$.type === 'order.paid' && $.headers['x-n'] === '5'"},
            "flow": "deal-process",
            "inputMapping": {"companyName": "{{$.params.id}} {{$.query.q}} {{$.body}}"},
        },
    )
    alone = run("event", "send", "/orders/7", home=home)
    serve(home)

    options = ("--body", '"b"', "-H", "X-N: 5", "--query", "q=x", "--type", "order.paid", "--subject", "s")
    sent = run_json("event", "send", "orders/7", *options, "--follow-run", home=home)
    event = run_json("event", "show", sent["event"], home=home)
    quiet = run("event", "send", "/orders/7", home=home)

    assert alone.returncode == 5
    assert sent["ended"][0]["output"] == "Hello 7 x b"
    assert (event["source"], event["address"], event["subject"]) == ("webhook", "/orders/:id", "s")
    assert event["document"]["auth"] == "owner"
    assert (quiet.returncode, "filter_false" in quiet.stdout) == (6, True)
    assert "takes POST" in run("event", "send", "/orders/7", "--method", "DELETE", home=home).stderr
    assert run("event", "send", "/order/7", home=home).returncode == 4
    assert run_json(
        "trigger",
        "test",
        "orders",
        "--path",
        "/orders/8",
        "--event",
        "-",
        home=home,
        stdin=json.dumps({"type": "order.paid", "headers": {"X-N": 5}, "query": {"q": ""}}),
    )["inputs"] == {"companyName": "8  "}
