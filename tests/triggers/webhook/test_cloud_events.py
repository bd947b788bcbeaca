"""CloudEvents: what the specification says, what its SDK for Python says, and what is refused."""

from __future__ import annotations

import base64
import json

import pytest

from triggers.source import Accepted, Unavailable

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
EVENT = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}


def structured(**changes):
    return json.dumps({name: value for name, value in {**EVENT, **changes}.items() if value is not ...}).encode()


def binary(**changes):
    attributes = {**EVENT, **changes}
    return {f"ce_{name}": value for name, value in attributes.items() if value is not ...}


async def test_a_structured_event_lends_the_document_its_names(listening):
    world = await listening()

    status, said, _ = await world.send(
        structured(
            subject="s",
            time="2026-11-23T09:00:00+01:00",
            data={"a": 1},
            traceparent="00-ab",
            sampledrate=5,
            dataschema="http://x",
        ),
        content_type=f"{STRUCTURED}; charset=utf-8",
    )

    event, document = world.intake.events[0], world.document
    assert (status, said["event"]) == (202, event.id)
    assert [document[name] for name in ("id", "type", "source", "subject", "time")] == [
        "1",
        "t",
        "/s",
        "s",
        "2026-11-23T09:00:00+01:00",
    ]
    assert (document["body"], document["bodyType"]) == ({"a": 1}, "json")
    assert document["chain"] == {"id": event.id, "depth": 0}
    assert document["cloudEvent"] == {
        **EVENT,
        "subject": "s",
        "time": "2026-11-23T09:00:00+01:00",
        "dataschema": "http://x",
        "traceparent": "00-ab",
        "sampledrate": 5,
    }
    assert (event.subject, event.address) == ("s", "/a")
    assert document["trigger"]["type"] == "webhook"
    assert document["trigger"]["firedAt"].endswith("Z")


async def test_an_event_without_a_time_or_subject_has_the_time_at_which_it_came(listening):
    world = await listening()

    await world.send(structured(), content_type=STRUCTURED)

    assert world.document["time"] == world.document["trigger"]["firedAt"]
    assert world.document["subject"] is None
    assert (world.document["body"], world.document["bodyType"]) == (None, "empty")


async def test_an_event_in_headers_is_the_same_event(listening):
    world = await listening()

    await world.send(
        b'{"a": 1}',
        content_type="application/json",
        **binary(subject="Euro%20%e2%82%ac%20%F0%9F%98%80", comment='"a \\"quoted\\" %41"', percent="100%25"),
    )

    assert world.document["subject"] == "Euro € 😀"
    assert world.document["body"] == {"a": 1}
    assert world.document["cloudEvent"] == {
        **EVENT,
        "subject": "Euro € 😀",
        "comment": 'a "quoted" A',
        "percent": "100%",
        "datacontenttype": "application/json",
    }


