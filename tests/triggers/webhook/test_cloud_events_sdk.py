"""CloudEvents of the real SDK, read as it wrote them, and random ones: what we take it takes, and nothing raises."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

from cloudevents.core.bindings import http as sdk
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent as SdkEvent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.triggers.webhook.test_cloud_events import BATCHED, EVENT, STRUCTURED
from triggers.bodies.content import content_of
from triggers.bodies.refused import Limits, Refused
from triggers.cloud_events import in_headers, of_headers, read_batch, read_structured

attribute_text = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
instants = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-3.5))]))
sdk_attributes = st.fixed_dictionaries(
    {"id": attribute_text, "source": attribute_text, "type": attribute_text},
    optional={
        "subject": attribute_text,
        "time": instants,
        "dataschema": attribute_text,
        "ext1": attribute_text,
        "ext2": st.integers(-(2**31), 2**31 - 1),
        "ext3": st.booleans(),
    },
)
data = st.dictionaries(st.text(max_size=5), json_values, max_size=3)


def as_sent(value):
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sdk_attributes, data)
def test_what_the_sdk_writes_is_read_alike_in_both_modes(attributes, value):
    event = SdkEvent({**attributes, "datacontenttype": "application/json"}, value)
    written = {name: as_sent(each) for name, each in event.get_attributes().items()}
    one, other = sdk.to_structured(event, JSONFormat()), sdk.to_binary(event, JSONFormat())

    read = read_structured(one.body, content_of(one.headers["content-type"]), Limits())
    of_binary = of_headers(other.headers.items(), other.headers["content-type"])
    batch = read_batch(b"[" + one.body + b"," + one.body + b"]", content_of(BATCHED), Limits())

    assert read.attributes == written
    assert read.data == value
    assert in_headers({name.lower(): each for name, each in other.headers.items()})
    assert of_binary == {name: each if isinstance(each, str) else str(each) for name, each in written.items()}
    assert batch == [read, read]


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*EVENT, "time", "subject", "datacontenttype", "data", "data_base64", "ext", "my_ext", "a" * 30]),
        st.sampled_from(["1.0", "x", "", "2026-11-23T09:00:00Z", "eA==", "text/plain", None, 1, 1.5, True, [], {}, "\n"]),
        max_size=9,
    )
)
def test_what_we_take_the_sdk_takes_and_understands_alike(event):
    event = {"specversion": "1.0", "id": "1", "source": "s", **event}
    raw = json.dumps(event).encode()
    try:
        ours = read_structured(raw, content_of(STRUCTURED), Limits())
    except Refused as refused:
        said = json.loads(refused.answer.body)["error"]["code"]
        if said not in ("BAD_CLOUDEVENT", "BAD_TEXT", "BAD_JSON"):
            raise
        return

    theirs = JSONFormat().read(SdkEvent, json.dumps({name: value for name, value in event.items() if value is not None}).encode())

    assert {
        name: as_sent(value) for name, value in theirs.get_attributes().items() if name != "data_base64"
    } == ours.attributes | ({} if "time" in ours.attributes else {"time": as_sent(theirs.get_time())})


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["ce-id", "CE-Source", "ce-type", "ce-specversion", "ce-time", "ce-", "ce-é", "x"]), st.text(max_size=10)
    ),
    st.text(max_size=10),
)
def test_no_headers_make_the_reader_raise_anything_but_a_refusal(headers, content_type):
    try:
        found = of_headers(headers.items(), content_type)
    except Refused as refused:
        said = json.loads(refused.answer.body)["error"]["code"]
        if said != "BAD_CLOUDEVENT":
            raise
        return
    assert set(EVENT) <= set(found)
