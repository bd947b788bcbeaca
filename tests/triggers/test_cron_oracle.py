"""Cron against an oracle that walks minute by minute and knows nothing of how ours computes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st

from flows.errors import DefinitionError
from triggers.cron import parse_cron

MINUTE = timedelta(minutes=1)

# Moments around which clocks do something worth a test: changes of an hour, of half an hour, at midnight, of a whole day.
MOMENTS = [
    ("America/New_York", "2026-03-08T07:00:00Z"),
    ("America/New_York", "2026-11-01T06:00:00Z"),
    ("Europe/Berlin", "2026-03-29T01:00:00Z"),
    ("Europe/Berlin", "2027-10-31T01:00:00Z"),
    ("Europe/Dublin", "2026-03-29T01:00:00Z"),
    ("Europe/Dublin", "2026-10-25T01:00:00Z"),
    ("Europe/London", "2024-03-31T01:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    ("America/Havana", "2026-03-08T05:00:00Z"),
    ("America/Havana", "2026-11-01T05:00:00Z"),
    ("Asia/Beirut", "2026-03-28T22:00:00Z"),
    ("Asia/Beirut", "2026-10-24T21:00:00Z"),
    ("Africa/Cairo", "2026-04-23T22:00:00Z"),
    ("Africa/Cairo", "2026-10-29T21:00:00Z"),
    ("America/Asuncion", "2023-10-01T04:00:00Z"),
    ("America/St_Johns", "2006-04-02T03:31:00Z"),
    ("America/St_Johns", "2006-10-29T02:31:00Z"),
    ("Antarctica/Troll", "2026-03-29T01:00:00Z"),
    ("Antarctica/Troll", "2026-10-25T01:00:00Z"),
    ("Africa/Casablanca", "2025-02-23T02:00:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),
    ("Asia/Pyongyang", "2015-08-14T15:00:00Z"),
    ("Asia/Pyongyang", "2018-05-04T15:00:00Z"),
    ("America/Caracas", "2016-05-01T07:00:00Z"),
    ("Asia/Kathmandu", "2026-12-31T18:15:00Z"),
    ("UTC", "2028-02-29T00:00:00Z"),
    ("America/New_York", "2098-11-02T06:00:00Z"),
]


@dataclass(frozen=True)
class Part:
    """One field: its text, the values it means, whether it begins with a star."""

    text: str
    values: frozenset[int] = field(repr=False)

    @property
    def star(self) -> bool:
        return self.text.startswith("*")


@st.composite
def parts(draw: st.DrawFn, low: int, high: int, names: tuple[str, ...] = ()) -> Part:
    def spelled(value: int) -> str:
        if names and draw(st.booleans()):
            return draw(st.sampled_from([str.upper, str.lower, str.title]))(names[value - low])
        return f"{value:0{draw(st.integers(1, 2))}}"

    texts, values = [], set()
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        shape = draw(st.sampled_from(["one", "one", "range", "range step", "star", "star step"]))
        step = draw(st.integers(1, high - low + 1)) if "step" in shape else 1
        first, last = low, high
        text = "*"
        if shape == "one":
            first = last = draw(st.integers(low, high))
            text = spelled(first)
        elif "range" in shape:
            first, last = sorted((draw(st.integers(low, high)), draw(st.integers(low, high))))
            text = f"{spelled(first)}-{spelled(last)}"
        texts.append(text + (f"/{step}" if "step" in shape else ""))
        values.update(range(first, last + 1, step))
    return Part(",".join(texts), frozenset(values))


MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
whole = st.just(Part("*", frozenset(range(60))))
crons = st.tuples(
    parts(0, 59) | whole,
    parts(0, 23) | whole | st.sampled_from([Part(str(hour), frozenset({hour})) for hour in (0, 1, 2, 3, 23)]),
    parts(1, 31) | whole | whole,
    parts(1, 12, MONTHS) | whole | whole | whole,
    parts(0, 6, DAYS) | whole | whole,
)


def matches_day(cron: tuple[Part, ...], day: date) -> bool:
    _, _, days, months, weekdays = cron
    by_date, by_weekday = day.day in days.values, day.isoweekday() % 7 in weekdays.values
    either = not days.star and not weekdays.star
    return day.month in months.values and ((by_date or by_weekday) if either else (by_date and by_weekday))


def oracle(cron: tuple[Part, ...], zone: ZoneInfo, after: datetime, until: datetime) -> Iterator[datetime]:
    """A clock on the wall that is only ever moved forward shows each time once; fixed schedules go by it, star ones by the time."""

    def matches(wall: datetime) -> bool:
        return wall.minute in cron[0].values and wall.hour in cron[1].values and matches_day(cron, wall.date())

    real_time = cron[0].star or cron[1].star
    now = after.replace(second=0, microsecond=0) - timedelta(days=2)
    shown = now.astimezone(zone).replace(tzinfo=None)
    while now <= until:
        wall = now.astimezone(zone).replace(tzinfo=None)
        newly = [wall] if real_time else []
        while not real_time and shown < wall:
            shown += MINUTE
            newly.append(shown)
        if now > after and any(matches(one) for one in newly):
            yield now
        now += MINUTE


FIXED = tuple(
    Part(text, frozenset(values))
    for text, values in (("30", {30}), ("2", {2}), ("*", range(32)), ("*", range(13)), ("*", range(7)))
)


@settings(max_examples=150, deadline=None)
@given(crons, st.sampled_from(MOMENTS), st.integers(-30 * 3600, 12 * 3600), st.sampled_from([0, 1, 999_999]))
@example(FIXED, MOMENTS[0], -3600, 0)
@example(FIXED, MOMENTS[1], 900, 1)
def test_every_time_is_the_oracles(cron: tuple[Part, ...], moment: tuple[str, str], shift_s: int, microsecond: int):
    zone, instant = moment
    after = datetime.fromisoformat(instant) + timedelta(seconds=shift_s, microseconds=microsecond)
    until = after + timedelta(days=2)
    text = " ".join(part.text for part in cron)
    expected = list(oracle(cron, ZoneInfo(zone), after, until))

    try:
        ours = parse_cron(text, timezone=zone)
    except DefinitionError:
        assert expected == []
        return

    assert ours.between(after, until, 5_000) == expected
    assert [ours.previous(later) for later in expected[1:40]] == expected[:-1][:39]
    assert all(ours.next(one + timedelta(microseconds=1)) == later for one, later in list(pairwise(expected))[:40])


@settings(max_examples=60, deadline=None)
@given(parts(1, 31), parts(1, 12, MONTHS), parts(0, 6, DAYS) | whole, st.dates(date(1999, 1, 1), date(2110, 1, 1)))
def test_every_day_is_the_oracles_also_years_ahead(days: Part, months: Part, weekdays: Part, start: date):
    cron = (FIXED[0], FIXED[1], days, months, weekdays)
    expected = [day for day in (start + timedelta(days=ahead) for ahead in range(1, 1500)) if matches_day(cron, day)]

    try:
        ours = parse_cron(" ".join(part.text for part in cron), timezone="UTC")
    except DefinitionError:
        assert expected == []
        return

    begin = datetime.combine(start, datetime.max.time(), UTC)
    found = ours.between(begin, begin + timedelta(days=1499), 1_500)
    assert [slot.date() for slot in found] == expected


@settings(max_examples=200, deadline=None)
@given(
    st.text(max_size=40)
    | st.text("0123456789*/-,#LW @adinoyhMF\t?", max_size=30)
    | st.lists(st.text("0123456789*/-,#LMONSUN", min_size=1, max_size=5), min_size=5, max_size=5).map(" ".join),
    st.none() | st.text(max_size=20) | st.sampled_from(["UTC", "Europe/Berlin", "Asia", "../..", "\0"]),
)
def test_no_text_does_anything_but_load_or_be_refused(text: str, zone: str | None):
    try:
        cron = parse_cron(text, timezone=zone)
    except DefinitionError as refused:
        (problem,) = refused.problems
        assert problem.offset is None or 0 <= problem.offset <= len(text)
        return

    assert cron.next(datetime(2026, 11, 23, tzinfo=UTC)) > datetime(2026, 11, 23, tzinfo=UTC)
