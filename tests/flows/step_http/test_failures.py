"""HTTP exchanges that end otherwise than they should: broken answers, no answers, limits, redirects and cancels."""

from __future__ import annotations

import asyncio
import gzip
import socket
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from flows.step import Scope
from flows.steps.http_request import Http, HttpSettings, HttpSpec
from tests.flows.step_http.exchanging import failure, listening, load


async def test_an_answer_that_is_too_large_is_not_read_on(http, server):
    server.answers = [web.Response(body=b"x" * 1001)]

    error = await failure(http({"url": server.url, "maxBytes": 1000}))

    assert error.code == "TOO_LARGE"


async def test_what_a_compressed_answer_grows_to_counts(http, server):
    packed = gzip.compress(b"x" * 10_000_000)
    server.answers = [web.Response(body=packed, headers={"Content-Encoding": "gzip"})]

    error = await failure(http({"url": server.url, "maxBytes": 100_000}))

    assert error.code == "TOO_LARGE"


async def test_an_answer_of_exactly_the_limit_passes(http, server):
    server.answers = [web.Response(body=b"x" * 1000, content_type="text/plain")]

    assert len((await http({"url": server.url}, max_bytes=1000)).value) == 1000


async def test_a_server_that_does_not_answer_ends_the_attempt_as_failed(http):
    async def silent(reader: Any, writer: Any) -> None:
        await reader.read()
        writer.close()

    listener, url = await listening(silent)
    async with listener:
        error = await failure(http({"url": url, "timeout": 50}))

    assert (error.code, error.timed_out) == ("TIMEOUT", False)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"", "CONNECTION_LOST"),
        (b"nonsense\r\n\r\n", "BAD_RESPONSE"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "CONNECTION_LOST"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nhalf", "BAD_RESPONSE|CONNECTION_LOST"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "BAD_RESPONSE"),
        (b"HTTP/1.1 301 Moved\r\nLocation: http://[bad\r\nContent-Length: 0\r\n\r\n", "BAD_URL"),
        (b"HTTP/1.1 200 OK\r\nX-A: \xff\xfe\r\nContent-Length: 0\r\n\r\n", "ok"),
    ],
)
async def test_answers_that_are_broken_end_with_a_code(http, said, code):
    async def broken(reader: Any, writer: Any) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()
        writer.close()

    listener, url = await listening(broken)
    async with listener:
        if code == "ok":
            assert (await http({"url": url})).response["status"] == 200
        else:
            assert (await failure(http({"url": url}))).code in code.split("|")


async def test_a_port_that_nobody_listens_on_is_a_failed_connection(http):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/x?key=hidden"
        error = await failure(http({"url": "$.url"}, {"url": url}))

    assert (error.code, error.retryable) == ("CONNECT_FAILED", True)
    assert "ECONNREFUSED" in str(error)
    assert "hidden" not in str(error)


async def test_a_server_without_tls_is_no_secure_connection(http, server):
    error = await failure(http({"url": server.url.replace("http://", "https://")}))

    assert error.code == "TLS_FAILED"


async def test_redirects_are_followed_for_get(http, server):
    server.answers = [
        web.Response(status=302, headers={"Location": "/b"}),
        web.Response(status=301, headers={"Location": "c?d=1"}),
    ]

    output = await http({"url": f"{server.url}/a"})

    assert output.value == {"ok": True}
    assert [seen["target"] for seen in server.seen] == ["/a", "/b", "/c?d=1"]


async def test_redirects_are_not_followed_for_post_unless_it_is_said(http, server):
    server.answers = [web.Response(status=303, headers={"Location": "/b"})]

    error = await failure(http({"url": server.url, "method": "POST", "body": 1}))

    assert error.status == 303
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("status", "method", "body"), [(303, "GET", b""), (302, "GET", b""), (307, "POST", b"1"), (308, "POST", b"1")]
)
async def test_a_followed_post_becomes_a_get_or_stays_as_its_status_says(http, server, status, method, body):
    server.answers = [web.Response(status=status, headers={"Location": "/b"})]

    await http({"url": server.url, "method": "POST", "body": 1, "followRedirects": True})

    assert (server.seen[1]["method"], server.seen[1]["body"]) == (method, body)


@pytest.mark.parametrize("auth", [{"type": "bearer", "secret": "A"}, {"type": "header", "header": "X-Key", "secret": "A"}])
async def test_a_secret_does_not_follow_to_another_origin(http, server, other, auth):
    server.answers = [web.Response(status=307, headers={"Location": f"{server.url}/same"})]
    server.answers += [web.Response(status=307, headers={"Location": f"{other.url}/away"})]

    await http({"url": server.url, "auth": auth}, secret="s3cret")

    assert "s3cret" in str(server.seen[1]["headers"])
    assert "s3cret" not in str(other.seen[0]["headers"])


async def test_redirects_without_end_are_cut_off(http, server):
    server.answers = [web.Response(status=302, headers={"Location": "/"}) for _ in range(20)]

    error = await failure(http({"url": server.url}, max_redirects=3))

    assert error.code == "TOO_MANY_REDIRECTS"
    assert len(server.seen) == 4


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://x/", "//user:pw@x/", "http://a b/", "javascript:1"])
async def test_a_redirect_to_something_else_is_refused(http, server, location):
    server.answers = [web.Response(status=302, headers={"Location": location})]

    assert (await failure(http({"url": server.url}))).code == "BAD_URL"


async def test_a_cancelled_exchange_ends_at_once(http):
    begun = asyncio.Event()

    async def silent(reader: Any, writer: Any) -> None:
        begun.set()
        await reader.read()
        writer.close()

    listener, url = await listening(silent)
    async with listener:
        step = asyncio.create_task(http({"url": url}))
        await begun.wait()
        step.cancel()
        await asyncio.wait((step,), timeout=5)

    assert step.cancelled()


async def test_two_hundred_exchanges_share_the_connections(server):
    kind = Http(HttpSettings())
    prepared = kind.prepare(HttpSpec.model_validate({"url": server.url}), load())
    unused: Any = None
    scope = Scope({"$": {}}, "run_1", "s", 1, "key-1", Path(), unused, unused, unused)

    outputs = await asyncio.gather(*(kind.run(prepared, scope) for _ in range(200)))
    await kind.close()
    await kind.close()

    assert all(output.value == {"ok": True} for output in outputs)


async def test_a_host_that_no_resolver_knows_is_a_failed_connection(http):
    error = await failure(http({"url": "http://nobody.invalid/", "timeout": 5000}))

    assert error.code in ("CONNECT_FAILED", "TIMEOUT")  # a resolver may be slow to say no
    assert "nobody.invalid" in str(error)
