"""The control steps through the real loader and the real kinds: transform, condition, parallel, loop, flow."""

import math

import pytest

from flows.steps import STEP_KINDS
from tests.flows.controls import Work, beside, branch, calc, loop, run, work


def test_every_kind_is_registered_under_its_own_name():
    assert list(STEP_KINDS) == [kind.name for kind in STEP_KINDS.values()]
    assert {"bash", "http", "transform", "condition", "parallel", "loop", "while", "flow", "file-read", "file-write"} <= set(
        STEP_KINDS
    )
    assert {"action", "paginate"} <= set(STEP_KINDS)


async def test_a_transform_gives_the_value_of_its_expression():
    ended = await run(
        calc("a", "$.input.people.filter(p => p.age > 30).map(p => p.name)"), inputs={"people": [{"name": "A", "age": 40}]}
    )

    assert ended.output == ["A"]


async def test_a_transform_that_gives_nothing_gives_null():
    ended = await run(calc("a", "$.input.missing"))

    assert ended.steps["a"]["output"] is None


async def test_a_transform_sees_the_output_of_the_step_before_as_data():
    ended = await run(calc("a", "20"), calc("b", "data + 1"), calc("c", "output * 2"))

    assert ended.output == 42


async def test_a_transform_that_walks_into_a_skipped_step_fails_and_says_why():
    ended = await run(calc("a", "1", **{"if": "false"}), calc("b", "$.steps.a.output.value"))

    assert ended.status == "failed"
    assert "step «a» was skipped" in ended.error


@pytest.mark.parametrize("field", ["if", "unless"])
async def test_a_condition_that_walks_into_a_skipped_step_is_false(field):
    ended = await run(calc("a", "1", **{"if": "false"}), calc("b", "2", **{field: "$.steps.a.output.value"}))

    assert ended.steps["b"]["status"] == ("skipped" if field == "if" else "success")


async def test_a_condition_step_that_walks_into_a_skipped_step_takes_else():
    ended = await run(calc("a", "1", **{"if": "false"}), branch("c", "$.steps.a.output.x > 1", [calc("yes")], [calc("no")]))

    assert ended.steps["c"]["response"] == {"conditionResult": False}
    assert "yes" not in ended.steps


async def test_a_step_skipped_by_its_own_if_lets_the_next_one_run_with_what_it_was_given():
    ended = await run(calc("a", "7"), calc("b", "0", **{"if": "data > 100"}), calc("c", "data"))

    assert ended.steps["b"] == {"status": "skipped"}
    assert ended.output == 7


async def test_an_if_that_cannot_be_evaluated_is_a_failure_of_the_step_and_its_onerror_decides():
    bad = calc("a", "1", **{"if": "$.input.n()", "onError": {"strategy": "continue"}})

    ended = await run(bad, calc("b", "$.steps.a.errorCode"), inputs={"n": 5})

    assert ended.output == "EXPRESSION_TYPE"


async def test_a_condition_runs_one_branch_and_its_steps_are_seen_afterwards():
    ended = await run(
        branch("c", "$.input.n > 1", [calc("yes", "'y'")], [calc("no", "'n'")]),
        calc("last", "$.steps.yes.output"),
        inputs={"n": 2},
    )

    assert ended.output == "y"
    value = ended.steps["c"]["output"]
    assert value["conditionResult"] is True
    assert [each["output"] for each in value["stepsExecuted"]] == ["y"]


async def test_a_condition_without_else_does_nothing_when_it_is_false():
    ended = await run({"id": "c", "type": "condition", "condition": {"expression": "false", "then": [calc("yes")]}})

    assert ended.steps["c"]["output"] == {"conditionResult": False, "stepsExecuted": []}


async def test_what_a_branch_that_was_not_taken_gives_is_left_out_of_the_flows_output():
    gate = branch("gate", "false", [calc("memo", "'m'")])

    ended = await run(
        gate, output={"memo": "$.steps.memo.output", "list": ["$.steps.memo.output"], "text": "<{{$.steps.memo.output}}>"}
    )

    assert (ended.status, ended.output) == ("completed", {"list": [None], "text": "<>"})


async def test_an_output_that_is_nothing_but_a_path_must_lead_somewhere():
    ended = await run(branch("gate", "false", [calc("memo", "'m'")]), output="$.steps.memo.output")

    assert (ended.status, ended.code, ended.output) == ("failed", "PATH_MISSING", None)
    assert ended.error == "the flow's output: nothing is at $.steps.memo.output: step «memo» has not run"


async def test_parallel_steps_run_side_by_side_up_to_the_limit():
    kind = Work()

    ended = await run(beside("p", *(work(f"w{n}", pauses=3) for n in range(8)), maxConcurrency=3), work=kind)

    assert ended.status == "completed"
    assert kind.most == 3


async def test_five_parallel_steps_run_at_one_time_where_nothing_is_said():
    kind = Work()

    await run(beside("p", *(work(f"w{n}", pauses=3) for n in range(8))), work=kind)

    assert kind.most == 5


async def test_parallel_gives_the_results_of_its_steps_in_order():
    ended = await run(beside("p", calc("a", "1"), calc("b", "2")), calc("last", "$.steps.a.output + $.steps.p.output[1].output"))

    assert ended.output == 3


async def test_siblings_of_a_failed_parallel_step_go_on():
    ended = await run(beside("p", work("bad", fail=True), work("slow", pauses=9)))

    assert (ended.status, ended.error) == ("failed", "step «p»: step «bad»: boom")
    assert ended.steps["slow"]["status"] == "success"


