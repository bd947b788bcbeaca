"""The flow source: what a trigger may say, and the document of a run's end."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.errors import DefinitionError
from triggers.load import load_trigger
from triggers.match import TriggerSet, match
from triggers.sources.flow import FlowSource
from triggers.sources.flow_event import EndedRun, address, flow_document, run_event
from triggers.sources.flow_spec import FlowSettings, prepare

MAX_BYTES = 1000


def ended(**more):
    given = {
        "run": "run_1", "flow": "enrich", "status": "completed", "chain": "evt_0", "depth": 2, "trigger": "hook", "event": "evt_0",
        "inputs": {"n": 1}, "outputs": {"total": 5}, "error": None, "code": None, "failed_step": None,
        "started_at": 10.0, "finished_at": 11.5,
    }  # fmt: skip
    return EndedRun(**(given | more))


def follower(key="next", flow="enrich", filter_=None, **more):
    section = {"type": "flow", "flow": flow, **({} if filter_ is None else {"filter": filter_}), **more.pop("section", {})}
    return load_trigger({"key": key, "trigger": section, "flow": "then", **more}, key=None, file=None)


def test_one_flow_and_one_end_may_be_written_without_a_list():
    assert prepare({"flow": "a", "on": "failed"}) == prepare({"flow": ["a"], "on": ["failed"]})
    assert prepare({"flow": "a"}).on == ["completed"]
    assert prepare({"flow": ["a", "b", "a"], "on": ["failed", "failed"]}).flow == ["a", "b"]


def test_a_trigger_is_found_by_each_flow_and_each_end_it_follows():
    spec = prepare({"flow": ["a", "b"], "on": ["failed", "cancelled"]})

    assert FlowSource.addresses("k", spec) == ("a:failed", "a:cancelled", "b:failed", "b:cancelled")
    assert address("a", "failed") == "a:failed"


@pytest.mark.parametrize("section", [{}, {"flow": None}, {"flow": [[]]}, {"flow": "a", "on": "always"}, {"flow": "a", "on": {}}])
def test_what_is_no_section_is_refused(section):
    with pytest.raises(DefinitionError):
        prepare(section)


def test_an_end_becomes_an_event_one_deeper_in_the_chain():
    event = run_event(ended(), max_value_bytes=MAX_BYTES)

    assert (event.source, event.address, event.subject, event.time) == ("flow", "enrich:completed", "run_1", 11.5)
    assert event.document["chain"] == {"id": "evt_0", "depth": 3}
    assert (event.document["type"], event.document["source"]) == ("flow.completed", "flow:enrich")
    assert event.document["flow"] == {
        "key": "enrich", "status": "completed", "run": "run_1", "trigger": "hook", "event": "evt_0",
        "inputs": {"n": 1}, "outputs": {"total": 5}, "error": None, "errorCode": None, "failedStep": None,
        "startedAt": "1970-01-01T00:00:10.000Z", "finishedAt": "1970-01-01T00:00:11.500Z", "durationMs": 1500, "omitted": [],
    }  # fmt: skip


def test_a_trigger_without_a_mapping_hands_on_the_outputs_fields():
    triggers = TriggerSet([follower()])

    assert [
        match(triggers, run_event(ended(outputs=outputs), max_value_bytes=MAX_BYTES))[0].inputs for outputs in ({"a": 1}, [1])
    ] == [
        {"a": 1},
        {},
    ]


def test_each_trigger_reads_its_own_key_and_its_filter_decides():
    triggers = TriggerSet(
        [
            follower("yes", filter_="$.flow.outputs.total > 4", inputMapping={"me": "$.trigger.key", "all": "$.flow.outputs"}),
            follower("no", filter_="$.flow.outputs.total > 5"),
            follower("other-end", section={"on": ["failed"]}),
        ]
    )

    found = {one.verdict.trigger: one for one in match(triggers, run_event(ended(), max_value_bytes=MAX_BYTES))}

    assert found.keys() == {"yes", "no"}
    assert found["yes"].inputs == {"me": "yes", "all": {"total": 5}}
    assert "`$.flow.outputs.total` was `5`" in found["no"].verdict.reason


def test_of_outputs_that_are_too_large_the_fields_that_fit_stay_and_the_others_are_named():
    outputs = {"pages": ["x" * 100] * 20, "title": "a", "count": 3, "more": "y" * 2000}

    flow = flow_document(ended(outputs=outputs), max_value_bytes=MAX_BYTES)

    assert flow["outputs"] == {"title": "a", "count": 3}
    assert flow["omitted"] == ["outputs.pages", "outputs.more"]


@pytest.mark.parametrize("value", ["x" * 2000, ["x" * 2000], 10**2000])
def test_what_is_too_large_and_has_no_fields_is_null(value):
    flow = flow_document(ended(outputs=value, inputs={"big": value}), max_value_bytes=MAX_BYTES)

    assert (flow["outputs"], flow["inputs"], flow["omitted"]) == (None, {}, ["inputs.big", "outputs"])


def test_what_is_nested_too_deep_to_be_read_back_is_left_out():
    deep: list = []
    for _ in range(5000):
        deep = [deep]

    assert flow_document(ended(outputs=deep), max_value_bytes=MAX_BYTES)["omitted"] == ["outputs"]


def test_a_long_error_is_cut_and_said_to_be():
    flow = flow_document(
        ended(status="failed", error="e" * 10_000, code="EXIT_STATUS", failed_step="a"), max_value_bytes=MAX_BYTES
    )

    assert (len(flow["error"]), flow["omitted"], flow["errorCode"], flow["failedStep"]) == (4096, ["error"], "EXIT_STATUS", "a")


def test_a_run_that_never_began_has_no_duration():
    flow = flow_document(ended(status="cancelled", started_at=None), max_value_bytes=MAX_BYTES)

    assert (flow["startedAt"], flow["durationMs"]) == (None, None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=100, deadline=None)
@given(JSON, st.integers(0, 300))
def test_whatever_a_flow_gives_enters_an_event_within_its_limit(outputs, most):
    flow = flow_document(ended(outputs=outputs), max_value_bytes=most)

    size = len(json.dumps(flow["outputs"], separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass"))
    assert size <= max(most, 4)  # null is what stands for nothing
    assert flow["outputs"] == outputs or flow["omitted"]


def test_the_settings_have_their_limits():
    assert (FlowSettings().max_depth, FlowSettings().max_runs) == (16, 1000)
