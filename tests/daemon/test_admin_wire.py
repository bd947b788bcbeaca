"""The admin API's connections: what is no HTTP is answered, and neither quoted nor told as a fault of ours."""

from __future__ import annotations

import asyncio
import json

import pytest
from structlog.testing import capture_logs

from tests.daemon.test_admin import AUTHORIZED, TOKEN, get, served

POST = b"POST /v1/tests HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\n"


@pytest.mark.parametrize(
    "header",
    ["Authorization: Bearer sesame\x01", f"Authorization: Bearer {'sesame' * 2000}", "Authorization Bearer sesame"],
    ids=["control", "long", "none"],
)
async def test_a_request_that_is_no_http_is_answered_and_leaves_no_header_in_the_log(tmp_path, caplog, header):
    async with served(tmp_path, tcp=True) as where:
        reader, writer = await asyncio.open_connection(where.tcp.host, where.tcp.port)
        writer.write(f"GET /v1/status HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        after, _ = await get(where, "/healthz")

    error = json.loads(body)["error"]
    assert head.split(b"\r\n")[0] == b"HTTP/1.0 400 Bad Request"
    assert (error["code"], error["message"]) == ("BAD_REQUEST", "this is not a well-formed HTTP/1.1 request")
    assert "sesame" not in caplog.text + str(error)
    assert after == 200


@pytest.mark.parametrize(
    ("sent", "later"),
    [
        (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", b"zz\r\n"),
        (POST + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", b""),
        (POST + b"Expect: tea\r\nContent-Length: 3\r\n\r\n{}\n", b""),
        (b"POST /approvals/none HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", b""),
    ],
    ids=["a chunk that is none", "no gzip", "an expectation", "a stranger's gzip"],
)
async def test_a_broken_body_is_answered_at_once_and_is_no_fault_in_the_log(tmp_path, caplog, sent, later):
    with capture_logs() as logged:
        async with served(tmp_path, tcp=True) as where:
            reader, writer = await asyncio.open_connection(where.tcp.host, where.tcp.port)
            writer.write(sent)
            await writer.drain()
            await get(where, "/healthz")  # so that the rest comes in a piece of its own
            writer.write(later)
            head, _, body = (await asyncio.wait_for(reader.readuntil(b"}}"), 10)).partition(b"\r\n\r\n")
            writer.close()

    assert head.split()[1] in (b"400", b"503")  # no approvals are asked here
    assert json.loads(body)["error"]["code"] in ("BAD_REQUEST", "UNREACHABLE")
    assert [line["event"] for line in logged if line["log_level"] == "error"] == []
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def test_who_leaves_in_the_middle_of_a_body_is_no_fault_in_the_log(tmp_path, caplog):
    with capture_logs() as logged:
        async with served(tmp_path, tcp=True) as where:
            _, writer = await asyncio.open_connection(where.tcp.host, where.tcp.port)
            writer.write(POST + b"Content-Length: 30\r\n\r\n{")
            await writer.drain()
            await get(where, "/healthz")
            writer.transport.abort()
            await get(where, "/healthz")

    assert [line["event"] for line in logged if line["log_level"] == "error"] == []
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def test_half_a_character_and_a_long_number_reach_what_they_are_for(tmp_path):
    async with served(tmp_path, tcp=True) as where:
        told = {"key": "hook", "trigger": {"type": "webhook", "path": "/a"}, "flow": "greet", "inputMapping": {"x": "$.body"}}
        added, _ = await get(where, "/v1/triggers", "POST", json=told, headers=AUTHORIZED)
        event = json.dumps({"event": {"body": ["a\ud800", 2**70]}})
        status, tried = await get(where, "/v1/triggers/hook/test", "POST", data=event, headers=AUTHORIZED)

    assert (added, status) == (201, 200)
    assert tried["inputs"] == {"x": ["a\ud800", 2**70]}
