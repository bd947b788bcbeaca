"""The nodes dialect: what loads, what is refused, and in which words."""

import copy
import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.errors import DefinitionError, StepError
from flows.summary import needs
from tests.flows.loading import load, refused

EXAMPLE = json.loads((Path(__file__).parents[1] / "definitions" / "example-workflow.json").read_text())


def calc(name, expression="1", **given):
    return {"id": name, "type": "transform", "config": {"expression": expression}, **given}


def ask(name, condition="data > 1", **branches):
    return {"id": name, "type": "condition", "config": {"condition": condition, **branches}}


def edge(source, target, condition=None, **given):
    return {"source": source, "target": target, **({} if condition is None else {"condition": condition}), **given}


def flow(*nodes, edges=(), **given):
    return {"version": "1.0", "nodes": list(nodes), "edges": list(edges), **given}


def edges(loaded):
    return [(each.source, each.target, each.condition) for each in loaded.graph.edges]


def completed_example():
    """The example with its missing node, and transforms in place of what would ask others."""
    example = copy.deepcopy(EXAMPLE)
    by_id = {node["id"]: node for node in example["nodes"]}
    by_id["source_1"].update(calc("source_1", "[{customer_name: input.name, product: 'wool'}]"))
    by_id["prompt_1"].update(calc("prompt_1", "`Dear ${data[0].customer_name}, buy ${data[0].product}`.repeat(input.times)"))
    by_id["output_1"].update(calc("output_1", "data.input.length"))
    example["nodes"].append(calc("prompt_2", "'too short: ' + data.input"))
    return example


def test_the_example_of_the_specification_is_refused_because_it_names_a_node_that_it_does_not_have():
    problems = refused(EXAMPLE)

    assert "edges[3].target: there is no node «prompt_2» (did you mean «prompt_1»?)" in problems
    assert "nodes[2].config.falseBranch: there is no node «prompt_2» (did you mean «prompt_1»?)" in problems
    assert [problem for problem in problems if "prompt_2" not in problem] == []


def test_the_source_of_the_example_is_taken_as_it_is_and_asks_for_the_key_that_the_settings_name():
    loaded = load(flow(EXAMPLE["nodes"][0]))

    assert (needs(loaded)["sources"], needs(loaded)["secrets"]) == (["google_sheets"], ["GOOGLE_SERVICE_ACCOUNT"])


def test_the_example_loads_once_the_missing_node_is_there():
    loaded = load({**EXAMPLE, "nodes": [*EXAMPLE["nodes"], calc("prompt_2", "'too short: ' + data.input")]})

    assert (loaded.key, loaded.dialect) == ("from-file", "nodes")
    assert [step.kind for step in loaded.graph.steps] == ["data_source", "prompt", "condition", "output", "transform"]
    assert ["model" in problem.problem for problem in loaded.warnings] == [True]  # it is not asked in this version
    assert (loaded.graph.max_concurrent, loaded.graph.timeout_s, loaded.graph.on_failure) == (5, 3600, "stop")
    assert loaded.graph.steps[loaded.graph.index["prompt_1"]].name == "Generate Email"


def test_a_flow_is_named_by_its_key_or_else_by_its_file():
    assert load(flow(calc("a"), key="k")).key == "k"
    assert load(flow(calc("a"))).key == "from-file"
    assert refused(flow(calc("a")), None) == ['the flow has no key (add "key": "my-flow")']


def test_maxAttempts_counts_all_tries_and_delays_are_milliseconds():
    policy = {"maxAttempts": 3, "backoff": "exponential", "initialDelay": 1000, "maxDelay": 30000}

    retry = load(flow(calc("a"), settings={"retryPolicy": policy})).graph.steps[0].retry

    error = StepError("x", code="X")
    assert [retry.again(error, failed) for failed in (1, 2, 3)] == [True, True, False]
    assert [retry.of(error).delay_s(failed) for failed in (1, 2, 5, 6, 1100)] == [1, 2, 16, 30, 30]


