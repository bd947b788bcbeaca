"""A step gives an event of its own: who hears it is started, once, whatever happens to the process, and not for ever."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.acceptance.database import change

pytestmark = pytest.mark.long


def emit(event="deal.enriched", step="tell", **section) -> dict:
    return {"id": step, "type": "emit", "emit": {"event": event, **section}}


def calc(expression: str, step: str = "make") -> dict:
    return {"id": step, "type": "transform", "transform": {"expression": expression}}


def hears(name, then: str, mapping=None, **section) -> dict:
    definition = {"trigger": {"type": "event", "name": name, **section}, "flow": then}
    return definition | ({} if mapping is None else {"inputMapping": mapping})


async def test_an_event_starts_the_flows_that_hear_it_and_belongs_to_the_chain(home_of, daemon_of, start, run_json):
    home = home_of(
        {
            "flows/first.json": {"steps": [emit(data={"n": "$.input.n"}, subject="deal {{$.input.n}}")]},
            "flows/second.json": {"steps": [calc("$.input")]},
            "triggers/hears.json": hears(
                ["deal.lost", "deal.enriched"],
                "second",
                {"n": "$.body.n", "about": "$.subject", "from": "$.flow", "type": "$.type"},
            ),
            "triggers/large.json": hears("deal.enriched", "second", {}, filter="$.body.n > 100"),
        }
    )
    daemon = await daemon_of(home)

    event, run = await start(daemon, {"n": 7})
    await daemon.until("SELECT 1 FROM runs WHERE flow = 'second' AND status = 'completed'")
    await daemon.all_ended()
    first, (second,) = run_json("run", "show", run, home=home), run_json("run", "list", "--flow", "second", home=home)
    shown = run_json("run", "show", second["run"], home=home)

    assert first["output"] == {"event": shown["event"], "runs": [second["run"]]}
    assert shown["output"] == {
        "n": 7, "about": "deal 7", "type": "deal.enriched", "from": {"key": "first", "run": run, "step": "tell"},
    }  # fmt: skip
    assert (shown["chain"], shown["depth"]) == (event, 1)
    events = run_json("event", "list", "--chain", event, home=home)
    assert [(one["source"], one["address"], one["subject"], one["chain"], one["depth"]) for one in events] == [
        ("event", "deal.enriched", run, event, 1),
        ("webhook", "/start", None, event, 0),
    ]
    verdicts = {one["trigger"]: one["verdict"] for one in run_json("event", "show", shown["event"], home=home)["verdicts"]}
    assert verdicts == {"hears": "dispatched", "large": "filter_false"}


async def test_an_event_that_nobody_hears_is_none_and_validate_says_so(home_of, daemon_of, start, run, run_json):
    home = home_of(
        {
            "flows/first.json": {"steps": [emit("deal.enrichd")]},
            "triggers/hears.json": hears("deal.enriched", "first"),
        }
    )
    checked = run("validate", home)
    daemon = await daemon_of(home)

    _, started = await start(daemon)
    await daemon.all_ended()

    assert checked.returncode == 0
    assert "no trigger hears the event «deal.enrichd» (did you mean «deal.enriched»?)" in checked.stderr
    assert run_json("run", "show", started, home=home)["output"] == {"event": None, "runs": []}
    assert daemon.rows("SELECT count(*) FROM events") == [(1,)]
    explained = run_json("trigger", "explain", "hears", home=home)
    assert (explained["waitsFor"], explained["inTheWay"]) == ("events named deal.enriched", ["no flow emits «deal.enriched»"])


async def test_a_trigger_that_hears_events_is_tried_out_by_hand(home_of, daemon_of, run, run_json):
    home = home_of(
        {
            "flows/first.json": {"steps": [calc("1")]},
            "flows/second.json": {"steps": [calc("$.input.n + 1")]},
            "triggers/hears.json": hears("deal.enriched", "second", filter="$.body.n > 1")
            | {
                "tests": [
                    {"event": {"body": {"n": 2}}, "expect": {"inputs": {"n": 2}}},
                    {"event": {}, "expect": {"fires": False}},
                ]
            },
        }
    )
    tested = run("trigger", "test", "hears", home=home)
    await daemon_of(home)

    fired = await asyncio.to_thread(run_json, "trigger", "fire", "hears", "--body", '{"n": 5}', "--wait", home=home)

    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "6" in str(fired)


async def test_without_a_daemon_a_flow_runs_and_its_events_are_heard_by_nobody(home_of, run_json):
    home = home_of(
        {
            "flows/first.json": {"steps": [emit(), calc("$.steps.tell.output.event === null", "alone")]},
            "triggers/hears.json": hears("deal.enriched", "first"),
        }
    )

    done = run_json("flow", "execute", "first", home=home)

    assert (done["status"], done["output"]) == ("completed", True)
    assert run_json("event", "list", home=home) == []


async def test_a_loop_of_events_ends_at_its_limit_and_the_verdict_names_the_chain(home_of, daemon_of, start, run):
    home = home_of(
        {"flows/first.json": {"steps": [emit("again")]}, "triggers/again.json": hears("again", "first")},
        "[sources.flow]\nmax_depth = 4\n",
    )
    daemon = await daemon_of(home)

    event, _ = await start(daemon)
    await daemon.until("SELECT 1 FROM verdicts WHERE verdict = 'loop_refused'")
    await daemon.all_ended()

    assert daemon.rows("SELECT chain, max(depth), count(*) FROM runs GROUP BY chain") == [(event, 4, 5)]
    ((refused, output),) = daemon.rows(
        "SELECT v.event, a.output FROM verdicts v JOIN events e ON e.id = v.event"
        " JOIN attempts a ON a.run = e.subject AND a.kind = 'emit' WHERE v.verdict = 'loop_refused'"
    )
    assert refused in output
    assert f"run 5 in a row of the chain {event}" in run("event", "explain", refused, home=home).stdout


async def test_events_and_ends_of_runs_share_the_limit_on_the_runs_of_a_chain(home_of, daemon_of, start):
    home = home_of(
        {
            "flows/first.json": {"steps": [emit("again")]},
            "triggers/again.json": hears("again", "first"),
            "triggers/follow.json": {"trigger": {"type": "flow", "flow": "first"}, "flow": "first"},
        },
        "[sources.flow]\nmax_depth = 1000\nmax_runs = 20\n",
    )
    daemon = await daemon_of(home)

    event, _ = await start(daemon)
    await daemon.until("SELECT 1 FROM verdicts WHERE verdict = 'loop_refused'")
    await daemon.all_ended()

    assert daemon.rows("SELECT chain, count(*) FROM runs WHERE depth > 0 GROUP BY chain") == [(event, 20)]
    assert {source for (source,) in daemon.rows("SELECT DISTINCT source FROM events")} == {"webhook", "event", "flow"}


async def test_a_step_that_died_after_its_event_was_kept_makes_no_second_one(home_of, daemon_of, start, run_json):
    """Between the two commits there is no moment to hit by hand: the record is taken out again, as if it had not been reached."""
    home = home_of(
        {
            "flows/first.json": {
                "steps": [emit(data=1), {"id": "wait", "type": "bash", "bash": {"command": "test -e ../go || sleep 60"}}]
            },
            "flows/second.json": {"steps": [calc("1")]},
            "triggers/hears.json": hears("deal.enriched", "second"),
        }
    )
    daemon = await daemon_of(home)
    _, run = await start(daemon)
    await daemon.until("SELECT 1 FROM attempts WHERE path = 'tell' AND status = 'success'")
    ((kept,),) = await daemon.until("SELECT id FROM events WHERE source = 'event'")
    await daemon.kill()
    (home / "go").touch()
    change(
        home,
        "UPDATE attempts SET status = 'running', output = NULL, duration_ms = NULL WHERE path = 'tell'",
        "DELETE FROM attempts WHERE path = 'wait'",
    )

    daemon = await daemon_of(home)
    await daemon.all_ended()

    assert daemon.rows("SELECT number, status FROM attempts WHERE path = 'tell' ORDER BY number") == [
        (1, "interrupted"),
        (2, "success"),
    ]
    assert daemon.rows("SELECT id FROM events WHERE source = 'event'") == [(kept,)]
    ((second,),) = daemon.rows("SELECT id FROM runs WHERE flow = 'second'")
    assert run_json("run", "show", run, home=home)["steps"]["tell"]["output"] == {"event": kept, "runs": [second]}


@pytest.mark.slow
async def test_kill_9_again_and_again_neither_loses_nor_doubles_an_event(home_of, daemon_of, start):
    """A loop gives 400 events while the process is killed ten times, most often in the middle of one."""
    each = {"id": "each", "type": "loop", "loop": {"over": "$.input.items", "steps": [emit(data="$.loop.item")]}}
    home = home_of(
        {
            "flows/first.json": {"steps": [each]},
            "flows/second.json": {"steps": [calc("$.input.n")]},
            "triggers/hears.json": hears("deal.enriched", "second", {"n": "$.body"}),
        }
    )
    at = random.Random(5)
    daemon = await daemon_of(home)

    await start(daemon, {"items": list(range(400))})
    for kill in range(10):
        await daemon.until("SELECT 1 WHERE (SELECT count(*) FROM events WHERE source = 'event') > ?", kill * 30)
        await asyncio.sleep(at.uniform(0.0, 0.02))
        await daemon.kill()
        daemon = await daemon_of(home)
    await daemon.all_ended()

    assert daemon.rows("SELECT count(*), count(DISTINCT inputs) FROM runs WHERE flow = 'second'") == [(400, 400)]
    assert daemon.rows("SELECT count(*) FROM events WHERE source = 'event'") == [(400,)]
    assert daemon.rows("SELECT status, count(*) FROM runs GROUP BY status") == [("completed", 401)]
