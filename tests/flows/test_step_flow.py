"""Sub-flows, what a step requires, and what a flow gives, through the real loader and the real kinds."""

import pytest

from tests.flows.controls import Work, branch, calc, call, loop, run, work

INNER = {
    "key": "inner",
    "inputs": {"n": {"type": "number"}, "word": {"type": "string", "required": False, "default": "x"}},
    "steps": [calc("load", "({twice: $.input.n * 2, word: $.input.word})")],
}


async def test_a_sub_flow_gives_the_results_of_its_steps():
    ended = await run(call("enrich", "inner", n="4"), calc("last", "$.steps.enrich.output.load.output.twice"), flows=[INNER])

    assert ended.output == 8
    assert ended.steps["enrich"]["output"] == ended.steps["enrich"]["response"]
    assert "load" not in ended.steps


async def test_a_sub_flow_that_declares_an_output_gives_that_and_its_steps_as_response():
    inner = {**INNER, "output": {"answer": "$.steps.load.output.twice"}}

    ended = await run(call("enrich", "inner", n=4), flows=[inner])

    assert ended.steps["enrich"]["output"] == {"answer": 8}
    assert "load" in ended.steps["enrich"]["response"]


async def test_a_sub_flow_has_a_dollar_of_its_own():
    nosy = {"key": "inner", "steps": [calc("look", "[Object.keys($.steps), Object.keys($.input), Object.keys($.loop)]")]}

    ended = await run(calc("before"), loop("each", [1], call("enrich", "inner")), inputs={"secret": 1}, flows=[nosy])

    assert ended.steps["enrich"]["output"]["look"]["output"] == [[], [], []]


async def test_the_key_of_a_sub_flow_may_be_made_at_run_time():
    ended = await run(call("enrich", "{{$.input.which}}ner", n="$.input.n"), inputs={"which": "in", "n": 1}, flows=[INNER])

    assert ended.status == "completed"


async def test_an_input_whose_path_leads_nowhere_is_not_given():
    ended = await run(call("enrich", "inner", n=1, word="$.input.word"), flows=[INNER])

    assert ended.steps["enrich"]["output"]["load"]["output"]["word"] == "x"


async def test_inputs_of_a_sub_flow_are_checked():
    ended = await run(call("enrich", "inner", n="lots"), flows=[INNER])

    assert (ended.status, ended.code) == ("failed", "INPUT_INVALID")
    assert 'Input "n" must be a number, got string ("lots")' in ended.error


async def test_a_sub_flow_that_is_not_there_fails_the_step():
    ended = await run(call("enrich", "nowhere"))

    assert ended.code == "FLOW_NOT_FOUND"


async def test_a_failed_sub_flow_shows_what_its_steps_came_to():
    inner = {"key": "inner", "steps": [calc("good", "1"), work("bad", fail=True)]}

    ended = await run({**call("enrich", "inner"), "onError": {"strategy": "continue"}}, flows=[inner])

    assert ended.status == "completed"
    assert ended.steps["enrich"]["error"] == "step «bad»: boom"
    assert {name: result["status"] for name, result in ended.steps["enrich"]["partial"].items()} == {
        "good": "success",
        "bad": "failed",
    }


async def test_a_flow_that_calls_itself_for_ever_ends_with_a_code():
    ended = await run(call("again", "round"), flows=[{"key": "round", "steps": [call("again", "round")]}])

    assert (ended.status, ended.code) == ("failed", "FLOW_DEPTH")


async def test_a_flow_may_call_itself_and_come_to_an_end():
    count = {"key": "count", "steps": [call("next", "count", n="{{$.input.n}}1") | {"if": "$.input.n.length < 5"}]}

    ended = await run(call("start", "count", n="1"), flows=[count])

    assert ended.status == "completed"


