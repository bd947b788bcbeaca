"""A run that ended starts another: with its outputs or its failure, once, and not for ever."""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise

import aiohttp
import pytest

pytestmark = pytest.mark.long

SIZES = [pytest.param(20, 2, id="2 kills"), pytest.param(60, 8, id="8 kills", marks=pytest.mark.slow)]


def transform(expression: str, step: str = "make") -> dict:
    return {"id": step, "type": "transform", "transform": {"expression": expression}}


def follows(flow, then: str, mapping=None, **section) -> dict:
    definition = {"trigger": {"type": "flow", "flow": flow, **section}, "flow": then}
    return definition | ({} if mapping is None else {"inputMapping": mapping})


async def test_three_flows_start_each_other_with_what_the_one_before_gave(home_of, daemon_of, start, run, run_json):
    home = home_of(
        {
            "flows/first.json": {"steps": [transform("({doubled: $.input.n * 2})")]},
            "flows/second.json": {"inputs": {"n": {"type": "number"}}, "steps": [transform("$.input.n + 1")]},
            "flows/third.json": {"steps": [transform("$.input")]},
            "triggers/to-second.json": follows("first", "second", {"n": "$.flow.outputs.doubled"}),
            "triggers/to-third.json": follows(
                ["second"], "third", {"got": "$.flow.outputs", "chain": "$.chain", "flow": "$.flow.key", "me": "$.trigger.key"}
            ),
        }
    )
    daemon = await daemon_of(home)

    event, started = await start(daemon, {"n": 20})
    await daemon.until("SELECT 1 FROM runs WHERE flow = 'third' AND status = 'completed'")
    runs = run_json("run", "list", "--chain", event, home=home)
    last = run_json("run", "show", runs[0]["run"], home=home)

    assert [(one["flow"], one["depth"], one["chain"]) for one in runs] == [
        ("third", 2, event),
        ("second", 1, event),
        ("first", 0, event),
    ]
    assert last["output"] == {"got": 41, "chain": {"id": event, "depth": 2}, "flow": "second", "me": "to-third"}
    assert (last["chain"], last["depth"]) == (event, 2)
    events = run_json("event", "list", "--chain", event, home=home)
    assert [(one["source"], one["address"], one["subject"]) for one in events] == [
        ("flow", "second:completed", runs[1]["run"]),
        ("flow", "first:completed", started),
        ("webhook", "/start", None),
    ]
    assert {(one["chain"], one["depth"]) for one in events} == {(event, 0), (event, 1), (event, 2)}
    refused = run("event", "list", "--chain", "evt_0", home=home)  # no chain is named by what several ids begin with
    assert (refused.returncode, "several ids" in refused.stderr) == (2, True)


async def test_a_failure_starts_what_follows_failures_and_hands_it_the_error(home_of, daemon_of, start):
    home = home_of(
        {
            "flows/first.json": {"steps": [{"id": "fetch", "type": "bash", "bash": {"command": "echo no luck >&2; exit 3"}}]},
            "flows/alarm.json": {"steps": [transform("$.input")]},
            "triggers/alarm.json": follows(
                "first",
                "alarm",
                {"why": "$.flow.error", "code": "$.flow.errorCode", "step": "$.flow.failedStep", "n": "$.flow.inputs.n"},
                on=["failed", "cancelled"],
                filter="$.flow.status === 'failed' && $.flow.durationMs >= 0",
            ),
            "triggers/celebrate.json": follows("first", "alarm"),
        }
    )
    daemon = await daemon_of(home)

    await start(daemon)
    ((inputs,),) = await daemon.until("SELECT inputs FROM runs WHERE flow = 'alarm'")
    await daemon.all_ended()

    assert "no luck" in inputs
    assert '"code":"EXIT_STATUS"' in inputs
    assert '"step":"fetch"' in inputs
    assert '"n":1' in inputs
    assert daemon.rows('SELECT "trigger", verdict FROM verdicts WHERE verdict = ? AND "trigger" != ?', "dispatched", "start") == [
        ("alarm", "dispatched")
    ]


async def test_a_loop_ends_at_its_limit_and_the_verdict_names_the_chain(home_of, daemon_of, start, run):
    home = home_of(
        {
            "flows/first.json": {"steps": [transform("1")]},
            "flows/second.json": {"steps": [transform("2")]},
            "triggers/there.json": follows("first", "second"),
            "triggers/back.json": follows("second", "first"),
        },
        "[sources.flow]\nmax_depth = 5\n",
    )
    checked = run("validate", home)
    daemon = await daemon_of(home)

    event, _ = await start(daemon)
    await daemon.until("SELECT 1 FROM verdicts WHERE verdict = 'loop_refused'")
    await daemon.all_ended()

    assert checked.returncode == 0
    assert "first → second → first" in checked.stderr
    assert daemon.rows("SELECT chain, max(depth), count(*) FROM runs GROUP BY chain") == [(event, 5, 6)]
    (refused,) = daemon.rows("SELECT event FROM verdicts WHERE verdict = 'loop_refused'")
    assert f"run 6 in a row of the chain {event}" in run("event", "explain", refused[0], home=home).stdout


