"""Cron means what crontab means: a table of texts, places of mistakes, and clock changes one by one."""

from datetime import UTC, datetime, timedelta

import pytest

from flows.errors import DefinitionError
from triggers.cron import Cron, parse_cron


def times(text: str, zone: str | None, start: str, count: int = 3) -> list[str]:
    """The next times as `2026-11-23T09:00Z`."""
    cron = parse_cron(text, timezone=zone)
    far = datetime(9000, 1, 1, tzinfo=UTC)
    return [f"{instant:%Y-%m-%dT%H:%MZ}" for instant in cron.between(datetime.fromisoformat(start), far, count)]


def days(text: str, start: str, count: int) -> list[str]:
    return [time[:10] for time in times(text, None, start, count)]


def refusal(text: str, zone: str | None = None) -> tuple[int | None, str]:
    with pytest.raises(DefinitionError) as caught:
        parse_cron(text, timezone=zone)
    (problem,) = caught.value.problems
    assert problem.path == ()
    assert problem.hint
    return problem.offset, str(problem)


# 2026-11-23 is a Monday.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 9 * * 1-5", ["2026-11-23", "2026-11-24", "2026-11-25", "2026-11-26", "2026-11-27", "2026-11-30"]),
        ("0 9 * * MON-FRI", ["2026-11-23", "2026-11-24", "2026-11-25", "2026-11-26", "2026-11-27", "2026-11-30"]),
        ("0 9 * * mon-Fri", ["2026-11-23", "2026-11-24", "2026-11-25", "2026-11-26", "2026-11-27", "2026-11-30"]),
        ("0 9 * * 7", ["2026-11-29", "2026-12-06"]),
        ("0 9 * * 0", ["2026-11-29", "2026-12-06"]),
        ("0 9 * * SUN", ["2026-11-29", "2026-12-06"]),
        ("0 9 * * 5-7", ["2026-11-27", "2026-11-28", "2026-11-29", "2026-12-04"]),
        ("0 9 * * 0-7", ["2026-11-23", "2026-11-24"]),
        ("0 9 * * SUN-TUE", ["2026-11-23", "2026-11-24", "2026-11-29", "2026-11-30"]),
        ("0 9 * * SAT-SUN", ["2026-11-28", "2026-11-29", "2026-12-05"]),
        ("0 9 * * MON-SUN/2", ["2026-11-23", "2026-11-25", "2026-11-27", "2026-11-29", "2026-11-30"]),
        ("0 9 * * MON-FRI/2", ["2026-11-23", "2026-11-25", "2026-11-27", "2026-11-30"]),
        ("0 9 * * TUE/2", ["2026-11-24", "2026-11-26", "2026-11-28", "2026-12-01"]),
        ("0 9 * * */2", ["2026-11-24", "2026-11-26", "2026-11-28", "2026-11-29"]),
        ("0 9 * * MON#1", ["2026-12-07", "2027-01-04", "2027-02-01"]),
        ("0 9 * * 5#3,1#1", ["2026-12-07", "2026-12-18", "2027-01-04"]),
        ("0 9 * * 5L", ["2026-11-27", "2026-12-25", "2027-01-29"]),
        ("0 9 * * FRIL", ["2026-11-27", "2026-12-25"]),
        ("0 9 L * *", ["2026-11-30", "2026-12-31", "2027-01-31", "2027-02-28"]),
        ("0 9 LW * *", ["2026-11-30", "2026-12-31", "2027-01-29", "2027-02-26"]),
        ("0 9 1,L * *", ["2026-11-30", "2026-12-01", "2026-12-31"]),
        ("0 9 1,15 * *", ["2026-12-01", "2026-12-15"]),
        ("0 9 13 * 5", ["2026-11-27", "2026-12-04", "2026-12-11", "2026-12-13", "2026-12-18"]),  # either
        ("0 9 13 * */5", ["2026-12-13", "2027-06-13", "2027-08-13"]),  # both: a field that begins with * does not restrict
        ("0 9 */10 * 1", ["2026-12-21", "2027-01-11", "2027-02-01"]),
        ("0 9 1-7,*/40 * 1", ["2026-11-23", "2026-11-30", "2026-12-01"]),
        ("0 9 31 * *", ["2026-12-31", "2027-01-31", "2027-03-31"]),
        ("0 9 31 2-4 *", ["2027-03-31", "2028-03-31"]),
        ("0 9 * DEC,jan MON", ["2026-12-07", "2026-12-14", "2026-12-21", "2026-12-28", "2027-01-04"]),
        ("0 9 1 */3 *", ["2027-01-01", "2027-04-01"]),
        ("0 9 1 FEB-JUN/2 *", ["2027-02-01", "2027-04-01", "2027-06-01", "2028-02-01"]),
        ("0 0 29 2 *", ["2028-02-29", "2032-02-29"]),
        ("0 0 29 2 */7", ["2032-02-29", "2060-02-29", "2088-02-29", "2128-02-29"]),
        ("0 0 * 2 MON#5", ["2044-02-29", "2072-02-29", "2112-02-29"]),
        ("0 0 30 2 1", ["2027-02-01", "2027-02-08"]),  # there is no 30 February, but there are Mondays
        ("@weekly", ["2026-11-29", "2026-12-06"]),
        ("@monthly", ["2026-12-01", "2027-01-01"]),
        ("@YEARLY", ["2027-01-01", "2028-01-01"]),
        ("@annually", ["2027-01-01"]),
        ("@daily", ["2026-11-24"]),
        (" @midnight\n", ["2026-11-24"]),
    ],
)
def test_days_are_crontabs_days(text: str, expected: list[str]):
    assert days(text, "2026-11-23T00:00:00Z", len(expected)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("* * * * *", ["09:01", "09:02", "09:03"]),
        ("*/15 * * * *", ["09:15", "09:30", "09:45", "10:00"]),
        ("*/25 * * * *", ["09:25", "09:50", "10:00"]),
        ("*/90 * * * *", ["10:00", "11:00"]),
        ("5/20 * * * *", ["09:05", "09:25", "09:45", "10:05"]),
        ("9-9/1 * * * *", ["09:09", "10:09"]),
        ("10-30/10 * * * *", ["09:10", "09:20", "09:30", "10:10"]),
        ("0,5-7,59 * * * *", ["09:05", "09:06", "09:07", "09:59", "10:00"]),
        ("*,30 * * * *", ["09:01", "09:02"]),
        ("00 010 * * *", ["10:00"]),
        ("\t0\t 9-17/4  *  * * \n", ["13:00", "17:00"]),
        ("@hourly", ["10:00", "11:00"]),
        ("0 22,23 * * *", ["22:00", "23:00"]),
    ],
)
def test_hours_and_minutes_are_crontabs(text: str, expected: list[str]):
    assert [time[11:16] for time in times(text, None, "2026-11-23T09:00:00Z", len(expected))] == expected


