"""Control over runs, by the installed command against a real daemon: cancels, handlers and times, and `kill -9` in the middle of them."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.acceptance.commands import log, sh

pytestmark = pytest.mark.long


def begun(daemon, path):
    return daemon.until("SELECT 1 FROM attempts WHERE path = ? AND status = 'running'", path)


SLOW = {
    "key": "slow",
    "steps": [sh("work", "echo work >> ../log; sleep 60"), sh("never", "echo never >> ../log")],
    "onCancel": [sh("stopped", "echo stopped >> ../log")],
    "finally": [sh("last", "echo last >> ../log")],
}


@pytest.fixture
def execute(run_json):
    """Start a flow's run and do not wait for it."""

    async def start(home, key, *more):
        return (await asyncio.to_thread(run_json, "flow", "execute", key, "--detach", *more, home=home))["run"]

    return start


async def test_a_cancel_that_was_answered_holds_through_a_kill(home, write, daemon_of, run, run_json, execute):
    write(home, "flows/slow.json", SLOW)
    daemon = await daemon_of(home)
    started = await execute(home, "slow")
    await begun(daemon, "work")

    answered = await asyncio.to_thread(run, "run", "cancel", started, "--reason", "a mistake", home=home)
    await daemon.kill()
    daemon = await daemon_of(home)
    await daemon.all_ended()
    ended = run_json("run", "show", started, home=home)

    assert answered.stdout == f"{started} is being cancelled\n"
    assert (ended["status"], ended["errorCode"], ended["cancelReason"]) == ("cancelled", "CANCELLED", "a mistake")
    assert log(home)[0] == "work"
    assert sorted(set(log(home)[1:])) == ["last", "stopped"]
    assert ended["steps"]["work"]["status"] in {"cancelled", "interrupted"}
    assert daemon.rows("SELECT path FROM attempts WHERE status = 'running'") == []


async def test_handlers_go_on_after_a_kill_and_what_they_did_is_not_done_again(home, write, daemon_of, run_json, execute):
    tidy = sh("tidy", "echo tidy >> ../log; test -e ../go || sleep 60")
    failing = [sh("work", "echo work >> ../log; exit 3")]
    first, after = sh("first", "echo first >> ../log"), sh("after", "echo '{{$.error.code}}' >> ../log")
    write(home, "flows/tidied.json", {"key": "tidied", "steps": failing, "finally": [first, tidy, after]})
    daemon = await daemon_of(home)
    started = await execute(home, "tidied")
    await begun(daemon, "finally/tidy")

    await daemon.kill()
    (home / "go").touch()
    daemon = await daemon_of(home)
    await daemon.all_ended()
    ended = run_json("run", "show", started, home=home)

    assert (ended["status"], ended["errorCode"]) == ("failed", "EXIT_STATUS")
    assert log(home) == ["work", "first", "tidy", "tidy", "EXIT_STATUS"]
    assert {path: step["attempts"] for path, step in ended["steps"].items()} == {
        "work": 1, "finally/first": 1, "finally/tidy": 2, "finally/after": 1,
    }  # fmt: skip


async def test_a_command_has_a_while_to_end_by_itself_and_its_children_go_with_it(home, write, daemon_of, run, execute):
    stubborn = "(trap '' TERM; while :; do sleep 0.1; done) & echo $! >> ../log; trap 'echo told >> ../log; exit' TERM; while :; do sleep 0.1; done"
    write(home, "flows/slow.json", {"key": "slow", "steps": [sh("work", stubborn)]})
    write(home, "camshaft.toml", "[steps.bash]\ngrace_s = 1\n")
    await daemon_of(home)
    started = await execute(home, "slow")
    async with asyncio.timeout(60):
        while not log(home):
            await asyncio.sleep(0.02)

    await asyncio.to_thread(run, "run", "cancel", started, "--wait", home=home)

    child, told = log(home)
    assert told == "told"
    async with asyncio.timeout(60):
        while _is_alive(child):
            await asyncio.sleep(0.02)


