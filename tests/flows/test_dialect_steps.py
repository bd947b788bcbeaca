"""The steps dialect: what loads, what is refused, and in which words."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.dialects import load_flow
from flows.errors import DefinitionError
from flows.steps import make_kinds
from tests.flows.loading import load, refused


def calc(step_id, expression="1", **given):
    return {"id": step_id, "type": "transform", "transform": {"expression": expression}, **given}


def flow(*steps, **given):
    return {"key": "k", "steps": list(steps), **given}


def edges(loaded):
    return [(edge.source, edge.target) for edge in loaded.graph.edges]


def test_a_list_of_steps_runs_in_order():
    assert edges(load(flow(calc("a"), calc("b"), calc("c")))) == [("a", "b"), ("b", "c")]


def test_a_list_in_which_one_step_has_needs_runs_by_needs_alone():
    assert edges(load(flow(calc("a"), calc("b"), calc("c", needs=["a"])))) == [("a", "c")]


def test_a_flow_is_named_by_its_key_or_else_by_its_file():
    assert load(flow(calc("a"))).key == "k"
    assert load({"steps": [calc("a")]}).key == "from-file"
    assert refused({"steps": [calc("a")]}, None) == ['the flow has no key (add "key": "my-flow")']


def test_names_descriptions_and_versions_are_kept_or_ignored_and_never_required():
    loaded = load(flow(calc("a", name="Add"), name="Sum", description="adds", version="1"))

    assert (loaded.name, loaded.description, loaded.graph.steps[0].name) == ("Sum", "adds", "Add")
    assert loaded.warnings == ()


def test_the_digest_changes_with_the_definition():
    assert load(flow(calc("a"))).digest == load(flow(calc("a"))).digest
    assert load(flow(calc("a"))).digest != load(flow(calc("a", "2"))).digest


def test_metrics_and_output_schema_are_understood_everywhere():
    step = load(flow(calc("a", metrics={"track": True, "costLabel": "x"}, outputSchema={"n": "number"}))).graph.steps[0]

    assert (step.track, step.cost_label) == (True, "x")


def test_times_are_milliseconds():
    rule = {"strategy": "retry", "retries": 2, "retryDelayMs": 250, "maxDelayMs": 5000, "backoff": "exponential"}
    step = load(flow(calc("a", timeoutMs=1500, onError=rule))).graph.steps[0]

    assert step.timeout_s == 1.5
    assert (step.retry.tries, step.retry.first_delay_s, step.retry.max_delay_s, step.retry.backoff) == (
        3,
        0.25,
        5.0,
        "exponential",
    )


def test_steps_without_an_onerror_inherit_the_flows_default_at_every_depth():
    loop = {"id": "each", "type": "loop", "onError": {"strategy": "fail"}, "loop": {"over": [1], "steps": [calc("inner")]}}

    loaded = load(flow(calc("a"), loop, defaultOnError={"strategy": "continue"}))

    first, each = loaded.graph.steps
    assert (first.on_error, each.on_error) == ("continue", "fail")
    assert each.prepared.body.steps[0].on_error == "continue"


def test_a_fallback_stands_outside_the_row():
    loaded = load(flow(calc("a", onError={"strategy": "fallback", "fallbackStepId": "f"}), calc("f"), calc("b")))

    assert [(edge.source, edge.target, edge.fallback) for edge in loaded.graph.edges] == [("a", "b", False), ("a", "f", True)]


def test_a_default_fallback_is_not_its_own_fallback():
    loaded = load(flow(calc("a"), calc("f"), defaultOnError={"strategy": "fallback", "fallbackStepId": "f"}))

    assert [step.fallback for step in loaded.graph.steps] == ["f", None]


def test_a_fallback_without_a_step_is_the_same_as_fail():
    loaded = load(flow(calc("a", onError={"strategy": "fallback"})))

    assert (loaded.graph.steps[0].fallback, loaded.graph.steps[0].on_error) == (None, "fail")
    assert "the same as fail" in str(loaded.warnings[0])


def test_keys_of_sub_flows_that_are_literals_are_listed_at_every_depth():
    call = {"id": "call", "type": "flow", "flow": {"key": "enrich"}}
    dynamic = {"id": "dynamic", "type": "flow", "flow": {"key": "{{$.input.kind}}-flow"}}
    nested = {"id": "ask", "type": "condition", "condition": {"expression": "true", "then": [call], "else": [dynamic]}}

    assert load(flow(nested)).subflows == ("enrich",)


@pytest.mark.parametrize(
    ("definition", "problems"),
    [
        ([], ['a flow is an object, not a list ({"key": "…", "steps": […]})']),
        ({"key": "k", "step": []}, ["the flow has no steps (did you mean «steps»?)"]),
        ({"steps": [], "nodes": []}, ["a flow has steps or nodes, not both (take one of them out)"]),
        (flow(calc("a"), stpes=[]), ["stpes: stpes is not known here (did you mean «steps»?)"]),
        (flow(calc("a", timeoutMS=5)), ["steps[0].timeoutMS: timeoutMS is not known here (did you mean «timeoutMs»?)"]),
        (flow(calc("a", cache={"ttl": "1h"})), ["steps[0].cache: «cache» is not in this version (take it out)"]),
        (flow({"id": "a", "type": "transfrom"}), ["steps[0].type: «transfrom» is no type of steps (did you mean «transform»?)"]),
        (
            flow({"id": "a", "type": "transform", "expression": "1"}),
            ['steps[0]: a transform step needs «transform» (write expression inside "transform": {…})'],
        ),
        (flow({"id": "a", "type": "while", "while": None}), ["steps[0].while: while is null, and must be an object"]),
        (flow(calc("a"), calc("a")), ["steps[1].id: there are two steps «a» (the first is steps[0])"]),
        (flow(calc("a.b")), ["steps[0].id: «a.b» is no id of a step (text without . / # [ ] and line ends)"]),
        (flow({"type": "transform"}), ["steps[0]: the step has no id (text without . / # [ ] and line ends)"]),
        (flow("a"), ["steps[0]: a step is an object, not «a»"]),
        (flow(calc("a", needs=["b"]), calc("bb")), ["steps[0].needs[0]: there is no step «b» here"]),
        (
            flow(calc("a", needs=["c"]), calc("b", needs=["a"]), calc("c", needs=["b"])),
            ["steps[0].needs[0]: these steps wait for each other: a → b → c → a (take one of these edges away)"],
        ),
        (
            flow(calc("a", onError={"strategy": "fallback", "fallbackStepId": "spar"}), calc("spare")),
            ["steps[0].onError.fallbackStepId: there is no step «spar» in this list (did you mean «spare»?)"],
        ),
        (
            flow(calc("a", onError={"strategy": "fallback", "fallbackStepId": "a"})),
            ["steps[0].onError.fallbackStepId: a step cannot stand in for itself"],
        ),
        (flow(calc("a", onError={"strategy": "retry", "retries": -1})), ["steps[0].onError.retries: retries is -1, and must be at least 0"]),
        (flow(calc("a", timeoutMs=True)), ["steps[0].timeoutMs: timeoutMs is true, and must be a number"]),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_what_to_do(definition, problems):
    assert refused(definition, "k") == problems


def test_all_mistakes_are_told_at_once_also_inside_bodies():
    loop = {
        "id": "each",
        "type": "loop",
        "loop": {"over": "$.steps.nope", "stepz": 1, "steps": [calc("inner", "1 +"), {"id": "x", "type": "bsh"}]},
    }
    definition = flow(calc("a", "$.input.missing", retrys=1), loop, calc("b", "$.steps.later.output"), calc("later"), inputs={})

    problems = refused(definition)

    assert [problem.split(":")[0] for problem in problems] == [
        "steps[1].loop.stepz",
        "steps[1].loop.steps[0].transform.expression",
        "steps[1].loop.steps[1].type",
        "steps[0].transform.expression",
        "steps[1].loop.over",
        "steps[2].transform.expression",
    ]


def test_an_unknown_field_that_resembles_nothing_is_a_warning():
    loaded = load(flow(calc("a", x_owner="me"), labels=["x"]))

    assert [str(warning) for warning in loaded.warnings] == [
        "labels: labels is not known here, and does nothing",
        "steps[0].x_owner: x_owner is not known here, and does nothing",
    ]


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ([calc("a", "$.steps.b.output"), calc("b")], "step «b» has not run when «a» starts (move it to before)"),
        ([calc("a", "$.steps.a.output")], "step «a» refers to itself"),
        ([calc("fetch"), calc("b", "steps.fecth.output")], "there is no step «fecth» (did you mean «fetch»?)"),
        ([calc("a", **{"if": "$.steps.b.output"}), calc("b")], "steps[0].if: step «b» has not run"),
        ([calc("a", requires=["$.steps.b.output"]), calc("b")], "steps[0].requires[0]: step «b» has not run"),
        ([calc("a"), calc("b", "$.steps.a.output"), calc("c", needs=["a"])], 'step «a» has not run when «b» starts (add "a" to its needs)'),
        ([{"id": "a", "type": "bash", "bash": {"command": "echo {{$.steps.b.output | shell}}"}}, calc("b")], "steps[0].bash.command: step «b»"),
        (
            [{"id": "a", "type": "flow", "flow": {"key": "x", "inputs": {"n": ["$.steps.b.output"]}}}, calc("b")],
            "steps[0].flow.inputs.n[0]: step «b»",
        ),
        (
            [{"id": "p", "type": "parallel", "parallel": {"steps": [calc("a", "$.steps.b.output"), calc("b")]}}],
            "step «b» runs beside «a»",
        ),
        (
            [{"id": "each", "type": "loop", "loop": {"over": [1], "steps": [calc("a", "$.steps.each.output")]}}],
            "step «each» has not run when «a» starts",
        ),
        ([calc("a", outputSchema={"count": "number"}), calc("b", "$.steps.a.output.cuont")], "has no field «cuont» (did you mean «count»?)"),
    ],
)  # fmt: skip
def test_a_reference_to_what_is_not_there_yet_is_refused(steps, problem):
    problems = refused(flow(*steps))

    assert len(problems) == 1
    assert problem in problems[0]


def test_what_stands_nowhere_at_the_top_of_what_steps_see_is_a_warning():
    loaded = load(flow(calc("a", "$.inputs.name"), calc("b", "$.vars ?? $.env.X", **{"if": "$.loop.i"})))

    assert [str(warning) for warning in loaded.warnings] == [
        "steps[0].transform.expression: a step sees no `$.inputs`: it is missing (did you mean «input»?)",
        "steps[1].transform.expression: a step sees no `$.vars`: it is missing (there are input, steps, loop, env, status, error)",
    ]


def test_a_reference_to_an_unknown_input_is_refused_where_inputs_are_declared():
    declared = {"email": {"type": "string"}}

    assert (
        "the flow has no input «emial» (did you mean «email»?)" in refused(flow(calc("a", "$.input.emial"), inputs=declared))[0]
    )
    assert load(flow(calc("a", "$.input.anything"))).warnings == ()


def test_later_steps_may_refer_to_what_ran_inside_a_step_before():
    ask = {"id": "ask", "type": "condition", "condition": {"expression": "true", "then": [calc("yes")], "else": [calc("no")]}}
    beside = {"id": "p", "type": "parallel", "parallel": {"steps": [calc("x"), ask]}}

    load(flow(beside, calc("b", "$.steps.yes.output + $.steps.x.output"), calc("c", "1", **{"if": "$.steps.no.status"})))


def test_a_fallback_sees_the_step_it_stands_in_for_and_later_steps_see_the_fallback():
    rule = {"strategy": "fallback", "fallbackStepId": "f"}

    load(flow(calc("z"), calc("a", onError=rule), calc("b", "$.steps.f.output"), calc("f", "$.steps.a.error + $.steps.z.output")))


def test_an_earlier_step_of_a_parallel_is_only_a_warning():
    beside = {"id": "p", "type": "parallel", "parallel": {"steps": [calc("a"), calc("b", "$.steps.a.output")]}}

    assert "runs beside" in str(load(flow(beside)).warnings[0])


def test_a_retry_without_retries_is_a_warning():
    assert "tried once" in str(load(flow(calc("a", onError={"strategy": "retry"}))).warnings[0])


def test_a_thousand_steps_load_quickly_enough_to_be_edited():
    loaded = load(flow(*(calc(f"s{n}", f"$.steps.s{n - 1}.output" if n else "0") for n in range(1000))))

    assert len(loaded.graph.steps) == 1000


def test_steps_nested_beyond_all_reason_are_refused():
    step = calc("deep")
    for number in range(200):
        step = {"id": f"l{number}", "type": "loop", "loop": {"over": [1], "steps": [step]}}

    assert "nested more than 32 deep" in refused(flow(step))[0]


def test_a_blank_if_and_a_timeout_of_zero_are_the_same_as_none():
    step = load(flow(calc("a", **{"if": ""}, timeoutMs=0))).graph.steps[0]

    assert (step.when, step.timeout_s) == (None, None)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
step_like = st.dictionaries(
    st.sampled_from(["id", "type", "if", "needs", "requires", "onError", "timeoutMs", "metrics", "transform", "loop", "parallel", "condition", "flow", "bash", "http", "fileRead", "fileWrite"]),
    st.sampled_from(["a", "b", "transform", "loop", "parallel", "condition", "flow", "bash", "http", "file-read", "file-write"])
    | st.fixed_dictionaries({}, optional={"expression": st.text(max_size=5), "over": json_values, "steps": json_values, "then": json_values, "key": json_values, "command": json_values, "strategy": json_values})
    | json_values,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    definition=json_values
    | st.fixed_dictionaries(
        {"steps": st.lists(step_like, max_size=4)},
        optional={"inputs": json_values, "output": json_values, "defaultOnError": json_values, "key": json_values},
    )
)
def test_no_definition_ends_in_anything_but_a_flow_or_a_definition_error(definition):
    with suppress(DefinitionError):
        load(definition)


@pytest.mark.parametrize(
    ("flow", "hint"),
    [
        ({"steps": [{"id": "a", "type": "transform", "transform": {"expression": "age > 3"}}]}, "`input.age`"),
        ({"nodes": [{"id": "a", "type": "transform", "config": {"filter": "age > 3"}}]}, "`item.age`"),
        ({"nodes": [{"id": "a", "type": "transform", "config": {"map": {"x": "age * 2"}}}]}, "`item.age`"),
        ({"nodes": [{"id": "a", "type": "condition", "config": {"condition": "age > 3"}}]}, "`data.age`"),
    ],
)
def test_a_name_that_is_none_is_told_where_it_may_lead(flow, hint):
    with pytest.raises(DefinitionError) as raised:
        load_flow({"key": "k", **flow}, key=None, folder=Path(), kinds=make_kinds())

    assert raised.value.problems[0].code == "EXPRESSION_NAME"
    assert hint in raised.value.problems[0].hint


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        ("$.steps.fecth.output", "output: there is no step «fecth» (did you mean «fetch»?)"),
        ({"a": ["{{$.steps.inner.output}} {{$.input.qq}}"]}, "output.a[0]: the flow has no input «qq»"),
        ({"a": "$.steps.last.output"}, "output.a: step «last» runs when the flow's output has been made"),
        ({"a": "$.steps.inner.output", "b": "$.steps.fetch.output", "c": "$.input.q"}, None),
    ],
)
def test_what_a_flows_output_names_is_there_when_it_is_made(output, problem):
    inner = {"id": "inner", "type": "transform", "transform": {"expression": "1"}}
    definition = {
        "inputs": {"q": {"type": "string"}},
        "steps": [{"id": "fetch", "type": "loop", "loop": {"over": [1], "steps": [inner]}}],
        "finally": [{"id": "last", "type": "transform", "transform": {"expression": "1"}}],
        "output": output,
    }

    told = refused(definition) if problem else list(load(definition).warnings)

    assert told == ([problem] if problem else [])