@pytest.mark.parametrize(
    ("text", "offset", "said"),
    [
        ("", 0, "empty"),
        (" \t ", 0, "empty"),
        ("* * * *", 0, "4 fields"),
        ("0 0 9 * * 1-5", 10, "seconds"),
        ("0 0 9 * * 1-5 2026", 10, "seconds"),
        ("0 9 * * 1-5 /usr/bin/backup --all now", 12, "8 fields"),
        ("60 * * * *", 0, "minute 60 does not exist (0-59)"),
        ("0 24 * * *", 2, "hour 24 does not exist"),
        ("0 9 0 * *", 4, "day of month 0 does not exist"),
        ("0 9 32 * *", 4, "day of month 32 does not exist"),
        ("0 9 * 13 *", 6, "month 13 does not exist"),
        ("0 9 * 0 *", 6, "month 0 does not exist"),
        ("0 9 * * 8", 8, "day of week 8 does not exist"),
        ("0 9 * * 1,2,1-9", 14, "day of week 9 does not exist"),
        ("0 9 * * MONDAY", 8, "did you mean MON?"),
        ("0 9 * * FRI-MON", 8, "write 5-7,1"),
        ("0 9 * * 6-0", 8, "write 6-7"),
        ("0 9 * * 7-2", 8, "write 7,1-2"),
        ("0 22-6 * * *", 2, "write 22-23,0-6"),
        ("0 9 * 11-2 *", 6, "write 11-12,1-2"),
        ("0 9 MON * *", 4, "'MON' is no day of month"),
        ("0 9 * MON *", 6, "'MON' is no month"),
        ("0 9 * * JAN", 8, "'JAN' is no day of week"),
        ("*/0 * * * *", 2, "step of 0"),
        ("*/x * * * *", 0, "'*/x' is no minute"),
        ("1-2-3 * * * *", 0, "'1-2-3' is no minute"),
        ("1/2/3 * * * *", 0, "'1/2/3' is no minute"),
        ("*-5 * * * *", 0, "'*-5' is no minute"),
        ("-5 * * * *", 0, "'-5' is no minute"),
        ("+5 * * * *", 0, "'+5' is no minute"),
        ("5.0 * * * *", 0, "'5.0' is no minute"),
        ("1,,2 * * * *", 2, "nothing on one side"),
        ("0 9 * * ,", 8, "nothing on one side"),
        ("0 9 ? * *", 4, "* stands for every value"),
        ("H 9 * * *", 0, "* stands for every value"),
        ("0 9 15W * *", 4, "'15W' is no day of month"),
        ("0 9 L-3 * *", 4, "'L' is no day of month"),
        ("0 9 L/2 * *", 4, "'L' is no day of month"),
        ("0 9 * * L", 8, "'L' is no day of week"),
        ("0 9 * * MON#6", 12, "weekday number 6"),
        ("0 9 * * MON#0", 12, "weekday number 0"),
        ("0 9 * * MON#1/2", 8, "is no day of week"),
        ("0 9 * * MON-FRI#1", 8, "is no day of week"),
        ("0 9 * * 8L", 8, "day of week 8"),
        ("0 0 30 2 *", 0, "never comes"),
        ("0 0 31 4,6,9,11 *", 0, "never comes"),
        ("0 0 30,31 feb *", 0, "never comes"),
        ("0 0 */31 * 1#5", 0, "never comes"),
        ("@reboot", 0, "webhook"),
        ("@every 5m", 0, "*/5 * * * *"),
        ("@fortnightly", 0, "@hourly"),
        ("@daily 5", 7, "stands alone"),
        ("TZ=Europe/Berlin 0 9 * * *", 0, "timezone"),
        ("٣ * * * *", 0, "ASCII"),
        ("0 9 * * ſUN", 8, "ASCII"),
        ("0\N{NO-BREAK SPACE}9 * * *", 1, "ASCII"),
        ("0 9 * * *\n0 10 * * *", 9, "one line"),
        ("0 9 * * *\0", 9, "ASCII"),
        ("0," * 600 + "0 * * * *", 0, "at most 1000"),
        ("9" * 900 + " * * * *", 0, "does not exist"),
    ],
)
def test_what_crontab_does_not_mean_is_refused_with_its_place(text: str, offset: int, said: str):
    at, message = refusal(text)

    assert (at, said in message) == (offset, True), message


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("europe/berlin", "did you mean Europe/Berlin?"),
        ("Berlin", "did you mean Europe/Berlin?"),
        ("New York", "did you mean America/New_York?"),
        ("Europe/Berlim", "did you mean Europe/Berlin?"),
        ("UTC+2", "abbreviations and offsets"),
        ("GMT+2", "abbreviations and offsets"),
        ("+02:00", "abbreviations and offsets"),
        ("PDT", "abbreviations and offsets"),
        ("", "such as Europe/Berlin"),
        ("America", "no time zone 'America'"),
        ("zone.tab", "no time zone"),
        ("../../etc/passwd", "no time zone"),
        ("/etc/localtime", "no time zone"),
        ("right/UTC", "no time zone"),
        ("Europe/Berlin\0", "no time zone"),
        ("Zürich", "no time zone"),
        ("x" * 100_000, "no time zone"),
    ],
)
def test_an_unknown_time_zone_is_refused_with_the_one_that_was_meant(name: str, said: str):
    offset, message = refusal("0 9 * * *", name)

    assert (offset, said in message, len(message) < 400) == (None, True, True), message