@pytest.mark.parametrize(
    ("backoff", "delays_s"), [("constant", [2, 2, 2, 2]), ("linear", [2, 4, 6, 7]), ("exponential", [2, 4, 7, 7])]
)
def test_delays_grow_as_the_backoff_says(backoff, delays_s):
    policy = {"maxAttempts": 9, "backoff": backoff, "initialDelay": 2000, "maxDelay": 7000}

    retry = load(flow(calc("a"), settings={"retryPolicy": policy})).graph.steps[0].retry

    assert [retry.of(StepError("x", code="X")).delay_s(failed) for failed in (1, 2, 3, 4)] == delays_s


def test_without_a_policy_a_node_is_tried_once_and_its_own_policy_is_stronger():
    policy = {"maxAttempts": 2}
    loaded = load(flow(calc("a"), calc("b", retryPolicy=policy), edges=[edge("a", "b")]))

    assert [step.retry.again(StepError("x", code="X"), 1) for step in loaded.graph.steps] == [False, True]


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (StepError("down", code="CONNECT_FAILED"), 5),
        (StepError("broken", code="HTTP_STATUS", status=503), 5),
        (StepError("slow", code="HTTP_STATUS", status=408), 5),
        (StepError("many", code="HTTP_STATUS", status=429), 10),
        (StepError("wrong", code="HTTP_STATUS", status=400), 1),
        (StepError("gone", code="HTTP_STATUS", status=404), 1),
        (StepError("missing", code="PATH_MISSING", retryable=False), 1),
    ],
)
def test_how_often_an_error_is_tried_again_depends_on_its_class(error, tries):
    policy = {
        "maxAttempts": 5,
        "backoff": "exponential",
        "initialDelay": 1000,
        "rateLimit": {"maxAttempts": 10, "backoff": "linear"},
    }

    retry = load(flow(calc("a"), settings={"retryPolicy": policy})).graph.steps[0].retry

    assert next(failed for failed in range(1, 20) if not retry.again(error, failed)) == tries


def test_a_rate_limit_waits_as_long_as_the_server_asks_up_to_the_cap():
    policy = {"maxAttempts": 5, "initialDelay": 1000, "maxDelay": 30000, "rateLimit": {"backoff": "linear"}}

    retry = load(flow(calc("a"), settings={"retryPolicy": policy})).graph.steps[0].retry
    retry = retry.of(StepError("many", code="HTTP_STATUS", status=429))

    assert [retry.delay_s(1, retry_after_s=asked_s) for asked_s in (None, 0.5, 12, 600)] == [1, 1, 12, 30]


def test_branches_imply_their_edges():
    loaded = load(flow(ask("c", trueBranch="a", falseBranch="b"), calc("a"), calc("b")))

    assert edges(loaded) == [("c", "a", "true"), ("c", "b", "false")]


def test_an_edge_to_a_branch_asks_for_the_answer_of_that_branch():
    nodes = (ask("c", trueBranch="a", falseBranch="b"), calc("a"), calc("b"), calc("always"))
    drawn = [edge("c", "a"), edge("c", "b", condition=False), edge("c", "always")]

    assert edges(load(flow(*nodes, edges=drawn))) == [("c", "a", "true"), ("c", "b", "false"), ("c", "always", None)]


def test_a_condition_tells_where_it_leads_also_where_only_an_edge_says_it():
    loaded = load(flow(ask("c"), calc("a"), edges=[edge("c", "a", "true")]))

    decision = loaded.graph.steps[0].prepared
    assert (decision.true_branch, decision.false_branch) == ("a", None)


def test_the_types_of_nodes_are_those_of_steps():
    nodes = [
        {"id": "sh", "type": "bash", "config": {"command": "true"}},
        {"id": "get", "type": "http", "config": {"url": "http://127.0.0.1/"}},
        {"id": "each", "type": "loop", "config": {"over": [1], "steps": [{"id": "in", "type": "transform", "transform": {"expression": "1"}}]}},
        {"id": "which", "type": "condition", "config": {"expression": "true", "then": []}},
    ]  # fmt: skip

    loaded = load(flow(*nodes, edges=[edge("sh", "get"), edge("get", "each"), edge("each", "which")]))

    assert [step.kind for step in loaded.graph.steps] == ["bash", "http", "loop", "condition"]


