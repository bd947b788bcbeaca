"""Loops back to a node: what a round is, how it is left, what is refused, and that nothing recorded runs again."""

from itertools import pairwise
from pathlib import Path

import pytest

from flows.dialects import load_flow
from flows.errors import DefinitionError
from flows.flow import Repeats
from flows.steps import make_kinds
from tests.flows.loading import refused
from tests.flows.test_dialect_nodes import ask, calc, edge, flow
from tests.flows.test_nodes_run import outputs, run, states

KINDS = make_kinds()


def back(name, target, **config):
    return {"id": name, "type": "loop", "config": {"targetNode": target, **config}}


def row(*names):
    return [edge(source, target) for source, target in pairwise(names)]


# -- what a round is


async def test_rounds_go_on_while_the_condition_holds_and_hand_on_what_the_one_before_gave(tmp_path):
    nodes = (
        calc("first", "input.n"),
        calc("add", "data + 1"),
        back("again", "add", condition="data < 5"),
        calc("end", "data * 10"),
    )
    ended = await run(flow(*nodes, edges=row("first", "add", "again", "end")), tmp_path, inputs={"n": 2})

    assert (ended.status, ended.output) == ("completed", 50)
    assert outputs(ended) == {"first": 2, "add": 5, "again": 5, "end": 50}
    assert ended.steps["again"]["response"] == {"iterations": 3, "leftBy": "again"}


async def test_a_loop_is_left_by_the_one_answer_of_a_condition(tmp_path):
    nodes = (
        calc("start", "0"),
        ask("more", "data < 3"),
        calc("work", "data.input + 1"),
        back("again", "more"),
        calc("done", "data.input * 100"),
    )
    edges = [*row("start", "more"), edge("more", "work", "true"), *row("work", "again"), edge("more", "done", "false")]
    ended = await run(flow(*nodes, edges=edges), tmp_path)

    assert (ended.status, ended.output) == ("completed", 300)
    assert ended.steps["again"]["response"] == {"iterations": 4, "leftBy": "more"}
    assert ended.steps["more"]["output"] == {"condition": "data < 3", "result": False, "branch": "done", "input": 3}


async def test_what_stands_behind_the_loop_node_does_not_run_where_the_loop_was_left_before(tmp_path):
    nodes = (
        calc("n", "0"),
        ask("more", "data < 2"),
        calc("add", "data.input + 1"),
        back("again", "more"),
        calc("a"),
        calc("b", "'b'"),
    )
    edges = [*row("n", "more"), edge("more", "add", "true"), *row("add", "again", "a"), edge("more", "b", "false")]
    ended = await run(flow(*nodes, edges=edges), tmp_path)

    assert (states(ended)["a"], states(ended)["b"]) == ("skipped", "success")


async def test_rounds_end_at_maxIterations_a_hundred_where_nothing_is_said(tmp_path):
    nodes = (calc("n", "0"), calc("add", "data + 1"), back("again", "add"), calc("end", "data"))
    whole = flow(*nodes, edges=row("n", "add", "again", "end"))
    ended = await run(whole, tmp_path)
    whole["nodes"][2]["config"]["maxIterations"] = 7
    limited = await run(whole, tmp_path)

    assert (ended.output, limited.output) == (100, 7)


async def test_a_loop_behind_a_condition_hands_back_what_that_was_given(tmp_path):
    nodes = (calc("n", "0"), calc("add", "data + 1"), ask("more", "data < 4"), back("again", "add"), calc("end", "data.input"))
    edges = [*row("n", "add", "more"), edge("more", "again", "true"), edge("more", "end", "false")]
    ended = await run(flow(*nodes, edges=edges), tmp_path)

    assert ended.output == 4


async def test_branches_run_side_by_side_inside_a_round(tmp_path):
    nodes = (
        calc("n", "1"),
        calc("a", "data"),
        calc("b", "data * 2"),
        calc("c", "data * 3"),
        calc("sum", "data.input_0 + data.input_1"),
    )
    edges = [edge("n", "a"), edge("a", "b"), edge("a", "c"), edge("b", "sum"), edge("c", "sum"), edge("sum", "again")]
    ended = await run(flow(*nodes, back("again", "a", maxIterations=3), edges=edges), tmp_path)

    assert ended.output == 125


async def test_loops_may_stand_inside_each_other_and_share_their_first_node(tmp_path):
    nodes = (
        calc("n", "0"),
        calc("add", "data + 1"),
        back("inner", "add", condition="data % 3 !== 0"),
        calc("ten", "data + 10"),
        back("outer", "add", condition="data < 40"),
    )
    ended = await run(flow(*nodes, edges=row("n", "add", "inner", "ten", "outer")), tmp_path)

    assert ended.output == 49  # 3, 13; 15, 25; 27, 37; 39, 49 … each round to a multiple of three, and ten more


