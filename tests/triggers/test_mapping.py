"""Mapping: from an event's document to inputs, by the form of each entry."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.errors import DefinitionError
from triggers.mapping import MappingError, compile_mapping

DOCUMENT = {
    "body": {
        "company": "Acme",
        "n": 1.0,
        "none": None,
        "empty": [],
        "items": [{"id": 1}, {"id": 2}],
        "text": "{{$.body.n}} $.body.n \\1",
        "big": 2**70,
    },
    "headers": {"x-delivery-id": "d-1"},
    "trigger": {"scheduledDate": "2026-11-23"},
}


def make(**definition):
    return compile_mapping(definition).make(DOCUMENT)


def test_a_text_that_begins_with_a_dollar_is_a_path_and_keeps_its_type():
    made = make(
        a="$.body.company", b="$.body.items", c="$.body.none", d="$.body.empty", e="$.body.big", f="$.trigger.scheduledDate"
    )

    assert made == {"a": "Acme", "b": [{"id": 1}, {"id": 2}], "c": None, "d": [], "e": 2**70, "f": "2026-11-23"}


def test_one_or_many_is_decided_by_the_form_of_the_path():
    assert make(a="$.body.items[0].id", b="$.body.items[*].id", c="$.body.items[5:]", d="$.nothing[*]") == {
        "a": 1,
        "b": [1, 2],
        "c": [],
        "d": [],
    }


def test_a_header_is_found_whatever_the_case_of_its_name():
    made = make(a="$.headers['X-Delivery-Id']", b="{{$.headers['X-Delivery-ID']}}", c={"path": "$.headers.X-DELIVERY-ID"})

    assert made == dict.fromkeys("abc", "d-1")


def test_a_text_with_braces_is_text():
    assert make(a="{{$.body.company}} Inc.", b="n={{ $.body.n }}", c="{{body.company}}") == {
        "a": "Acme Inc.",
        "b": "n=1",
        "c": "Acme",
    }


def test_objects_and_lists_are_mapped_inside():
    made = make(a={"name": "$.body.company", "tags": ["x", "$.body.n", {"deep": "$.body.none"}]}, b=[], c={})

    assert made == {"a": {"name": "Acme", "tags": ["x", 1.0, {"deep": None}]}, "b": [], "c": {}}


def test_anything_else_is_itself():
    assert make(a="text", b=5, c=None, d=True, e=1.5, f="") == {"a": "text", "b": 5, "c": None, "d": True, "e": 1.5, "f": ""}


def test_a_default_stands_in_for_what_is_missing_and_not_for_null():
    made = make(
        a={"path": "$.body.nope", "default": "x"},
        b={"path": "$.body.none", "default": "x"},
        c={"path": "$.body.nope.deeper", "default": None},
        d={"path": "$.body.nope[*]", "default": [0]},
        e={"path": "$.body.company"},
    )

    assert made == {"a": "x", "b": None, "c": None, "d": [0], "e": "Acme"}


def test_a_value_is_taken_as_it_is_and_anew_for_each_run():
    mapping = compile_mapping(
        {"a": {"value": "$.body.company"}, "b": {"value": {"path": "{{x}}"}}, "c": {"path": "$.x", "default": []}}
    )

    first, second = mapping.make(DOCUMENT), mapping.make(DOCUMENT)
    first["b"]["path"] = "changed"
    first["c"].append(1)

    assert second == {"a": "$.body.company", "b": {"path": "{{x}}"}, "c": []}
    assert mapping.make(DOCUMENT) == second


def test_an_object_with_a_field_named_path_among_others_is_an_object():
    assert make(a={"path": "$.body.company", "name": "x"}, path="$.body.company") == {
        "a": {"path": "Acme", "name": "x"},
        "path": "Acme",
    }


def test_what_an_event_holds_is_never_looked_at_again():
    assert make(a="$.body.text", b="<{{$.body.text}}>") == {"a": DOCUMENT["body"]["text"], "b": f"<{DOCUMENT['body']['text']}>"}


@pytest.mark.parametrize(
    ("form", "place"),
    [
        ("$.body.nope", "in"),
        ({"path": "$.body.nope"}, "in"),
        ({"deep": ["x", "$.body.nope"]}, "in.deep[1]"),
        ("a {{$.body.nope}}", "in"),
        ({"deep": "{{$.body.nope}}"}, "in.deep"),
        ({"deep": {"path": "$.body.nope"}}, "in.deep"),
    ],
)
def test_a_path_without_default_that_matches_nothing_is_an_error_with_its_place(form, place):
    with pytest.raises(MappingError) as caught:
        compile_mapping({"in": form}).make(DOCUMENT)

    assert str(caught.value).startswith(f"{place}: ")
    assert "$.body.nope" in str(caught.value)


@pytest.mark.parametrize(
    ("definition", "path", "said"),
    [
        ("$.body", (), "an object"),
        ([], (), "an object"),
        ({"a": "$body"}, ("a",), "$"),
        ({"a": "$5.00"}, ("a",), "$"),
        ({"a": {"b": ["$.x["]}}, ("a", "b", 0), ""),
        ({"a": {"path": "body.company"}}, ("a", "path"), "begins with $"),
        ({"a": {"path": 5, "default": 1}}, ("a", "path"), "begins with $"),
        ({"a": {"path": "$.x[", "default": 1}}, ("a", "path"), ""),
        ({"a": "{{$.x | nonsense}}"}, ("a",), "nonsense"),
        ({"a": "{{"}, ("a",), ""),
    ],
)
def test_a_mapping_that_cannot_work_is_refused_at_load_with_its_place(definition, path, said):
    with pytest.raises(DefinitionError) as caught:
        compile_mapping(definition)

    assert caught.value.problems[0].path == path
    assert said in str(caught.value)


def test_all_problems_are_told_at_once():
    with pytest.raises(DefinitionError) as caught:
        compile_mapping({"a": "$x", "b": {"c": "$y", "d": "$z"}})

    assert [problem.path for problem in caught.value.problems] == [("a",), ("b", "c"), ("b", "d")]


def test_a_mapping_nested_beyond_reason_is_refused():
    deep = "x"
    for _ in range(5000):
        deep = [deep]

    with pytest.raises(DefinitionError, match="nested deeper"):
        compile_mapping({"a": deep})


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["$.body.a", "$", "{{$.body.a}}", "$..a", "path", "default", "value"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["path", "default", "value", "a", "b"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=200)
@given(st.dictionaries(st.text(max_size=3), JSON, max_size=3), JSON)
def test_whatever_is_mapped_is_made_refused_at_load_or_a_mapping_error(definition, body):
    try:
        made = list(compile_mapping(definition).make({"body": body, "headers": {}}))
    except (DefinitionError, MappingError) as error:
        made = [part for part in definition if str(error)]

    assert made == list(definition)
