"""Handlers that wait: the run is left like any other, and goes on from how its steps ended."""

from __future__ import annotations

from tests.daemon.test_waiting import a_flow, note, open_bench, pause  # noqa: F401 - a fixture


async def test_a_run_whose_handlers_wait_is_left_and_goes_on_with_them(open_bench, tmp_path):  # noqa: F811
    flow = a_flow(tmp_path, note("main"), **{"finally": [note("before"), pause(), note("after")]})
    bench = await open_bench(flow)
    run = await bench.live.start(flow, {})
    await bench.until_at_rest(run)
    resting = await bench.store.run(run)

    bench.set_clock(7 * 3600)
    ended = await bench.ended(run)

    assert resting.ending["status"] == "completed"
    assert ended.status == "completed"
    assert (tmp_path / "notes.txt").read_text() == "mainbeforeafter"
    assert {attempt.number for attempt in ended.attempts} == {1}


async def test_a_run_that_is_cancelled_while_its_handlers_wait_ends_as_cancelled(open_bench, tmp_path):  # noqa: F811
    flow = a_flow(tmp_path, note("main"), **{"finally": [pause(), note("after")]})
    bench = await open_bench(flow)
    bench.worker.cleanup_s = 0.05
    run = await bench.live.start(flow, {})
    await bench.until_at_rest(run)

    asked = await bench.live.cancel([run], "enough")
    ended = await bench.ended(run)

    assert asked == [run]
    assert (ended.status, ended.code, ended.error) == ("cancelled", "CANCELLED", "enough")
    assert (tmp_path / "notes.txt").read_text() == "main"


async def test_handlers_of_a_run_out_of_time_are_not_left_to_wait_longer_than_they_have(open_bench, tmp_path):  # noqa: F811
    flow = a_flow(tmp_path, pause("main"), **{"finally": [note("before"), pause(), note("after")]})
    bench = await open_bench(flow)
    bench.worker.cleanup_s = 0.1

    run = await bench.live.start(flow, {}, finish_within=0.1)
    ended = await bench.ended(run)

    assert (ended.status, ended.code) == ("failed", "RUN_TIMEOUT")
    assert (tmp_path / "notes.txt").read_text() == "before"
