"""Continuous workflows on a real daemon: round follows round, until something ends it; a kill between two loses and doubles none."""

from __future__ import annotations

import asyncio
import json

import pytest

pytestmark = pytest.mark.long

COUNT = {
    "version": "1.0",
    "nodes": [
        {"id": "check", "type": "condition", "config": {"condition": "input.n < input.most"}},
        {"id": "process", "type": "transform", "config": {"expression": "({n: data.input.n + 1})"}},
        {"id": "loop_back", "type": "loop", "config": {"targetNode": "check"}},
    ],
    "settings": {"executionMode": "continuous", "loopDelay": 20},
}
ENDLESS = {
    "nodes": [{"id": "a", "type": "transform", "config": {"expression": "1"}}],
    "settings": {"executionMode": "continuous"},
}
ROUNDS = "SELECT inputs, status, chain, depth FROM runs WHERE flow = ? ORDER BY id"


@pytest.fixture
def continuous(tmp_path, write):
    """continuous(key, definition): a home with that flow, and with a hook that starts it."""

    def make(key, definition):
        home = tmp_path / "home"
        write(home, "camshaft.toml", "")
        write(home, f"flows/{key}.json", definition)
        write(
            home,
            "triggers/start.json",
            {
                "trigger": {"type": "webhook", "path": "/start"},
                "flow": key,
                "inputMapping": {"n": "$.body.n", "most": "$.body.most"},
            },
        )
        return home

    return make


def queued(key):
    return f"SELECT id, not_before FROM runs WHERE flow = '{key}' AND status = 'queued' AND not_before IS NOT NULL"


async def ended(daemon, key):
    """Wait until no round is left."""
    await daemon.until(f"SELECT 1 FROM runs WHERE flow = '{key}'")
    await daemon.all_ended()
    return [(json.loads(inputs), status, chain, depth) for inputs, status, chain, depth in daemon.rows(ROUNDS, key)]


async def test_a_continuous_workflow_goes_on_until_its_condition_says_stop(continuous, daemon_of, run_json):
    home = continuous("count", COUNT)
    daemon = await daemon_of(home)

    run_json("flow", "execute", "count", "-i", "n:=0", "-i", "most:=3", home=home)
    rounds = await ended(daemon, "count")
    listed = run_json("run", "list", "--chain", rounds[0][2], home=home)

    assert [(inputs["n"], inputs["most"], status) for inputs, status, _, _ in rounds] == [
        (0, 3, "completed"),
        (1, 3, "completed"),
        (2, 3, "completed"),
        (3, 3, "completed"),  # in which the condition was false
    ]
    assert len({chain for _, _, chain, _ in rounds}) == 1
    assert [depth for _, _, _, depth in rounds] == [0, 1, 1, 1]
    assert len(listed) == 4
    assert "it did not come to «loop_back»" in daemon.log.read_text()


async def test_a_round_that_is_done_again_begins_no_second_row(continuous, daemon_of, run_json):
    home = continuous("count", COUNT)
    daemon = await daemon_of(home)
    run_json("flow", "execute", "count", "-i", "n:=0", "-i", "most:=2", home=home)
    before = await ended(daemon, "count")
    ((first,),) = daemon.rows("SELECT id FROM runs ORDER BY id LIMIT 1")

    again = run_json("run", "retry", first, "--wait", home=home)
    after = await ended(daemon, "count")

    assert [round_[0]["n"] for round_ in before] == [0, 1, 2]
    assert [round_[0]["n"] for round_ in after] == [0, 1, 2, 0]
    assert again["status"] == "completed"
    assert "it does an earlier round again" in daemon.log.read_text()


async def test_kill_9_between_rounds_loses_and_doubles_none(continuous, daemon_of, run_json):
    home = continuous("count", COUNT | {"settings": {"executionMode": "continuous", "loopDelay": 200}})
    daemon = await daemon_of(home)
    run_json("flow", "execute", "count", "-i", "n:=0", "-i", "most:=3", home=home)
    ((next_run, due),) = await daemon.until(queued("count"))
    await daemon.kill()
    daemon = await daemon_of(home)

    rounds = await ended(daemon, "count")

    assert [inputs["n"] for inputs, _, _, _ in rounds] == [0, 1, 2, 3]
    assert {status for _, status, _, _ in rounds} == {"completed"}
    ((started,),) = daemon.rows("SELECT started_at FROM runs WHERE id = ?", next_run)
    assert started >= due  # who took it over did not run it before its time


async def test_without_a_loop_node_every_completed_run_is_followed_by_another_until_it_is_cancelled(
    continuous, daemon_of, run_json
):
    home = continuous("endless", ENDLESS | {"settings": {"executionMode": "continuous", "loopDelay": 5}})
    daemon = await daemon_of(home)
    run_json("flow", "execute", "endless", "-i", "x=1", home=home)
    await daemon.until("SELECT 1 WHERE (SELECT COUNT(*) FROM runs WHERE flow = 'endless') > 4")

    write_slow = ENDLESS | {"settings": {"executionMode": "continuous", "loopDelay": 3_600_000}}
    (home / "flows/endless.json").write_text(json.dumps(write_slow))  # the next round takes the version that is in force
    run_json("reload", home=home)
    ((waiting, _),) = await daemon.until(queued("endless") + " AND not_before - created_at > 1000000000")
    cancelled = run_json("run", "cancel", waiting, home=home)
    rounds = await ended(daemon, "endless")

    assert cancelled["cancelled"] is True
    assert [status for _, status, _, _ in rounds] == ["completed"] * (len(rounds) - 1) + ["cancelled"]
    assert all(inputs == {"x": "1"} for inputs, _, _, _ in rounds)


