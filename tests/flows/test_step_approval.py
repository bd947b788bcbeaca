"""`approval`: what is refused at load, what is asked, and what an answer gives."""

import pytest

from flows.dialects import load_flow
from flows.errors import DefinitionError
from flows.executor import World, execute
from flows.steps import make_kinds
from flows.waiting import Resolution

KINDS = make_kinds()


def load(folder, section, **more):
    step = {"id": "ask", "type": "approval", "approval": section, **more}
    return load_flow({"key": "k", "steps": [step]}, key=None, folder=folder, kinds=KINDS)


async def run(flow, ended, inputs=None, asked=None):
    async def keeper(place, wait):
        if asked is not None:
            asked.append(wait)
        return ended

    world = World(KINDS, None, None, wait=keeper, link=lambda place, due, by: f"link of {by}")
    return await execute(flow, inputs or {}, run_id="run_1", world=world, record=lambda _attempt: None)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({}, "message"),
        ({"message": ""}, "message"),
        ({"message": "{{$.input.}}"}, "message"),
        ({"message": "x", "form": {"n": {"type": "numbr"}}}, "form.n.type: «numbr» is no type of inputs"),
        ({"message": "x", "form": {"n": {"label": 5}}}, "form.n.label: label is 5, and must be text"),
        ({"message": "x", "form": {"n": 5}}, "form.n"),
        ({"message": "x", "form": {str(n): {} for n in range(101)}}, "a form has at most 100 fields"),
        ({"message": "x", "timeout": "soon"}, "timeout: «soon» is no duration"),
        ({"message": "x", "onTimeout": "approve"}, "onTimeout: without «timeout» there is none"),
        ({"message": "x", "onTimeout": "perhaps", "timeout": "1h"}, "onTimeout"),
        (
            {"message": "x", "timeout": "1h", "onTimeout": "approve", "form": {"n": {"type": "number"}}},
            "onTimeout: silence fills in no form: n must be given",
        ),
        ({"message": "x", "onReject": "retry"}, "onReject"),
        ({"message": "x", "approvers": 5}, "approvers"),
        ({"message": "x", "notify": [{"id": "a", "type": "nothing"}]}, "notify[0].type"),
        ({"message": "x", "notifi": []}, "notifi is not known here"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_at_load(section, said, tmp_path):
    with pytest.raises(DefinitionError) as refused:
        load(tmp_path, section)

    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("section", "inputs", "code"),
    [
        ({"message": "$.input.x"}, {"x": 5}, "APPROVAL_MESSAGE"),
        ({"message": "$.input.x"}, {"x": "  "}, "APPROVAL_MESSAGE"),
        ({"message": "{{$.input.x}}"}, {"x": "y" * 20_001}, "APPROVAL_MESSAGE"),
        ({"message": "$.input.x"}, {}, "PATH_MISSING"),
        ({"message": "x", "approvers": "$.input.x"}, {"x": [1]}, "APPROVAL_APPROVERS"),
        ({"message": "x", "approvers": "$.input.x"}, {"x": [" "]}, "APPROVAL_APPROVERS"),
        ({"message": "x", "approvers": "$.input.x"}, {"x": ["a" * 201]}, "APPROVAL_APPROVERS"),
        ({"message": "x", "approvers": "$.input.x"}, {"x": [str(n) for n in range(51)]}, "APPROVAL_APPROVERS"),
        ({"message": "x", "timeout": "$.input.x"}, {"x": 5}, "WAIT_TIME"),
    ],
)
async def test_values_that_make_no_question_fail_the_step(section, inputs, code, tmp_path):
    asked = []

    ended = await run(load(tmp_path, section), Resolution("approved", 1.0, 0.0), inputs, asked)

    assert (ended.status, ended.code) == ("failed", code)
    assert asked == []


async def test_what_is_asked_holds_all_that_a_later_process_needs(tmp_path):
    form, asked = {"n": {"type": "number", "label": "How many?"}}, []
    section = {
        "message": "Go, {{$.input.who}}?",
        "form": form,
        "approvers": "$.input.names",
        "timeout": "1h",
        "onTimeout": "reject",
    }

    await run(load(tmp_path, section), Resolution("approved", 1.0, 0.0), {"who": "Ada", "names": [" b ", "c", "b"]}, asked)

    (wait,) = asked
    assert wait.kind == "approval"
    assert wait.detail == {"message": "Go, Ada?", "form": form, "approvers": ["b", "c"], "onTimeout": "reject"}


async def test_an_answer_is_what_its_edges_ask_for(tmp_path):
    nodes = [
        {"id": "ask", "type": "approval", "config": {"message": "x", "onReject": "continue"}},
        {"id": "yes", "type": "transform", "config": {"expression": "'yes'"}},
        {"id": "no", "type": "transform", "config": {"expression": "'no'"}},
    ]
    edges = [
        {"id": "e1", "source": "ask", "target": "yes", "condition": "true"},
        {"id": "e2", "source": "ask", "target": "no", "condition": "false"},
    ]
    flow = load_flow({"version": "1.0", "nodes": nodes, "edges": edges}, key="k", folder=tmp_path, kinds=KINDS)

    ends = [await run(flow, Resolution(how, 1.0, 0.0, {})) for how in ("approved", "rejected")]

    assert [{name for name, step in ended.steps.items() if step["status"] == "success"} for ended in ends] == [
        {"ask", "yes"},
        {"ask", "no"},
    ]


async def test_a_no_is_never_asked_again_and_silence_is_where_the_step_says_so(tmp_path):
    again = {"strategy": "retry", "retries": 1, "retryDelayMs": 0}
    asked = []

    refused = await run(load(tmp_path, {"message": "x"}, onError=again), Resolution("rejected", 1.0, 0.0, {}), asked=asked)
    silent = await run(load(tmp_path, {"message": "x", "timeout": "1h"}, onError=again), Resolution("due", 1.0, 0.0), asked=asked)

    assert (refused.code, silent.code, len(asked)) == ("REJECTED", "APPROVAL_TIMEOUT", 3)


async def test_steps_that_tell_people_see_the_link_of_each_approver(tmp_path):
    tell = {"id": "tell", "type": "transform", "transform": {"expression": "$.loop.approval"}}
    asked = {"message": "x", "link": None, "links": {"ada": "link of ada"}, "due": None}

    ended = await run(
        load(tmp_path, {"message": "x", "approvers": ["ada"], "notify": [tell]}), Resolution("approved", 1.0, 0.0, {})
    )

    assert ended.steps["tell"]["output"] == asked
