"""Values of definitions: paths keep their type, texts are filled in, the rest is itself."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.errors import DefinitionError, SelectorError, TemplateError
from flows.value import compile_value

NAMES = {"$": {"n": 5, "list": [1, 2], "none": None, "headers": {"x-id": "h"}}, "data": {"who": "Ann"}, "input": {}}


@pytest.mark.parametrize(
    ("value", "made"),
    [
        ("$.n", 5),
        ("$.list", [1, 2]),
        ("$.none", None),
        ("$['n']", 5),
        ("$.list[*]", [1, 2]),
        ("$.nothing[*]", []),
        ("$", NAMES["$"]),
        ("n is {{$.n}}", "n is 5"),
        ("{{who}}", "Ann"),
        ("{{$.n}}", "5"),
        ("{{'{{'}}", "{{"),
        ("text", "text"),
        (" $.n", " $.n"),
        ("$5.00 off", "$5.00 off"),
        ("$HOME/x", "$HOME/x"),
        ("$n", "$n"),
        (5, 5),
        (None, None),
        (True, True),
        ({"a": "$.n", "b": {"c": ["$.list", "x", "{{who}}"]}, "$.n": 1}, {"a": 5, "b": {"c": [[1, 2], "x", "Ann"]}, "$.n": 1}),
        ({}, {}),
    ],
)
def test_a_value_is_made(value, made):
    assert compile_value(value).make(NAMES) == made


@pytest.mark.parametrize(("value", "made"), [("$", "$"), ({"currency": "$"}, {"currency": "$"}), ("$.n {{$.n}}", "$.n 5")])
def test_in_a_step_a_dollar_alone_and_a_text_with_braces_are_no_paths(value, made):
    assert compile_value(value, lenient=True).make(NAMES) == made


def test_a_value_knows_what_it_refers_to():
    value = compile_value({"a": "$.steps.load.output", "b": ["{{steps.x}} {{$.input.y}}"], "c": "text"})

    assert value.references == (("$", "steps", "load", "output"), ("steps", "x"), ("$", "input", "y"))
    assert [each.text for each in value.selectors] == ["$.steps.load.output"]
    assert [each.text for each in value.templates] == ["{{steps.x}} {{$.input.y}}"]
    assert not value.constant
    assert compile_value({"a": ["{{'{{'}}", 1]}).constant


def test_what_is_missing_is_an_error():
    with pytest.raises(SelectorError, match=r"nothing is at \$\.nothing") as caught:
        compile_value(["$.nothing"]).make(NAMES)
    with pytest.raises(TemplateError):
        compile_value("{{nothing}}").make(NAMES)

    assert caught.value.path == "$.nothing"


def test_all_that_is_wrong_is_told_with_its_place():
    with pytest.raises(DefinitionError) as caught:
        compile_value({"a": "$.b.", "c": ["{{}}", "$.n"], "d": "{{x | nope}}"})

    assert [(problem.path, problem.offset) for problem in caught.value.problems] == [(("a",), 4), (("c", 0), 0), (("d",), 6)]


def test_a_text_that_only_looks_like_a_path_is_told_how_it_is_written():
    with pytest.raises(DefinitionError, match=r"\{\{\$\.…\}\}"):
        compile_value("$.n and more")
    with pytest.raises(DefinitionError, match=r'\{"value": "…"\}'):
        compile_value("$5.00 off", strict=True)
    with pytest.raises(DefinitionError):
        compile_value({"a": ["$HOME"]}, strict=True)


def test_header_names_are_folded_where_asked():
    assert compile_value(["$.headers['X-Id']", "{{$.headers.X-Id}}"], fold_headers=True).make(NAMES) == ["h", "h"]


def test_values_from_data_are_not_looked_at_again():
    names = {"$": {"a": "$.secret", "b": "{{secret}}", "secret": "s"}, "data": {"b": "{{secret}}", "secret": "s"}}

    assert compile_value(["$.a", "$.b", "{{b}}"]).make(names) == ["$.secret", "{{secret}}", "{{secret}}"]


def test_values_nested_too_deep_are_refused():
    value = "$.n"
    for _ in range(1000):
        value = [value]

    with pytest.raises(DefinitionError):
        compile_value(value)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["$.a", "$", "{{a}}", "$.a[*]", "{{", "$x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(JSON, JSON)
def test_any_value_is_made_or_refused(value, data):
    try:
        made = compile_value(value).make({"$": data, "data": data})
    except (DefinitionError, SelectorError, TemplateError):
        return

    assert type(made) is type(value) or isinstance(value, str)