@pytest.mark.parametrize(
    ("handling", "statuses"), [("stop", ["completed", "failed"]), ("continue", ["completed", "failed", "failed", "completed"])]
)
async def test_whether_a_failure_ends_the_rounds_is_said_by_errorHandling(continuous, daemon_of, run_json, handling, statuses):
    nodes = [
        {"id": "next", "type": "transform", "config": {"expression": "({n: input.n + 1})"}},
        {"id": "odd", "type": "transform", "config": {"expression": "input.n === 1 || input.n === 2 ? data.no.where : 1"}},
        {"id": "again", "type": "loop", "config": {"targetNode": "next", "condition": "input.n < 3"}},
    ]
    edges = [{"source": "next", "target": "odd"}, {"source": "next", "target": "again"}]
    settings = {"executionMode": "continuous", "loopDelay": 0, "errorHandling": handling}
    home = continuous("odd", {"nodes": nodes, "edges": edges, "settings": settings})
    daemon = await daemon_of(home)

    run_json("flow", "execute", "odd", "-i", "n:=0", home=home)
    rounds = await ended(daemon, "odd")

    assert [status for _, status, _, _ in rounds] == statuses


@pytest.mark.parametrize("how", ["disabled", "suspended", "changed", "removed"])
async def test_what_is_switched_off_or_changed_ends_the_rounds(continuous, daemon_of, client, run, run_json, how):
    slow = COUNT | {"settings": {"executionMode": "continuous", "loopDelay": 300}}
    home = continuous("count", slow)
    daemon = await daemon_of(home)
    async with client.post(f"{daemon.hooks}/start", json={"n": 0, "most": 1000}) as answer:
        assert answer.status == 202
    await daemon.until(queued("count"))

    if how == "changed":
        (home / "flows/count.json").write_text(json.dumps(slow | {"settings": {}}))
    elif how == "removed":
        (home / "triggers/start.json").unlink()
        (home / "flows/count.json").unlink()
    command = {"disabled": ["trigger", "disable", "start"], "suspended": ["trigger", "suspend", "start"]}.get(how, ["reload"])
    done = run(*command, home=home)
    rounds = await ended(daemon, "count")

    assert done.returncode == 0, done.stderr
    assert {status for _, status, _, _ in rounds} == {"completed"}
    assert len(rounds) < 10
    assert '"run.not_repeated"' in daemon.log.read_text()


async def test_followers_of_every_round_run_however_many_rounds_there_were(continuous, daemon_of, run_json, write):
    home = continuous("count", COUNT | {"settings": {"executionMode": "continuous", "loopDelay": 0}})
    write(home, "camshaft.toml", "[sources.flow]\nmax_runs = 2\nmax_depth = 2\n")
    write(home, "flows/note.json", {"steps": [{"id": "n", "type": "transform", "transform": {"expression": "1"}}]})
    write(home, "triggers/note.json", {"trigger": {"type": "flow", "flow": "count"}, "flow": "note"})
    daemon = await daemon_of(home)

    run_json("flow", "execute", "count", "-i", "n:=0", "-i", "most:=9", home=home)
    await ended(daemon, "count")
    async with asyncio.timeout(30):
        while len(daemon.rows("SELECT 1 FROM runs WHERE flow = 'note'")) < 10:
            await asyncio.sleep(0.02)

    assert daemon.rows("SELECT DISTINCT verdict FROM verdicts") == [("dispatched",)]


async def test_a_paused_flow_holds_the_next_round_back_and_goes_on_with_it(continuous, daemon_of, run_json):
    home = continuous("count", COUNT | {"settings": {"executionMode": "continuous", "loopDelay": 50}})
    daemon = await daemon_of(home)
    run_json("flow", "execute", "count", "-i", "n:=0", "-i", "most:=100000", home=home)
    await daemon.until(queued("count"))

    run_json("flow", "pause", "count", home=home)
    async with asyncio.timeout(30):
        while run_json("status", home=home)["atRest"] == 0:
            await asyncio.sleep(0.05)
    ((held, _),) = daemon.rows(queued("count"))
    before = daemon.rows("SELECT COUNT(*) FROM runs")
    await daemon.kill()
    daemon = await daemon_of(home)
    still = daemon.rows("SELECT id FROM runs WHERE finished_at IS NULL")
    run_json("flow", "resume", "count", home=home)
    await daemon.until("SELECT 1 FROM runs WHERE id = ? AND status = 'completed'", held)
    await daemon.until("SELECT 1 WHERE (SELECT COUNT(*) FROM runs) > ?", before[0][0] + 2)

    assert still == [(held,)]
