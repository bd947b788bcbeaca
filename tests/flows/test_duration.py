"""Durations: what they are worth, how they are refused, how they are said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.duration import MAX_DURATION_S, format_duration, parse_duration
from flows.errors import DefinitionError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("30s", 30),
        ("1.5s", 1.5),
        ("5m", 300),
        ("2h", 7200),
        ("1d", 86400),
        ("1w", 604800),
        ("1h30m", 5400),
        ("1d12h", 129600),
        ("1m500ms", 60.5),
        ("0s", 0),
    ],
)
def test_a_duration_is_so_many_seconds(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "5",
        "5.5",
        "-5m",
        "5 m",
        " 5m",
        "5m ",
        "5min",
        "5M",
        "m",
        "1m2h",
        "5m5m",
        "1e3s",
        "٣s",
        ".5s",
        "5.s",
        "11y",
        "9999w",
        "∞s",
        "5m\n",
    ],
)
def test_a_text_that_is_no_duration_is_refused(text):
    with pytest.raises(DefinitionError):
        parse_duration(text)


@pytest.mark.parametrize(
    ("value", "hint"), [(5, 'write "5s" or "5ms"'), (2.5, 'write "2.5s" or "2.5ms"'), ("30", 'write "30s" or "30ms"')]
)
def test_a_number_is_refused_with_both_ways_to_mean_it(value, hint):
    with pytest.raises(DefinitionError) as caught:
        parse_duration(value)

    assert caught.value.problems[0].hint == hint


@pytest.mark.parametrize("value", [None, True, [], {}, 10**400, float("nan"), "1s" * 1000, "9" * 10_000 + "s"])
def test_what_is_no_text_is_refused(value):
    with pytest.raises(DefinitionError):
        parse_duration(value)


def test_ten_years_are_the_longest():
    assert parse_duration("3650d") == MAX_DURATION_S

    with pytest.raises(DefinitionError):
        parse_duration("3651d")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0ms"),
        (0.0004, "0ms"),
        (0.85, "850ms"),
        (0.9999, "999ms"),
        (1, "1s"),
        (12.34, "12.3s"),
        (59.99, "59.9s"),
        (60, "1m"),
        (61, "1m 1s"),
        (3600, "1h"),
        (3605, "1h"),
        (5400, "1h 30m"),
        (90061, "1d 1h"),
        (-5, "-5s"),
    ],
)
def test_people_are_told_the_two_largest_units(seconds, said):
    assert format_duration(seconds) == said


@given(st.text(max_size=12) | st.from_regex(r"([0-9]{1,20}(ms|s|m|h|d|w)){1,4}", fullmatch=True))
def test_any_text_is_a_duration_or_refused(text):
    try:
        seconds = parse_duration(text)
    except DefinitionError:
        seconds = 0

    assert 0 <= seconds <= MAX_DURATION_S
    assert format_duration(seconds)
