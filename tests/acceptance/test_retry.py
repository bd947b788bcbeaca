"""Runs that are done again, by the installed command against a real daemon, with `kill -9` in the middle of one."""

from __future__ import annotations

import asyncio

import pytest

from tests.acceptance.commands import log, sh

pytestmark = pytest.mark.long


FLOW = {
    "key": "work",
    "inputs": {"who": {"type": "string", "default": "Ada"}},
    "steps": [
        sh("a", "echo a >> ../log; echo from-a"),
        sh("b", "echo b >> ../log; test -e ../mended && echo {{$.steps.a.output}}-{{$.input.who}}"),
        sh("c", "echo c >> ../log; test -e ../slow && sleep 60; echo {{$.steps.b.output}}-done"),
    ],
    "finally": [sh("last", "echo last >> ../log")],
}


@pytest.fixture
async def failed(home, write, daemon_of, run_json, client):
    """A home whose daemon has a run of a trigger that failed at step b: the home, the daemon, the run."""
    write(home, "flows/work.json", FLOW)
    write(home, "triggers/work.json", {"trigger": {"type": "webhook", "path": "/work"}, "flow": "work"})
    daemon = await daemon_of(home)
    async with client.post(f"{daemon.hooks}/work", json={"who": "Bob"}) as answer:
        (run,) = (await answer.json())["runs"]
    await daemon.all_ended()
    return home, daemon, run


async def test_a_failed_run_is_done_again_from_where_it_failed_as_a_run_of_its_own(failed, run, run_json):
    home, daemon, first = failed
    (home / "mended").touch()

    told = await asyncio.to_thread(run, "run", "retry", first, "--wait", home=home)
    (again,) = [row["run"] for row in run_json("run", "list", "--retry-of", first, home=home)]
    old, new = run_json("run", "show", first, home=home), run_json("run", "show", again, home=home)
    shown = run("run", "show", again, home=home).stdout

    assert (
        told.stdout == f"{again} does {first} again from failed, with the flow as it was, 1 steps taken over\n{again} completed\n"
    )
    assert (told.returncode, new["status"], new["output"]) == (0, "completed", "from-a-Bob-done")
    assert log(home) == ["a", "b", "last", "b", "c", "last"]
    assert (old["status"], old["retries"], new["retryOf"], new["retries"]) == ("failed", [again], first, [])
    assert [new[name] == old[name] for name in ("event", "trigger", "chain", "flowDigest", "inputs")] == [True] * 5
    assert (new["steps"]["a"]["copied"], "copied" in new["steps"]["b"]) == (True, False)
    assert new["_metrics"]["steps"]["a"] == {"durationMs": None, "attempts": 0}
    assert "a" not in new["_stepTimings"]
    assert f"does {first} again" in shown
    assert "success (copied)" in shown
    assert {row["run"] for row in run_json("run", "list", "--event", old["event"], home=home)} == {first, again}
    assert daemon.rows("SELECT count(*) FROM verdicts WHERE run = ?", again) == [(0,)]


async def test_a_run_is_done_again_from_a_step_or_the_start_with_other_inputs(failed, run_json, run):
    home, daemon, first = failed
    (home / "mended").touch()

    from_b = await asyncio.to_thread(run_json, "run", "retry", first, "--from", "b", "-i", "who=Cy", home=home)
    await daemon.all_ended()
    anew = await asyncio.to_thread(
        run_json, "run", "retry", from_b["run"], "--inputs", '{"who": "Di"}', "-i", "who=Eve", home=home
    )
    await daemon.all_ended()
    outputs = [run_json("run", "show", told["run"], home=home)["output"] for told in (from_b, anew)]

    assert outputs == ["from-a-Cy-done", "from-a-Eve-done"]
    assert (from_b["from"], from_b["definition"], from_b["copied"]) == ("b", "pinned", 1)
    assert (anew["from"], anew["definition"], anew["copied"]) == ("start", "current", 0)
    assert log(home) == ["a", "b", "last", "b", "c", "last", "a", "b", "c", "last"]