async def test_the_default_of_a_flow_does_not_reach_its_sub_flows():
    inner = {"key": "inner", "steps": [work("bad", fail=True), calc("after")]}

    ended = await run(call("enrich", "inner"), calc("last"), flows=[inner], defaultOnError={"strategy": "continue"})

    assert ended.status == "completed"
    assert list(ended.steps["enrich"]["partial"]) == ["bad"]


async def test_a_required_value_that_is_missing_fails_with_the_reason():
    ended = await run(calc("a", "1", **{"if": "false"}), calc("b", "2", requires=["$.steps.a.output.bio"]))

    assert ended.code == "REQUIRES_MISSING"
    assert ended.error == "step «b»: requires $.steps.a.output.bio, which is undefined: step «a» was skipped"


@pytest.mark.parametrize(("value", "what"), [(None, "null"), ("", "an empty text"), ([], "an empty array")])
async def test_a_required_value_that_is_empty_is_missing(value, what):
    ended = await run(calc("b", "2", requires=["$.input.x"]), inputs={"x": value})

    assert f"which is {what}" in ended.error


@pytest.mark.parametrize("value", [0, False, {}])
async def test_a_required_value_that_is_zero_false_or_an_empty_object_is_there(value):
    ended = await run(calc("b", "2", requires=["$.input.x"]), inputs={"x": value})

    assert ended.status == "completed"


async def test_a_missing_requirement_honours_onerror():
    step = calc("b", "2", requires=["$.input.x"], onError={"strategy": "continue"})

    ended = await run(step, calc("c", "$.steps.b.status"))

    assert ended.output == "failed"


async def test_the_output_of_a_flow_is_made_of_its_steps():
    ended = await run(calc("a", "6"), output={"answer": "$.steps.a.output", "text": "is {{$.steps.a.output}}"})

    assert ended.output == {"answer": 6, "text": "is 6"}


async def test_an_output_that_cannot_be_made_fails_the_flow():
    ended = await run(calc("a", "({})"), output="$.steps.a.output.nothing")

    assert (ended.status, ended.code) == ("failed", "PATH_MISSING")


async def test_where_the_last_step_was_skipped_the_output_is_that_of_the_last_that_ran():
    ended = await run(calc("a", "6"), calc("b", "7", **{"if": "false"}))

    assert ended.output == 6


async def test_steps_that_need_nothing_of_each_other_run_side_by_side():
    kind = Work()

    await run(work("a", pauses=3), work("b", pauses=3) | {"needs": []}, work("c", pauses=3), work=kind)

    assert kind.most == 3


async def test_loops_inside_loops_inside_conditions_agree_with_the_same_in_python():
    inner = loop("inner", "$.loop.row", branch("odd", "$.loop.item % 2 === 1", [calc("keep", "$.loop.item")]))

    ended = await run(loop("outer", [[1, 2], [3, 4]], inner, **{"as": "row"}))

    rows = ended.steps["outer"]["response"]["iterations"]
    kept = [[cell.get("keep", {}).get("output") for cell in row["inner"]["response"]["iterations"]] for row in rows]
    assert kept == [[1, None], [3, None]]


async def test_a_sub_flows_results_are_under_steps_as_well_where_the_caller_names_it():
    inner = {"key": "inner", "steps": [calc("load", "({TEAM: 'acme'})"), calc("last", "({load: 9})")]}
    text = {"key": "text", "steps": [calc("say", "'hello'")]}
    call = {"id": "s", "type": "flow", "flow": {"key": "inner"}}

    named = await run(call, calc("z", "[$.steps.s.output.load, $.steps.s.output._steps.load.output.TEAM]"), flows=[inner])
    unnamed = await run(call, calc("z", "$.steps.s.output.load"), flows=[inner])
    final = await run({**call, "flow": {"key": "text"}}, calc("z", "$.steps.s.output._finalOutput"), flows=[text])

    assert named.output == [9, "acme"]
    assert "_steps" not in unnamed.steps["s"]["output"]
    assert final.output == "hello"
