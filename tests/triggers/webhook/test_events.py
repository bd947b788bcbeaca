"""The webhook source through a real listener: what becomes an event, and what the sender is told."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.triggers.webhook.hooks import opened, trigger
from triggers.bodies import BODIES
from triggers.bodies.content import content_of
from triggers.bodies.json_body import parse_json
from triggers.bodies.refused import Refused
from triggers.source import Accepted
from triggers.sources.webhook_path import decoded_parts


async def test_a_posted_object_becomes_an_event_and_202_names_its_run():
    async with opened(trigger("a")) as world:
        response, said = await world.send(data=b'{"company": "Acme"}', headers={"Content-Type": "application/json", "X-Id": "7"})

        assert response.status == 202
        event = world.intake.events[0]
        assert said == {"event": event.id, "runs": ["run_1"], "verdicts": {"a": "dispatched"}}
        assert (event.source, event.address) == ("webhook", "/deal-created")
        document = event.document
        assert document["body"] == {"company": "Acme"}
        assert document["headers"]["x-id"] == "7"
        assert document["id"] == event.id
        assert document["chain"] == {"id": event.id, "depth": 0}
        assert document["trigger"] == {"type": "webhook", "firedAt": document["time"]}
        assert document["time"].endswith("Z")
        assert (document["method"], document["path"], document["remote"]) == ("POST", "/deal-created", "127.0.0.1")
        assert document["query"] == document["params"] == {}


async def test_an_event_that_makes_no_run_is_answered_200():
    async with opened(trigger("a")) as world:
        world.intake.answer = lambda event: Accepted(event.id, (), {"a": "filter_false"})

        response, said = await world.send(data=b"{}")

        assert response.status == 200
        assert said["runs"] == []


async def test_a_duplicate_is_answered_200_with_the_earlier_event():
    async with opened(trigger("a")) as world:
        world.intake.answer = lambda event: Accepted("evt_earlier", ("run_0",), {}, duplicate=True)

        response, said = await world.send(data=b"{}")

        assert (response.status, said["event"], said["runs"]) == (200, "evt_earlier", ["run_0"])


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"", None),
        (b"[]", []),
        (b"null", None),
        (b'"text"', "text"),
        (b"12.5", 12.5),
        (b"\xef\xbb\xbf{}", {}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'"\\ud800"', "\ud800"),
        (b"18446744073709551616", 18446744073709551616),
        (b"[-123456789012345678901234567890]", [-123456789012345678901234567890]),
        (b"[1234567890123456789]", [1234567890123456789]),
        (b'{"\\u0000": "\\u0000"}', {"\x00": "\x00"}),
        (b"[" * 64 + b"]" * 64, json.loads("[" * 64 + "]" * 64)),
        (b'["' + b"[" * 300 + b'"]', ["[" * 300]),
        (b"[" + b"{}," * 300 + b"{}]", [{}] * 301),
    ],
)
async def test_every_json_value_arrives_as_it_was_sent(body, value):
    async with opened(trigger("a")) as world:
        response, _ = await world.send(data=body, headers={"Content-Type": "application/json"})

        assert response.status == 202
        assert world.document["body"] == value


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "BAD_JSON"),
        (b"{}x", "BAD_JSON"),
        (b"NaN", "BAD_JSON"),
        (b'{"a": Infinity}', "BAD_JSON"),
        (b"[1e999]", "BAD_JSON"),
        (b'"\xff"', "BAD_JSON"),
        (b'"\xed\xa0\x80"', "BAD_JSON"),
        (b"\x00\x01\x02", "BAD_JSON"),
        (b"[" + b"9" * 5000 + b"]", "BAD_JSON"),
        (b" ", "BAD_JSON"),
        (b"[" * 65 + b"]" * 65, "BODY_TOO_DEEP"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "BODY_TOO_DEEP"),
        (b"[" * 100_000 + b"]" * 100_000, "BODY_TOO_DEEP"),
        (b"[" * 500 + b'"\\ud800"' + b"]" * 500, "BODY_TOO_DEEP"),
    ],
)
async def test_a_body_that_is_no_json_is_answered_400_and_makes_no_event(body, code):
    async with opened(trigger("a")) as world:
        response, said = await world.send(data=body, headers={"Content-Type": "application/json"})

        assert (response.status, said["error"]["code"]) == (400, code)
        assert world.intake.events == []


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{}", 202),
        ("application/json; charset=UTF-8", b"{}", 202),
        ("Application/JSON", b"{}", 202),
        ("application/vnd.github+json", b"{}", 202),
        ("text/plain", b'{"a": 1}', 202),
        ("application/x-www-form-urlencoded", b" [1]", 202),
        ("application/xml", b"", 202),
        ("application/json; charset=nonsense", b"{}", 415),
        ("application/json; charset=hex", b"{}", 415),
        ("text/plain; charset=utf-7", b"+AHg-", 415),
        ("application/cloudevents+avro", b"x", 415),
        ("nonsense", b"{}", 202),
        ("application/octet-stream", b"{}", 202),
    ],
)
async def test_the_content_type_says_how_a_body_is_read(content_type, body, status):
    async with opened(trigger("a")) as world:
        response, _ = await world.send(data=body, headers={"Content-Type": content_type})

        assert response.status == status


async def test_a_coding_that_is_not_read_is_refused_with_those_that_are():
    async with opened(trigger("a")) as world:
        response, said = await world.send(data=b"x", headers={"Content-Encoding": "br"})

        assert (response.status, said["error"]["code"]) == (415, "CONTENT_ENCODING")
        assert response.headers["Accept-Encoding"] == "gzip, deflate"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/deal-created", 202),
        ("/deal-created/", 202),
        ("/deal%2Dcreated", 202),
        ("/deal-created?x=1", 202),
        ("/deal-created//", 404),
        ("//deal-created", 404),
        ("/Deal-created", 404),
        ("/./deal-created", 404),
        ("/x/../deal-created", 404),
        ("/deal%2", 404),
        ("/%ff", 404),
        ("/deal-created%00", 404),
        ("/other", 404),
        ("/%2Fdeal-created", 404),
        ("", 404),
    ],
)
async def test_a_hook_is_found_by_its_path_and_by_nothing_else(path, status):
    from yarl import URL

    async with opened(trigger("a")) as world:
        async with world.client.post(URL(f"{world.source.url}{path}", encoded=True)) as response:
            said = await response.json()

        assert response.status == status
        if status == 404:
            assert said["error"]["code"] == "NO_HOOK"
            assert "deal-created" not in json.dumps(said)


async def test_a_path_outside_of_hooks_is_not_found():
    async with opened(trigger("a")) as world, world.client.get(world.source.url.removesuffix("/hooks") + "/metrics") as response:
        assert response.status == 404


async def test_a_method_that_no_trigger_takes_is_answered_405_with_those_that_are():
    async with opened(trigger("a", methods=["POST", "put"])) as world:
        statuses = {method: (await world.send(method=method))[0].status for method in ("GET", "PATCH", "DELETE", "HEAD", "PUT")}
        response, said = await world.send(method="GET")

        assert statuses == {"GET": 405, "PATCH": 405, "DELETE": 405, "HEAD": 405, "PUT": 202}
        assert response.headers["Allow"] == "OPTIONS, POST, PUT"
        assert said["error"]["code"] == "METHOD"


async def test_a_trigger_that_does_not_take_the_method_is_withheld_while_its_neighbour_fires():
    async with opened(trigger("a"), trigger("b", methods=["PUT"])) as world:
        await world.send(method="PUT", data=b"{}")

        assert world.intake.events[0].withheld == {"a": ("filter_false", "it takes POST, and this was PUT")}


async def test_query_and_headers_are_kept_without_their_secrets():
    async with opened(trigger("a")) as world:
        await world.send(
            "/deal-created?a=1&a=2&b=&token=hush&caf%C3%A9=%F0%9F%98%80",
            data=b"{}",
            headers=[("Authorization", "Bearer x"), ("Cookie", "c=1"), ("X-Api-Key", "k"), ("X-Dup", "1"), ("X-Dup", "2")],
        )

        assert world.document["query"] == {"a": ["1", "2"], "b": "", "token": "[redacted]", "café": "😀"}
        headers = world.document["headers"]
        assert headers["x-dup"] == "1, 2"
        assert {headers[name] for name in ("authorization", "cookie", "x-api-key")} == {"[redacted]"}


async def test_too_many_query_fields_are_refused():
    async with opened(trigger("a")) as world:
        response, said = await world.send("/deal-created?" + "&".join(f"a{n}" for n in range(1100)), data=b"{}")

        assert (response.status, said["error"]["code"]) == (400, "QUERY")


@settings(max_examples=200)
@given(
    st.text(max_size=40)
    | st.sampled_from(
        ["application/json;", "a/b; charset*=x''y", "text/plain; charset=\udcff", ";;;", 'application/json; charset="utf-8"']
    )
)
def test_no_content_type_makes_the_reader_raise(content_type):
    content = content_of(content_type)

    assert content.form in BODIES
    assert content.charset is None or "x".encode(content.charset)


@settings(max_examples=200)
@given(st.text(max_size=30))
def test_no_path_makes_the_reader_raise_and_what_is_found_is_plain(path):
    parts = decoded_parts(path)

    assert parts is None or not {"", ".", ".."} & set(parts)


@settings(max_examples=200)
@given(st.binary(max_size=60) | st.text('[]{}":,0123456789eE.-+ntf\\u', max_size=60).map(str.encode))
def test_a_body_is_json_as_the_standard_library_has_it_or_refused(raw):
    try:
        said = json.dumps(parse_json(raw, max_depth=64))
    except Refused as refused:
        said = refused.answer.status

    assert said == 400 or said == json.dumps(json.loads(raw))