@pytest.mark.parametrize(
    ("data", "body", "form"),
    [
        ({"data": {"a": 1}}, {"a": 1}, "json"),
        ({"data": "text"}, "text", "json"),
        ({"data": None}, None, "empty"),
        ({"data": [1], "datacontenttype": "text/xml"}, [1], "json"),
        ({"data": "<a/>", "datacontenttype": "text/xml"}, "<a/>", "xml"),
        ({"data": "é", "datacontenttype": "text/plain; charset=latin-1"}, "é", "text"),
        ({"data": "a=1&a=2", "datacontenttype": "application/x-www-form-urlencoded"}, {"a": ["1", "2"]}, "form"),
        ({"data": "x", "datacontenttype": "application/unknown"}, "x", "text"),
        ({"data": '"x"', "datacontenttype": "application/json"}, '"x"', "json"),
        ({"data_base64": "/w==", "datacontenttype": "image/png"}, "/w==", "binary"),
        ({"data_base64": base64.b64encode(b'{"a": 1}').decode(), "datacontenttype": "application/json"}, {"a": 1}, "json"),
        (
            {"data_base64": base64.b64encode("é".encode("latin-1")).decode(), "datacontenttype": "text/plain; charset=latin-1"},
            "é",
            "text",
        ),
        ({"data_base64": ""}, None, "empty"),
    ],
)
async def test_the_data_of_an_event_is_read_by_its_type(listening, data, body, form):
    world = await listening()

    assert await world.body_of(structured(**data), content_type=STRUCTURED) == (body, form)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        *[({name: ...}, f"the attribute {name} is missing") for name in EVENT],
        *[({name: None}, f"the attribute {name} is missing") for name in EVENT],
        *[({name: ""}, f"the attribute {name} is empty") for name in EVENT],
        ({"id": 1}, "the attribute id is a number, and has to be text"),
        ({"source": {}}, "the attribute source is an object"),
        ({"type": True}, "the attribute type is a truth value"),
        ({"specversion": "0.3"}, "specversion '0.3' is not read"),
        ({"specversion": 1.0}, "the attribute specversion is a number"),
        ({"subject": ""}, "the attribute subject is empty"),
        ({"datacontenttype": "json"}, "datacontenttype 'json' is no media type"),
        ({"id": "a\nb"}, "control character"),
        ({"ext": "a\u0085"}, "control character"),
        ({"my_ext": "x"}, "'my_ext' has a name"),
        ({"Ext": "x"}, "'Ext' has a name"),
        ({"": "x"}, "has a name"),
        ({"ext": [1]}, "the attribute ext is a list"),
        ({"ext": 1.5}, "the attribute ext is a number"),
        ({"ext": 2**31}, "integer of 32 bits"),
        ({"data": 1, "data_base64": "eA=="}, "both data and data_base64"),
        ({"data_base64": "%"}, "data_base64 is not base64"),
        ({"data_base64": "é"}, "data_base64 is not base64"),
        ({"data_base64": 1}, "data_base64 is no text"),
        *[
            ({"time": time}, "is no RFC 3339 timestamp")
            for time in (
                *(
                    "yesterday",
                    "2026-11-23",
                    "2026-11-23T09:00:00",
                    "2026-11-23 09:00:00Z",
                    "2026-13-01T00:00:00Z",
                    "2026-02-30T00:00:00Z",
                ),
                *("2026-11-23T24:00:00Z", "2026-11-23T09:00:00+25:00", "２026-11-23T09:00:00Z", "2026-11-23T09:00:00.Z", "1764"),
            )
        ],
    ],
)
async def test_an_attribute_that_is_wrong_is_named(listening, changes, said):
    world = await listening()

    status, answer, _ = await world.send(structured(**changes), content_type=STRUCTURED)

    assert (status, answer["error"]["code"]) == (400, "BAD_CLOUDEVENT")
    assert said in answer["error"]["message"]
    assert world.intake.events == []


@pytest.mark.parametrize(
    "time", ["2026-11-23T09:00:00Z", "2026-11-23t09:00:00.123456789z", "2016-12-31T23:59:60Z", "2026-11-23T09:00:00-00:00"]
)
async def test_timestamps_are_those_of_rfc_3339(listening, time):
    world = await listening()

    assert (await world.send(structured(time=time), content_type=STRUCTURED))[0] == 202
    assert world.document["time"] == time


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        (binary(id=...), "the attribute id is missing"),
        (binary(specversion=...), "the attribute specversion is missing"),
        (binary(specversion="2.0"), "specversion '2.0'"),
        (binary(time="now"), "RFC 3339"),
        (binary(subject="%C0%A0"), "ce-subject is not UTF-8"),
        (binary(subject="%00"), "control character"),
        ({**binary(), "ce-my-ext": "x"}, "'my-ext' has a name"),
    ],
)
async def test_headers_that_are_no_event_are_refused(listening, headers, said):
    world = await listening()

    status, answer, _ = await world.send(b"{}", **headers)

    assert (status, answer["error"]["code"]) == (400, "BAD_CLOUDEVENT")
    assert said in answer["error"]["message"]


async def test_an_attribute_that_came_twice_is_refused(listening):
    world = await listening()
    head = b"POST /hooks/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n"
    headers = b"".join(b"ce-%s: %s\r\n" % (name.encode(), value.encode()) for name, value in EVENT.items())

    answered = await world.raw(head + headers + b"CE-ID: 2\r\n\r\n")

    assert answered.startswith(b"HTTP/1.1 400 ")
    assert b"the header ce-id came twice" in answered


async def test_a_request_that_only_has_some_header_of_that_prefix_is_no_cloud_event(listening):
    world = await listening()

    assert (await world.send(b"{}", ce_debug="1"))[0] == 202
    assert "cloudEvent" not in world.document


