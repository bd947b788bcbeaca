"""Paths over deep, large and arbitrary data: bounded, and never an error that nobody expects."""

import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.errors import DefinitionError, SelectorError
from flows.selector import compile_selector


def deep(levels):
    data = {"x": 1}
    for _ in range(levels):
        data = {"x": data, "y": [1]}
    return data


def test_deep_data_is_walked_without_recursion():
    assert len(compile_selector("$..y").find(deep(5000))) == 5000


@pytest.mark.parametrize(
    "path", ["$..*..*", "$..*..*..nothing", "$..[?@..nothing]", "$..[?@ == $]", "$..[?@.x == $.x]", "$..[?$..y[5]]"]
)
def test_what_would_take_for_ever_is_given_up_with_an_error(path):
    began = time.process_time()

    with suppress(SelectorError):
        compile_selector(path).find(deep(5000))

    assert time.process_time() - began < 5


def test_more_places_than_the_bound_are_an_error():
    with pytest.raises(SelectorError, match="100,000"):
        compile_selector("$[*]").find([0] * 100_001)


def test_paths_change_nothing():
    data = {"a": [{"b": 1}], "c": {"d": 2}}

    compile_selector("$..[?@.b == 1 || @.d]").find(data)

    assert data == {"a": [{"b": 1}], "c": {"d": 2}}


MARKS = st.sampled_from(["$", "@", ".", "..", "[", "]", "*", "?", "(", ")", "'", '"', ":", ",", "==", "<", "&&", "||", "!", " "])
WORDS = st.sampled_from(["a", "b", "0", "-1", "1.5", "true", "null", "é", "length(", "match(", "\\", "\\u00e9", "\n", "\ud800"])
PIECES = MARKS | WORDS
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.sampled_from(["a", "b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "0", "\ud800"]), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=20) | st.lists(PIECES, max_size=14).map(lambda parts: "$" + "".join(parts)), JSON)
def test_any_text_is_a_path_or_refused_and_any_path_takes_any_data(text, data):
    try:
        selector = compile_selector(text)
    except DefinitionError as error:
        offsets = [problem.offset for problem in error.problems]
    else:
        offsets = []
        found = selector.find(data)
        assert isinstance(found, list)
        assert not selector.single or len(found) <= 1

    assert all(0 <= offset <= len(text) for offset in offsets)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(
        [
            "$..a",
            "$[?@.a]",
            "$[?@.a == 1]",
            "$..[?@.a < @.b]",
            "$[?@ == $]",
            "$[?length(@) > 0]",
            "$..[?!@.a && @ != 'a']",
            "$[?match(@, $.a)]",
        ]
    ),
    JSON,
)
def test_filters_take_any_data(path, data):
    assert isinstance(compile_selector(path).find(data), list)
