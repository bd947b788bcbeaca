"""Declared inputs: defaults, types as a command line means them, and every problem told."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.errors import DefinitionError
from flows.inputs import TYPES, Inputs


@pytest.mark.parametrize(
    ("kind", "given_value", "made"),
    [
        ("string", "a", "a"),
        ("string", "", ""),
        ("string", 5, "5"),
        ("string", 1.0, "1"),
        ("string", True, "true"),
        ("number", 5, 5),
        ("number", "5", 5),
        ("number", " -2.5 ", -2.5),
        ("number", "1e3", 1000.0),
        ("number", ".5", 0.5),
        ("integer", "5", 5),
        ("integer", 5.0, 5),
        ("integer", "5.0", 5),
        ("boolean", "true", True),
        ("boolean", "FALSE", False),
        ("boolean", "no", False),
        ("boolean", "1", True),
        ("boolean", False, False),
        ("object", '{"a": [1]}', {"a": [1]}),
        ("object", {"a": 1}, {"a": 1}),
        ("array", "[1, 2]", [1, 2]),
        ("array", [], []),
        ("any", "5", "5"),
    ],
)
def test_a_value_becomes_the_declared_type(kind, given_value, made):
    values, problems = Inputs.parse({"x": {"type": kind}}).coerce({"x": given_value})

    assert problems == ()
    assert values == {"x": made}
    assert type(values["x"]) is type(made)


@pytest.mark.parametrize(
    ("kind", "given_value", "said"),
    [
        ("string", {}, "input «x» is an object, and must be text"),
        ("string", [], "input «x» is a list, and must be text"),
        ("number", "", "input «x» is «», and must be a number"),
        ("number", "5x", "input «x» is «5x», and must be a number"),
        ("number", "NaN", "input «x» is «NaN», and must be a number"),
        ("number", "inf", "input «x» is «inf», and must be a number"),
        ("number", "1e999", "input «x» is «1e999», and must be a number"),
        ("number", "0x10", "input «x» is «0x10», and must be a number"),
        ("number", "٣", "input «x» is «٣», and must be a number"),
        ("number", "1_000", "input «x» is «1_000», and must be a number"),
        ("number", True, "input «x» is true, and must be a number"),
        ("number", float("nan"), "input «x» is nan, and must be a number"),
        ("integer", 5.5, "input «x» is 5.5, and must be a whole number"),
        ("integer", "5.5", "input «x» is «5.5», and must be a whole number"),
        ("boolean", 1, "input «x» is 1, and must be true or false"),
        ("boolean", "maybe", "input «x» is «maybe», and must be true or false"),
        ("object", "[1]", "input «x» is «[1]», and must be an object"),
        ("object", "{", "input «x» is «{», and must be an object"),
        ("array", "{}", "input «x» is «{}», and must be a list"),
        ("array", "[" * 100_000, f"input «x» is «{'[' * 60}…», and must be a list"),
        ("string", None, "input «x» is null, and must be text"),
    ],
)
def test_a_value_that_does_not_fit_is_told(kind, given_value, said):
    assert Inputs.parse({"x": {"type": kind}}).coerce({"x": given_value})[1] == (said,)


def test_defaults_stand_for_what_was_not_given_and_for_null():
    inputs = Inputs.parse(
        {"a": {"default": 1}, "b": {"type": "number", "default": "2"}, "c": {"required": False}, "d": {"required": False}}
    )

    assert inputs.coerce({"d": None}) == ({"a": 1, "b": 2, "d": None}, ())
    assert inputs.coerce({"a": None, "b": None}) == ({"a": 1, "b": 2}, ())
    assert inputs.coerce({"a": 0, "b": 0, "c": False}) == ({"a": 0, "b": 0, "c": False}, ())


def test_a_default_of_null_makes_null_the_value():
    assert Inputs.parse({"a": {"type": "string", "default": None}}).coerce({}) == ({"a": None}, ())


def test_every_problem_is_told_and_a_near_name_is_named():
    inputs = Inputs.parse({"companyName": {"type": "string"}, "count": {"type": "number"}, "kind": {}})

    made, problems = inputs.coerce({"company_name": "x", "count": "many", "extra": 1})

    assert problems == (
        "input «companyName» is missing, and must be text; «company_name» was given",
        "input «count» is «many», and must be a number",
        "input «kind» is missing, and must be anything",
    )
    assert made["extra"] == 1
    assert inputs.unknown(made) == ("company_name", "extra")


def test_an_enum_is_compared_strictly_after_coercion():
    inputs = Inputs.parse({"n": {"type": "number", "enum": [1, 2]}, "any": {"enum": [1, "a"], "required": False}})

    assert inputs.coerce({"n": "2"}) == ({"n": 2}, ())
    assert inputs.coerce({"n": 3})[1] == ("input «n» is 3, and must be one of 1, 2",)
    assert inputs.coerce({"n": 1, "any": True})[1] == ("input «any» is true, and must be one of 1, «a»",)
    assert inputs.coerce({"n": 1, "any": "1"})[1] == ("input «any» is «1», and must be one of 1, «a»",)


def test_what_was_given_is_not_changed():
    given_values = {"n": "5", "o": '{"a": 1}'}

    Inputs.parse({"n": {"type": "number"}, "o": {"type": "object"}}).coerce(given_values)

    assert given_values == {"n": "5", "o": '{"a": 1}'}


def test_inputs_that_are_no_object_are_told():
    assert Inputs.parse({}).coerce([1]) == ({}, ("the inputs are a list, and must be an object",))
    assert Inputs.parse(None).coerce({"a": 1}) == ({"a": 1}, ())


@pytest.mark.parametrize(
    ("declarations", "path", "said"),
    [
        ([], (), "inputs is a list"),
        ({"a": "string"}, ("a",), "declared by «string»"),
        ({"a": {"type": "strng"}}, ("a", "type"), "did you mean «string»?"),
        ({"a": {"type": ["string"]}}, ("a", "type"), "a list is no type"),
        ({"a": {"requird": True}}, ("a", "requird"), "did you mean «required»?"),
        ({"a": {"required": "yes"}}, ("a", "required"), "must be true or false"),
        ({"a": {"description": 5}}, ("a", "description"), "must be text"),
        ({"a": {"enum": []}}, ("a", "enum"), "must be a list"),
        ({"a": {"type": "number", "enum": [1, "x"]}}, ("a", "enum", 1), "«x» is not a number"),
        ({"a": {"type": "number", "default": "x"}}, ("a", "default"), "the default is «x», and must be a number"),
        ({"a": {"enum": [1], "default": 2}}, ("a", "default"), "must be one of 1"),
    ],
)
def test_a_declaration_that_is_wrong_is_refused_at_its_place(declarations, path, said):
    with pytest.raises(DefinitionError) as caught:
        Inputs.parse(declarations)

    (problem,) = caught.value.problems
    assert problem.path == path
    assert said in str(problem)


def test_a_field_that_nobody_knows_is_a_warning():
    inputs = Inputs.parse({"a": {"type": "string", "ui:widget": 1}})

    assert [(problem.path, problem.warning) for problem in inputs.warnings] == [(("a", "ui:widget"), True)]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["1", "1e9", "true", "{}", "[]", "9" * 5000, 10**400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
DECLARATION = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(list(TYPES)) | JSON,
        "required": st.booleans() | JSON,
        "default": JSON,
        "enum": JSON,
        "x": JSON,
    },
)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["a", "b"]), DECLARATION | JSON, max_size=2),
    st.dictionaries(st.sampled_from(["a", "b", "c"]), JSON),
)
def test_any_declaration_loads_or_is_refused_and_takes_any_value(declarations, values):
    try:
        inputs = Inputs.parse(declarations)
    except DefinitionError:
        return

    made, problems = inputs.coerce(values)

    assert set(values) <= set(made)
    assert all(isinstance(problem, str) for problem in problems)
