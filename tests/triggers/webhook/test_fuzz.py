"""Whatever comes as a body or over the wire: a value or a clear refusal, never a 500, never a hang."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import re
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triggers.bodies import BODIES, EMPTY, read_value
from triggers.bodies.content import FORMS, content_of
from triggers.bodies.header_value import split_value
from triggers.bodies.refused import Limits, Refused

TYPES = [
    *FORMS,
    *("text/csv", "image/png", "application/atom+xml", "application/x+json-seq", "application/octet-stream", "text/plain", ";;;"),
    *("multipart/form-data; boundary=X", "application/cloudevents+json", "application/cloudevents-batch+json"),
]
CHARSETS = [
    "",
    "; charset=latin-1",
    "; charset=utf-16",
    "; charset=shift_jis",
    "; charset=iso-2022-jp",
    '; charset="UTF-8"',
    "; charset=hex",
]
PIECES = [
    *(b"{", b"}", b"[", b"]", b'"', b":", b",", b"1", b"-", b"e9", b"9" * 20, b"\\ud800", b"\\", b"null", b"NaN"),
    *(
        b"--X",
        b"--X--",
        b"\r\n",
        b"\n",
        b"\r\n\r\n",
        b"Content-Disposition: form-data; name=",
        b"Content-Type: application/json",
        b"; filename*=utf-8''%ff",
    ),
    *(
        b"a=",
        b"&",
        b"%",
        b"%f",
        b"%00",
        b"+",
        b"\x1e",
        b"\xff\xfe",
        b"\xfe\xff",
        b"\xef\xbb\xbf",
        b"\x00",
        b"\x1b$B",
        b"<?xml encoding='",
        b"'?>",
    ),
]
bodies = st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=20).map(b"".join)
types = st.builds("".join, st.tuples(st.sampled_from(TYPES), st.sampled_from(CHARSETS)))


def take(raw, content_type):
    form, value = read_value(raw, content_of(content_type), Limits(max_depth=8, max_fields=5, max_parts=3))
    assert form in (*BODIES, EMPTY)
    json.dumps(value)


@settings(max_examples=400, deadline=None)
@given(bodies, types)
def test_a_body_is_a_json_value_or_refused(raw, content_type):
    with suppress(Refused):
        take(raw, content_type)


@pytest.mark.slow
@settings(max_examples=5_000, deadline=None)
@given(bodies, types | st.text(max_size=30))
def test_a_body_is_a_json_value_or_refused_at_length(raw, content_type):
    with suppress(Refused):
        take(raw, content_type)


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from('a=; "\\é\udcff'), max_size=40))
def test_a_header_of_parameters_is_always_read(text):
    value, parameters = split_value(text)

    assert isinstance(value, str)
    assert all(name == name.lower() for name in parameters)


HEAD = b"POST /hooks/a HTTP/1.1\r\nHost: x\r\n"


async def test_a_chunked_body_may_end_with_trailers(listening):
    world = await listening()
    chunks = b'4;name=value\r\n{"a"\r\n4\r\n: 1}\r\n0\r\nX-Digest: abc\r\n\r\n'

    answered = await world.raw(HEAD + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)

    assert answered.startswith(b"HTTP/1.1 202 ")
    assert (world.document["body"], "x-digest" in world.document["headers"]) == ({"a": 1}, False)


async def test_requests_of_every_form_in_one_go_are_answered_in_order(listening):
    world = await listening({"methods": ["GET", "POST"]})
    packed = gzip.compress(b"[1]", mtime=0)

    def post(headers, body):
        return HEAD + headers + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    answered = await world.raw(
        post(b"Content-Type: application/x-www-form-urlencoded", b"a=1")
        + post(b"Content-Encoding: gzip", packed)
        + b"HEAD /hooks/a HTTP/1.1\r\nHost: x\r\n\r\n"
        + b"OPTIONS /hooks/a HTTP/1.1\r\nHost: x\r\n\r\n"
        + post(b"Content-Encoding: br", b"x")
        + post(b"Content-Type: image/png\r\nConnection: close", b"\x00")
    )

    statuses = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answered)]
    assert statuses == [202, 202, 200, 200, 415, 202]
    assert [event.document["body"] for event in world.intake.events] == [{"a": "1"}, [1], "AA=="]


async def test_a_request_that_is_cut_anywhere_makes_no_event(listening):
    world = await listening(body_timeout_s=0.2, header_timeout_s=0.2)
    body = b'--X\r\nContent-Disposition: form-data; name="a"\r\n\r\nvalue\r\n--X--\r\n'
    whole = HEAD + b"Content-Type: multipart/form-data; boundary=X\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    answers = await asyncio.gather(*(world.raw(whole[:cut]) for cut in range(len(whole))))

    assert world.intake.events == []
    assert {answer[:12] for answer in answers} == {b"HTTP/1.1 408"}


async def test_the_listener_answers_no_500_to_random_requests_with_bodies(listening):
    world = await listening({"methods": ["GET", "POST"]}, body_timeout_s=0.1, header_timeout_s=0.1, keepalive_timeout_s=0.1)
    chance = random.Random(11)
    headers = [
        *(
            b"Content-Encoding: gzip\r\n",
            b"Content-Encoding: deflate, gzip\r\n",
            b"ce-id: 1\r\n",
            b"ce-specversion: 1.0\r\n",
            b"ce-time: \xff\r\n",
        ),
        *(
            b"Transfer-Encoding: chunked\r\n",
            b"Expect: 100-continue\r\n",
            b"WebHook-Request-Origin: x\r\n",
            b"Connection: close\r\n",
        ),
        *(b"Content-Type: %s\r\n" % each.encode() for each in TYPES if each),
    ]

    def request():
        body = b"".join(chance.choices([*PIECES, gzip.compress(b"{}", mtime=0)], k=chance.randint(0, 6)))
        length = len(body) + chance.choice([0, 0, 0, 1, -1])
        method = chance.choice([b"POST", b"POST", b"GET", b"HEAD", b"OPTIONS"])
        chosen = b"".join(chance.choices(headers, k=chance.randint(0, 4)))
        return (
            method + b" /hooks/a?x=%ff HTTP/1.1\r\nHost: x\r\n" + chosen + b"Content-Length: %d\r\n\r\n" % max(0, length) + body
        )

    async def throw():
        with suppress(ConnectionError):
            return await world.raw(request())
        return b""

    answers = await asyncio.gather(*(throw() for _ in range(200)))

    assert not [answer for answer in answers if b"HTTP/1.1 500" in answer]
    assert {answer[9:12] for answer in answers} >= {b"202", b"400"}
    assert (await world.send(b"{}"))[0] == 202