@pytest.mark.parametrize("bad", [calc("bad", "$.steps.none.output.x"), work("bad", fail=True)], ids=["at once", "later"])
@pytest.mark.parametrize("turn_s", [-1, math.inf], ids=["the loop is given away at each start", "never"])
async def test_the_row_of_a_failed_parallel_step_runs_and_no_other_begins(bad, turn_s):
    rows = [work("a"), calc("b"), work("c"), bad, calc("d"), work("e"), calc("f"), calc("g"), work("h")]

    ended = await run(calc("none", **{"if": "false"}), beside("p", *rows, maxConcurrency=3), turn_s=turn_s)

    assert ended.error.startswith("step «p»: step «bad»")
    assert {name: each["status"] for name, each in ended.steps.items() if name not in {"none", "p"}} == {
        **dict.fromkeys(["a", "b", "c", "d", "e"], "success"),
        "bad": "failed",
    }


@pytest.mark.parametrize("first", [calc("first"), work("first")], ids=["all at once", "with a pause"])
async def test_the_row_of_a_failed_iteration_runs_and_no_other_begins(first):
    begun = []

    ended = await run(
        calc("none", **{"if": "false"}),
        loop("each", [*range(9)], first, calc("bad", "$.loop.i === 3 ? $.steps.none.output.x : 1"), maxConcurrency=3),
        record=lambda attempt: begun.append(attempt.path),
    )

    assert ended.status == "failed"
    assert {path for path in begun if path.endswith(".first")} == {f"each[{number}].first" for number in range(6)}


async def test_steps_of_a_parallel_may_need_each_other():
    ended = await run(beside("p", calc("a", "1"), calc("b", "data + 1", needs=["a"])))

    assert ended.steps["b"]["output"] == 2


async def test_a_loops_output_is_its_items_and_its_results_are_in_the_response():
    ended = await run(loop("each", "$.input.list", calc("twice", "$.loop.item * 2")), inputs={"list": [1, 2]})

    each = ended.steps["each"]
    assert each["output"] == [1, 2]
    assert each["response"]["items"] == [1, 2]
    assert [iteration["twice"]["output"] for iteration in each["response"]["iterations"]] == [2, 4]
    assert ended.steps["twice"]["output"] == 4


async def test_loop_variables_have_the_names_that_are_given_beside_item_and_i():
    step = calc("say", "[$.loop.order, $.loop.n, $.loop.item, $.loop.i]")

    ended = await run(loop("each", ["a"], step, **{"as": "order", "indexAs": "n"}))

    assert ended.steps["say"]["output"] == ["a", 0, "a", 0]


async def test_inner_loop_variables_hide_outer_ones_and_the_others_are_still_seen():
    inner = loop("inner", "$.loop.row", calc("say", "[$.loop.item, $.loop.i, $.loop.row, $.loop.cell]"), **{"as": "cell"})

    ended = await run(loop("outer", [[5, 6]], inner, **{"as": "row"}))

    assert ended.steps["say"]["output"] == [6, 1, [5, 6], 6]


async def test_after_a_loop_its_variables_are_gone():
    ended = await run(loop("each", [1], calc("a")), calc("b", "typeof $.loop.item"))

    assert ended.output == "undefined"


@pytest.mark.parametrize(
    "over",
    [
        "$.input.rows[*].n",
        "$.input.rows.map(r => r.n)",
        "input.rows.map(r => r.n)",
        ["{{$.input.rows[0].n}}", "$.input.rows[1].n"],
    ],
)
async def test_a_loop_goes_over_a_path_an_expression_or_a_list(over):
    ended = await run(loop("each", over, calc("a", "$.loop.item")), inputs={"rows": [{"n": 1}, {"n": 2}]})

    assert ended.steps["a"]["output"] == 2
    assert len(ended.steps["each"]["output"]) == 2


async def test_an_empty_loop_succeeds():
    ended = await run(loop("each", [], calc("a")))

    assert ended.steps["each"]["response"] == {"items": [], "iterations": []}


async def test_a_loop_takes_no_more_items_than_it_may():
    ended = await run(loop("each", [1, 2, 3, 4], calc("a"), maxIterations=3))

    assert ended.steps["each"]["output"] == [1, 2, 3]


async def test_a_loop_over_what_is_no_list_fails_with_the_reason():
    ended = await run(calc("a", "1", **{"if": "false"}), loop("each", "$.steps.a.output", calc("b")))

    assert ended.code == "LOOP_OVER"
    assert "$.steps.a.output is missing: step «a» was skipped" in ended.error


@pytest.mark.parametrize("at_once", [1, 2, 7])
async def test_concurrent_iterations_keep_their_order_and_their_own_results(at_once):
    kind = Work()
    steps = [work("w", pauses=2), calc("own", "$.steps.w.output * 10 + $.loop.i")]

    ended = await run(loop("each", list(range(7)), *steps, maxConcurrency=at_once), work=kind)

    iterations = ended.steps["each"]["response"]["iterations"]
    assert [iteration["own"]["output"] for iteration in iterations] == [0, 11, 22, 33, 44, 55, 66]
    assert kind.most == at_once
    assert ended.steps["own"]["output"] == 66


async def test_an_iteration_that_fails_is_named_and_no_other_begins():
    failing = [calc("a", "$.loop.i < 2 ? 1 : $.loop.item.x.y")]

    ended = await run(loop("each", [0, 1, 2, 3], *failing), calc("never"))

    assert ended.status == "failed"
    assert ended.error.startswith("step «each»: iteration 2: step «a»:")


async def test_a_loop_sees_the_results_of_the_steps_before_it():
    ended = await run(calc("base", "100"), loop("each", [1, 2], calc("add", "$.steps.base.output + $.loop.item")))

    assert ended.steps["add"]["output"] == 102
