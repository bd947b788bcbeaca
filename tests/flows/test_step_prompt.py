"""`prompt`: its texts and numbers are checked, its text is made, and nobody is asked in this version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.attempt import Attempt
from flows.dialects import load_flow
from flows.errors import DefinitionError
from flows.executor import World, execute
from flows.rehearsal import Plan, rehearse
from flows.steps import make_kinds

KINDS = make_kinds()
WORLD = World(KINDS, None, None)
SECTION = {"promptTemplate": "Write to {{customer_name}} about {{product}}", "model": "gpt-4o-mini"}
EXAMPLE = json.loads((Path(__file__).parents[1] / "definitions" / "example-workflow.json").read_text())
HOSTILE = ["'; DROP TABLE x; --", "{{$.input.secret}}", "$.input.secret", "a\r\nb", "nul \0", "half \ud800", "", {"a": ["{{x}}"]}]


def a_step(**section):
    more = section.pop("step", {})
    return {"id": "ask", "type": "prompt", "prompt": {**SECTION, **section}, **more}


def steps(*steps):
    return load_flow({"key": "letters", "steps": list(steps)}, key=None, folder=Path("/"), kinds=KINDS)


def nodes(*nodes, edges=()):
    definition = {"key": "letters", "nodes": list(nodes), "edges": [{"source": a, "target": b} for a, b in edges]}
    return load_flow(definition, key=None, folder=Path("/"), kinds=KINDS)


def refused(**section):
    with pytest.raises(DefinitionError) as caught:
        steps(a_step(**section))
    return [str(problem) for problem in caught.value.problems]


async def asked(flow, inputs):
    """What the model would be asked, as a rehearsal tells."""
    came = await rehearse(flow, inputs, Plan(mock_effects=True), run_id="run_1", world=WORLD, told=lambda _attempt: None)
    assert came.ended.status == "completed", came.ended.error
    return came.ended.steps["ask"]["output"]


async def failure(flow, inputs):
    attempts: list[Attempt] = []
    ended = await execute(flow, inputs, run_id="run_1", world=WORLD, record=attempts.append)
    assert ended.status == "failed"
    return ended.code, ended.error, [attempt.status for attempt in attempts]


def test_the_prompt_of_the_specification_s_example_loads_and_the_kind_is_warned_of():
    written = next(node for node in EXAMPLE["nodes"] if node["type"] == "prompt")

    loaded = nodes(written)

    prepared = loaded.graph.steps[0].prepared
    assert (prepared.model, prepared.temperature, prepared.max_tokens) == ("gpt-4o-mini", 0.7, 500)
    assert [str(each) for each in loaded.warnings] == [
        "nodes[0].config: this version calls no models: the step fails when it runs (flow execute --mock runs without them)"
    ]


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"temperature": 2.5}, "steps[0].prompt.temperature: temperature is 2.5, and must be at most 2.0"),
        ({"temperature": -1}, "steps[0].prompt.temperature: temperature is -1, and must be at least 0.0"),
        ({"temperature": "hot"}, "steps[0].prompt.temperature: temperature is «hot», and must be a number"),
        ({"temperature": True}, "steps[0].prompt.temperature: temperature is true, and must be a number"),
        ({"maxTokens": 0}, "steps[0].prompt.maxTokens: maxTokens is 0, and must be at least 1"),
        ({"maxTokens": 1.5}, "steps[0].prompt.maxTokens: maxTokens is 1.5, and must be a whole number"),
        ({"maxTokens": 10**9}, "steps[0].prompt.maxTokens: maxTokens is 1000000000, and must be at most 10000000"),
        ({"model": ""}, "steps[0].prompt.model: model is empty"),
        ({"model": " "}, 'steps[0].prompt.model: model is blank (write its name: "gpt-4o-mini")'),
        ({"model": None}, "steps[0].prompt.model: model is null, and must be text"),
        ({"promptTemplate": ""}, "steps[0].prompt.promptTemplate: promptTemplate is empty"),
        ({"promptTemplate": ["a"]}, "steps[0].prompt.promptTemplate: promptTemplate is a list, and must be text"),
        ({"promptTemplte": "x"}, "steps[0].prompt.promptTemplte: promptTemplte is not known here (did you mean «promptTemplate»?)"),
        ({"max_token": 5}, "steps[0].prompt.max_token: max_token is not known here (did you mean «maxTokens»?)"),
        ({"promptTemplate": "{{$.steps.gone.output}}"}, "steps[0].prompt.promptTemplate: there is no step «gone»"),
        ({"system": "{{a | shel}}"}, "steps[0].prompt.system: the pipe shel is not known (did you mean «shell»?)"),
        (
            {"promptTemplate": "Dear {{name"},
            "steps[0].prompt.promptTemplate: the {{ is not closed (close it with }}, or write {{'{{'}} for the braces themselves)",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_prompt_is_refused_at_its_place(section, problem):
    assert refused(**section) == [problem]


def test_everything_that_is_wrong_with_the_texts_is_told_at_once():
    assert [said.split(":")[0] for said in refused(promptTemplate="{{", system="{{", model=" ")] == [
        "steps[0].prompt.promptTemplate",
        "steps[0].prompt.system",
        "steps[0].prompt.model",
    ]


async def test_a_prompt_is_filled_in_from_the_data_of_its_node_then_from_the_inputs():
    row = {"id": "row", "type": "transform", "config": {"expression": "({customer_name: 'Ada', customer: {name: 'Bea'}})"}}
    ask = {
        "id": "ask",
        "type": "prompt",
        "config": {**SECTION, "promptTemplate": "{{customer_name}} {{customer.name}} {{product}}"},
    }

    answer = await asked(nodes(row, ask, edges=[("row", "ask")]), {"product": "wool", "customer_name": "not she"})

    assert answer == {"text": "Ada Bea wool", "model": "gpt-4o-mini", "tokens": None, "cost": None}


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_values_stand_in_the_text_of_a_prompt_as_they_are(value):
    answer = await asked(steps(a_step(promptTemplate="<{{$.input.x}}>")), {"x": value, "secret": "leaked"})

    assert answer["text"] == f"<{value if isinstance(value, str) else json.dumps(value, separators=(',', ':'))}>"


async def test_a_run_fails_once_with_a_stable_code_and_says_that_nobody_was_asked():
    retried = {"onError": {"strategy": "retry", "retries": 3, "retryDelayMs": 0}}

    code, error, attempts = await failure(steps(a_step(step=retried)), {"customer_name": "Ada", "product": "wool"})

    assert code == "PROMPT_NOT_IN_THIS_VERSION"
    assert error == "step «ask»: the model gpt-4o-mini was not asked (23 characters): this version calls no models"
    assert attempts == ["running", "failed"]


@pytest.mark.parametrize(
    ("section", "code", "said"),
    [
        ({}, "TEMPLATE_MISSING", "{{customer_name}} has no value"),
        ({"system": "{{$.input.gone}}", "promptTemplate": "x"}, "TEMPLATE_MISSING", "nothing is at $.input.gone"),
        ({"promptTemplate": "$.input.gone"}, "PATH_MISSING", "nothing is at $.input.gone"),
        ({"promptTemplate": "{{blank}}"}, "PROMPT_EMPTY", "the text made of '{{blank}}' is empty"),
        ({"promptTemplate": "{{big}}{{big}}"}, "PROMPT_TOO_LARGE", "the text has 12,000,000 characters, and may have 10,000,000"),
    ],
)
async def test_what_a_prompt_lacks_is_found_before_anybody_could_be_asked(section, code, said):
    found, error, _ = await failure(steps(a_step(**section)), {"product": "wool", "blank": " ", "big": "x" * 6_000_000})

    assert found == code
    assert said in error