@pytest.mark.parametrize(
    ("text", "zone", "start", "expected"),
    [
        # New York: on 8 March 2026 02:00 → 03:00, on 1 November 02:00 → 01:00.
        ("30 2 * * *", "America/New_York", "2026-03-08T00:00:00Z", ["2026-03-08T07:00Z", "2026-03-09T06:30Z"]),
        ("0,20,40 2 * * *", "America/New_York", "2026-03-08T00:00:00Z", ["2026-03-08T07:00Z", "2026-03-09T06:00Z"]),
        ("0 2,3 * * *", "America/New_York", "2026-03-08T00:00:00Z", ["2026-03-08T07:00Z", "2026-03-09T06:00Z"]),
        ("0 0 * * *", "America/New_York", "2026-03-08T00:00:00Z", ["2026-03-08T05:00Z", "2026-03-09T04:00Z"]),
        ("30 1 * * *", "America/New_York", "2026-11-01T00:00:00Z", ["2026-11-01T05:30Z", "2026-11-02T06:30Z"]),
        ("30 1 * * *", "America/New_York", "2026-11-01T05:45:00Z", ["2026-11-02T06:30Z"]),
        ("30 1 * * *", "America/New_York", "2026-11-01T06:15:00Z", ["2026-11-02T06:30Z"]),  # asked in the second pass
        ("0 2 * * *", "America/New_York", "2026-11-01T05:30:00Z", ["2026-11-01T07:00Z", "2026-11-02T07:00Z"]),
        (
            "*/30 1 * * *",
            "America/New_York",
            "2026-11-01T00:00:00Z",
            ["2026-11-01T05:00Z", "2026-11-01T05:30Z", "2026-11-01T06:00Z", "2026-11-01T06:30Z", "2026-11-02T06:00Z"],
        ),
        (
            "15 * * * *",
            "America/New_York",
            "2026-11-01T05:00:00Z",
            ["2026-11-01T05:15Z", "2026-11-01T06:15Z", "2026-11-01T07:15Z"],
        ),
        ("*/30 2 * * *", "America/New_York", "2026-03-08T00:00:00Z", ["2026-03-09T06:00Z", "2026-03-09T06:30Z"]),
        (
            "*/30 * * * *",
            "America/New_York",
            "2026-03-08T06:15:00Z",
            ["2026-03-08T06:30Z", "2026-03-08T07:00Z", "2026-03-08T07:30Z"],
        ),
        ("@hourly", "America/New_York", "2026-03-08T05:30:00Z", ["2026-03-08T06:00Z", "2026-03-08T07:00Z", "2026-03-08T08:00Z"]),
        # Lord Howe: half an hour. On 4 October 2026 02:00 → 02:30, on 5 April 02:00 → 01:30.
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", ["2026-10-03T15:30Z", "2026-10-04T15:15Z"]),
        (
            "*/20 3 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T00:00:00Z",
            ["2026-10-03T16:00Z", "2026-10-03T16:20Z", "2026-10-03T16:40Z"],
        ),
        (
            "*/20 2 * * *",
            "Australia/Lord_Howe",
            "2026-04-04T00:00:00Z",
            ["2026-04-04T15:30Z", "2026-04-04T15:50Z", "2026-04-04T16:10Z"],
        ),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", ["2026-04-04T14:45Z", "2026-04-05T15:15Z"]),
        # Midnight is what is skipped or doubled.
        ("0 0 * * *", "America/Havana", "2026-03-07T12:00:00Z", ["2026-03-08T05:00Z", "2026-03-09T04:00Z"]),
        ("*/30 0 * * *", "America/Havana", "2026-03-07T12:00:00Z", ["2026-03-09T04:00Z", "2026-03-09T04:30Z"]),
        ("0 0 8 3 *", "America/Havana", "2026-03-07T12:00:00Z", ["2026-03-08T05:00Z", "2027-03-08T05:00Z"]),
        ("0 0 * * *", "America/Havana", "2026-10-31T12:00:00Z", ["2026-11-01T04:00Z", "2026-11-02T05:00Z"]),
        ("0 0 * * *", "Asia/Beirut", "2026-03-28T12:00:00Z", ["2026-03-28T22:00Z", "2026-03-29T21:00Z"]),
        ("30 23 * * *", "Asia/Beirut", "2026-10-24T12:00:00Z", ["2026-10-24T20:30Z", "2026-10-25T21:30Z"]),
        ("30 0 * * *", "Africa/Cairo", "2026-04-23T12:00:00Z", ["2026-04-23T22:00Z", "2026-04-24T21:30Z"]),
        ("0 0 * * 0", "America/Asuncion", "2023-09-30T12:00:00Z", ["2023-10-01T04:00Z", "2023-10-08T03:00Z"]),
        # Dublin: summer is its standard time, the change is like any other's.
        ("30 1 * * *", "Europe/Dublin", "2026-03-28T12:00:00Z", ["2026-03-29T01:00Z", "2026-03-30T00:30Z"]),
        ("30 1 * * *", "Europe/Dublin", "2026-10-24T12:00:00Z", ["2026-10-25T00:30Z", "2026-10-26T01:30Z"]),
        # Apia left out 30 December 2011.
        ("0 9 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z", ["2011-12-29T19:00Z", "2011-12-30T10:00Z", "2011-12-30T19:00Z"]),
        ("0 9 30 12 *", "Pacific/Apia", "2011-12-29T12:00:00Z", ["2011-12-30T10:00Z", "2012-12-29T19:00Z"]),
        ("0 */6 30 12 *", "Pacific/Apia", "2011-12-29T12:00:00Z", ["2012-12-29T10:00Z", "2012-12-29T16:00Z"]),
        ("0 9 * * *", "Asia/Kathmandu", "2026-11-23T00:00:00Z", ["2026-11-23T03:15Z"]),
        # The database's rule goes on after its table ends.
        ("30 2 * * *", "Europe/Berlin", "2099-03-28T12:00:00Z", ["2099-03-29T01:00Z", "2099-03-30T00:30Z"]),
    ],
)
def test_clock_changes(text: str, zone: str, start: str, expected: list[str]):
    assert times(text, zone, start, len(expected)) == expected


