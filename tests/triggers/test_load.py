"""Loading triggers: what loads is what runs, and everything wrong is told at once, at its place, with a way out."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.errors import DefinitionError
from triggers.load import load_trigger
from triggers.sources import SOURCES, source_class
from triggers.trigger import Timeouts

SAMPLES = Path(__file__).parent.parent / "definitions"
GOOD = {"key": "a", "trigger": {"type": "webhook", "path": "/a"}, "flow": "f"}


def load(definition, key=None, **more):
    return load_trigger(definition, key=key, file=None, **more)


def problems(definition, key="stem"):
    with pytest.raises(DefinitionError) as caught:
        load(definition, key)
    return caught.value.problems


def refused(definition, key="stem"):
    (problem,) = problems(definition, key)
    return problem


def test_the_specifications_webhook_trigger_loads_unchanged():
    trigger = load(json.loads((SAMPLES / "auto-process-deal.json").read_text()), "file-stem")

    assert (trigger.key, trigger.type, trigger.flow) == ("auto-process-deal", "webhook", "deal-process")
    assert (trigger.spec.path, trigger.spec.methods, trigger.spec.auth) == ("/deal-created", ["POST"], None)
    assert (trigger.enabled, trigger.priority, trigger.description, trigger.idempotency) == (True, 5, None, None)
    document = {"body": {"source": "email", "company": "Acme", "email": "a@b.c"}}
    assert trigger.filter.test({"$": document})
    assert trigger.mapping.make(document) == {"companyName": "Acme", "founderEmail": "a@b.c"}


def test_the_specifications_schedule_loads_unchanged_under_its_files_name():
    trigger = load(json.loads((SAMPLES / "daily-digest.json").read_text()), "daily-digest", default_timezone="Europe/Berlin")

    assert (trigger.key, trigger.type, trigger.flow, trigger.filter) == ("daily-digest", "schedule", "daily-digest", None)
    assert trigger.mapping.make({"trigger": {"scheduledDate": "2026-11-23"}}) == {"date": "2026-11-23"}
    assert source_class("schedule").addresses(trigger.key, trigger.spec) == ("daily-digest",)


def test_the_key_in_the_file_goes_before_the_files_name():
    assert load(GOOD, "other").key == "a"
    assert load({**GOOD, "key": None}, "other").key == "other"


@pytest.mark.parametrize(
    ("definition", "same_as"),
    [
        ({"id": "a", "trigger": GOOD["trigger"], "flow": "f"}, GOOD),
        ({"name": "a", "trigger": GOOD["trigger"], "flow": "f"}, GOOD),
        ({**GOOD, "id": "a"}, GOOD),
        ({**GOOD, "inputs": {"x": 1}}, {**GOOD, "inputMapping": {"x": 1}}),
        ({**GOOD, "if": "$.a"}, {**GOOD, "trigger": {**GOOD["trigger"], "filter": "$.a"}}),
        ({**GOOD, "when": "$.a"}, {**GOOD, "filter": "$.a"}),
        ({**GOOD, "trigger": {**GOOD["trigger"], "when": "$.a"}}, {**GOOD, "filter": "$.a"}),
        (
            {**GOOD, "trigger": {"type": "cron", "cron": "@daily", "tz": "Asia/Tokyo"}},
            {**GOOD, "trigger": {"type": "schedule", "cron": "@daily", "timezone": "Asia/Tokyo"}},
        ),
    ],
)
def test_common_words_for_a_field_mean_the_field(definition, same_as):
    found, expected = load(definition), load(same_as)

    assert (found.key, found.type, found.spec) == (expected.key, expected.type, expected.spec)
    assert (found.filter and found.filter.source) == (expected.filter and expected.filter.source)
    assert (found.mapping and found.mapping.source) == (expected.mapping and expected.mapping.source)


def test_two_words_for_one_field_with_two_values_are_refused():
    problem = refused({**GOOD, "id": "b"})

    assert (problem.path, problem.problem) == (("id",), "«id» and «key» are two words for one thing, with two values")


def test_a_filter_in_two_places_is_refused():
    assert (
        "a filter stands here and in `trigger`"
        in refused({**GOOD, "if": "$.a", "trigger": {**GOOD["trigger"], "filter": "$.b"}}).problem
    )


def test_everything_a_definition_may_say_is_kept():
    trigger = load(
        {
            **GOOD,
            "$schema": "x.json",
            "description": "d",
            "enabled": False,
            "priority": 1,
            "idempotency": {"key": "$.headers['X-Delivery-Id']", "ttl": "1h30m"},
        }
    )

    assert (trigger.description, trigger.enabled, trigger.priority, trigger.idempotency.ttl_s) == ("d", False, 1, 5400.0)
    assert trigger.idempotency.key.get({"headers": {"x-delivery-id": "7"}}) == "7"


def test_an_idempotency_key_lasts_a_day_where_nothing_is_said():
    assert load({**GOOD, "idempotency": {"key": "$.id"}}).idempotency.ttl_s == 86400.0


def test_the_digest_changes_with_the_definition_and_not_with_its_layout():
    shuffled = dict(reversed(GOOD.items()))

    assert load(GOOD).digest == load(shuffled).digest != load({**GOOD, "flow": "g"}).digest


def test_a_header_in_a_filter_is_found_whatever_the_case_of_its_name():
    trigger = load({**GOOD, "filter": "$.headers['X-GitHub-Event'] === 'Push' && $.headers.Host !== '$.headers.Host'"})

    assert trigger.filter.test({"$": {"headers": {"x-github-event": "Push", "host": "$.headers.host"}}})


@pytest.mark.parametrize(
    ("change", "path", "said"),
    [
        ({"flow": None}, ("flow",), "flow is null"),
        ({"flow": ""}, ("flow",), "flow is empty"),
        ({"flow": 5}, ("flow",), "must be text"),
        ({"enabled": "yes"}, ("enabled",), "true or false"),
        ({"enabled": 1}, ("enabled",), "true or false"),
        ({"priority": 0}, ("priority",), "at least 1"),
        ({"priority": 11}, ("priority",), "at most 10"),
        ({"priority": "5"}, ("priority",), "whole number"),
        ({"priority": True}, ("priority",), "whole number"),
        ({"flows": "f"}, ("flows",), "did you mean «flow»"),
        ({"inputMaping": {}}, ("inputMaping",), "did you mean «inputMapping»"),
        ({"zzz": 1}, ("zzz",), "known are"),
        ({"cron": "* * * * *"}, ("cron",), "inside `trigger`"),
        ({"inputs": 5}, ("inputs",), "an object"),
        ({"inputs": {"a": "$body"}}, ("inputs", "a"), "$"),
        ({"filter": 5}, ("filter",), "as text"),
        ({"filter": ""}, ("filter",), ""),
        ({"when": "$.a ==="}, ("when",), ""),
        ({"filter": "body.a === 1"}, ("filter",), ""),
        ({"filter": "$.a === 1 and true"}, ("filter",), ""),
        ({"idempotency": "x"}, ("idempotency",), "an object"),
        ({"idempotency": {}}, ("idempotency", "key"), "missing"),
        ({"idempotency": {"key": "body.id"}}, ("idempotency", "key"), "$"),
        ({"idempotency": {"key": "$.id", "ttl": 5}}, ("idempotency", "ttl"), "5s"),
        ({"idempotency": {"key": "$.id", "ttl": "0s"}}, ("idempotency", "ttl"), "more than 0"),
        ({"idempotency": {"key": "$.id", "tttl": "1h"}}, ("idempotency", "tttl"), "did you mean «ttl»"),
        ({"key": 5}, ("key",), "not text"),
        ({"key": "Auto Deal"}, ("key",), "«auto-deal»"),
        ({"key": "-a"}, ("key",), "write «a»"),
        ({"key": "a/b"}, ("key",), "write «a-b»"),
        ({"key": ""}, ("key",), "missing"),
        ({"key": "a" * 129}, ("key",), "at most 128"),
        ({"key": "*"}, ("key",), "is no key"),
        ({"key": "a\n"}, ("key",), "is no key"),
        ({"trigger": None}, (), "trigger is missing"),
        ({"trigger": "webhook"}, ("trigger",), "not an object"),
        ({"trigger": {"path": "/a"}}, ("trigger",), 'add "type": "webhook"'),
        ({"trigger": {"cron": "@daily"}}, ("trigger",), 'add "type": "schedule"'),
        ({"trigger": {}}, ("trigger",), "one of webhook"),
        ({"trigger": {"type": "webhok", "path": "/a"}}, ("trigger", "type"), "did you mean «webhook»"),
        ({"trigger": {"type": 5}}, ("trigger", "type"), "no trigger type"),
        ({"trigger": {"type": ["webhook"]}}, ("trigger", "type"), "no trigger type"),
        ({"trigger": {"type": "flow"}}, ("trigger", "flow"), "flow is missing"),
        ({"trigger": {"type": "flow", "flow": 5}}, ("trigger", "flow"), "must be a list"),
        ({"trigger": {"type": "flow", "flow": [5]}}, ("trigger", "flow", 0), "must be text"),
        ({"trigger": {"type": "flow", "flow": []}}, ("trigger", "flow"), "flow is empty"),
        ({"trigger": {"type": "flow", "flow": ""}}, ("trigger", "flow"), "empty"),
        ({"trigger": {"type": "flow", "flow": "x", "on": "complete"}}, ("trigger", "on"), "did you mean «completed»"),
        (
            {"trigger": {"type": "flow", "flow": "x", "on": ["done"]}},
            ("trigger", "on", 0),
            "allowed are completed, failed, cancelled",
        ),
        ({"trigger": {"type": "flow", "flow": "x", "on": []}}, ("trigger", "on"), "on is empty"),
        ({"trigger": {"type": "flow", "flow": "x", "onn": "failed"}}, ("trigger", "onn"), "did you mean «on»"),
        ({"trigger": {"flow": "x"}}, ("trigger",), 'add "type": "flow"'),
        ({"tests": {}}, ("tests",), "tests is a list"),
        ({"tests": [5]}, ("tests", 0), "must be an object"),
        ({"tests": [{"event": {}}]}, ("tests", 0, "expect"), "expect is missing"),
        ({"tests": [{"event": {}, "expect": {}}]}, ("tests", 0, "expect"), "nothing is expected"),
        ({"tests": [{"event": {}, "expect": {"fire": True}}]}, ("tests", 0, "expect", "fire"), "did you mean «fires»"),
        ({"tests": [{"event": {}, "expect": {"fires": "yes"}}]}, ("tests", 0, "expect", "fires"), "true or false"),
        (
            {"tests": [{"event": {}, "expect": {"verdict": "filter_fals"}}]},
            ("tests", 0, "expect", "verdict"),
            "did you mean «filter_false»",
        ),
        (
            {"tests": [{"event": {}, "expect": {"verdict": "disabled", "fires": True}}]},
            ("tests", 0, "expect", "verdict"),
            "disabled does not fire",
        ),
        ({"tests": [{"event": {}, "expect": {"fires": False, "inputs": {}}}]}, ("tests", 0, "expect", "inputs"), "no inputs"),
        ({"tests": [{"event": {"bodi": 1}, "expect": {"fires": True}}]}, ("tests", 0, "event", "bodi"), "did you mean «body»"),
        ({"tests": [{"event": {"headers": []}, "expect": {"fires": True}}]}, ("tests", 0, "event", "headers"), "an object"),
        (
            {"tests": [{"event": {"query": {"a": [None]}}, "expect": {"fires": True}}]},
            ("tests", 0, "event", "query", "a"),
            "must be text",
        ),
        ({"trigger": {"type": "webhook"}}, ("trigger", "path"), "missing"),
        ({"trigger": {"type": "webhook", "path": 5}}, ("trigger", "path"), "text"),
        ({"trigger": {"type": "webhook", "path": "/a/../b"}}, ("trigger", "path"), "`..`"),
        ({"trigger": {"type": "webhook", "path": "/a//b"}}, ("trigger", "path"), "empty parts"),
        ({"trigger": {"type": "webhook", "path": "/"}}, ("trigger", "path"), "not a path"),
        ({"trigger": {"type": "webhook", "path": "/a?x=1"}}, ("trigger", "path"), "?"),
        ({"trigger": {"type": "webhook", "path": "/a/x{id}"}}, ("trigger", "path"), "pattern only in part"),
        ({"trigger": {"type": "webhook", "path": "/hooks/a"}}, ("trigger", "path"), "write /a"),
        ({"trigger": {"type": "webhook", "path": "/" + "a" * 600}}, ("trigger", "path"), "at most 512"),
        ({"trigger": {"type": "webhook", "path": "/%zz"}}, ("trigger", "path"), "percent"),
        ({"trigger": {"type": "webhook", "path": "/a\x00"}}, ("trigger", "path"), "control"),
        ({"trigger": {"type": "webhook", "path": "/a", "methods": []}}, ("trigger", "methods"), "empty"),
        ({"trigger": {"type": "webhook", "path": "/a", "methods": ["BREW"]}}, ("trigger", "methods", 0), "allowed are"),
        ({"trigger": {"type": "webhook", "path": "/a", "method": "POST"}}, ("trigger", "method"), "did you mean «methods»"),
        ({"trigger": {"type": "webhook", "path": "/a", "filtr": "true"}}, ("trigger", "filtr"), "did you mean «filter»"),
        ({"trigger": {"type": "webhook", "path": "/a", "inputMapping": {}}}, ("trigger", "inputMapping"), "stands beside"),
        ({"trigger": {"type": "webhook", "path": "/a", "auth": {"type": "hmac"}}}, ("trigger", "auth", "secret"), "missing"),
        ({"trigger": {"type": "schedule", "cron": "0 9 * * 9"}}, ("trigger", "cron"), ""),
        ({"trigger": {"type": "schedule", "cron": "@daily", "tz": "Nowhere"}}, ("trigger", "tz"), ""),
        ({"trigger": {"type": "file", "pathes": ["/srv/in"]}}, ("trigger", "pathes"), "did you mean «paths»"),
    ],
)
def test_a_mistake_is_refused_at_its_place_with_what_is_wrong(change, path, said):
    definition = {field: value for field, value in {**GOOD, **change}.items() if value is not None or field != "trigger"}

    found = [problem for problem in problems(definition) if problem.path == path]

    assert found
    assert said in str(found[0])


def test_how_long_a_run_may_wait_and_take_is_read_in_seconds():
    both = load_trigger({**GOOD, "timeouts": {"start": "1h", "finish": "30m"}}, key=None, file=None)
    one = load_trigger({**GOOD, "timeouts": {"finish": "90s"}}, key=None, file=None)

    assert both.timeouts == Timeouts(3600.0, 1800.0)
    assert one.timeouts == Timeouts(None, 90.0)
    assert load_trigger(GOOD, key=None, file=None).timeouts is None


@pytest.mark.parametrize(
    ("timeouts", "place"),
    [
        ({"start": "soon"}, ("timeouts", "start")),
        ({"finish": 0}, ("timeouts", "finish")),
        ({"finish": "0s"}, ("timeouts", "finish")),
        ({"end": "1h"}, ("timeouts", "end")),
        ("1h", ("timeouts",)),
    ],
)
def test_times_that_are_none_are_refused_at_their_place(timeouts, place):
    problem = refused({**GOOD, "timeouts": timeouts})

    assert problem.path == place


@pytest.mark.parametrize("field", ["debounce", "throttle", "rateLimit", "batch", "concurrency", "budget"])
def test_what_this_version_does_not_run_does_not_load(field):
    problem = refused({**GOOD, field: {}})

    assert (problem.path, problem.problem) == ((field,), f"{field} is not available in this version")


@pytest.mark.parametrize("definition", [None, [], "x", 5, {}])
def test_what_is_no_trigger_at_all_is_refused(definition):
    assert problems(definition)


def test_all_mistakes_are_told_at_once():
    found = problems(
        {
            "key": "A B",
            "trigger": {"type": "webhook", "path": "/..", "filter": "$.a ===", "auth": {"type": "nope"}, "zzz": 1},
            "inputs": {"a": "$x", "b": "{{"},
            "priority": 99,
            "colour": "red",
            "idempotency": {"key": "id"},
        }
    )

    places = {".".join(str(part) for part in problem.path) for problem in found}
    assert places >= {"key", "trigger.path", "trigger.filter", "trigger.auth.type", "trigger.zzz", "colour", "priority", "flow"}


def test_a_file_whose_name_is_no_key_is_told_how_to_name_it():
    definition = {field: value for field, value in GOOD.items() if field != "key"}

    problem = refused(definition, "Daily Digest")

    assert "that the file's name gives" in problem.problem
    assert "«daily-digest»" in problem.hint


def test_paths_have_one_form():
    def path(text):
        return load({**GOOD, "trigger": {"type": "webhook", "path": text}}).spec.path

    assert [path(text) for text in ("deal", "/deal/", "/de%61l", "/a/b", "/käse", "/k%C3%A4se")] == [
        "/deal",
        "/deal",
        "/deal",
        "/a/b",
        "/käse",
        "/käse",
    ]


def test_every_source_can_be_loaded_and_says_its_type():
    assert [source_class(kind).type for kind in SOURCES] == list(SOURCES)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["webhook", "schedule", "file-watch", "/a", "@daily", "$.a", "5m"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "path", "methods", "auth", "cron", "timezone", "paths", "filter", "key", "ttl", "secret", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["key", "id", "trigger", "flow", "filter", "inputMapping", "idempotency", "enabled", "priority", "x"]),
        JSON,
        max_size=6,
    )
)
def test_whatever_a_file_holds_it_loads_or_is_refused(definition):
    try:
        said = load(definition, "stem").type
    except DefinitionError as error:
        said = error.problems[0].problem

    assert said
