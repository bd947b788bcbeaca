"""Handlers of runs whose process died, whose time is over, and of sub-flows that are cut off."""

import asyncio

import pytest

from tests.flows.handling import ALL, Stage, boom, call, hang, say


async def test_how_the_steps_came_out_is_kept_before_handlers_begin_and_only_where_some_follow():
    stage = Stage({"steps": [boom("a")], "finally": [say("b", "1")]})
    without = Stage({"steps": [say("a", "1")], "onFailure": [say("b", "1")]})

    await stage.run()
    await without.run()

    assert [(ending.status, ending.step, ending.code) for ending in stage.endings] == [("failed", "a", "BOOM")]
    assert without.endings == []


@pytest.mark.parametrize("steps", [[say("a", "1")], [say("a", "1"), boom("b")]], ids=["completed", "failed"])
async def test_after_a_crash_in_a_handler_what_is_recorded_does_not_run_again_and_the_rest_does(steps):
    stage = Stage({"steps": steps, "finally": [say("c", "2"), hang("d"), say("e", "{{$.status}} {{$.steps.a.output}}")]})
    await stage.crash()
    stage.hang.go_on.set()

    ended = await stage.run(stage.control(ending=stage.endings[0]))

    status = "completed" if len(steps) == 1 else "failed"
    assert (ended.status, ended.output) == (status, "1" if status == "completed" else None)
    assert stage.say.said == ["1", "2", f"{status} 1"]
    assert len(stage.endings) == 1


async def test_a_run_that_was_to_stop_when_the_process_died_starts_nothing_but_its_handlers():
    stage = Stage({"steps": [say("a", "1"), hang("b"), say("c", "2")], **ALL})
    await stage.crash()

    ended = await stage.run(stage.control(cancelled="enough", started_at=1.0))

    assert (ended.status, ended.error) == ("cancelled", "enough")
    assert [said.split(" ")[0] for said in stage.say.said] == ["1", "onCancel", "finally"]
    assert stage.ends == {"a": "success", "b": "interrupted", "onCancel/cancelled": "success", "finally/last": "success"}


async def test_a_retry_that_waited_when_a_cancelled_run_lost_its_process_is_not_made():
    stage = Stage({"steps": [{"id": "p", "type": "parallel", "parallel": {"steps": [
        boom("a", onError={"strategy": "retry", "retries": 3, "retryDelayMs": 600_000, "retryOn": ["BOOM"]}), hang("b")]}}]})  # fmt: skip
    await stage.crash()

    ended = await stage.run(stage.control(cancelled="enough"))

    assert (ended.status, ended.code) == ("cancelled", "CANCELLED")
    assert stage.ends == {"p.a": "failed", "p.b": "interrupted"}
    assert max(attempt.number for attempt in stage.attempts) == 1


async def test_a_run_whose_time_was_over_while_no_process_worked_on_it_starts_nothing_but_its_handlers():
    stage = Stage({"steps": [say("a", "1"), hang("b"), say("c", "2")], "timeoutMs": 5000, **ALL})
    await stage.crash()

    ended = await stage.run(stage.control(started_at=stage.world.clock() - 6))

    assert (ended.status, ended.code) == ("failed", "FLOW_TIMEOUT")
    assert [said.split(" ")[0] for said in stage.say.said] == ["1", "onFailure", "finally"]


async def test_a_flows_time_counts_from_its_first_start_and_not_from_the_resume():
    stage = Stage({"steps": [say("a", "1"), hang("b")], "timeoutMs": 60_000})
    await stage.crash()

    ended = await stage.run(stage.control(started_at=stage.world.clock() - 59.98))

    assert (ended.status, ended.code) == ("failed", "FLOW_TIMEOUT")
    assert stage.ends["b"] == "cancelled"


async def test_a_sub_flows_time_counts_from_its_first_step_also_after_a_crash():
    stage = Stage({"steps": [call("s", "inner")]}, inner={"steps": [say("a", "1"), hang("b")], "timeoutMs": 200})
    await stage.crash()
    await asyncio.sleep(0.25)

    ended = await stage.run()

    assert (ended.status, ended.code) == ("failed", "FLOW_TIMEOUT")
    assert stage.ends == {"s/a": "success", "s/b": "interrupted", "s": "failed"}


INNER = {"steps": [say("in", "inner"), hang("wait")], **ALL}


async def test_a_sub_flow_has_its_own_handlers_when_it_ends_inside_its_parent():
    stage = Stage({"steps": [call("s", "inner"), say("b", "{{$.steps.s.output.in.output}}")]}, inner=INNER)
    stage.hang.go_on.set()

    ended = await stage.run()

    assert (ended.status, ended.output) == ("completed", "inner")
    assert stage.say.said == ["inner", "finally completed null", "inner"]
    assert list(stage.ends) == ["s/in", "s/wait", "s/finally/last", "s", "b"]


async def test_a_sub_flow_whose_finally_fails_fails_its_step():
    stage = Stage({"steps": [call("s", "inner")]}, inner={"steps": [say("a", "1")], "finally": [boom("b")]})

    ended = await stage.run()

    assert (ended.code, ended.error) == ("BOOM", "step «s»: finally: step «b»: boom")


async def test_cancelling_a_run_lets_its_sub_flows_clean_up_before_its_own_handlers():
    stage = Stage({"steps": [call("s", "inner"), say("b", "2")], "finally": [say("outer", "outer finally")]}, inner=INNER)
    control = stage.control()
    running = stage.start(control)
    await stage.hang.begun.acquire()
    control.cancelled = "enough"
    running.cancel()

    ended = await running

    assert ended.status == "cancelled"
    assert [said.split(" ")[0] for said in stage.say.said] == ["inner", "onCancel", "finally", "outer"]


async def test_a_sub_flow_that_its_steps_timeout_cuts_off_is_cancelled_to_itself():
    stage = Stage({"steps": [call("s", "inner", timeoutMs=30)]}, inner=INNER)

    ended = await stage.run()

    assert (ended.status, ended.code) == ("failed", "TIMEOUT")
    assert [said.split(" ")[0] for said in stage.say.said] == ["inner", "onCancel", "finally"]


async def test_sub_flows_of_a_cancelled_run_clean_up_also_where_their_process_died():
    stage = Stage({"steps": [call("s", "inner"), say("b", "2")], "finally": [say("outer", "outer")]}, inner=INNER)
    await stage.crash()

    ended = await stage.run(stage.control(cancelled="enough"))

    assert ended.status == "cancelled"
    assert [said.split(" ")[0] for said in stage.say.said] == ["inner", "onCancel", "finally", "outer"]
    assert stage.ends["s/wait"] == "interrupted"


async def test_a_process_that_is_told_to_leave_leaves_the_handlers_to_the_next_one():
    stage = Stage({"steps": [say("a", "1"), hang("b")], **ALL})

    await stage.crash()

    assert stage.say.said == ["1"]
    assert stage.endings == []
