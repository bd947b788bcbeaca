"""A run that waits, through `kill -9`: nothing recorded runs again, and it goes on when its time has come."""

from __future__ import annotations

import json
import os
import pty
import subprocess

import pytest

from tests.acceptance.conftest import CAMSHAFT

pytestmark = pytest.mark.long

LATER = {
    "key": "later",
    "steps": [
        {"id": "before", "type": "file-write", "fileWrite": {"path": "../notes.txt", "content": "before ", "append": True}},
        {"id": "wait", "type": "wait", "wait": {"for": "3s"}},
        {"id": "after", "type": "file-write", "fileWrite": {"path": "../notes.txt", "content": "after", "append": True}},
    ],
}


@pytest.fixture
def home_that_waits(home, write):
    write(home, "flows/later.json", LATER)
    return home


async def test_a_waiting_run_survives_a_kill_and_goes_on_when_its_time_has_come(home_that_waits, daemon_of, run_json):
    home = home_that_waits
    daemon = await daemon_of(home)
    started = run_json("flow", "execute", "later", "--detach", home=home)["run"]
    await daemon.until("SELECT 1 FROM runs WHERE id = ? AND status = 'waiting'", started)
    (due,) = daemon.rows("SELECT due_at FROM waits")
    waiting = run_json("run", "show", started, home=home)

    await daemon.kill()
    daemon = await daemon_of(home)
    found = daemon.rows("SELECT due_at FROM waits")
    await daemon.all_ended()
    ended = run_json("run", "show", started, home=home)

    assert (waiting["status"], list(waiting["steps"])) == ("waiting", ["before"])
    assert found == [due]
    assert ended["status"] == "completed"
    assert {name: step["attempts"] for name, step in ended["steps"].items()} == {"before": 1, "wait": 1, "after": 1}
    assert (home / "notes.txt").read_text() == "before after"
    assert [run["run"] for run in run_json("run", "list", "--status", "completed", home=home)] == [started]


PAYS = {
    "key": "pays",
    "inputs": {"who": {"type": "string"}},
    "steps": [
        {"id": "before", "type": "file-write", "fileWrite": {"path": "../notes.txt", "content": "before ", "append": True}},
        {
            "id": "ask",
            "type": "approval",
            "approval": {
                "message": "Pay {{$.input.who}}?",
                "form": {"amount": {"type": "integer", "label": "How much?"}},
                "timeout": "2d",
                "notify": [
                    {
                        "id": "tell",
                        "type": "file-write",
                        "fileWrite": {"path": "../told.txt", "content": "$.loop.approval.link", "append": True},
                    }
                ],
            },
        },
        {"id": "after", "type": "transform", "transform": {"expression": "$.steps.ask.output.form.amount * 2"}},
    ],
}


async def test_an_approval_survives_a_kill_and_is_answered_by_the_command(home, write, daemon_of, run, run_json):
    write(home, "flows/pays.json", PAYS)
    daemon = await daemon_of(home)
    started = run_json("flow", "execute", "pays", "-i", "who=Ada", "--detach", home=home)["run"]
    await daemon.until("SELECT 1 FROM runs WHERE id = ? AND status = 'waiting'", started)

    await daemon.kill()
    daemon = await daemon_of(home)
    (asked,) = run_json("approval", "list", home=home)
    waiting = run("run", "show", started, home=home)
    wrong = run("run", "approve", started, "-i", "amount=lots", home=home)
    answered = run_json("run", "approve", started, "-i", "amount=21", "--comment", "fine", "--by", "bob", home=home)
    await daemon.all_ended()
    twice = run("run", "reject", started, "ask", home=home)
    unnamed = run("run", "reject", started, home=home)
    ended = run_json("run", "show", started, home=home)

    assert (asked["run"], asked["step"], asked["message"]) == (started, "ask", "Pay Ada?")
    assert "waits  ask: approval since" in waiting.stdout
    assert (wrong.returncode, 'Field "amount" must be a whole number' in wrong.stderr) == (3, True)
    assert (answered["outcome"], answered["by"], answered["form"]) == ("approved", "bob", {"amount": 21})
    assert (twice.returncode, "it was approved by bob at" in twice.stderr) == (3, True)
    assert (unnamed.returncode, "asks nothing any more: it is completed" in unnamed.stderr) == (3, True)
    assert (ended["status"], ended["output"]) == ("completed", 42)
    assert {step["attempts"] for step in ended["steps"].values()} == {1}
    assert (home / "notes.txt").read_text() == "before "
    assert (home / "told.txt").read_text().count("/approvals/") == 1  # told once, and not again after the kill


