"""A schedule's section loads whole, or is refused with every mistake at its place."""

from typing import Any

import pytest
from pydantic import ValidationError

from flows.errors import DefinitionError
from triggers.slots import Schedule
from triggers.sources.schedule import ScheduleSource
from triggers.sources.schedule_spec import ScheduleSettings


def prepare(**section: Any) -> Schedule:
    return ScheduleSource.prepare(section, key="digest")


def refusals(**section: Any) -> list[tuple[str, str]]:
    with pytest.raises(DefinitionError) as caught:
        prepare(**section)
    return [(".".join(map(str, problem.path)), f"{problem.problem} ({problem.hint})") for problem in caught.value.problems]


def test_the_shortest_section_has_careful_defaults():
    made = prepare(cron="0 9 * * 1-5")

    assert (made.cron.text, made.cron.zone.key) == ("0 9 * * 1-5", "UTC")
    assert (made.jitter_s, made.overlap, made.catchup, made.window_s) == (0.0, "skip", "last", 86400.0)


def test_the_full_section_loads():
    made = prepare(
        cron="0 9 * * 1-5",
        timezone="Europe/Berlin",
        jitter="2m",
        overlap="queue_one",
        catchup={"policy": "all", "window": "2h"},
    )

    assert made.cron.zone.key == "Europe/Berlin"
    assert (made.jitter_s, made.overlap, made.catchup, made.window_s) == (120.0, "queue_one", "all", 7200.0)


def test_catchup_may_be_its_policy_alone():
    assert (prepare(cron="@daily", catchup="none").catchup, prepare(cron="@daily", catchup="all").window_s) == ("none", 86400.0)


@pytest.mark.parametrize(
    ("section", "path", "said"),
    [
        ({}, "cron", "cron is missing"),
        ({"cron": 5}, "cron", "must be text"),
        ({"cron": None}, "cron", "must be text"),
        ({"cron": "0 9 * * 8"}, "cron", "day of week 8 does not exist"),
        ({"cron": "@daily", "timezone": "europe/berlin"}, "timezone", "did you mean Europe/Berlin?"),
        ({"cron": "@daily", "timezone": 2}, "timezone", "must be text"),
        ({"cron": "@daily", "jitter": 5}, "jitter", "5s"),
        ({"cron": "@daily", "jitter": "2d"}, "jitter", "at most 86400"),
        ({"cron": "@daily", "overlap": "queue-one"}, "overlap", "queue_one"),
        ({"cron": "@daily", "overlap": "cancel_running"}, "overlap", "not available in this version"),
        ({"cron": "@daily", "catchup": "some"}, "catchup.policy", "none, last, all"),
        ({"cron": "@daily", "catchup": {"window": "0s"}}, "catchup.window", "more than 0"),
        ({"cron": "@daily", "catchup": {"windows": "1h"}}, "catchup.windows", "window"),
        ({"cron": "@daily", "catchup": 5}, "catchup", "must be an object"),
        ({"cron": "@daily", "timzone": "UTC"}, "timzone", "timezone"),
    ],
)
def test_a_mistake_is_refused_at_its_place(section: dict[str, Any], path: str, said: str):
    ((where, what),) = refusals(**section)

    assert (where, said in what) == (path, True), what


def test_all_mistakes_are_told_at_once():
    found = refusals(cron="0 25 * * *", timezone="Nowhere", jitter="x", overlap="never", extra=1)

    assert sorted(where for where, _ in found) == ["cron", "extra", "jitter", "overlap", "timezone"]


def test_a_mistake_in_the_cron_text_keeps_its_column():
    with pytest.raises(DefinitionError) as caught:
        prepare(cron="0 9 * * 1-9")

    (problem,) = caught.value.problems
    assert (problem.path, problem.offset, problem.code) == (("cron",), 10, "CRON")


def test_a_schedules_events_are_found_by_its_key():
    assert ScheduleSource.addresses("digest", prepare(cron="@daily")) == ("digest",)


def test_the_settings_refuse_a_zone_that_is_not_there():
    assert ScheduleSettings(timezone="Asia/Tokyo").timezone == "Asia/Tokyo"
    with pytest.raises(ValidationError, match="did you mean Asia/Tokyo"):
        ScheduleSettings(timezone="asia/tokyo")