async def test_a_storm_is_stopped_where_each_run_starts_two(home_of, daemon_of, start):
    home = home_of(
        {
            "flows/first.json": {"steps": [transform("1")]},
            "triggers/one.json": follows("first", "first"),
            "triggers/two.json": follows("first", "first"),
        },
        "[sources.flow]\nmax_depth = 1000\nmax_runs = 25\n",
    )
    daemon = await daemon_of(home)

    event, _ = await start(daemon)
    await daemon.until("SELECT 1 FROM verdicts WHERE verdict = 'loop_refused'")
    await daemon.all_ended()
    other, _ = await start(daemon)
    await daemon.until("SELECT 1 FROM runs WHERE chain = ? AND depth > 0", other)
    await daemon.all_ended()

    assert dict(daemon.rows("SELECT chain, count(*) FROM runs WHERE depth > 0 GROUP BY chain")) == {event: 25, other: 25}
    ((reason,),) = daemon.rows(
        "SELECT DISTINCT reason FROM verdicts WHERE verdict = 'loop_refused' AND reason LIKE ?", f"%{event}%"
    )
    assert f"the chain {event} has started 25 runs" in reason


@pytest.mark.slow
async def test_a_storm_is_stopped_across_kills_of_the_daemon(home_of, daemon_of, start):
    """How many runs a chain has started is counted from the database where it still goes on."""
    home = home_of(
        {
            "flows/first.json": {"steps": [{"id": "s", "type": "bash", "bash": {"command": "sleep 0.05"}}]},
            "triggers/one.json": follows("first", "first", on=["completed", "failed"]),
        },
        "[sources.flow]\nmax_depth = 1000\nmax_runs = 8\n",
    )
    daemon = await daemon_of(home)

    event, _ = await start(daemon)
    for reached in (2, 5):
        await daemon.until("SELECT 1 FROM runs WHERE depth >= ?", reached)
        await daemon.kill()
        daemon = await daemon_of(home)
    await daemon.until("SELECT 1 FROM verdicts WHERE verdict = 'loop_refused'")
    await daemon.all_ended()

    assert daemon.rows("SELECT chain, count(*), max(depth) FROM runs WHERE depth > 0 GROUP BY chain") == [(event, 8, 8)]


@pytest.mark.parametrize(("events", "kills"), SIZES)
async def test_kill_9_again_and_again_neither_loses_nor_doubles_a_link(home_of, daemon_of, events, kills):
    """Each webhook starts a chain of four; whenever the process dies, each chain has its four runs in the end."""
    links = ("first", "second", "third", "fourth")
    step = {"id": "s", "type": "bash", "bash": {"command": "true"}}
    files = {f"flows/{flow}.json": {"steps": [transform("1"), step] if flow == "second" else [transform("1")]} for flow in links}
    files |= {f"triggers/to-{then}.json": follows(flow, then) for flow, then in pairwise(links)}
    home = home_of(files)
    at = random.Random(3)
    state = {"daemon": await daemon_of(home)}
    acknowledged: set[str] = set()
    numbers = iter(range(events))

    async def sender(session):
        for number in numbers:
            while True:  # a sender of webhooks sends again what was not acknowledged
                try:
                    async with session.post(f"{state['daemon'].hooks}/start", json={"n": number}) as answer:
                        acknowledged.add((await answer.json())["event"])
                        break
                except (aiohttp.ClientError, ConnectionError):
                    await asyncio.sleep(0.02)

    async def killer():
        for _ in range(kills):
            await asyncio.sleep(at.uniform(0.0, 0.2))
            await state["daemon"].kill()
            state["daemon"] = await daemon_of(home)

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(sender(session) for _ in range(4)), killer())
    daemon = state["daemon"]
    await daemon.all_ended()

    chains: dict[str, list] = {}
    for chain, flow, depth in daemon.rows("SELECT chain, flow, depth FROM runs ORDER BY depth, id"):
        chains.setdefault(chain, []).append((flow, depth))
    assert acknowledged <= chains.keys()
    assert all(runs == [(flow, depth) for depth, flow in enumerate(links)] for runs in chains.values())
    assert daemon.rows("SELECT count(*) FROM events WHERE source = 'flow'") == [(3 * len(chains),)]


async def test_runs_that_end_while_the_daemon_stops_are_followed_by_the_next_one(home_of, daemon_of, start):
    home = home_of(
        {
            "flows/first.json": {"steps": [{"id": "s", "type": "bash", "bash": {"command": "touch ../began; sleep 0.5"}}]},
            "flows/second.json": {"steps": [transform("2")]},
            "triggers/next.json": follows("first", "second"),
        }
    )
    daemon = await daemon_of(home)
    await start(daemon)
    async with asyncio.timeout(60):
        while not (home / "began").exists():
            await asyncio.sleep(0.01)

    assert await daemon.stop() == 0
    before = daemon.rows("SELECT flow, status FROM runs ORDER BY depth")
    daemon = await daemon_of(home)
    await daemon.all_ended()

    assert before == [("first", "completed"), ("second", "queued")]
    assert daemon.rows("SELECT flow, status FROM runs ORDER BY depth") == [("first", "completed"), ("second", "completed")]