async def test_a_round_is_read_by_what_runs_in_it(tmp_path):
    nodes = (
        calc("n", "[]"),
        calc("say", "$.steps.again.output.iteration"),
        back("again", "say", condition="$.steps.again.output.iteration < 2"),
    )
    ended = await run(flow(*nodes, edges=row("n", "say", "again")), tmp_path)

    assert ended.steps["say"]["output"] == 2


async def test_a_node_that_fails_ends_the_loop_and_says_in_which_round(tmp_path):
    nodes = (calc("n", "0"), calc("add", "data < 2 ? data + 1 : data.no.where"), back("again", "add"), calc("end"))
    ended = await run(flow(*nodes, edges=row("n", "add", "again", "end")), tmp_path)

    assert (ended.status, "round 2" in ended.error, "end" in ended.steps) == ("failed", True, False)


async def test_what_stands_in_for_a_node_of_a_round_stands_inside_it(tmp_path):
    nodes = (
        calc("n", "0"),
        calc("add", "data < 2 ? data + 1 : data.no.where") | {"fallbackNode": "spare"},
        calc("spare", "99"),
        back("again", "add", condition="data < 50"),
    )
    whole = flow(*nodes, edges=row("n", "add", "again"), settings={"errorHandling": "fallback"})
    ended = await run(whole, tmp_path)

    assert (ended.status, ended.output) == ("completed", 99)


async def test_a_way_back_may_be_drawn_and_edges_may_be_left_out(tmp_path):
    nodes = [ask("check", "data.n < 3"), calc("process", "({n: data.input.n + 1})"), back("loop_back", "check")]
    drawn = flow(*nodes, edges=[edge("check", "process", "true"), *row("process", "loop_back", "check")])
    left_out = {"nodes": nodes}

    assert (await run(drawn, tmp_path, inputs={"n": 0})).steps["process"]["status"] == "skipped"
    assert (await run(left_out, tmp_path, inputs={"n": 0})).output["input"] == {"n": 3}


async def test_rounds_wait_for_loopDelay_between_them(tmp_path):
    nodes = (calc("n", "0"), calc("add", "data + 1"), back("again", "add", maxIterations=3))
    waits = []

    ended = await run(flow(*nodes, edges=row("n", "add", "again"), settings={"loopDelay": 20}), tmp_path, record=waits.append)
    taken = [attempt for attempt in waits if attempt.kind == "wait"]

    assert ended.output == 3
    assert [attempt.path for attempt in taken] == ["again[0].loopDelay", "again[1].loopDelay"]
    assert all(attempt.duration_ms >= 19 for attempt in taken)


# -- what is refused


LOOP = (calc("a"), calc("b"), back("l", "a"))


@pytest.mark.parametrize(
    ("definition", "problems"),
    [
        (flow(calc("a"), back("l", "x"), edges=row("a", "l")), ["nodes[1].config.targetNode: there is no node «x»"]),
        (
            flow(calc("a"), back("l", "l"), edges=row("a", "l")),
            ["nodes[1].config.targetNode: a loop goes back to a node before it, not to itself (name the first node of a round)"],
        ),
        (
            flow(calc("a"), back("l", "b"), calc("b"), edges=row("a", "l", "b")[:1] + row("a", "b")),
            ["nodes[1].config.targetNode: «b» does not lead to «l»: a loop goes back to a node that comes before it"],
        ),
        (
            flow(*LOOP, calc("x"), edges=[*row("a", "b", "l"), edge("x", "b")]),
            ["edges[2]: «x» leads into the loop from «a» to «l», to «b» (a loop is entered at «a» only)"],
        ),
        (
            flow(*LOOP, calc("x"), edges=[*row("a", "b", "l"), edge("b", "x")]),
            [("edges[2]: «b» leads out of the loop from «a» to «l» to «x» (lead out from the loop node, or by one answer of one "
             "condition; other nodes inside lead to the loop node)")],
        ),
        (
            flow(ask("a"), ask("b"), back("l", "a"), calc("x"), calc("y"), edges=[
                edge("a", "b", "true"), edge("b", "l", "true"), edge("a", "x", "false"), edge("b", "y", "false")]),
            [("edges[3]: «b» leads out of the loop from «a» to «l» to «y» (lead out from the loop node, or by one answer of one "
             "condition; other nodes inside lead to the loop node)")],
        ),
        (
            flow(calc("a"), ask("b"), calc("c"), back("l", "a"), calc("x"), edges=[
                *row("a", "b"), *row("a", "c", "l"), edge("b", "l", "true"), edge("b", "x", "false")]),
            [("edges[4]: «b» leads out of the loop from «a» to «l», and «l» would be come to all the same (let every way to «l» go by "
             "its other answer)")],
        ),
        (
            flow(calc("a"), calc("b"), back("l", "a"), back("m", "b"), edges=row("a", "b", "l", "m")),
            [("nodes[2].config.targetNode: the loops from «a» to «l» and from «b» to «m» cross (put one inside the other, or one behind "
             "the other)")],
        ),
        (
            flow(*LOOP, calc("x"), edges=[*row("a", "b", "l"), edge("l", "x", "true")]),
            ["edges[2].condition: an edge from a loop node asks for nothing: it leads on when the loop has ended (take it out)"],
        ),
        (
            flow(calc("a"), back("l", "a") | {"fallbackNode": "f"}, calc("f"), edges=row("a", "l"), settings={"errorHandling": "fallback"}),
            ["nodes[1].fallbackNode: nothing can stand in for a loop: it would not say how it was left"],
        ),
        (
            flow(*LOOP, back("m", "a"), edges=row("a", "b", "l", "m"), settings={"executionMode": "continuous"}),
            ["nodes[3].config.targetNode: «l» starts the next run already (let one loop node close on the first node)"],
        ),
        (
            flow(calc("a"), back("l", "a", maxIterations=3), edges=row("a", "l"), settings={"executionMode": "continuous"}),
            [("nodes[1].config.maxIterations: each round is a run of its own, and none counts them (count in what is handed back, and "
             "ask for it)")],
        ),
        (flow(calc("a"), back("l", "a", maxIteration=3), edges=row("a", "l")),
         ["nodes[1].config.maxIteration: maxIteration is not known here (did you mean «maxIterations»?)"]),
        (flow(calc("a"), back("l", "a", maxIterations=0), edges=row("a", "l")), None),
        (flow(calc("a"), back("l", "a", condition="1 +"), edges=row("a", "l")), None),
        (flow(calc("a"), back("l", 5), edges=row("a", "l")), None),
    ],
)  # fmt: skip
def test_a_loop_that_is_none_is_refused_with_the_nodes_that_it_is_about(definition, problems):
    said = refused(definition)

    if problems is not None:
        assert [problem for problem in said if "cross" not in problem or "«l» and" in problem] == problems


