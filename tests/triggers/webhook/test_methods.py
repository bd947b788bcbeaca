"""Methods, queries and handshakes: what is an event, what is an answer alone."""

from __future__ import annotations

import json

import pytest

from triggers.source import Accepted, Unavailable

BEARER = {"type": "bearer", "secret": {"env": "TOKEN"}}


async def test_a_hook_for_get_is_fired_by_its_query(listening):
    world = await listening({"methods": ["get"]})

    status, _, _ = await world.send(method="GET", path="/a?tag=x&tag=y&tag=z&name=caf%C3%A9&flag&token=1&token=2")

    assert status == 202
    assert world.document["query"] == {"tag": ["x", "y", "z"], "name": "café", "flag": "", "token": ["[redacted]"] * 2}
    assert (world.document["method"], world.document["body"], world.document["bodyType"]) == ("GET", None, "empty")


async def test_too_many_fields_of_a_query_are_refused(listening):
    world = await listening(max_fields=3)

    assert (await world.send(path="/a?" + "&".join("abc")))[0] == 202
    assert await world.refused(None, path="/a?" + "&".join("abcd")) == (400, "QUERY")


async def test_head_is_answered_where_get_is_taken_and_is_no_event(listening):
    world = await listening({"methods": ["GET", "POST"]}, {"key": "b", "path": "/post"})
    head = b"HEAD /hooks/%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    taken = await world.raw(head % b"a")
    not_taken = await world.raw(head % b"post")

    assert taken.startswith(b"HTTP/1.1 200 OK\r\n")
    assert taken.endswith(b"\r\n\r\n")
    assert b"Content-Length" not in taken  # of what GET would be told nothing is known
    assert not_taken.startswith(b"HTTP/1.1 405 ")
    assert not_taken.endswith(b"\r\n\r\n")
    assert world.intake.events == []


async def test_head_tells_whether_the_sender_is_known(listening):
    world = await listening({"methods": ["GET"], "auth": BEARER})

    assert (await world.send(method="HEAD", Authorization="Bearer tok"))[0] == 200
    assert (await world.send(method="HEAD", Authorization="Bearer wrong"))[0] == 401
    assert world.intake.events == []


async def test_options_tells_the_methods_and_lets_no_browser_s_script_in(listening):
    world = await listening({"methods": ["GET", "POST"], "auth": BEARER})

    status, said, response = await world.send(
        method="OPTIONS", Origin="https://evil.example", Access_Control_Request_Method="POST"
    )

    assert (status, said) == (200, {"allow": ["GET", "HEAD", "OPTIONS", "POST"]})
    assert response.headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    assert not [name for name in response.headers if name.lower().startswith("access-control")]
    assert world.intake.events == []


async def test_the_handshake_of_cloudevents_webhooks_is_consented_to_where_post_is_taken(listening):
    world = await listening({}, {"key": "b", "path": "/get", "methods": ["GET"]})
    asked = {"WebHook_Request_Origin": "eventemitter.example.com", "WebHook_Request_Rate": "120"}

    status, _, response = await world.send(method="OPTIONS", **asked)
    _, _, elsewhere = await world.send(method="OPTIONS", path="/get", **asked)
    unknown, _, _ = await world.send(method="OPTIONS", path="/nothing", **asked)
    malformed, said, _ = await world.send(method="OPTIONS", WebHook_Request_Origin="a b; c")

    assert (status, response.headers["WebHook-Allowed-Origin"]) == (200, "eventemitter.example.com")
    assert (response.headers["WebHook-Allowed-Rate"], response.headers["Allow"]) == ("*", "OPTIONS, POST")
    assert "WebHook-Allowed-Origin" not in elsewhere.headers
    assert unknown == 404
    assert (malformed, said["error"]["code"]) == (400, "ORIGIN")


SLACK = json.dumps({"token": "t", "challenge": "3eZbrw1aB10", "type": "url_verification"}).encode()


async def test_slack_has_its_challenge_back_and_its_question_starts_nothing(listening):
    world = await listening({}, {"key": "b"}, {"key": "c", "methods": ["PUT"]})

    status, said, _ = await world.send(SLACK, content_type="application/json")

    assert (status, said) == (200, {"challenge": "3eZbrw1aB10"})
    (event,) = world.intake.events
    assert event.document["body"]["type"] == "url_verification"
    assert {key: name for key, (name, _) in event.withheld.items()} == dict.fromkeys("abc", "filter_false")
    assert "Slack" in event.withheld["a"][1]


async def test_slack_has_no_challenge_back_before_its_signature_is_verified(listening):
    world = await listening({"auth": BEARER})

    assert (await world.send(SLACK, content_type="application/json"))[0] == 401
    assert (await world.send(SLACK, content_type="application/json", Authorization="Bearer tok"))[1] == {
        "challenge": "3eZbrw1aB10"
    }


async def test_slack_is_asked_to_come_again_where_nothing_can_be_written(listening):
    world = await listening()

    def fail(event):
        raise Unavailable("the disk is full")

    world.intake.answer = fail

    assert (await world.send(SLACK, content_type="application/json"))[0] == 503


@pytest.mark.parametrize(
    "body", [b'{"type": "url_verification"}', b'{"type": "url_verification", "challenge": 1}', b'{"type": "x", "challenge": "y"}']
)
async def test_what_is_no_challenge_of_slack_is_an_event_like_any_other(listening, body):
    world = await listening()
    world.intake.answer = lambda event: Accepted(event.id, (), {})

    status, said, _ = await world.send(body, content_type="application/json")

    assert (status, said["event"]) == (200, world.intake.events[0].id)
    assert world.intake.events[0].withheld == {}


async def test_a_method_in_lower_case_is_no_method(listening):
    world = await listening()

    assert (await world.raw(b"post /hooks/a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")).startswith(b"HTTP/1.1 4")
    assert world.intake.events == []
