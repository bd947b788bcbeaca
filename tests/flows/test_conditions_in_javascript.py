"""Conditions beyond our own language: `if`, `unless`, `condition` and `while` take all of JavaScript."""

import asyncio
from pathlib import Path

import pytest

from flows.dialects import load_flow
from flows.dry_run import resolve_steps
from flows.errors import DefinitionError
from flows.executor import World, execute
from flows.steps import make_kinds
from flows.steps.transform import TransformSettings
from flows.summary import engines

TRUE = [
    "new Date('2026-11-28').getUTCDay() === 6",
    "Math.max(...[1, $.input.n]) === 5",
    "(() => { let sum = 0; for (const x of $.input.list) sum += x; return sum > 5 })()",
    "$.input.rows.some(({ id, ...rest }) => id === 2 && !rest.done)",
    "Object.assign({}, $.input.rows[0]).id === 1",
    "new Set($.input.list).size === 3",
    "[...$.input.list].reverse()[0] === 3",
    "({ ...$.input.rows[0] })",
]
FALSE = [
    "[...$.steps.none.output.rows].length > 0",
    "new Date($.steps.none.output.at.value) > 0",
    "(({ a }) => a)($.steps.none.output)",
    "[...''].length",
    "(() => '')()",
    "(() => { null.x })()",
]
INPUTS = {"n": 5, "list": [1, 2, 3], "rows": [{"id": 1, "done": True}, {"id": 2}]}


def calc(step_id, expression="1", **given):
    return {"id": step_id, "type": "transform", "transform": {"expression": expression}, **given}


def condition(step_id, expression):
    section = {"expression": expression, "then": [calc(f"{step_id}-then")], "else": [calc(f"{step_id}-else")]}
    return {"id": step_id, "type": "condition", "condition": section}


NONE = calc("none", **{"if": "false"})


async def run(*steps, recorded=(), timeout_s=10.0):
    kinds = make_kinds({"transform": TransformSettings(timeout_s=timeout_s)})
    flow = load_flow({"key": "k", "steps": list(steps)}, key=None, folder=Path(), kinds=kinds)
    attempts = []
    try:
        async with asyncio.timeout(20):
            ended = await execute(
                flow, INPUTS, run_id="run_1", world=World(kinds, None, None), record=attempts.append, recorded=recorded
            )
    finally:
        for kind in kinds.values():
            await kind.close()
    return ended, attempts


async def test_if_unless_and_condition_take_all_of_javascript():
    steps = [NONE]
    for number, text in enumerate([*TRUE, *FALSE]):
        steps += [calc(f"if{number}", **{"if": text}), calc(f"unless{number}", unless=text), condition(f"c{number}", text)]

    ended, _ = await run(*steps)

    assert ended.status == "completed"
    for number, text in enumerate([*TRUE, *FALSE]):
        said = [ended.steps[f"if{number}"]["status"], ended.steps[f"unless{number}"]["status"]]
        assert said == (["success", "skipped"] if text in TRUE else ["skipped", "success"]), text
        assert ended.steps[f"c{number}"]["output"]["conditionResult"] is (text in TRUE), text


async def test_a_while_takes_all_of_javascript():
    body = calc("next", "($.steps.w.output.lastResult || 0) + 1")
    section = {"condition": "[...$.steps.w.output.results].length < 3", "steps": [body]}

    ended, _ = await run({"id": "w", "type": "while", "while": section})

    assert ended.steps["w"]["output"]["results"] == [1, 2, 3]


async def test_both_conditions_of_a_step_are_asked_whoever_answers():
    ended, _ = await run(
        calc("a", **{"if": "true", "unless": "[...'x'].length === 1"}),
        calc("b", **{"if": "[...'x'].length === 1", "unless": "false"}),
    )

    assert (ended.steps["a"]["status"], ended.steps["b"]["status"]) == ("skipped", "success")


@pytest.mark.parametrize(
    ("text", "code"),
    [("(() => { throw new RangeError('no') })()", "SCRIPT_ERROR"), ("(() => { for (;;); })()", "SCRIPT_TIMEOUT")],
)
async def test_a_condition_that_cannot_be_answered_fails_its_step_and_honours_onerror(text, code):
    ended, attempts = await run(calc("a", **{"if": text}, onError={"strategy": "continue"}), calc("b"), timeout_s=0.3)

    assert (ended.status, ended.steps["a"]["status"], ended.steps["a"]["errorCode"]) == ("completed", "failed", code)
    assert [(each.path, each.status) for each in attempts] == [("a", "failed"), ("b", "success")]


async def test_what_was_skipped_or_done_is_not_asked_again_by_a_later_process():
    steps = [calc("a", **{"if": "new Date() < 0"}), calc("b", **{"if": "new Date() > 0"}), calc("c")]
    first, recorded = await run(*steps)

    ended, later = await run(*steps, recorded=recorded)

    assert [(each.path, each.status) for each in recorded] == [("a", "skipped"), ("b", "success"), ("c", "success")]
    assert {name: each["status"] for name, each in ended.steps.items()} == {
        name: each["status"] for name, each in first.steps.items()
    }
    assert later == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[...", "steps[0].if"),
        ("[...''].length) || (true", "steps[0].if"),
        ("nope + [...'']", "`nope` is not a name here"),
        ("[...$.steps.nobody.output]", "there is no step «nobody»"),
        ("await 1", "steps[0].if"),
    ],
)
def test_what_nobody_can_answer_is_refused_at_load(text, said):
    with pytest.raises(DefinitionError, match=r"steps\[0\]\.if") as caught:
        load_flow({"key": "k", "steps": [calc("a", **{"if": text})]}, key=None, folder=Path(), kinds=make_kinds())

    assert said in str(caught.value)


async def test_which_steps_ask_the_engine_is_shown_and_a_dry_run_looks_at_them():
    steps = [calc("a", **{"if": "new Date() > 0"}), condition("c", "[...$.input.list].length"), condition("d", "true")]
    flow = load_flow({"key": "k", "steps": steps}, key=None, folder=Path(), kinds=make_kinds())

    looked = await resolve_steps(flow.graph, {"$": {"input": INPUTS, "steps": {}, "loop": {}, "env": {}}, "input": INPUTS})

    assert {name: engines(flow).get(name) for name in "acd"} == {"a": "expression", "c": "javascript", "d": None}
    assert [each["references"] for each in looked if each["stepId"] == "c"] == [
        [{"selector": "$.input.list", "value": [1, 2, 3], "status": "resolved"}]
    ]


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        ("$.input.list = 5", True),
        ("$.input.a === 1 && ($.input.b, $.input.b) === 2 || !$.input.c", False),
        ("[...$.input.list].length >= 2", False),
        ("$.input.list.some(one => { let x = one; return [...'ab'].includes(x) })", False),
    ],
)
def test_a_condition_that_assigns_is_warned_of(text, warned):
    steps = [calc("a", **{"if": text}), condition("c", text), calc("b")]
    flow = load_flow({"key": "k", "steps": steps}, key=None, folder=Path(), kinds=make_kinds())

    told = [problem.path for problem in flow.warnings if "assigns" in problem.problem]

    assert told == ([("steps", 0, "if"), ("steps", 1, "condition", "expression")] if warned else [])
