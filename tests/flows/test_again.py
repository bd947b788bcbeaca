"""Which records a run that is done again takes over: from where, in which version, with which inputs."""

import asyncio
from pathlib import Path

import pytest

from flows.again import Again, taken_over
from flows.dialects import load_flow
from flows.errors import DefinitionError, StepError
from flows.executor import World, execute
from flows.step import Output
from flows.steps import make_kinds
from tests.flows.kind import Kind


class Act(Kind):
    """Fails where it is told to, counted by path."""

    name = section = "act"

    def __init__(self, fails=()):
        self.fails = dict.fromkeys(fails, 10) if not isinstance(fails, dict) else dict(fails)
        self.ran = []

    async def run(self, _prepared, scope):
        self.ran.append(scope.path)
        if self.fails.get(scope.path, 0) > 0:
            self.fails[scope.path] -= 1
            raise StepError("boom", code="BOOM")
        return Output(scope.path)


def act(name, **more):
    return {"id": name, "type": "act", "act": {"expression": "1"}, **more}


def loop(name, *steps, over=(0, 1, 2), **more):
    return {"id": name, "type": "loop", "loop": {"over": list(over), "steps": list(steps)}, **more}


def call(name, key):
    return {"id": name, "type": "flow", "flow": {"key": key}}


def load(steps, kinds, pinned=(), **more):
    flow = load_flow({"key": "k", "steps": steps, **more}, key=None, folder=Path(), kinds=kinds)
    object.__setattr__(flow, "pinned", {each.key: each for each in pinned})
    return flow


def ran(steps, fails, **more):
    """A flow, and the records of its run."""
    kinds = {**make_kinds(), "act": Act(fails)}
    flow, recorded = load(steps, kinds, **more), []
    asyncio.run(execute(flow, {}, run_id="r", world=World(kinds, None, None), record=recorded.append))
    return flow, recorded


def kept(flow, recorded, step=None, *, now=None, edited=False):
    """The paths that are taken over, each once."""
    return list(dict.fromkeys(one.path for one in taken_over(Again(flow, now or flow, step, edited=edited), recorded)))


def test_what_came_before_a_failure_is_taken_over_with_all_its_tries_and_marked():
    retried = act("b", onError={"strategy": "retry", "retries": 1, "retryDelayMs": 0})
    flow, recorded = ran([act("a"), retried, act("c"), act("d")], {"b": 1, "c": 9})

    found = taken_over(Again(flow, flow), recorded)

    assert [(one.path, one.number, one.status, one.copied) for one in found] == [
        ("a", 1, "running", True), ("a", 1, "success", True), ("b", 1, "running", True), ("b", 1, "failed", True),
        ("b", 2, "running", True), ("b", 2, "success", True),
    ]  # fmt: skip


def test_from_a_named_step_on_it_and_all_behind_it_are_done_again():
    flow, recorded = ran([act("a"), act("b"), act("c")], ())

    assert kept(flow, recorded, "b") == ["a"]
    assert kept(flow, recorded, "a") == []
    assert kept(flow, recorded) == ["a", "b", "c"]


def test_what_does_not_wait_for_the_step_is_taken_over():
    flow, recorded = ran([act("a", needs=[]), act("b", needs=[]), act("c", needs=["a"]), act("d", needs=["b"])], ("a",))

    assert kept(flow, recorded, "b") == []
    assert kept(flow, recorded) in (["b"], ["b", "d"])  # nothing new begins after a failure


def test_a_failure_that_the_flow_went_on_after_is_as_settled_as_a_success():
    flow, recorded = ran([act("a", onError={"strategy": "continue"}), act("b"), act("c")], ("a", "c"))

    assert kept(flow, recorded) == ["a", "b"]
    assert kept(flow, recorded, "a") == []


def test_a_step_whose_fallback_stood_in_is_taken_over_with_it():
    steps = [act("a", onError={"strategy": "fallback", "fallbackStepId": "f"}), act("b"), act("c"), act("f")]
    flow, recorded = ran(steps, ("a", "c"))
    lost_flow, lost = ran(steps, ("a", "f"))

    assert sorted(kept(flow, recorded)) == ["a", "b", "f"]
    assert kept(flow, recorded, "f") == []
    assert kept(lost_flow, lost) == []


