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
        ("string", [1, [None, "a"]], "1,,a"),
        ("string", {"a": 1}, "[object Object]"),
        ("number", 5, 5),
        ("number", "5", 5),
        ("number", " -2.5 ", -2.5),
        ("number", "1e3", 1000.0),
        ("number", ".5", 0.5),
        ("integer", "5", 5),
        ("integer", 5.0, 5),
        ("integer", "5.0", 5),
        ("boolean", "true", True),
        ("boolean", "false", False),
        ("boolean", "0", False),
        ("boolean", "1", True),
        ("boolean", 1, True),
        ("boolean", 0, False),
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
        ("number", "", 'a number, got string ("")'),
        ("number", "lots", 'a number, got string ("lots")'),
        ("number", "5x", 'a number, got string ("5x")'),
        ("number", "NaN", 'a number, got string ("NaN")'),
        ("number", "1e999", 'a number, got string ("1e999")'),
        ("number", "0x10", 'a number, got string ("0x10")'),
        ("number", "٣", 'a number, got string ("٣")'),
        ("number", "1_000", 'a number, got string ("1_000")'),
        ("number", True, "a number, got boolean (true)"),
        ("number", float("nan"), "a number, got number (NaN)"),
        ("number", [], "a number, got array ([])"),
        ("integer", 5.5, "a whole number, got number (5.5)"),
        ("integer", "5.5", 'a whole number, got string ("5.5")'),
        ("boolean", "yes", 'a boolean, got string ("yes")'),
        ("boolean", "TRUE", 'a boolean, got string ("TRUE")'),
        ("boolean", 2, "a boolean, got number (2)"),
        ("object", "[1]", 'an object, got string ("[1]")'),
        ("object", [1], "an object, got array ([1])"),
        ("object", "{", 'an object, got string ("{")'),
        ("array", {"a": 1}, 'an array, got object ({"a":1})'),
        ("array", "[" * 100_000, f'an array, got string ("{"[" * 199}…)'),
    ],
)
def test_a_value_that_does_not_fit_is_told_in_the_documented_words(kind, given_value, said):
    assert Inputs.parse({"x": {"type": kind}}).coerce({"x": given_value})[1] == (f'Input "x" must be {said}',)


def test_a_required_input_that_is_missing_or_null_is_named_with_its_description():
    inputs = Inputs.parse({"a": {"type": "string", "description": "whom to greet"}})

    for given_values in ({}, {"a": None}):
        assert inputs.coerce(given_values)[1] == ('Missing required input: "a" — whom to greet',)


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
        'Missing required input: "companyName"; "company_name" was given',
        'Input "count" must be a number, got string ("many")',
        'Missing required input: "kind"',
    )
    assert made["extra"] == 1
    assert inputs.unknown(made) == ("company_name", "extra")


def test_an_enum_is_compared_strictly_after_coercion():
    inputs = Inputs.parse({"n": {"type": "number", "enum": [1, 2]}, "any": {"enum": [1, "a"], "required": False}})

    assert inputs.coerce({"n": "2"}) == ({"n": 2}, ())
    assert inputs.coerce({"n": 3})[1] == ('Input "n" must be one of [1,2], got 3',)
    assert inputs.coerce({"n": 1, "any": True})[1] == ('Input "any" must be one of [1,"a"], got true',)
    assert inputs.coerce({"n": 1, "any": "1"})[1] == ('Input "any" must be one of [1,"a"], got "1"',)


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
        ({"a": {"enum": [1], "default": 2}}, ("a", "default"), "must be one of [1]"),
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