# -- continuous execution


@pytest.mark.parametrize(
    ("nodes", "settings", "repeats"),
    [
        ([calc("a")], {"loopDelay": 60000}, Repeats(60.0)),
        ([calc("a")], {}, Repeats(1.0)),
        ([calc("a"), back("l", "a")], {"loopDelay": 0}, Repeats(0.0, "l", "a")),
        ([calc("a"), back("l", "a")], {"errorHandling": "continue"}, Repeats(1.0, "l", "a", after_failure=True)),
        ([calc("r"), calc("a"), back("l", "a")], {}, Repeats(1.0)),
    ],
)
def test_continuous_execution_says_when_another_run_follows(nodes, settings, repeats):
    definition = {"nodes": nodes, "settings": {"executionMode": "continuous", **settings}}

    assert load_flow(definition, key="k", folder=Path(), kinds=KINDS).repeats == repeats


def test_the_specification_s_own_snippet_loads_with_its_prompt_filled_in():
    snippet = {
        "nodes": [
            {"id": "check", "type": "condition", "config": {"condition": "shouldContinue"}},
            {"id": "process", "type": "prompt", "config": {"promptTemplate": "Go on", "model": "m"}},
            {"id": "loop_back", "type": "loop", "config": {"targetNode": "check"}},
        ],
        "settings": {"executionMode": "continuous", "loopDelay": 60000},
    }
    loaded = load_flow(snippet, key="k", folder=Path(), kinds=KINDS)

    assert loaded.repeats == Repeats(60.0, "loop_back", "check")
    assert [(each.source, each.target, each.condition) for each in loaded.graph.edges] == [
        ("check", "process", "true"),
        ("process", "loop_back", None),
    ]


@pytest.mark.parametrize(("inputs", "again"), [({"go": True}, True), ({"go": False}, None), ({}, None)])
async def test_the_loop_node_of_a_continuous_workflow_is_come_to_or_not(tmp_path, inputs, again):
    nodes = [ask("check", "go"), calc("process", "({done: 1})"), back("loop_back", "check")]
    ended = await run({"nodes": nodes, "settings": {"executionMode": "continuous"}}, tmp_path, inputs=inputs)

    assert ended.steps["loop_back"].get("response") == (None if again is None else {"again": True})


@pytest.mark.parametrize(("depth", "said"), [(32, []), (33, ["loops are nested more than 32 deep"])])
def test_loops_are_nested_as_deep_as_lists_of_steps_may_be(depth, said):
    inner = [calc(f"a{number}") for number in range(depth)]
    backs = [back(f"l{number}", f"a{number}") for number in reversed(range(depth))]
    definition = {"key": "k", "nodes": [*inner, *backs], "edges": row(*(node["id"] for node in (*inner, *backs)))}

    told = []
    try:
        load_flow(definition, key=None, folder=Path(), kinds=KINDS)
    except DefinitionError as error:
        told = [problem.problem for problem in error.problems]

    assert told == said
