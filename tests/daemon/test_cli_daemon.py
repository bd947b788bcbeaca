"""The commands against a running daemon: a real process, its socket, and the example home."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples/home"
CAMSHAFT = str(Path(sys.executable).with_name("camshaft"))
SECRET = "s3cret-of-the-test"
SLOW = {
    "key": "slow",
    "steps": [
        {"id": "first", "type": "transform", "transform": {"expression": "1"}},
        {"id": "wait", "type": "bash", "bash": {"command": "echo > started; sleep 60"}, "timeoutMs": 90_000},
    ],
}


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CAMSHAFT_")}
    return {**kept, "GITHUB_WEBHOOK_SECRET": SECRET, **more}


@dataclass
class Served:
    home: Path
    hooks: str
    admin: str

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [CAMSHAFT, *arguments, "--home", str(self.home)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment())

    def json(self, *arguments: str):
        done = self.run(*arguments, "-o", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def post(self, path: str, body: bytes, **headers: str) -> dict:
        request = urllib.request.Request(self.hooks + path, body, {"Content-Type": "application/json", **headers})
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("deep" * 30) / "home"  # deeper than a socket's address can be long
    shutil.copytree(EXAMPLE, home, ignore=shutil.ignore_patterns("state"))
    (home / "flows/slow.json").write_text(json.dumps(SLOW))
    command = [CAMSHAFT, "serve", "--home", str(home), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
    with (
        (home.parent / "log").open("wb") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment()) as daemon,
    ):
        assert daemon.stdout is not None
        told = dict(daemon.stdout.readline().split() for _ in range(2))
        try:
            yield Served(home, told["hooks"], told["admin"])
        finally:
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(timeout=30) == 0


def sample(name: str) -> bytes:
    return (EXAMPLE / "samples" / name).read_bytes()


def ended(served: Served, run: str) -> dict:
    """The run at its end, by asking the API to wait for it."""
    command = ["curl", "-sS", "--unix-socket", "admin.sock", f"http://localhost/v1/runs/{run}?wait=30"]
    done = subprocess.run(command, capture_output=True, check=True, cwd=served.home / "state", timeout=60)
    return json.loads(done.stdout)


def test_a_deal_by_mail_makes_a_run_that_is_shown_with_its_durations(served):
    answer = served.post("/deal-created", sample("deal-created.json"))
    (run,) = answer["runs"]
    ended(served, run)

    shown = served.json("run", "show", run)

    assert answer["verdicts"] == {"auto-process-deal": "dispatched"}
    assert (shown["event"], shown["trigger"], shown["flow"]) == (answer["event"], "auto-process-deal", "deal-process")
    assert (shown["status"], shown["inputs"]["companyName"]) == ("completed", "Analytical Engines Ltd")
    assert all(isinstance(step["durationMs"], int) for step in shown["steps"].values())
    assert json.loads((served.home / "state/deals/analytical-engines-ltd.json").read_text())["email"] == "ada@example.com"


def test_a_deal_from_the_web_says_why_it_did_not_fire(served):
    answer = served.post("/deal-created", sample("deal-created-web.json"))

    explained = served.run("event", "explain", answer["event"])
    shown = served.json("event", "show", answer["event"])

    assert (answer["runs"], answer["verdicts"]) == ([], {"auto-process-deal": "filter_false"})
    assert """`$.body.source === 'email'` was false because `$.body.source` was `"web"`""" in explained.stdout
    (verdict,) = shown["verdicts"]
    assert (verdict["trigger"], verdict["verdict"], verdict["run"]) == ("auto-process-deal", "filter_false", None)


def test_a_push_that_is_signed_is_summarised(served):
    body = sample("github-push.json")
    digest = hmac.digest(SECRET.encode(), body, hashlib.sha256).hex()

    answer = served.post("/github-push", body, **{"X-Hub-Signature-256": f"sha256={digest}", "X-GitHub-Delivery": "1"})

    (run,) = answer["runs"]
    steps = ended(served, run)["steps"]
    assert steps["summary"]["output"] == "ada pushed 2 commits to ada/engine, 4 files touched"
    assert steps["each[0].line"]["output"] == "6113728 Carry the tens (Ada Lovelace)"


def test_a_file_in_the_inbox_is_counted(served):
    reports = served.home / "state/reports"
    (served.home / "inbox/note.txt").write_text("so many words\n")

    event = next(iter(wait_for(served, "event", "list", "--source", "file-watch")))
    (verdict,) = served.json("event", "show", event["event"])["verdicts"]
    run = ended(served, verdict["run"])

    assert run["status"] == "completed"
    assert (reports / "note.txt.report").read_text() == "note.txt: 3 words, 1 lines\n"


def wait_for(served: Served, *arguments: str) -> list:
    """The first answer that is not empty. Each question is a process, so this is no busy wait."""
    for _ in range(100):
        if found := served.json(*arguments):
            return found
    raise AssertionError(f"{arguments} stayed empty")


def test_a_schedule_is_listed_with_its_next_slots_at_nine_in_berlin(served):
    listed = {trigger["key"]: trigger for trigger in served.json("trigger", "list")}

    assert list(listed["daily-digest"]) == ["key", "type", "flow", "enabled", "state", "suspended", "next"]
    assert len(listed["daily-digest"]["next"]) == 3
    assert {time[10:] for time in listed["daily-digest"]["next"]} <= {"T07:00:00Z", "T08:00:00Z"}


def test_a_flow_is_executed_by_the_daemon_with_its_timings(served):
    done = served.run(
        "flow", "execute", "deal-process", "-i", "companyName=A B", "-i", "founderEmail=x", "--metrics", "-o", "json"
    )

    said = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert list(said) == ["run", "status", "steps", "inputs", "output", "error", "_metrics", "_stepTimings"]
    assert set(said["_stepTimings"]) == set(said["steps"])
    assert served.json("run", "show", said["run"])["steps"] == said["steps"]


def test_a_run_of_the_daemons_is_told_to_an_agent_a_line_at_a_time(served):
    done = served.run("flow", "execute", "deal-process", "-i", "companyName=Agent Ltd", "-i", "founderEmail=a@b.c", "--agent")

    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert [events[0]["event"], events[-2]["event"], events[-1]["event"]] == ["flow:start", "flow:complete", "workflow:result"]
    completed = [event["path"] for event in events if event["event"] == "step:complete"]
    assert sorted(completed) == sorted(events[-1]["steps"])  # what is inside a step ends before it
    assert (events[-1]["status"], events[-1]["runId"]) == ("success", served.json("run", "show", events[-1]["runId"])["run"])


def test_an_agent_hears_of_each_step_of_a_daemons_run_while_it_runs(served, tmp_path):
    wait = f"until test -e {tmp_path}/go; do sleep 0.02; done"
    again = {"strategy": "retry", "retries": 1, "retryDelayMs": 1}
    told = {
        "steps": [
            {"id": "once", "type": "bash", "bash": {"command": f"mkdir {tmp_path}/once && exit 1 || echo ok"}, "onError": again},
            {"id": "held", "type": "bash", "bash": {"command": wait}},
            {"id": "bad", "type": "bash", "bash": {"command": "exit 3"}, "onError": {"strategy": "continue"}},
            {"id": "last", "type": "transform", "transform": {"expression": "1"}},
        ]
    }
    (served.home / "flows/told.json").write_text(json.dumps(told))
    command = [CAMSHAFT, "flow", "execute", "told", "--agent", "--home", str(served.home)]

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as running:
        assert running.stdout is not None
        events = []
        for line in running.stdout:
            events.append(json.loads(line))
            if (events[-1]["event"], events[-1].get("stepId")) == ("step:start", "held"):
                (tmp_path / "go").touch()  # only when we were told does the run go on

    assert running.returncode == 0
    assert [(event["event"], event["stepId"]) for event in events if "stepId" in event] == [
        ("step:start", "once"),
        ("step:retry", "once"),
        ("step:retry-success", "once"),
        ("step:complete", "once"),
        ("step:start", "held"),
        ("step:complete", "held"),
        ("step:start", "bad"),
        ("step:error", "bad"),
        ("step:start", "last"),
        ("step:complete", "last"),
    ]


def test_a_flow_that_was_written_after_the_start_is_found_when_it_is_asked_for(served):
    late = {"steps": [{"id": "a", "type": "transform", "transform": {"expression": "'late'"}}]}
    (served.home / "flows/late.json").write_text(json.dumps(late))

    assert served.json("flow", "execute", "late")["output"] == "late"
    assert served.run("flow", "execute", "never").returncode == 4


def test_inputs_that_do_not_fit_are_refused_by_the_daemon(served):
    done = served.run("flow", "execute", "deal-process", "-i", "companyName=A")

    assert (done.returncode, done.stdout) == (3, "")
    assert 'Missing required input: "founderEmail"' in done.stderr


def test_a_detached_execution_prints_the_run(served):
    done = served.run("flow", "execute", "deal-process", "-i", "companyName=A", "-i", "founderEmail=x", "--detach")

    assert done.returncode == 0
    assert ended(served, done.stdout.strip())["status"] == "completed"


def test_interrupting_the_command_cancels_the_run_in_the_daemon(served):
    started = served.home / "flows/started"
    os.mkfifo(started)
    command = [CAMSHAFT, "flow", "execute", "slow", "--home", str(served.home), "-o", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as asked:
        started.read_text()

        asked.send_signal(signal.SIGINT)
        told, _ = asked.communicate(timeout=30)

    said = json.loads(told)
    assert (asked.returncode, said["status"]) == (130, "cancelled")
    assert said["steps"]["first"]["status"] == "success"


def test_a_trigger_that_is_added_is_in_force_at_once(served):
    added = served.json(
        "trigger", "add", "--key", "greet", "--webhook", "/greet", "--flow", "deal-process",
        "--filter", "$.body.kind === 'deal'", "-m", "companyName=$.body.name", "-m", "founderEmail=$.body.mail",
    )  # fmt: skip

    fired = subprocess.run(["sh", "-c", added["curl"]], capture_output=True, check=True, timeout=60)

    answer = json.loads(fired.stdout)
    assert added["url"] == f"{served.hooks}/greet"
    assert answer["verdicts"] == {"greet": "dispatched"}
    assert served.run("trigger", "rm", "greet").returncode == 0
    assert "greet" not in {trigger["key"] for trigger in served.json("trigger", "list")}


def test_a_definition_that_is_refused_changes_nothing(served):
    before = served.json("trigger", "list")

    done = served.run("trigger", "add", "--key", "bad", "--webhook", "/bad", "--flow", "deal-proces")

    assert done.returncode == 3
    assert "did you mean «deal-process»?" in done.stderr
    assert served.json("trigger", "list") == before
    assert not (served.home / "triggers/bad.json").exists()


def test_a_second_daemon_for_the_home_is_refused(served):
    done = served.run("serve", "--listen", "127.0.0.1:0")

    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("camshaft: ")


def test_a_broken_home_is_not_served_and_all_its_problems_are_told(tmp_path):
    (tmp_path / "triggers").mkdir()
    (tmp_path / "triggers/a.json").write_text("{")
    (tmp_path / "triggers/b.json").write_text('{"trigger": {"type": "webhook", "path": "/b"}, "flow": "gone"}')

    command = [CAMSHAFT, "serve", "--home", str(tmp_path), "--listen", "127.0.0.1:0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment())

    assert (done.returncode, done.stdout) == (3, "")
    assert "a.json:1" in done.stderr
    assert "there is no flow «gone»" in done.stderr


def test_the_list_of_triggers_comes_quickly_and_loads_nothing_heavy(served):
    code = (
        "import sys; from daemon.cli import main; "
        f"main(['trigger', 'list', '--home', {str(served.home)!r}, '-o', 'json']); "
        "print(sorted({'pydantic', 'aiohttp', 'structlog', 'sqlalchemy', 'yaml', 'asyncio', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, env=environment())

    assert done.stdout.splitlines()[-1] == "[]"


def test_the_admin_address_answers_a_probe_without_a_token(served):
    with urllib.request.urlopen(f"{served.admin}/readyz", timeout=30) as response:
        answer = json.load(response)

    assert answer["ready"] is True
