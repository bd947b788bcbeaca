"""`onFailure`, `onCancel` and `finally`: what follows a flow's steps, whatever became of them, also over a crash."""

import asyncio
from pathlib import Path

import pytest

from flows.control import Control
from flows.dialects import load_flow
from flows.dry_run import resolve_steps
from flows.errors import DefinitionError, StepError
from flows.executor import World, execute
from flows.step import Output
from flows.steps import make_kinds
from flows.value import compile_value


class Say:
    """Gives what it is told to say, made as a value; and keeps it in order."""

    name = section = "say"
    effects = True
    container = False

    def __init__(self):
        self.said = []
        self.Spec = make_kinds()["transform"].Spec

    def prepare(self, spec, _load):
        return compile_value(spec.expression, lenient=True)

    async def run(self, prepared, scope):
        self.said.append(prepared.make(scope.names))
        return Output(self.said[-1])


class Hang:
    """Tells that it began and waits for ever, or until it is let go."""

    name = section = "hang"
    effects = True
    container = False

    def __init__(self):
        self.begun = asyncio.Semaphore(0)
        self.go_on = asyncio.Event()
        self.Spec = make_kinds()["transform"].Spec

    def prepare(self, _spec, _load):
        return None

    async def run(self, _prepared, _scope):
        self.begun.release()
        await self.go_on.wait()
        return Output("went on")


class Boom:
    name = section = "boom"
    effects = True
    container = False

    def __init__(self):
        self.Spec = make_kinds()["transform"].Spec

    def prepare(self, _spec, _load):
        return None

    async def run(self, _prepared, _scope):
        raise StepError("boom", code="BOOM", retryable=False)


class Stage:
    """One flow with its kinds, executed once or, over a crash, several times."""

    def __init__(self, definition, **flows):
        self.say, self.hang = Say(), Hang()
        self.kinds = {**make_kinds(), "say": self.say, "hang": self.hang, "boom": Boom()}
        self.flow = self._load({"key": "main", **definition})
        found = {key: self._load({"key": key, **each}) for key, each in flows.items()}
        self.world = World(self.kinds, found.__getitem__, None)
        self.attempts = []
        self.endings = []

    def _load(self, definition):
        return load_flow(definition, key=None, folder=Path(), kinds=self.kinds)

    async def _keep(self, ending):
        self.endings.append(ending)

    def control(self, **said):
        return Control(keep=self._keep, **said)

    def start(self, control=None):
        """A task; what was recorded before is what it begins with."""
        recorded, self.attempts = list(self.attempts), list(self.attempts)
        control = control or self.control()
        work = execute(
            self.flow,
            {"who": "Ada"},
            run_id="run_1",
            world=self.world,
            record=self._note(control),
            recorded=recorded,
            control=control,
        )
        return asyncio.create_task(work)

    def _note(self, control):
        def note(attempt):
            if attempt.status != "cancelled" or not control.leaving():  # as the recorder does: it stays as it began
                self.attempts.append(attempt)

        return note

    async def run(self, control=None):
        async with asyncio.timeout(5):
            return await self.start(control)

    async def crash(self, control=None):
        """Execute until a step hangs, then lose the process: nothing more is recorded."""
        leaving = False
        control = control or self.control()
        control.leaving = lambda: leaving
        task = self.start(control)
        async with asyncio.timeout(5):
            await self.hang.begun.acquire()
        leaving = True
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    @property
    def ends(self):
        """path → the status of its last attempt."""
        return {attempt.path: attempt.status for attempt in self.attempts}


def say(name, text, **more):
    return {"id": name, "type": "say", "say": {"expression": text}, **more}


def hang(name, **more):
    return {"id": name, "type": "hang", "hang": {"expression": "1"}, **more}


def boom(name, **more):
    return {"id": name, "type": "boom", "boom": {"expression": "1"}, **more}


def call(name, key, **more):
    return {"id": name, "type": "flow", "flow": {"key": key}, **more}


ENDING = "{{$.status}} {{$.error | json}}"
ALL = {
    "onFailure": [say("failed", "onFailure " + ENDING)],
    "onCancel": [say("cancelled", "onCancel " + ENDING)],
    "finally": [say("last", "finally " + ENDING)],
}


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