async def test_a_batch_is_several_events_handed_in_together(listening):
    world = await listening()
    world.intake.answer = lambda event: Accepted(event.id, ("run_1",) if event.document["id"] == "2" else (), {"a": "dispatched"})
    batch = [{**EVENT, "id": "1", "data": 1}, {**EVENT, "id": "2", "data": {"b": 2}}]

    status, said, _ = await world.send(json.dumps(batch), content_type=BATCHED)

    assert status == 202
    assert said == {
        "events": [
            {"event": world.intake.events[0].id, "runs": [], "verdicts": {"a": "dispatched"}},
            {"event": world.intake.events[1].id, "runs": ["run_1"], "verdicts": {"a": "dispatched"}},
        ]
    }
    assert [event.document["body"] for event in world.intake.events] == [1, {"b": 2}]
    assert len({event.document["chain"]["id"] for event in world.intake.events}) == 2
    assert world.intake.together_sizes == [2]


async def test_an_empty_batch_is_legal_and_a_batch_that_makes_no_run_is_200(listening):
    world = await listening()

    assert (await world.send(b"[]", content_type=BATCHED))[:2] == (200, {"events": []})
    world.intake.answer = lambda event: Accepted(event.id, (), {})
    assert (await world.send(json.dumps([EVENT]), content_type=BATCHED))[0] == 200


def batch(**second):
    return json.dumps([EVENT, {**EVENT, "id": "2", **second}]).encode()


@pytest.mark.parametrize(
    ("raw", "status", "code", "said"),
    [
        (b"", 400, "BAD_CLOUDEVENT", "list"),
        (b"{}", 400, "BAD_CLOUDEVENT", "list"),
        (b"[1]", 400, "BAD_CLOUDEVENT", "event 0 of the batch: it is no JSON object"),
        (json.dumps([EVENT, {**EVENT, "time": "x"}]).encode(), 400, "BAD_CLOUDEVENT", "event 1 of the batch: time 'x'"),
        (batch(data_base64="ew=="), 400, "BAD_JSON", "the data of event 1 of the batch is not JSON: Expecting property name"),
        (batch(data="\ud800", datacontenttype="text/plain"), 400, "BAD_TEXT", "the data of event 1 of the batch is not utf-8"),
        (batch(data_base64="eA==", datacontenttype="text/a; charset=b"), 415, "CHARSET", "event 1 of the batch: the charset b"),
        (json.dumps([EVENT] * 6).encode(), 413, "TOO_MANY_EVENTS", "6 events"),
        (b"[", 400, "BAD_JSON", ""),
    ],
)
async def test_a_batch_in_which_one_is_wrong_is_refused_whole(listening, raw, status, code, said):
    world = await listening(max_events=5)

    got, answer, _ = await world.send(raw, content_type=BATCHED)

    assert (got, answer["error"]["code"]) == (status, code)
    assert said in answer["error"]["message"]
    assert world.intake.events == []


async def test_a_batch_of_which_one_cannot_be_made_durable_is_answered_503(listening):
    world = await listening()

    def fail(event):
        if event.document["id"] == "2":
            raise Unavailable("the disk is full", retry_after_s=7)
        return Accepted(event.id, (), {})

    world.intake.answer = fail
    status, _, response = await world.send(json.dumps([EVENT, {**EVENT, "id": "2"}]), content_type=BATCHED)

    assert (status, response.headers["Retry-After"], world.intake.events) == (503, "7", [])


async def test_source_and_id_are_an_event_s_cause_at_one_hook(listening):
    world = await listening({}, {"key": "b", "path": "/b"})

    await world.send(structured(), content_type=STRUCTURED)
    await world.send(None, **binary())
    await world.send(structured(), content_type=STRUCTURED, path="/b")

    one, same, elsewhere = (event.cause for event in world.intake.events)
    assert one == same
    assert (one.key, one.ttl_s) == ("/s\n1", 86_400)
    assert one.scope != elsewhere.scope


async def test_who_fails_a_trigger_s_auth_does_not_take_an_event_s_identity(listening):
    world = await listening({"auth": {"type": "bearer", "secret": {"env": "TOKEN"}}}, {"key": "open"})

    await world.send(structured(), content_type=STRUCTURED)
    await world.send(structured(), content_type=STRUCTURED, Authorization="Bearer tok")

    assert [event.cause is None for event in world.intake.events] == [True, False]


async def test_identities_may_be_switched_off(listening):
    world = await listening(identity_ttl_s=0)

    await world.send(structured(), content_type=STRUCTURED)

    assert world.intake.events[0].cause is None


async def test_attributes_that_look_like_secrets_are_not_stored(listening):
    world = await listening()

    await world.send(None, **binary(accesstoken="hush"))

    assert world.document["cloudEvent"]["accesstoken"] == "[redacted]"
    assert world.document["headers"]["ce-accesstoken"] == "[redacted]"