A, B, C = calc("a"), calc("b"), calc("c")


@pytest.mark.parametrize(
    ("definition", "problems"),
    [
        (flow([]), ["nodes[0]: a node is an object, not a list"]),
        (flow({"type": "transform"}), ["nodes[0]: the node has no id (text without . / # [ ] and line ends)"]),
        (flow(calc("a.b")), ["nodes[0].id: «a.b» is no id of a node (text without . / # [ ] and line ends)"]),
        (flow(A, calc("a")), ["nodes[1].id: there are two nodes «a» (the first is nodes[0])"]),
        (
            flow({"id": "a", "type": "conditon", "config": {}}),
            ["nodes[0].type: «conditon» is no type of nodes (did you mean «condition»?)"],
        ),
        (flow(A, edgse=[]), ["edgse: edgse is not known here (did you mean «edges»?)"]),
        (flow({**A, "lable": "x"}), ["nodes[0].lable: lable is not known here (did you mean «label»?)"]),
        (
            flow(ask("a", trueBrnach="b"), B),
            ["nodes[0].config.trueBrnach: trueBrnach is not known here (did you mean «trueBranch»?)"],
        ),
        (
            flow(A, settings={"maxConcurrentNode": 5}),
            ["settings.maxConcurrentNode: maxConcurrentNode is not known here (did you mean «maxConcurrentNodes»?)"],
        ),
        (
            flow(A, settings={"retryPolicy": {"backof": "linear"}}),
            ["settings.retryPolicy.backof: backof is not known here (did you mean «backoff»?)"],
        ),
        (flow(A, B, edges=[edge("a", "x")]), ["edges[0].target: there is no node «x»"]),
        (flow(A, B, edges=[edge("x", "b")]), ["edges[0].source: there is no node «x»"]),
        (flow(ask("a", trueBranch="nowhere")), ["nodes[0].config.trueBranch: there is no node «nowhere»"]),
        (
            flow(A, B, edges=[edge("a", "b", id="e"), edge("a", "b", "x", id="e")]),
            ["edges[1].id: there are two edges «e» (the first is edges[0])"],
        ),
        (
            flow(A, B, edges=[edge("a", "b"), edge("a", "b")]),
            ["edges[1]: there are two such edges from «a» to «b» (take one of them out)"],
        ),
        (
            flow(ask("a"), B, C, edges=[edge("a", "b", "true"), edge("a", "c", "true")]),
            ["edges[1]: there are two edges for the branch true of «a»: to «b» and to «c» (lead one on, and from its target to the other)"],
        ),
        (
            flow(ask("a", trueBranch="b"), B, C, edges=[edge("a", "c", "true"), edge("a", "b", "false")]),
            ["edges[0].target: «a» goes to «b» by its trueBranch, and here to «c» (let both name one node)"],
        ),
        (
            flow(ask("a"), B, edges=[edge("a", "b", "ture")]),
            ["edges[0].condition: the condition «a» never answers «ture» (did you mean «true»?)"],
        ),
        (
            flow(A, B, C, edges=[edge("a", "b"), edge("b", "c"), edge("c", "a")]),
            ["edges[2]: these steps wait for each other: a → b → c → a (take one of these edges away)"],
        ),
        (
            flow(A, B, edges=[edge("a", "b", "data.score > 5")]),
            ["edges[0].condition: the condition of an edge is an answer, and data.score > 5 is an expression (ask it in a condition node between the two, and lead on from its answers: true, false)"],
        ),
        (flow(A, edges=[edge("a", "a")]), ["edges[0]: these steps wait for each other: a → a (take one of these edges away)"]),
        (flow(A, version="2.0"), ['version: version «2.0» of the format is not known (write "1.0")']),
        (flow(calc("a", "$.steps.b.output"), B, edges=[edge("a", "b")]), ["nodes[0].config.expression: step «b» has not run when «a» starts (add an edge that leads there from «b»)"]),
        (flow(calc("a", "$.steps.x.output")), ["nodes[0].config.expression: there is no step «x»"]),
        (flow(calc("a", "$.input.x"), inputs={"y": {"type": "string"}}), ["nodes[0].config.expression: the flow has no input «x»"]),
        (flow({"id": "a", "type": "transform", "config": {}}), ['nodes[0].config: a transform needs an expression, or filter, map or limit ("expression": "data")']),
        (flow(ask("a", "shouldContinue")), None),
        (flow(ask("a", "1 +")), None),
        (flow({"id": "a", "type": "transform", "config": {"map": {"x": {"y": "item."}}}}), None),
        (flow({"id": "a", "type": "transform", "config": {"filter": 5}}), None),
        (flow(A, settings={"retryPolicy": {"maxAttempts": 0}}), None),
        (flow(A, settings={"retryPolicy": {"backoff": "random"}}), None),
        (flow(A, settings={"timeout": 0}), None),
        (flow(A, settings={"errorHandling": "ignore"}), None),
        (flow(A, settings=[]), ["settings: settings is a list, and must be an object"]),
        ({"nodes": {}}, ["nodes: nodes is an object, and must be a list"]),
        (flow({**A, "fallbackNode": "b"}, B), ['nodes[0].fallbackNode: fallbackNode is read with errorHandling fallback only ("settings": {"errorHandling": "fallback"})']),
        (flow({**A, "fallbackNode": "x"}, settings={"errorHandling": "fallback"}), ["nodes[0].fallbackNode: there is no node «x»"]),
        (flow({**A, "fallbackNode": "a"}, settings={"errorHandling": "fallback"}), ["nodes[0].fallbackNode: a node cannot stand in for itself"]),
        (
            flow({**A, "fallbackNode": "b"}, B, C, edges=[edge("c", "b")], settings={"errorHandling": "fallback"}),
            ["edges[0]: «b» runs when «a» failed, and waits for nothing else (take this edge out)"],
        ),
        (
            flow({**ask("a"), "fallbackNode": "b"}, B, settings={"errorHandling": "fallback"}),
            ["nodes[0].fallbackNode: nothing can stand in for a condition: it would name no branch"],
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_at_its_place(definition, problems):
    said = refused(definition)

    if problems is not None:
        assert said == problems
    assert all(problem.split(": ")[0].startswith(("nodes", "edges", "settings", "edgse", "version")) for problem in said)


@pytest.mark.parametrize(
    ("definition", "warning"),
    [
        (flow(A, B, C, edges=[edge("a", "b")]), "nodes[2]: no edge leads to «c» or from it: it runs at once, beside the others"),
        (flow(A, settings={"loopDelay": 5}), "settings.loopDelay: loopDelay is read where a loop goes back to a node, and with executionMode continuous"),
        (flow(A, settings={"executionMode": "continuous", "loopDelay": 0}), "settings.loopDelay: rounds follow each other without a pause, and each is a run that is kept"),
        (flow(A, settings={"errorHandling": "fallback"}), "settings.errorHandling: no node names a fallbackNode: this is the same as stop"),
        (flow({**A, "colour": "red"}), "nodes[0].colour: colour is not known here, and does nothing"),
    ],
)  # fmt: skip
def test_what_is_only_doubtful_is_told_and_loads(definition, warning):
    assert [str(each).split(" (")[0] for each in load(definition).warnings] == [warning]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(["a", "true", "condition", "", "{{x}}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "type", "config", "source", "target", "x"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    st.fixed_dictionaries(
        {
            "nodes": JSON | st.lists(JSON, max_size=3),
            "edges": JSON | st.lists(JSON, max_size=3),
            "settings": JSON,
            "version": JSON,
        }
    )
)
def test_any_json_loads_or_is_refused_with_a_reason(definition):
    with suppress(DefinitionError):
        load(definition)


def test_thousands_of_nodes_load_in_linear_work():
    count = 5_000
    nodes = [ask(f"c{number}", trueBranch=f"c{number + 1}", falseBranch="end") for number in range(count)]

    loaded = load(flow(*nodes, calc(f"c{count}"), calc("end")))

    assert len(loaded.graph.edges) == 2 * count
