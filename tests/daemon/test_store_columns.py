"""JSON and text as columns: whatever JSON can hold comes out as it went in."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.store.codec import decode, encode, plain

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200)
@given(json_values)
def test_any_json_value_comes_out_of_a_column_as_it_went_in(value):
    text = encode(value)

    assert repr(decode(text)) == repr(value)
    with suppress(UnicodeEncodeError):
        text.encode()


@given(st.text(st.characters(codec=None)))
def test_any_text_becomes_text_that_a_database_takes(text):
    kept = plain(text)

    assert "\0" not in kept
    kept.encode()


def test_a_value_that_no_parser_reads_back_is_replaced_by_a_note():
    deep = []
    for _ in range(5000):
        deep = [deep]

    assert "too deep" in decode(encode(deep))["$notStored"]
    assert "thousands of digits" in decode(encode({"n": 10**5000}))["$notStored"]