async def test_a_link_answers_on_the_public_listener_where_the_home_wants_it_there(home, write, daemon_of, run_json, client):
    write(home, "flows/pays.json", PAYS)
    write(home, "camshaft.toml", "[http]\napprovals = true\n")
    daemon = await daemon_of(home)
    started = run_json("flow", "execute", "pays", "-i", "who=Ada", "--detach", home=home)["run"]
    await daemon.until("SELECT 1 FROM runs WHERE id = ? AND status = 'waiting'", started)
    link = (home / "told.txt").read_text().strip()

    async with client.get(link) as shown, client.get(link + "x") as unknown, client.delete(link) as refused:
        page, headers = await shown.text(), shown.headers
        statuses = [shown.status, unknown.status, refused.status]
    async with client.post(link, data={"decision": "approve", "form.amount": "4", "by": "Zoë"}) as answered:
        said = answered.status
    await daemon.all_ended()
    async with client.post(link, data={"decision": "reject"}) as late:
        told = (late.status, await late.text())
    ended = run_json("run", "show", started, home=home)

    assert link.startswith(daemon.hooks.removesuffix("/hooks") + "/approvals/")
    assert statuses == [200, 404, 405]
    assert "Pay Ada?" in page
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert (said, ended["output"], ended["steps"]["ask"]["output"]["by"]) == (200, 8, "Zoë")
    assert told[0] == 409
    assert "approved by Zoë" in told[1]


async def test_links_are_not_served_to_strangers_where_the_home_does_not_say_so(home, write, daemon_of, run_json, client):
    write(home, "flows/pays.json", PAYS)
    daemon = await daemon_of(home)
    started = run_json("flow", "execute", "pays", "-i", "who=Ada", "--detach", home=home)["run"]
    await daemon.until("SELECT 1 FROM runs WHERE id = ? AND status = 'waiting'", started)
    link = (home / "told.txt").read_text().strip()

    async with client.get(link) as shown, client.get(link.replace(daemon.admin, daemon.hooks.removesuffix("/hooks"))) as public:
        statuses = [shown.status, public.status]

    assert link.startswith(daemon.admin)
    assert statuses == [200, 404]


def test_an_approval_is_refused_with_a_way_out_where_nobody_could_answer(home, write, run):
    write(home, "flows/pays.json", PAYS)

    done = run("flow", "execute", "pays", "-i", "who=Ada", home=home)

    assert done.returncode == 7
    assert "nobody can answer this here" in done.stdout
    assert "camshaft serve" in done.stdout


def test_an_approval_is_asked_on_the_terminal_where_no_daemon_runs(home, write):
    write(home, "flows/pays.json", PAYS)
    leader, follower = pty.openpty()
    command = [str(CAMSHAFT), "flow", "execute", "pays", "-i", "who=Ada", "-o", "json", "--home", str(home)]

    with subprocess.Popen(command, stdin=follower, stderr=follower, stdout=subprocess.PIPE, text=True) as asking:
        os.close(follower)
        for question, answer in (("[y/n]", "y"), ("How much?", "lots"), ("How much?", "21"), ("comment", "")):
            shown = ""
            while question not in shown:
                shown += os.read(leader, 1000).decode()
            os.write(leader, f"{answer}\n".encode())
        ended = json.loads(asking.stdout.read())
    os.close(leader)

    assert (ended["status"], ended["output"]) == ("completed", 42)
    assert ended["steps"]["ask"]["output"]["approved"] is True


SHIPS = {
    "key": "ships",
    "inputs": {"order": {"type": "string"}},
    "steps": [
        {"id": "before", "type": "file-write", "fileWrite": {"path": "../notes.txt", "content": "before ", "append": True}},
        {
            "id": "paid",
            "type": "wait_for_event",
            "waitForEvent": {"event": "order.paid", "match": "event.data.order === $.input.order", "timeout": "2d"},
        },
        {"id": "after", "type": "transform", "transform": {"expression": "$.steps.paid.output.data.amount * 2"}},
    ],
}
SELLS = {
    "key": "sells",
    "inputs": {"order": {"type": "string"}, "amount": {"type": "integer"}},
    "steps": [
        {
            "id": "tell",
            "type": "emit",
            "emit": {"event": "order.paid", "data": {"order": "$.input.order", "amount": "$.input.amount"}},
        }
    ],
}


async def test_an_event_that_another_flow_emits_ends_a_wait_that_survived_a_kill(home, write, daemon_of, run, run_json):
    write(home, "flows/ships.json", SHIPS)
    write(home, "flows/sells.json", SELLS)
    daemon = await daemon_of(home)
    started = run_json("flow", "execute", "ships", "-i", "order=A1", "--detach", home=home)["run"]
    await daemon.until("SELECT 1 FROM runs WHERE id = ? AND status = 'waiting'", started)

    await daemon.kill()
    await daemon_of(home)
    other = run_json("flow", "execute", "sells", "-i", "order=B2", "-i", "amount=1", home=home)
    told = run_json("flow", "execute", "sells", "-i", "order=A1", "-i", "amount=21", home=home)
    event = told["steps"]["tell"]["output"]["event"]
    while (ended := run_json("run", "show", started, home=home))["status"] == "waiting":
        pass
    explained = run("event", "explain", event, home=home)

    assert other["steps"]["tell"]["output"]["event"] is not None  # kept, for a flow in force waits for its name
    assert (ended["status"], ended["output"]) == ("completed", 42)
    assert {step["attempts"] for step in ended["steps"].values()} == {1}
    assert (home / "notes.txt").read_text() == "before "
    assert f"ended the wait of {started} at paid" in explained.stdout
