"""`schedule next` answers every line, whatever stands in it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.errors import DefinitionError
from triggers.cron_report import MAX_TIMES, next_times, report

NOW = datetime(2026, 11, 23, 8, 30, 0, 250_000, tzinfo=UTC)


def ask(**line: Any) -> dict[str, Any]:
    return report({"id": 7, "expr": "0 9 * * 1-5", "n": 1} | line, now=NOW)


def test_a_line_is_answered_with_instants_in_utc():
    answer = report({"id": "a", "expr": "0 9 * * 1-5", "tz": "Europe/Berlin", "start": "2026-11-20T12:00:00Z", "n": 3}, now=NOW)

    assert answer == {
        "id": "a",
        "ok": True,
        "times": ["2026-11-23T08:00:00Z", "2026-11-24T08:00:00Z", "2026-11-25T08:00:00Z"],
    }


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (None, "2026-11-23T09:00:00Z"),
        ("2026-11-23T09:00:00Z", "2026-11-24T09:00:00Z"),
        ("2026-11-23T08:59:59.999999Z", "2026-11-23T09:00:00Z"),
        ("2026-11-23T09:00:00.000001Z", "2026-11-24T09:00:00Z"),
        ("2026-11-23T08:59:59.999999999Z", "2026-11-23T09:00:00Z"),
        ("2026-11-23T09:59:59+01:00", "2026-11-23T09:00:00Z"),
        ("2026-11-23T10:00:00+01:00", "2026-11-24T09:00:00Z"),
        ("2026-11-23T08:00:00", "2026-11-23T09:00:00Z"),
        ("2026-11-23 08:00", "2026-11-23T09:00:00Z"),
        ("2026-11-23", "2026-11-23T09:00:00Z"),
        ("20261123T080000Z", "2026-11-23T09:00:00Z"),
    ],
)
def test_a_start_may_be_written_in_any_way_of_iso_8601(start: str | None, expected: str):
    assert ask(start=start) == {"id": 7, "ok": True, "times": [expected]}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"expr": None}, "expr is missing"),
        ({"expr": 5}, "expr must be a text"),
        ({"expr": ["0 9 * * *"]}, "expr must be a text"),
        ({"expr": ""}, "empty"),
        ({"expr": "0 0 30 2 *"}, "never comes"),
        ({"expr": "0 0 9 * * 1-5"}, "6 fields"),
        ({"tz": "Europe/Berlim"}, "did you mean Europe/Berlin?"),
        ({"tz": 1}, "tz must be a text"),
        ({"start": 1_795_000_000}, "start must be a text"),
        ({"start": "yesterday"}, "no instant"),
        ({"start": "2026-11-23T25:00:00Z"}, "no instant"),
        ({"start": ""}, "no instant"),
        ({"start": "0001-01-01T00:00:00+14:00"}, "no instant"),
        ({"start": "9999-12-31T23:59:59Z"}, "too far"),
        ({"n": 0}, "1 to 10000"),
        ({"n": -1}, "1 to 10000"),
        ({"n": 10**400}, "1 to 10000"),
        ({"n": True}, "n must be a whole number"),
        ({"n": 2.5}, "n must be a whole number"),
        ({"n": "3"}, "n must be a whole number"),
    ],
)
def test_a_line_that_cannot_be_answered_says_why(line: dict[str, Any], said: str):
    answer = ask(**line)

    assert (answer["id"], answer["ok"], said in answer["error"]) == (7, False, True), answer


@pytest.mark.parametrize("line", [None, 5, "text", [], [1]])
def test_what_is_no_object_is_answered_too(line: Any):
    assert report(line)["ok"] is False


def test_a_line_without_a_number_gives_one_time_in_utc_from_now():
    assert report({"expr": "@daily"}, now=NOW) == {"id": None, "ok": True, "times": ["2026-11-24T00:00:00Z"]}


def test_the_most_that_can_be_asked_for_is_given():
    assert len(ask(expr="* * * * *", tz="Europe/Berlin", n=MAX_TIMES)["times"]) == MAX_TIMES


def test_there_are_fewer_times_where_the_calendar_ends():
    times = ask(expr="0 0 29 2 */7", n=MAX_TIMES, start="9800-01-01")["times"]

    assert 0 < len(times) < 10


def test_one_question_raises_what_a_line_would_answer():
    with pytest.raises(DefinitionError):
        next_times("0 9 * *", None, None, 3)

    assert len(next_times("0 9 * * *", None, None, 3)) == 3


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=100, deadline=None)
@given(
    json_values
    | st.fixed_dictionaries(
        {},
        optional={
            "id": json_values,
            "expr": json_values | st.just("*/7 * * * *"),
            "tz": json_values | st.just("America/New_York"),
            "start": json_values | st.just("2026-11-01T05:30:00Z") | st.datetimes().map(str),
            "n": json_values | st.integers(1, 20),
        },
    )
)
def test_no_line_ever_raises(line: Any):
    answer = report(line)

    assert set(answer) in ({"id", "ok", "times"}, {"id", "ok", "error"})
