"""Events made by hand: a part of a document becomes what the trigger's own source would have made; and triggers' own tests."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.errors import DefinitionError
from triggers.by_hand import check_event, manual_event
from triggers.expectation import Expectation, load_tests, same
from triggers.files.by_hand import file_there
from triggers.load import load_trigger
from triggers.match import TriggerSet, match
from triggers.redaction import REDACTED
from triggers.verdict import Verdict

NOW = 1_795_856_400.25  # 2026-11-28T09:00:00.250Z
SECTIONS = {
    "webhook": {"type": "webhook", "path": "/orders", "methods": ["PUT", "PATCH"]},
    "schedule": {"type": "schedule", "cron": "0 9 * * *", "timezone": "Asia/Tokyo"},
    "file-watch": {"type": "file-watch", "paths": ["/srv/in"], "events": ["deleted", "modified"]},
    "flow": {"type": "flow", "flow": ["enrich", "load"], "on": ["failed", "cancelled"]},
    "event": {"type": "event", "name": ["deal.enriched", "deal.lost"]},
}


def a_trigger(kind, filter_=None, **more):
    section = SECTIONS[kind] | ({} if filter_ is None else {"filter": filter_})
    return load_trigger({"key": "one", "trigger": section, "flow": "f", **more}, key=None, file=None)


def made(kind, part=None):
    return manual_event(a_trigger(kind), part or {}, now=NOW)


def verdict(trigger, part):
    (found,) = match(TriggerSet([trigger]), manual_event(trigger, part, now=NOW))
    return found


@pytest.mark.parametrize("kind", SECTIONS)
def test_an_event_of_nothing_is_a_whole_document_for_its_trigger_alone(kind):
    event = made(kind)

    assert (event.source, event.address, event.time) == ("manual", "one", NOW)
    assert event.document["chain"] == {"id": event.id, "depth": 0}
    assert event.document["trigger"].items() >= {"key": "one", "type": kind}.items()
    assert {"id", "type", "source", "subject", "time"} <= event.document.keys()
    assert match(TriggerSet([a_trigger(kind)]), event)[0].verdict.verdict == "dispatched"
    json.dumps(event.document)


def test_an_event_of_a_flow_by_hand_has_a_name_that_is_heard_and_the_body_that_is_given():
    document = made("event", {"body": {"n": 1}, "flow": {"key": "deals"}}).document

    assert (document["type"], document["body"], document["source"]) == ("deal.enriched", {"n": 1}, "flow:deals")
    assert document["flow"] == {"key": "deals", "run": None, "step": None}
    assert verdict(a_trigger("event"), {"type": "deal.lost"}).verdict.verdict == "dispatched"
    assert "this is «deal.won»" in verdict(a_trigger("event"), {"type": "deal.won"}).verdict.reason


def test_a_request_by_hand_has_what_a_request_has():
    document = made(
        "webhook", {"body": {"n": 1}, "headers": {"X-Id": 5, "Authorization": "x"}, "query": {"a": True, "token": "t"}}
    ).document

    assert (document["body"], document["method"], document["path"]) == ({"n": 1}, "PUT", "/orders")
    assert document["headers"] == {"x-id": "5", "authorization": REDACTED}
    assert document["query"] == {"a": "true", "token": REDACTED}
    assert (document["type"], document["source"]) == ("webhook.received", "/hooks/orders")


def test_a_method_that_the_trigger_does_not_take_does_not_fire():
    found = verdict(a_trigger("webhook"), {"method": "post"})

    assert (found.verdict.verdict, found.verdict.reason) == ("filter_false", "it takes PUT, PATCH, and this was POST")


def test_a_slot_by_hand_has_the_date_on_the_schedule_s_wall():
    now, then = made("schedule"), made("schedule", {"trigger": {"scheduledTime": "2026-01-31T16:00:00Z"}})

    assert now.document["trigger"]["scheduledTime"] == "2026-11-28T09:00:00Z"
    assert (then.document["trigger"]["scheduledDate"], then.document["trigger"]["nextTimes"][0]) == (
        "2026-02-01",
        "2026-02-01T00:00:00Z",
    )


@pytest.mark.parametrize("at", ["yesterday", 5, ["x"], None, "9999-12-31T23:59:59-14:00"])
def test_a_slot_that_is_no_instant_is_refused_also_at_load(at):
    (problem,) = check_event({"trigger": {"scheduledTime": at}})

    assert (problem.path, "must be an instant" in problem.problem) == (("trigger", "scheduledTime"), True)


def test_a_slot_that_nothing_can_follow_is_refused():
    with pytest.raises(DefinitionError, match="no slot can follow"):
        made("schedule", {"trigger": {"scheduledTime": "9999-12-31T23:59:59Z"}})


def test_a_file_by_hand_is_named_by_its_path():
    document = made("file-watch", {"file": {"path": "/srv/in/a.PDF", "size": 3}}).document

    assert (
        document["file"].items()
        >= {"path": "/srv/in/a.PDF", "name": "a.PDF", "ext": ".PDF", "size": 3, "event": "modified"}.items()
    )
    assert document["files"] == [document["file"]]
    assert verdict(a_trigger("file-watch"), {"file": {"event": "created"}}).verdict.reason == (
        "it watches for modified, deleted, and this was created"
    )


def test_a_file_that_is_there_is_read(tmp_path):
    file = tmp_path / "a b.txt"
    file.write_text("hello")

    found = file_there(str(file), hash_max_bytes=100)

    assert (found["name"], found["size"], found["event"], found["uri"]) == (
        "a b.txt",
        5,
        "created",
        f"file://{tmp_path}/a%20b.txt",
    )
    assert found["sha256"].startswith("2cf24dba")
    with pytest.raises(FileNotFoundError):
        file_there(str(tmp_path), hash_max_bytes=100)


@pytest.mark.parametrize("told", [{"error": "boom"}, {"errorCode": "EXIT_STATUS"}, {"failedStep": "a"}])
def test_an_end_by_hand_with_an_error_is_a_failure_unless_its_status_says_otherwise(told):
    section = {"type": "flow", "flow": "enrich", "on": ["completed", "failed"]}
    trigger = load_trigger({"key": "one", "trigger": section, "flow": "f"}, key=None, file=None)

    def status(**given):
        return manual_event(trigger, {"flow": given}, now=NOW).document["flow"]["status"]

    assert status(**told) == "failed"
    assert status(**told, status="completed") == "completed"
    assert status() == "completed"


def test_an_end_by_hand_is_of_the_first_flow_and_end_and_may_be_of_none_that_is_followed():
    flow = made("flow", {"flow": {"outputs": {"a": 1}}}).document["flow"]

    assert (flow["key"], flow["status"], flow["outputs"], flow["omitted"]) == ("enrich", "failed", {"a": 1}, [])
    assert "it follows runs of enrich, load that are failed or cancelled" in (
        verdict(a_trigger("flow"), {"flow": {"status": "completed"}}).verdict.reason
    )


@pytest.mark.parametrize(
    ("event", "path", "said"),
    [
        ({"bodi": 1}, ("bodi",), "did you mean «body»"),
        ({"headers": "x"}, ("headers",), "must be an object"),
        ({"headers": {"a": {}}}, ("headers", "a"), "must be text"),
        ({"query": {"a": None}}, ("query", "a"), "must be text"),
        ({"flow": []}, ("flow",), "must be an object"),
        ({"method": 5}, ("method",), "must be text"),
    ],
)
def test_a_part_that_no_document_has_is_refused(event, path, said):
    (problem,) = check_event(event)

    assert (problem.path, said in str(problem)) == (path, True)


def test_a_field_that_is_near_nothing_is_an_extension():
    assert check_event({"partitionkey": "x", "body": None}) == []
    assert made("webhook", {"partitionkey": "x"}).document["partitionkey"] == "x"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["body", "headers", "query", "params", "method", "file", "flow", "trigger", "chain", "id", "x"])


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(list(SECTIONS)), st.dictionaries(NAMES, JSON, max_size=5))
def test_whatever_part_is_given_it_is_refused_or_matched(kind, part):
    if check_event(part):
        return
    trigger = a_trigger(kind, "$.body.a === 1 || $.flow.key === 'x'")
    try:
        said = verdict(trigger, part).verdict.trigger
    except DefinitionError as error:
        said = error.problems[0].path

    assert said in ("one", ("trigger", "scheduledTime"))


# -- tests in definitions


def the_test(expect, **more) -> Expectation:
    (test,) = load_tests([{"event": {}, "expect": expect, **more}])
    return test


FIRES = Verdict("one", "dispatched")
QUIET = Verdict("one", "filter_false", "`$.a` was false because `$.a` was `0`")


@pytest.mark.parametrize(
    ("expect", "verdict", "inputs"),
    [
        ({"fires": True}, FIRES, {}),
        ({"fires": False}, QUIET, None),
        ({"verdict": "filter_false", "reason": "`$.a` was `0`"}, QUIET, None),
        ({"inputs": {"a": 1}}, FIRES, {"a": 1, "b": 2}),
        ({"inputs": {}}, FIRES, {"a": 1}),
    ],
)
def test_what_is_as_expected_has_no_differences(expect, verdict, inputs):
    assert the_test(expect).differences(verdict, inputs) == []


@pytest.mark.parametrize(
    ("expect", "verdict", "inputs", "said"),
    [
        ({"fires": True}, QUIET, None, "it does not fire (filter_false: `$.a` was false because `$.a` was `0`)"),
        ({"fires": False}, FIRES, {}, "it fires (dispatched)"),
        ({"verdict": "disabled"}, QUIET, None, "the verdict is filter_false, not disabled"),
        ({"reason": "`$.b`"}, QUIET, None, 'without "`$.b`"'),
        ({"inputs": {"a": "1"}}, FIRES, {"a": 1}, 'the input «a» is 1, not "1"'),
        ({"inputs": {"a": True}}, FIRES, {"a": 1}, "the input «a» is 1, not true"),
        ({"inputs": {"compny": 1}}, FIRES, {"company": 1}, "there is no input «compny» (did you mean «company»?)"),
        ({"inputs": {"a": 1}}, QUIET, None, "there are no inputs: it does not fire (filter_false)"),
    ],
)
def test_what_is_not_as_expected_is_told(expect, verdict, inputs, said):
    (difference,) = the_test(expect).differences(verdict, inputs)

    assert said in difference


def test_a_test_without_a_name_has_its_number():
    assert [
        test.name
        for test in load_tests([{"event": {}, "expect": {"fires": True}, "name": "a"}, {"event": {}, "expect": {"fires": True}}])
    ] == [
        "a",
        "test 2",
    ]


def test_values_are_the_same_as_json_has_them():
    assert same({"a": [1, None]}, {"a": [1.0, None]})
    assert not any(same(left, right) for left, right in [(True, 1), (0, False), ("1", 1), ([1], [1, 2]), ({}, []), (None, False)])


def test_too_many_tests_are_refused():
    with pytest.raises(DefinitionError, match="at most 1,000"):
        load_tests([{}] * 1001)
