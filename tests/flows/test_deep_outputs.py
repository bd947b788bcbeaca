"""An output that nobody could store or show fails its step, whichever kind gave it, and so does one that doubles without end."""

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.depth import MAX_OUTPUT_DEPTH, TEXT_PER_VALUE, larger_than
from flows.dialects import load_flow
from flows.executor import World, execute
from flows.steps import make_kinds
from tests.flows.test_dialect_nodes import ask, calc, edge, flow


def nested(depth):
    return json.loads("[" * depth + "]" * depth)


async def run(folder, step, inputs):
    kinds = make_kinds({})
    try:
        flow = load_flow({"key": "k", "steps": [step]}, key=None, folder=folder, kinds=kinds)
        async with asyncio.timeout(10):
            return await execute(
                flow,
                inputs,
                run_id="run_1",
                world=World(kinds, lambda _key: flow, lambda _name: ""),
                record=lambda _attempt: None,
            )
    finally:
        for kind in kinds.values():
            await kind.close()


@pytest.mark.parametrize(
    "step",
    [
        {"id": "a", "type": "transform", "transform": {"expression": "$.input.x"}},
        {"id": "a", "type": "code", "code": {"source": "return $.input.x"}},
        {"id": "a", "type": "file-read", "fileRead": {"path": "x.json", "parseJson": True}},
        {"id": "a", "type": "bash", "bash": {"command": "cat x.json", "parseJson": True}},
    ],
    ids=lambda step: step["type"],
)
@pytest.mark.parametrize(("depth", "code"), [(MAX_OUTPUT_DEPTH, None), (MAX_OUTPUT_DEPTH + 1, "OUTPUT_DEPTH")])
async def test_an_output_is_nested_as_deep_as_it_may_be_and_no_deeper(tmp_path: Path, step, depth, code):
    (tmp_path / "x.json").write_text("[" * depth + "]" * depth)

    ended = await run(tmp_path, step, {"x": nested(depth)})

    assert (ended.code, ended.output) == (code, None if code else nested(depth))


async def run_nodes(nodes, edges):
    kinds = make_kinds()
    loaded = load_flow(flow(*nodes, edges=edges), key="main", folder=Path(), kinds=kinds)
    async with asyncio.timeout(10):
        return await execute(loaded, {}, run_id="run_1", world=World(kinds, None, None), record=lambda _attempt: None)


async def test_conditions_that_follow_each_other_until_nobody_could_read_what_they_hold_fail():
    asked = [ask(f"c{number}", "true") for number in range(1000)]
    edges = [edge(source["id"], target["id"]) for source, target in zip([calc("first"), *asked], asked, strict=False)]

    ended = await run_nodes([calc("first"), *asked], edges)

    assert (ended.status, ended.code) == ("failed", "OUTPUT_DEPTH")
    assert "more than 900 deep" in ended.error


async def test_a_row_of_diamonds_that_doubles_what_it_hands_on_fails_before_it_fills_the_memory():
    nodes, edges, before = [calc("first", "'x'.repeat(1000)")], [], "first"
    for number in range(40):
        left, right, join = f"l{number}", f"r{number}", f"j{number}"
        nodes += [ask(name, "true") for name in (left, right, join)]
        edges += [edge(before, left), edge(before, right), edge(left, join), edge(right, join)]
        before = join

    ended = await run_nodes(nodes, edges)

    assert (ended.status, ended.code) == ("failed", "MERGE_LIMIT")
    assert ended.error.endswith("is more than 5,000,000 values together")


async def test_a_text_that_an_expression_puts_into_many_places_has_a_bound():
    steps = [calc("s0", "'x'.repeat(10000000)"), *(calc(f"s{number}", "[data, data]") for number in range(1, 9))]
    edges = [edge(f"s{number}", f"s{number + 1}") for number in range(8)]

    ended = await run_nodes(steps, edges)

    assert (ended.code, ended.error) == (
        "EXPRESSION_LIMIT",
        "step «s4»: the result is too large (more than 100,000,000 characters)",
    )


@pytest.mark.parametrize("kind", ["loop", "parallel", "while"])
async def test_steps_around_each_other_fail_where_what_is_inside_has_doubled_too_often(tmp_path, kind):
    step = {"id": "inside", "type": "transform", "transform": {"expression": "1"}}
    section = {"loop": {"over": [1]}, "parallel": {}, "while": {"condition": "false"}}[kind]
    ended = {}
    for around in range(1, 31):
        step = {"id": f"around{around}", "type": kind, kind: {**section, "steps": [step]}}
        if around in {10, 30}:
            ended[around] = await run(tmp_path, step, {})

    assert (ended[10].status, ended[30].status, ended[30].code) == ("completed", "failed", "OUTPUT_SIZE")
    assert "is more than 5,000,000 values, for what is inside doubles" in ended[30].error


@pytest.mark.parametrize(("declares", "code"), [({"output": {"name": "$.input.node.name"}}, None), ({}, "OUTPUT_SIZE")])
async def test_a_flow_that_walks_a_deep_tree_has_a_bound_and_none_where_it_declares_an_output(declares, code):
    node = {"name": "leaf", "children": []}
    for number in range(14):
        node = {"name": str(number), "children": [node]}
    walk = {"id": "walk", "type": "flow", "flow": {"key": "{{$.input.own}}", "inputs": {"node": "$.loop.item", "own": "walk"}}}
    each = {"id": "each", "type": "loop", "loop": {"over": "$.input.node.children", "steps": [walk]}}
    named = {"id": "named", "type": "transform", "transform": {"expression": "({ name: $.input.node.name })"}}
    kinds = make_kinds()
    flow = load_flow({"key": "walk", "steps": [each, named], **declares}, key=None, folder=Path(), kinds=kinds)

    async with asyncio.timeout(10):
        world = World(kinds, lambda _key: flow, None)
        ended = await execute(flow, {"node": node, "own": "walk"}, run_id="run_1", world=world, record=lambda _attempt: None)

    assert ended.code == code


def written(value):
    if isinstance(value, str):
        return 1 + len(value) // TEXT_PER_VALUE
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(written, inner))


VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=100),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=4),
    max_leaves=30,
)


@given(st.lists(VALUES, min_size=1, max_size=5), st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=6))
def test_a_value_is_as_large_as_it_is_written_also_where_it_holds_another_twice(values, pairs):
    for first, second in pairs:
        values = [*values, [values[first % len(values)], values[second % len(values)]]]
    size = written(values)

    assert not larger_than(values, size)
    assert larger_than(values, size - 1)
