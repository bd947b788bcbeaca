"""`transform`: our own interpreter wherever it can, the JavaScript engine for the rest."""

import asyncio
from pathlib import Path

import pytest

from flows.dialects import load_flow
from flows.errors import DefinitionError
from flows.executor import World, execute
from flows.expression import Expression
from flows.script.engine import Script
from flows.steps import make_kinds


@pytest.fixture(scope="module")
def kinds():
    made = make_kinds()
    yield made
    asyncio.run(made["transform"].close())


def load(kinds, *steps, **fields):
    listed = [
        {"id": f"s{number}", "type": "transform", "transform": {"expression": each}} if isinstance(each, str) else each
        for number, each in enumerate(steps)
    ]
    return load_flow({"key": "t", "steps": listed, **fields}, key=None, folder=Path(), kinds=kinds)


async def run(kinds, *steps, inputs=None, **fields):
    world = World(kinds=kinds, find_flow=lambda _key: None, secret=lambda _name: "", env={"REGION": "eu"})
    return await execute(load(kinds, *steps, **fields), inputs or {}, run_id="run_1", world=world, record=lambda _attempt: None)


def refused(kinds, expression):
    with pytest.raises(DefinitionError) as caught:
        load(kinds, expression)
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(
    "expression",
    [
        "$.input.a",
        "$.input.a.map(x => x * 2)",
        "`${$.input.a}`",
        "/a+/.test($.input.a)",
        "Math.max(1, 2)",
        "({ a: 1 })",
        "Math.nope",
        "$.input.s.foo()",
    ],
)
def test_what_our_interpreter_can_do_it_does(kinds, expression):
    if expression == "Math.nope":  # JavaScript may have it one day
        assert isinstance(load(kinds, expression).graph.steps[0].prepared, Script)
    else:
        assert isinstance(load(kinds, expression).graph.steps[0].prepared, Expression)


@pytest.mark.parametrize(
    "expression",
    [
        "[...$.input.a]",
        "({ ...$.input.o })",
        "new Date(0).toISOString()",
        "$.input.a.map(x => { return x })",
        "$.input.a.map(({ id }) => id)",
        "/(?<=a)b/.test($.input.s)",
        "/(a)\\1/.test($.input.s)",
        "Math.random() < 2",
        "Object.assign({}, $.input.o)",
        "$.input.a.forEach(x => x)",
        "$.input.s.localeCompare('x')",
        "JSON.stringify($.input.o, (key, value) => value)",
        "JSON.parse($.input.s, (key, value) => value)",
        "Array(3).join('x')",
        "$.input.s.matchAll(/a/g).next()",
        "(() => { let n = 0; for (const x of $.input.a) n += x; return n })()",
        "'x'.concat(" + ",".join("'y'" for _ in range(4000)) + ")",
    ],
)
def test_what_goes_beyond_it_runs_in_the_engine(kinds, expression):
    assert isinstance(load(kinds, expression).graph.steps[0].prepared, Script)


@pytest.mark.parametrize(
    ("expression", "code", "offset"),
    [
        ("$.input.a and $.input.b", "EXPRESSION_SYNTAX", 10),
        ("[...$.input.a", "EXPRESSION_SYNTAX", 13),
        ("x) || (true", "EXPRESSION_SYNTAX", 1),
        ("foo.bar", "EXPRESSION_NAME", 0),
        ("[...$.input.a, fetchAll($)]", "EXPRESSION_NAME", 15),
        ("await fetch('x')", "EXPRESSION_SYNTAX", 6),
        ("process.env.HOME", "EXPRESSION_NAME", 0),
        ("const a = 1; a", "EXPRESSION_SYNTAX", 0),
    ],
)
def test_a_real_mistake_is_refused_at_load_with_its_column(kinds, expression, code, offset):
    problem = refused(kinds, expression)

    assert (problem.code, problem.path) == (code, ("steps", 0, "transform", "expression"))
    assert abs(problem.offset - offset) <= 1


async def test_a_script_gives_the_step_its_output(kinds):
    ended = await run(
        kinds, "[...$.input.a].reverse()", "({ ...$.steps.s0.output, n: data.length, r: env.REGION })", inputs={"a": [1, 2]}
    )

    assert ended.status == "completed"
    assert ended.output == {"0": 2, "1": 1, "n": 2, "r": "eu"}
    assert ended.steps["s0"]["response"] == [2, 1]


async def test_a_walk_into_nothing_fails_and_says_where(kinds):
    ended = await run(kinds, "[...''].length + $.input.nope.x")

    assert (ended.status, ended.code) == ("failed", "SCRIPT_ERROR")
    assert "line 1:" in ended.error
    assert "of undefined" in ended.error


async def test_other_branches_keep_their_results_when_a_script_does_not_end(kinds):
    endless = {"id": "endless", "type": "transform", "timeoutMs": 300, "transform": {"expression": "(() => { for (;;); })()"}}
    branches = [endless, {"id": "other", "type": "transform", "transform": {"expression": "[...'ab']"}}]

    ended = await run(kinds, {"id": "both", "type": "parallel", "parallel": {"steps": branches}})

    assert ended.status == "failed"
    assert ended.steps["endless"]["status"] == "timeout"
    assert ended.steps["endless"]["errorCode"] == "TIMEOUT"
    assert ended.steps["other"]["output"] == ["a", "b"]


async def test_a_script_in_a_loop_sees_its_item(kinds):
    inner = {"id": "each", "type": "transform", "transform": {"expression": "({ ...$.loop.item, i: $.loop.i })"}}

    ended = await run(
        kinds,
        {"id": "all", "type": "loop", "loop": {"over": "$.input.list", "steps": [inner], "maxConcurrency": 3}},
        inputs={"list": [{"a": n} for n in range(4)]},
    )

    assert [one["each"]["output"] for one in ended.steps["all"]["response"]["iterations"]] == [{"a": n, "i": n} for n in range(4)]


def test_references_inside_a_script_are_checked(kinds):
    with pytest.raises(DefinitionError) as caught:
        load(
            kinds,
            "[...$.steps.s1.output]",
            "[...$.input.nope, ...$.steps.missing.output]",
            inputs={"company": {"type": "string"}},
        )

    assert [problem.code for problem in caught.value.problems] == ["REFERENCE_ORDER", "REFERENCE_INPUT", "REFERENCE_STEP"]


def test_a_flow_without_such_expressions_does_not_load_the_engine():
    import subprocess
    import sys

    program = (
        "import sys; from pathlib import Path; from flows.dialects import load_flow; from flows.steps import make_kinds;"
        "load_flow({'key': 'k', 'steps': [{'id': 's', 'type': 'transform', 'transform': {'expression': '$.input'}}]}, key=None, folder=Path(), kinds=make_kinds());"
        "print([name for name in sys.modules if 'quickjs' in name and not name.startswith('flows')])"
    )

    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip() == "[]"
