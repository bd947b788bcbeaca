"""`onFailure`, `onCancel` and `finally`: what follows a flow's steps, whatever became of them, also over a crash."""

import asyncio
from pathlib import Path

import pytest

from flows.dialects import load_flow
from flows.dry_run import resolve_steps
from flows.errors import DefinitionError
from flows.steps import make_kinds
from tests.flows.handling import ALL, Stage, boom, hang, say


async def test_a_flow_that_completed_is_followed_by_finally_alone():
    stage = Stage({"steps": [say("a", "main")], **ALL})

    ended = await stage.run()

    assert (ended.status, ended.output, ended.error) == ("completed", "main", None)
    assert stage.say.said == ["main", "finally completed null"]
    assert stage.ends == {"a": "success", "finally/last": "success"}


async def test_a_flow_that_failed_is_followed_by_on_failure_and_then_finally_which_see_why():
    stage = Stage({"steps": [say("a", "main"), boom("b")], **ALL})

    ended = await stage.run()

    why = '{"step":"b","code":"BOOM","message":"step «b»: boom"}'
    assert (ended.status, ended.code, ended.error) == ("failed", "BOOM", "step «b»: boom")
    assert stage.say.said == ["main", f"onFailure failed {why}", f"finally failed {why}"]
    assert list(stage.ends) == ["a", "b", "onFailure/failed", "finally/last"]


async def test_a_flow_that_was_cancelled_is_followed_by_on_cancel_and_then_finally():
    stage = Stage({"steps": [say("a", "main"), hang("b")], **ALL})
    control = stage.control()
    running = stage.start(control)
    await stage.hang.begun.acquire()
    control.cancelled = "not needed any more"
    running.cancel()

    ended = await running

    why = '{"step":null,"code":"CANCELLED","message":"not needed any more"}'
    assert (ended.status, ended.code, ended.error) == ("cancelled", "CANCELLED", "not needed any more")
    assert stage.say.said == ["main", f"onCancel cancelled {why}", f"finally cancelled {why}"]
    assert stage.ends["b"] == "cancelled"


async def test_a_flow_that_is_out_of_time_has_failed_and_is_followed_so():
    stage = Stage({"steps": [hang("a")], "timeoutMs": 20, **ALL})

    ended = await stage.run()

    assert (ended.status, ended.code) == ("failed", "FLOW_TIMEOUT")
    assert [said.split(" ")[0] for said in stage.say.said] == ["onFailure", "finally"]


async def test_a_run_that_is_out_of_its_time_has_failed_with_a_code_of_its_own_and_is_followed_so():
    stage = Stage({"steps": [hang("a")], "timeoutMs": 60_000, **ALL})
    now = stage.world.clock()

    ended = await stage.run(stage.control(started_at=now - 10, finish_by=now + 0.02))

    assert (ended.status, ended.code) == ("failed", "RUN_TIMEOUT")
    assert ended.error == "the run did not finish in its time of 10020 ms"
    assert [said.split(" ")[0] for said in stage.say.said] == ["onFailure", "finally"]
    assert stage.ends["a"] == "cancelled"


async def test_handlers_see_the_results_of_all_steps_and_those_of_a_skipped_one_as_nothing():
    steps = [say("a", "1"), say("never", "2", **{"if": "false"}), boom("b"), say("behind", "3")]
    last = say("last", "{{$.steps.a.output}} {{$.steps.never.status}} {{$.steps.b.errorCode}} [{{$.steps.behind.output}}]")
    stage = Stage({"steps": steps, "onFailure": [say("mend", "4")], "finally": [last, say("more", "{{$.steps.mend.output}}!")]})

    await stage.run()

    assert stage.say.said == ["1", "4", "1 skipped BOOM []", "4!"]


async def test_a_handler_may_have_loops_and_branches_that_see_how_it_ended():
    body = [say("each", "{{$.loop.item}} {{$.status}}")]
    stage = Stage({"steps": [say("a", "1")], "finally": [{"id": "l", "type": "loop", "loop": {"over": [1, 2], "steps": body}}]})

    await stage.run()

    assert stage.say.said == ["1", "1 completed", "2 completed"]
    assert [path for path in stage.ends if "each" in path] == ["finally/l[0].each", "finally/l[1].each"]


async def test_a_finally_that_fails_fails_a_flow_that_had_completed():
    stage = Stage({"steps": [say("a", "1")], "finally": [boom("b"), say("c", "2")]})

    ended = await stage.run()

    assert (ended.status, ended.code, ended.error, ended.output) == ("failed", "BOOM", "finally: step «b»: boom", None)
    assert stage.say.said == ["1"]


