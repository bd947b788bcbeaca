"""An orchestrator with eight sub-flows and forty steps: one branch fails at its last step; a kill in the middle repeats nothing."""

from __future__ import annotations

import collections
import json

import pytest

BRANCHES = [f"branch-{number}" for number in range(1, 9)]
STEPS = ["fetch", "count", "gate", "work", "report"]


def shell(step_id, command):
    return {"id": step_id, "type": "bash", "bash": {"command": command}}


NOTE = 'echo "$CAMSHAFT_STEP" >> ../log'


def branch(key, *, last="echo done"):
    """Five steps: effects, a calculation, a gate that waits for the file `go`, and a last one."""
    return {
        "key": key,
        "inputs": {"n": {"type": "number"}},
        "steps": [
            shell("fetch", f"{NOTE}; echo {{{{$.input.n | shell}}}}"),
            {"id": "count", "type": "transform", "transform": {"expression": "Number($.steps.fetch.output) * 10"}},
            {**shell("gate", f"{NOTE}.gate; until test -e ../go; do sleep 0.02; done"), "timeoutMs": 60_000},
            shell("work", f"{NOTE}; echo {{{{$.steps.count.output | shell}}}}"),
            shell("report", f"{NOTE}; {last}"),
        ],
    }


@pytest.fixture
def orchestra(tmp_path, write):
    home = tmp_path / "home"
    for key in BRANCHES:
        write(home, f"flows/{key}.json", branch(key))
    calls = [
        {"id": key, "type": "flow", "flow": {"key": "{{$.input.prefix}}-" + key.partition("-")[2], "inputs": {"n": number}}}
        for number, key in enumerate(BRANCHES, 1)
    ]
    steps = [{"id": "all", "type": "parallel", "parallel": {"maxConcurrency": 8, "steps": calls}}]
    inputs = {"prefix": {"type": "string", "default": "branch"}}
    write(home, "flows/orchestrator.json", {"key": "orchestrator", "inputs": inputs, "steps": steps})
    write(home, "triggers/start.json", {"trigger": {"type": "webhook", "path": "/start"}, "flow": "orchestrator"})
    return home


def test_a_branch_that_fails_at_its_last_step_leaves_the_results_of_all_others(orchestra, write, run):
    write(orchestra, "flows/branch-3.json", branch("branch-3", last="echo partly; echo no >&2; exit 4"))
    (orchestra / "go").touch()

    done = run("flow", "execute", "orchestrator", "-o", "json", home=orchestra)

    assert done.returncode == 7, done.stderr
    said = json.loads(done.stdout)
    assert said["status"] == "failed"
    assert "step «branch-3»" in said["error"]
    assert "step «report»: exit status 4: no" in said["error"]
    for number, key in enumerate(BRANCHES, 1):
        inner = {name: said["steps"][f"all.{key}/{name}"] for name in STEPS}
        last = ("failed", "EXIT_STATUS") if number == 3 else ("success", None)
        assert said["steps"][f"all.{key}"]["status"] == last[0]
        assert [step["status"] for step in inner.values()] == ["success"] * 4 + [last[0]]
        assert inner["work"]["output"] == str(number * 10)
        assert (inner["report"]["errorCode"], inner["report"]["attempts"]) == (last[1], 1)
        assert all(isinstance(step["durationMs"], int) for step in (*inner.values(), said["steps"][f"all.{key}"]))
    assert said["steps"]["all.branch-3/report"]["output"]["stdout"] == "partly"
    assert said["_metrics"]["steps"]["all.branch-5/work"]["durationMs"] is not None
    assert len([path for path in said["steps"] if "/" in path]) == 40


async def test_a_kill_in_the_middle_repeats_no_recorded_step_and_the_run_completes(orchestra, daemon_of, client):
    daemon = await daemon_of(orchestra)
    async with client.post(f"{daemon.hooks}/start", json={}) as answer:
        assert answer.status == 202
        (started,) = (await answer.json())["runs"]
    done = "SELECT 1 FROM attempts WHERE run = ? AND path LIKE '%/fetch' AND status = 'success' GROUP BY run HAVING count(*) = 8"
    await daemon.until(done, started)
    await daemon.kill()
    recorded = {path for (path,) in daemon.rows("SELECT path FROM attempts WHERE run = ? AND status = 'success'", started)}
    assert {f"all.{key}/fetch" for key in BRANCHES} <= recorded
    assert not any(path.endswith("/work") for path in recorded)

    (orchestra / "go").touch()
    daemon = await daemon_of(orchestra)
    await daemon.all_ended()

    assert daemon.rows("SELECT status FROM runs WHERE id = ?", started) == [("completed",)]
    ran = collections.Counter((orchestra / "log").read_text().split())
    assert {path: ran[path] for path in recorded if path in ran} == {f"all.{key}/fetch": 1 for key in BRANCHES}
    assert all(ran[f"all.{key}/{name}"] == 1 for key in BRANCHES for name in ("work", "report"))
    rows = daemon.rows("SELECT path, count(*) FROM attempts WHERE run = ? AND status = 'success' GROUP BY path", started)
    assert len(rows) == 8 * 5 + 8 + 1
    assert {count for _, count in rows} == {1}