def _is_alive(process):
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_all_runs_of_a_flow_are_cancelled_queued_ones_too_with_a_count(home, write, daemon_of, run, run_json, execute):
    write(home, "flows/slow.json", SLOW)
    write(home, "camshaft.toml", "[worker]\nconcurrency = 1\n")
    daemon = await daemon_of(home)
    runs = [await execute(home, "slow") for _ in range(3)]
    await begun(daemon, "work")

    unsure = await asyncio.to_thread(run, "run", "cancel", "--all", home=home)
    nothing = await asyncio.to_thread(run, "run", "cancel", home=home)
    both = await asyncio.to_thread(run, "run", "cancel", runs[0], "--flow", "slow", home=home)
    done = await asyncio.to_thread(run, "run", "cancel", "--flow", "slow", "--reason", "enough", home=home)
    await daemon.all_ended()
    again = await asyncio.to_thread(run, "run", "cancel", "--all", "--yes", home=home)

    assert [answer.returncode for answer in (unsure, nothing, both)] == [2, 2, 2]
    assert "--yes" in unsure.stderr
    assert done.stdout == "3 runs are being cancelled\n"
    assert again.stdout == "0 runs are being cancelled\n"
    assert log(home) == ["work", "stopped", "last"]
    shown = [run_json("run", "show", each, home=home) for each in runs]
    assert [(each["status"], each["error"]) for each in shown] == [("cancelled", "enough")] * 3
    assert [each["startedAt"] for each in shown[1:]] == [None, None]


async def test_a_run_of_a_command_without_a_daemon_hears_that_it_is_to_stop(home, write, daemon_of, run, run_json):
    write(home, "flows/slow.json", SLOW)
    command = asyncio.create_task(asyncio.to_thread(run, "flow", "execute", "slow", "-o", "json", home=home))
    async with asyncio.timeout(60):
        while not log(home):
            await asyncio.sleep(0.02)
    await daemon_of(home)
    (going,) = run_json("run", "list", home=home)

    stopped = await asyncio.to_thread(run, "run", "cancel", going["run"], "--reason", "enough", home=home)
    ended = await command

    assert (stopped.returncode, ended.returncode) == (0, 7)
    assert (json.loads(ended.stdout)["status"], json.loads(ended.stdout)["error"]) == ("cancelled", "enough")
    assert log(home) == ["work", "stopped", "last"]


@pytest.mark.slow
async def test_a_triggers_times_hold_over_a_kill(home, write, daemon_of, client, run_json):
    limited = {"key": "limited", "trigger": {"type": "webhook", "path": "/limited"}, "flow": "slow"}
    write(home, "flows/slow.json", {**SLOW, "onFailure": [sh("late", "echo late >> ../log")]})
    write(home, "triggers/limited.json", {**limited, "timeouts": {"start": "1500ms", "finish": "2500ms"}})
    write(home, "camshaft.toml", "[worker]\nconcurrency = 1\n")
    daemon = await daemon_of(home)
    runs = []
    for _ in range(2):
        async with client.post(f"{daemon.hooks}/limited", json={}) as answer:
            runs += (await answer.json())["runs"]
    await begun(daemon, "work")

    await daemon.kill()
    daemon = await daemon_of(home)
    await daemon.all_ended()
    first, second = (run_json("run", "show", each, home=home) for each in runs)

    assert (first["status"], first["errorCode"]) == ("failed", "RUN_TIMEOUT")
    assert (second["status"], second["errorCode"], second["startedAt"]) == ("cancelled", "EXPIRED", None)
    assert first["finishBy"] is not None
    assert log(home)[-2:] == ["late", "last"]
    assert "never" not in log(home)


@pytest.mark.slow
async def test_a_run_by_hand_may_be_given_a_time(home, write, daemon_of, run, run_json):
    write(home, "flows/slow.json", SLOW)
    alone = await asyncio.to_thread(run, "flow", "execute", "slow", "--timeout", "300ms", "-o", "json", home=home)
    await daemon_of(home)
    served = await asyncio.to_thread(run, "flow", "execute", "slow", "--timeout", "300ms", "-o", "json", home=home)
    wrong = await asyncio.to_thread(run, "flow", "execute", "slow", "--timeout", "soon", home=home)

    for answer in (alone, served):
        said = json.loads(answer.stdout)
        assert (answer.returncode, said["status"], said["error"]) == (7, "failed", "the run did not finish in its time of 300 ms")
    assert wrong.returncode == 2
    assert log(home) == ["work", "last"] * 2