def test_iterations_of_a_loop_that_failed_are_taken_over_and_steps_of_the_one_that_did():
    flow, recorded = ran([loop("l", act("x"), act("y")), act("z")], ("l[1].y",))

    assert kept(flow, recorded) == ["l[0].x", "l[0].y", "l[1].x"]
    assert kept(flow, recorded, "l") == []
    assert kept(flow, recorded, "y") == ["l[0].x", "l[1].x"]


def test_of_a_container_that_was_tried_again_the_last_try_counts():
    again = {"strategy": "retry", "retries": 1, "retryDelayMs": 0}
    flow, recorded = ran([loop("l", act("x"), act("y"), over=[0], onError=again)], {"l[0].y": 1, "l#2[0].y": 1})

    assert kept(flow, recorded) == ["l[0].x"]
    assert {one.number for one in taken_over(Again(flow, flow), recorded)} == {1}


def test_inner_steps_of_a_sub_flow_of_the_same_version_are_taken_over_and_its_handlers_are_not():
    kinds = {**make_kinds(), "act": Act(("s/b",))}
    inner = load([act("a"), act("b")], kinds, **{"finally": [act("f")]})
    object.__setattr__(inner, "key", "inner")
    flow, recorded = load([call("s", "inner")], kinds, pinned=[inner]), []
    asyncio.run(execute(flow, {}, run_id="r", world=World(kinds, None, None), record=recorded.append))
    other = load([act("a"), act("b"), act("c")], kinds)
    object.__setattr__(other, "key", "inner")

    assert "s/finally/f" in {one.path for one in recorded}
    assert kept(flow, recorded) == ["s/a"]
    assert kept(flow, recorded, now=load([call("s", "inner")], kinds, pinned=[other])) == []


def test_records_of_the_flows_own_handlers_are_never_taken_over():
    flow, recorded = ran([act("a"), act("b")], ("b",), onFailure=[act("o")], **{"finally": [act("f")]})

    assert kept(flow, recorded) == ["a"]


def test_with_other_inputs_nothing_inside_a_container_that_is_done_again_is_taken_over():
    flow, recorded = ran([act("a"), loop("l", act("x"), act("y"))], ("l[1].y",))

    assert kept(flow, recorded, edited=True) == ["a"]


def test_in_another_version_what_is_behind_a_new_step_is_done_again():
    flow, recorded = ran([act("a"), act("b"), act("c")], ("c",))
    now = load([act("a"), act("new"), act("b"), act("c")], {**make_kinds(), "act": Act()})

    assert kept(flow, recorded, now=now) == ["a"]


def test_in_another_version_a_container_that_was_written_otherwise_begins_anew():
    flow, recorded = ran([act("a"), loop("l", act("x"), act("y"))], ("l[1].y",))
    same = load([act("a"), loop("l", act("x"), act("y")), act("more")], {**make_kinds(), "act": Act()})
    other = load([act("a"), loop("l", act("x"), act("y"), over=[3, 4])], {**make_kinds(), "act": Act()})

    assert kept(flow, recorded, now=same) == ["a", "l[0].x", "l[0].y", "l[1].x"]
    assert kept(flow, recorded, now=other) == ["a"]


@pytest.mark.parametrize(
    ("now", "step", "said"),
    [
        ([act("a"), act("c")], None, "step «b» has settled, and is not in the version in force"),
        (
            [act("a"), {"id": "b", "type": "transform", "transform": {"expression": "1"}}, act("c")],
            None,
            "step «b» was of the kind act and is of the kind transform now",
        ),
        ([act("a"), act("b")], "c", "there is no step «c» in the version in force"),
        ([act("a"), act("b"), act("c")], "d", "there is no step «d» in the version of that run"),
    ],
)
def test_what_cannot_be_taken_over_into_another_version_is_refused_with_the_reason(now, step, said):
    flow, recorded = ran([act("a"), act("b"), act("c")], ("c",))

    with pytest.raises(DefinitionError) as caught:
        kept(flow, recorded, step, now=load(now, {**make_kinds(), "act": Act()}))

    assert said in str(caught.value)
    assert caught.value.problems[0].code == "RETRY"


def test_thousands_of_iterations_are_gone_through_at_once():
    flow, recorded = ran([loop("l", act("x"), act("y"), over=range(2_000))], ("l[1999].y",))

    found = taken_over(Again(flow, flow), recorded)

    assert len({one.path for one in found}) == 3_999
