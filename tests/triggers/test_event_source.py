"""The event source: what a trigger may say, the document of an event that a step gave, and how it matches."""

from __future__ import annotations

import json

import pytest

from flows.errors import DefinitionError
from triggers.load import load_trigger
from triggers.match import TriggerSet, match
from triggers.sources.event import EventSource
from triggers.sources.event_document import Given, emitted_event
from triggers.sources.event_spec import prepare


def given(**more):
    told = {
        "name": "deal.enriched", "data": {"total": 5}, "subject": None, "flow": "enrich", "run": "run_1", "step": "each[0].tell",
        "chain": "evt_0", "depth": 2, "idempotency_key": "run_1:each[0].tell",
    }  # fmt: skip
    return Given(**(told | more))


def hears(name="deal.enriched", key="next", filter_=None, **more):
    section = {"type": "event", "name": name, **({} if filter_ is None else {"filter": filter_})}
    return load_trigger({"key": key, "trigger": section, "flow": "then", **more}, key=None, file=None)


def found(event, *triggers):
    return {each.trigger.key: each for each in match(TriggerSet(triggers), event)}


def test_one_name_may_be_written_without_a_list_and_each_is_an_address():
    assert prepare({"name": "a"}) == prepare({"name": ["a", "a"]})
    assert EventSource.addresses("k", prepare({"name": ["a", "b.c"]})) == ("a", "b.c")


@pytest.mark.parametrize(
    ("section", "place"),
    [
        ({}, ("trigger", "name")),
        ({"name": None}, ("trigger", "name")),
        ({"name": []}, ("trigger", "name")),
        ({"name": "deal.*"}, ("trigger", "name")),
        ({"name": ["a", "b c"]}, ("trigger", "name", 1)),
        ({"name": ["a", 5]}, ("trigger", "name", 1)),
        ({"name": "a", "nmae": "b"}, ("trigger", "nmae")),
    ],
)
def test_what_is_no_section_is_refused_at_its_place(section, place):
    with pytest.raises(DefinitionError) as refused:
        load_trigger({"key": "k", "trigger": {"type": "event", **section}, "flow": "then"}, key=None, file=None)

    assert [problem.path for problem in refused.value.problems] == [place]


def test_a_section_with_a_name_alone_is_told_its_type():
    with pytest.raises(DefinitionError, match='add "type": "event"'):
        load_trigger({"key": "k", "trigger": {"name": "a"}, "flow": "then"}, key=None, file=None)


def test_what_a_step_gave_becomes_an_event_one_deeper_in_the_chain_that_happens_once():
    event = emitted_event(given(), now=1_795_856_400.25)

    assert (event.source, event.address, event.subject) == ("event", "deal.enriched", "run_1")
    assert (event.cause.scope, event.cause.key, event.cause.ttl_s) == ("emit", "run_1:each[0].tell", None)
    assert event.document == {
        "id": event.id,
        "type": "deal.enriched",
        "source": "flow:enrich",
        "time": "2026-11-28T09:00:00.250Z",
        "subject": "run_1",
        "trigger": {"type": "event", "firedAt": "2026-11-28T09:00:00.250Z"},
        "chain": {"id": "evt_0", "depth": 3},
        "body": {"total": 5},
        "flow": {"key": "enrich", "run": "run_1", "step": "each[0].tell"},
    }
    json.dumps(event.document)


def test_a_subject_of_its_own_stands_in_the_document_and_the_row_keeps_the_run():
    event = emitted_event(given(subject="deal 5"), now=0.0)

    assert (event.document["subject"], event.subject) == ("deal 5", "run_1")


def test_triggers_are_found_by_the_name_filtered_and_mapped():
    event = emitted_event(given(), now=0.0)

    by_key = found(
        event,
        hears(["x", "deal.enriched"], "plain"),
        hears(key="large", filter_="$.body.total > 100"),
        hears("deal", key="other"),
        hears(key="mapped", inputMapping={"n": "$.body.total", "from": "$.flow.key", "me": "$.trigger.key"}),
    )

    assert by_key.keys() == {"plain", "large", "mapped"}
    assert by_key["plain"].inputs == {"total": 5}
    assert by_key["large"].verdict.verdict == "filter_false"
    assert by_key["mapped"].inputs == {"n": 5, "from": "enrich", "me": "mapped"}


@pytest.mark.parametrize("data", [None, "text", [1]])
def test_without_a_mapping_what_is_no_object_gives_no_inputs(data):
    assert found(emitted_event(given(data=data), now=0.0), hears())["next"].inputs == {}
