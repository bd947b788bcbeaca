"""The language against real JavaScript: answers of node, recorded by make_vectors.mjs, replayed here."""

import json
import math
from pathlib import Path

from flows.errors import DefinitionError, ExpressionError
from flows.expression import UNDEFINED, compile_expression
from flows.expression.numerals import number_text
from flows.expression.pattern import Pattern
from flows.expression.values import Function, own_keys

VECTORS = json.loads((Path(__file__).parent / "expression_vectors.json").read_text(encoding="utf-8"))

# What the language means to do otherwise, and what it answers instead.
DELIBERATE = {
    "[1, 2].find": {"value": ["undefined"]},  # own keys only: what is inherited can be called, not read
    "x => { }": {"error": "syntax"},  # bodies are expressions
    "[,]": {"error": "syntax"},  # no holes
    "new Date": {"error": "syntax"},  # nothing is made, nothing is changed
    "x = 1": {"error": "syntax"},
    "$.a = 1": {"error": "syntax"},
    "$.a++": {"error": "syntax"},
    "delete $.a": {"error": "syntax"},
    "function f() {}": {"error": "syntax"},
    "([a]) => a": {"error": "syntax"},  # parameters are names
    "Math.cbrt(2.5)": {"value": ["1.3572088082974534"]},  # the nearest double; V8 is one unit off
    "Math.cbrt(-2.5)": {"value": ["-1.3572088082974534"]},
}


def told(value):
    """The form that make_vectors.mjs writes."""
    if value is UNDEFINED:
        return ["undefined"]
    if isinstance(value, Function):
        return ["function"]
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int | float):
        return ["-0" if value == 0 and math.copysign(1, value) < 0 else number_text(value)]
    if isinstance(value, Pattern):
        return {"pattern": value.text}
    if isinstance(value, list):
        return {"array": [told(item) for item in value]}
    return {"object": [[key, told(value[key])] for key in own_keys(value)]}


def answer(source, data):
    try:
        expression = compile_expression(source)
    except DefinitionError as error:
        return {"error": {"EXPRESSION_SYNTAX": "syntax", "EXPRESSION_NAME": "name"}[error.problems[0].code]}
    try:
        return {"value": told(expression.evaluate({"$": data}))}
    except ExpressionError as error:
        return {"error": {"EXPRESSION_TYPE": "run"}[error.code]}


def test_every_answer_is_javascripts_or_a_named_difference():
    expected = [(source, DELIBERATE.get(source, theirs)) for source, theirs in VECTORS["cases"]]

    answers = [(source, answer(source, VECTORS["data"])) for source, _ in expected]

    assert len(expected) > 1500
    assert [theirs for theirs, ours in zip(expected, answers, strict=True) if theirs != ours] == []


def test_no_evaluation_changes_its_input():
    before = json.dumps(VECTORS["data"])

    for source, _ in VECTORS["cases"]:
        answer(source, VECTORS["data"])

    assert json.dumps(VECTORS["data"]) == before


def test_a_condition_answers_as_the_truth_of_the_value_does():
    for source, _ in VECTORS["cases"]:
        try:
            expression = compile_expression(source)
            value = expression.evaluate({"$": VECTORS["data"]})
        except (DefinitionError, ExpressionError):
            continue

        falsy = value in (UNDEFINED, None, "", False) or (isinstance(value, int | float) and (value == 0 or math.isnan(value)))

        assert expression.test({"$": VECTORS["data"]}) is (not falsy), source
