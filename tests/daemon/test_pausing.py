"""Runs held back: one, a flow's, or all; steps under way end, nothing new begins, restarts change nothing."""

from __future__ import annotations

import asyncio

import pytest

from daemon.waiting.pauses import ALL, Pauses, flow_key, run_key
from tests.daemon.test_waiting import PATIENCE_S, a_flow, calc, note, open_bench, pause  # noqa: F401 - a fixture
from triggers.source import Unavailable


def until_there(step, file="go"):
    return {
        "id": step,
        "type": "bash",
        "bash": {"command": f"echo > {step}; until [ -e {file} ]; do sleep 0.01; done", "timeout": 60_000},
    }


async def until(condition):
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.005)


async def status_of(bench, run):
    return bench.worker.so_far(await bench.store.run(run)).status


async def test_a_paused_run_lets_its_step_end_begins_no_other_and_goes_on_when_resumed(open_bench, tmp_path):  # noqa: F811
    flow = a_flow(tmp_path, until_there("slow"), note("after"))
    bench = await open_bench(flow)
    run = await bench.live.start(flow, {})
    await until((tmp_path / "slow").exists)

    paused = [await bench.pauses.pause(run_key(run), "why"), await bench.pauses.pause(run_key(run))]
    (tmp_path / "go").touch()
    await bench.until_at_rest(run)
    held = (await status_of(bench, run), (tmp_path / "notes.txt").exists(), bench.worker.under_way())
    resumed = [await bench.pauses.resume(run_key(run)), await bench.pauses.resume(run_key(run))]
    ended = await bench.ended(run)

    assert (paused, held, resumed) == ([True, False], ("paused", False, ()), [True, False])
    assert ended.status == "completed"
    assert [(a.path, a.number, a.status) for a in ended.attempts if a.status != "running"] == [
        ("slow", 1, "success"),
        ("after", 1, "success"),
    ]


async def test_queued_runs_of_a_paused_flow_are_not_handed_out_and_others_are(open_bench, tmp_path):  # noqa: F811
    flow, other = a_flow(tmp_path, note("a")), a_flow(tmp_path, calc("b", "1"), key="other")
    bench = await open_bench(flow, other, concurrency=1)
    await bench.pauses.pause(flow_key("later"))

    runs = [await bench.live.start(flow, {}) for _ in range(3)]
    free = await bench.ended(await bench.live.start(other, {}))
    await bench.until_at_rest(*runs)
    held = [await status_of(bench, run) for run in runs]
    await bench.pauses.resume(flow_key("later"))
    ends = [(await bench.ended(run)).status for run in runs]

    assert free.status == "completed"
    assert held == ["queued"] * 3
    assert ends == ["completed"] * 3


async def test_what_is_paused_is_so_after_a_restart(open_bench, tmp_path):  # noqa: F811
    flow = a_flow(tmp_path, until_there("slow"), note("after"))
    bench = await open_bench(flow)
    run = await bench.live.start(flow, {})
    await until((tmp_path / "slow").exists)
    await bench.pauses.pause(ALL, "maintenance")
    (tmp_path / "go").touch()
    await bench.until_at_rest(run)
    queued = await bench.live.start(flow, {})
    await bench.until_at_rest(queued)
    await open_bench.close()

    bench = await open_bench(flow, token="daemon-2")
    await bench.until_at_rest(run, queued)
    held = [await status_of(bench, one) for one in (run, queued)]
    reason = bench.pauses.of(run, "later").reason
    await bench.pauses.resume(ALL)
    ends = [(await bench.ended(one)).status for one in (run, queued)]

    assert (held, reason, ends) == (["paused", "queued"], "maintenance", ["completed", "completed"])


async def test_what_is_paused_twice_goes_on_when_both_are_lifted(open_bench, tmp_path):  # noqa: F811
    flow = a_flow(tmp_path, note("a"))
    bench = await open_bench(flow)
    await bench.pauses.pause(ALL)
    await bench.pauses.pause(flow_key("later"))
    run = await bench.live.start(flow, {})
    await bench.until_at_rest(run)

    await bench.pauses.resume(ALL)
    still = run in bench.at_rest
    await bench.pauses.resume(flow_key("later"))
    ended = await bench.ended(run)

    assert (still, ended.status) == (True, "completed")


async def test_a_run_that_waits_while_it_is_paused_goes_on_after_both(open_bench, tmp_path):  # noqa: F811
    flow = a_flow(tmp_path, pause(), note("after"))
    bench = await open_bench(flow)
    run = await bench.live.start(flow, {})
    await bench.until_at_rest(run)
    await bench.pauses.pause(run_key(run))

    bench.set_clock(3601)
    await until(lambda: run in bench.at_rest and bench.at_rest._runs[run].held)
    held = (tmp_path / "notes.txt").exists()
    await bench.pauses.resume(run_key(run))
    ended = await bench.ended(run)

    assert (held, ended.status) == (False, "completed")


async def test_a_paused_run_can_be_cancelled_and_is_held_back_no_more(open_bench, tmp_path):  # noqa: F811
    flow = a_flow(tmp_path, until_there("slow"), note("after"))
    bench = await open_bench(flow)
    running, queued = await bench.live.start(flow, {}), await bench.live.start(flow, {})
    await until((tmp_path / "slow").exists)
    await bench.pauses.pause(run_key(running))
    await bench.pauses.pause(run_key(queued))
    (tmp_path / "go").touch()
    await bench.until_at_rest(running)

    await bench.live.cancel([running])
    ended = await bench.ended(running)

    assert ended.status == "cancelled"
    assert bench.pauses.get(run_key(running)) is None
    assert not (tmp_path / "notes.txt").exists()


async def test_pause_and_resume_at_any_time_lose_no_run(open_bench, tmp_path):  # noqa: F811
    flow = a_flow(tmp_path, note("a"), pause(length="5ms"), note("b"), calc("c", "1"))
    bench = await open_bench(flow)
    runs = [await bench.live.start(flow, {}) for _ in range(20)]

    for _ in range(10):
        await bench.pauses.pause(flow_key("later"))
        await asyncio.sleep(0.003)
        await bench.pauses.resume(flow_key("later"))
        await asyncio.sleep(0.003)
    ends = [await bench.ended(run) for run in runs]

    assert {run.status for run in ends} == {"completed"}
    assert sorted((tmp_path / "notes.txt").read_text()) == ["a"] * 20 + ["b"] * 20


async def test_rows_that_mean_nothing_are_passed_over():
    class Memory:
        async def load(self):
            return {"flow:a": {"since": 1.0, "reason": 5}, "flow:b": "x", "*": {}, "flow:c": None}

    pauses = Pauses(Memory())
    await pauses.load()

    assert list(pauses.all()) == ["flow:a"]


async def test_the_pause_of_a_run_that_has_ended_is_forgotten_also_where_the_store_failed_once():
    class Memory:
        def __init__(self):
            self.rows, self.failing = {}, False

        async def load(self):
            return self.rows

        async def save(self, changes):
            if self.failing:
                raise Unavailable("the disk is full")
            self.rows = {key: row for key, row in {**self.rows, **changes}.items() if row is not None}

    memory = Memory()
    pauses = Pauses(memory)
    await pauses.pause(run_key("run_1"))
    pauses.ended("run_1")

    memory.failing = True
    with pytest.raises(Unavailable):
        await pauses.pause(ALL)
    memory.failing = False
    await pauses.pause(flow_key("later"))

    assert memory.rows.keys() == {flow_key("later")}