async def test_a_retried_run_that_loses_its_process_goes_on_and_does_nothing_twice_that_is_recorded(
    failed, daemon_of, run_json, run
):
    home, daemon, first = failed
    (home / "mended").touch()
    (home / "slow").touch()
    told = await asyncio.to_thread(run_json, "run", "retry", first, home=home)
    await daemon.until("SELECT 1 FROM attempts WHERE run = ? AND path = 'c' AND status = 'running'", told["run"])

    await daemon.kill()
    (home / "slow").unlink()
    daemon = await daemon_of(home)
    await daemon.all_ended()
    new = run_json("run", "show", told["run"], home=home)

    assert (new["status"], new["output"]) == ("completed", "from-a-Bob-done")
    assert log(home) == ["a", "b", "last", "b", "c", "c", "last"]
    assert {path: (step["attempts"], step.get("copied", False)) for path, step in new["steps"].items()} == {
        "a": (1, True), "b": (1, False), "c": (2, False), "finally/last": (1, False),
    }  # fmt: skip


async def test_the_version_in_force_is_taken_where_it_is_asked_for_and_refused_where_it_does_not_fit(
    failed, write, run, run_json
):
    home, daemon, first = failed
    mended = {**FLOW, "steps": [FLOW["steps"][0], sh("b", "echo B >> ../log; echo new-{{$.steps.a.output}}"), FLOW["steps"][2]]}
    write(home, "flows/work.json", mended)
    await asyncio.to_thread(run, "reload", home=home)
    pinned = await asyncio.to_thread(run_json, "run", "retry", first, home=home)
    current = await asyncio.to_thread(run_json, "run", "retry", first, "--definition", "current", home=home)
    await daemon.all_ended()
    write(home, "flows/work.json", {**FLOW, "steps": [sh("b", "true"), sh("c", "true")]})
    await asyncio.to_thread(run, "reload", home=home)
    gone = await asyncio.to_thread(run, "run", "retry", first, "--definition", "current", home=home)
    nowhere = await asyncio.to_thread(run, "run", "retry", first, "--from", "d", home=home)
    wrong = await asyncio.to_thread(run, "run", "retry", first, "-i", "who:={}", "--inputs", "[]", home=home)

    ends = [run_json("run", "show", told["run"], home=home) for told in (pinned, current)]
    assert [(end["status"], end["output"]) for end in ends] == [("failed", None), ("completed", "new-from-a-done")]
    assert ends[0]["flowDigest"] != ends[1]["flowDigest"]
    assert (gone.returncode, "step «a» has settled, and is not in the version in force" in gone.stderr) == (3, True)
    assert (nowhere.returncode, "there is no step «d»" in nowhere.stderr) == (3, True)
    assert wrong.returncode == 2


async def test_a_run_that_goes_on_is_not_done_again(home, write, daemon_of, run, run_json):
    write(home, "flows/slow.json", {"key": "slow", "steps": [sh("a", "sleep 60")]})
    daemon = await daemon_of(home)
    going = run_json("flow", "execute", "slow", "--detach", home=home)["run"]
    await daemon.until("SELECT 1 FROM runs WHERE status = 'running'")

    told = await asyncio.to_thread(run, "run", "retry", going, home=home)

    assert told.returncode == 3
    assert f"{going} has not ended: it is running" in told.stderr


async def test_failed_runs_of_a_flow_are_done_again_together_and_none_twice(failed, client, run):
    home, daemon, _ = failed
    for _ in range(2):
        async with client.post(f"{daemon.hooks}/work", json={"who": "Bob"}) as answer:
            assert answer.status == 202
    await daemon.all_ended()
    (home / "mended").touch()

    unsure = await asyncio.to_thread(run, "run", "retry", "--flow", "work", "--since", "1h", home=home)
    some = await asyncio.to_thread(run, "run", "retry", "--flow", "work", "--limit", "2", "--yes", home=home)
    rest = await asyncio.to_thread(run, "run", "retry", "--trigger", "work", "--yes", home=home)
    none = await asyncio.to_thread(run, "run", "retry", "--flow", "work", "--until", "1h", "--yes", home=home)
    await daemon.all_ended()

    assert (unsure.returncode, "3 runs would be done again" in unsure.stderr) == (2, True)
    assert (some.stdout, rest.stdout, none.stdout) == (
        "2 runs are done again\n", "1 runs are done again\n", "0 runs are done again\n",
    )  # fmt: skip
    assert daemon.rows("SELECT status, count(*) FROM runs GROUP BY status ORDER BY status") == [("completed", 3), ("failed", 3)]