@pytest.mark.parametrize("text", ["0 9 * * *", "* * * * *", "*/15 9 * * *"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_next_is_strictly_after_the_instant_given(text: str, zone: str):
    cron = parse_cron(text, timezone=zone)
    slot = cron.next(datetime(2026, 11, 23, 7, 30, tzinfo=UTC))

    around = [cron.next(slot + timedelta(microseconds=shift)) for shift in (-1_000_000, -1, 0, 1, 999_999)]

    assert around[:2] == [slot, slot]
    assert all(later > slot + timedelta(microseconds=999_999) for later in around[2:])
    assert len(set(around[2:])) == 1


def test_an_instant_may_be_given_in_any_zone_and_comes_back_in_utc():
    cron = parse_cron("0 9 * * *", timezone="Europe/Berlin")

    given = [cron.next(datetime.fromisoformat(text)) for text in ("2026-11-23T07:59:59Z", "2026-11-23T02:59:59-05:00")]

    assert given == [datetime(2026, 11, 23, 8, tzinfo=UTC)] * 2
    assert {instant.tzinfo for instant in given} == {UTC}


def test_between_includes_its_end_and_not_its_beginning():
    cron = parse_cron("0 * * * *", timezone=None)
    nine, noon = datetime(2026, 11, 23, 9, tzinfo=UTC), datetime(2026, 11, 23, 12, tzinfo=UTC)

    assert [instant.hour for instant in cron.between(nine, noon, 100)] == [10, 11, 12]
    assert [instant.hour for instant in cron.between(nine, noon, 2)] == [10, 11]
    assert cron.between(noon, nine, 100) == []


@pytest.mark.parametrize("text", ["* * * * *", "0 9 * * 1-5", "30 1 * * *", "0 0 29 2 */7", "*/7 0 1 1 *"])
def test_previous_is_the_one_whose_next_is_this(text: str):
    cron = parse_cron(text, timezone="America/New_York")
    slots = cron.between(datetime(2026, 10, 30, tzinfo=UTC), datetime(2300, 1, 1, tzinfo=UTC), 4)

    before = [cron.previous(slot) for slot in slots[1:]]

    assert before == slots[:-1]
    assert cron.previous(slots[0] + timedelta(microseconds=1)) == slots[0]


@pytest.mark.parametrize("text", ["* * * * *", "0 9 * * *"])
def test_the_calendars_ends_are_said_and_not_stumbled_over(text: str):
    cron = parse_cron(text, timezone="Asia/Tokyo")

    for far in ("0001-01-01T00:00:00Z", "0001-12-31T23:59:59Z", "9901-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"):
        with pytest.raises(OverflowError, match="years 2 to 9900"):
            cron.next(datetime.fromisoformat(far))
    assert cron.between(datetime(9900, 12, 30, tzinfo=UTC), datetime(9998, 1, 1, tzinfo=UTC), 99_999)[-1].year == 9900


def test_a_star_schedule_that_comes_once_in_decades_is_found_without_haste():
    cron: Cron = parse_cron("*/20 0 29 2 */7", timezone="America/New_York")

    assert [
        f"{slot:%Y-%m-%dT%H:%M}" for slot in cron.between(datetime(2089, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC), 4)
    ] == [
        "2128-02-29T05:00",
        "2128-02-29T05:20",
        "2128-02-29T05:40",
        "2156-02-29T05:00",
    ]