@pytest.mark.parametrize("handler", ["onFailure", "finally"])
async def test_a_handler_that_fails_leaves_a_failed_flow_as_it_was_and_the_next_one_runs(handler):
    stage = Stage({"steps": [boom("a")], **ALL, handler: [{**boom("again"), "onError": {"strategy": "fail"}}]})

    ended = await stage.run()

    assert (ended.code, ended.error) == ("BOOM", "step «a»: boom")
    assert len(stage.say.said) == 1


async def test_a_cancel_while_handlers_run_leaves_them_so_much_time_and_the_run_ends_cancelled():
    stage = Stage({"steps": [say("a", "1")], "finally": [hang("h"), say("b", "2")]})
    control = stage.control(cleanup_s=60)
    running = stage.start(control)
    await stage.hang.begun.acquire()
    running.cancel()
    await asyncio.sleep(0)
    assert not running.done()
    stage.hang.go_on.set()

    ended = await running

    assert (ended.status, ended.code, ended.output) == ("cancelled", "CANCELLED", None)
    assert stage.say.said == ["1", "2"]


async def test_handlers_of_a_cancelled_run_that_do_not_end_are_cut_off():
    stage = Stage({"steps": [hang("a")], "onCancel": [hang("b")], "finally": [say("c", "1")]})
    control = stage.control(cleanup_s=0.02)
    running = stage.start(control)
    await stage.hang.begun.acquire()
    control.cancelled = "enough"
    running.cancel()

    async with asyncio.timeout(5):
        ended = await running

    assert ended.status == "cancelled"
    assert stage.ends == {"a": "cancelled", "onCancel/b": "cancelled"}


async def test_a_run_out_of_time_leaves_its_handlers_the_time_to_clean_up_and_no_more():
    stage = Stage({"steps": [say("a", "1")], "finally": [hang("b")]})

    ended = await stage.run(stage.control(finish_by=stage.world.clock() + 0.01, cleanup_s=0.03))

    assert (ended.status, ended.code, ended.error) == ("failed", "RUN_TIMEOUT", "finally: there was no more time for it")


NODES = {"version": "1.0", "nodes": [{"id": "n", "type": "say", "config": {"expression": "node"}}], "edges": []}


async def test_a_flow_of_nodes_has_handlers_written_as_steps():
    stage = Stage({**NODES, **ALL})

    ended = await stage.run()

    assert ended.status == "completed"
    assert stage.say.said == ["node", "finally completed null"]


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        ({"finally": {"id": "x"}}, "finally is an object, and must be a list"),
        ({"finally": [{"id": "x", "type": "sai"}]}, "finally[0].type: «sai» is no type of steps"),
        ({"onFailure": [say("a", "again")]}, "onFailure[0].id: there are two steps «a»"),
        ({"onFailure": [say("x", "{{$.steps.nowhere.output}}")]}, "there is no step «nowhere»"),
        ({"finally": [say("x", "{{$.steps.y.output}}"), say("y", "1")]}, "step «y» has not run when «x» starts"),
        ({"onCancel": [say("x", "{{$.steps.y.output}}")], "finally": [say("y", "1")]}, "has not run when «x» starts"),
        ({"steps": [say("a", "{{$.steps.x.output}}")], "finally": [say("x", "1")]}, "has not run when «a» starts"),
        ({"steps": [say("finally", "1")], "finally": [say("x", "1")]}, "cannot be called «finally»"),
        ({"final": [say("x", "1")]}, "did you mean"),
    ],
)
def test_what_is_wrong_in_a_handler_is_refused_at_load(definition, said):
    whole = {"steps": [say("a", "1")], **definition}

    with pytest.raises(DefinitionError) as caught:
        Stage(whole)

    assert said in str(caught.value) + "".join(f" {problem.hint}" for problem in caught.value.problems)


def test_a_flow_without_handlers_or_with_empty_ones_has_none():
    assert Stage({"steps": [say("a", "1")], "finally": []}).flow.graph.handlers is None


async def test_a_dry_run_looks_at_handlers_too_and_what_they_see_of_the_end_comes_later():
    kinds = make_kinds()
    step = {"id": "say", "type": "transform", "transform": {"expression": "$.status + $.error.message + $.steps.a.output"}}
    main = {"id": "a", "type": "transform", "transform": {"expression": "1"}}
    flow = load_flow({"key": "k", "steps": [main], "finally": [step]}, key=None, folder=Path(), kinds=kinds)

    looked = await resolve_steps(flow.graph, {"$": {"input": {}, "steps": {}, "loop": {}, "env": {}}})

    assert [one["stepId"] for one in looked] == ["a", "say"]
    assert "error" not in looked[1]
