"""The http step against a real server on loopback."""

from __future__ import annotations

import json
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from aiohttp import web

from flows.step import Scope
from flows.steps.http_request import Http, HttpSettings, HttpSpec
from tests.flows.step_http.exchanging import SECRET, failure, load


async def test_the_output_is_the_json_and_the_response_has_status_and_headers(http, server):
    output = await http({"url": f"{server.url}/deals"})

    assert output.value == {"ok": True}
    assert (output.response["status"], output.response["body"]) == (200, {"ok": True})
    assert output.response["headers"]["content-type"] == "application/json; charset=utf-8"
    assert server.seen[0]["method"] == "GET"


async def test_values_arrive_encoded_in_path_query_headers_and_body(http, server):
    text = "a/b?c=d&e #%é'\"$(id)`{{$.y}}"
    section = {
        "url": f"{server.url}/deals/{{{{$.x | url}}}}?fixed=1",
        "method": "post",
        "query": {"q": "$.x", "list": [1, "b c"], "none": None, "flag": True},
        "headers": {"X-Value": "v {{$.n}}", "X-None": None},
        "body": {"inner": "$.x", "text": "{{$.n}}!", "n": "$.n"},
    }

    await http(section, {"x": text, "n": 7, "y": "never"})

    seen = server.seen[0]
    assert seen["method"] == "POST"
    assert seen["headers"]["x-value"] == "v 7"
    assert "x-none" not in seen["headers"]
    assert json.loads(seen["body"]) == {"inner": text, "text": "7!", "n": 7}
    path, _, query = seen["target"].partition("?")
    assert path.startswith("/deals/a%2Fb%3Fc%3Dd%26e%20%23%25%C3%A9'%22%24")
    assert unquote(path) == f"/deals/{text}"
    assert parse_qsl(query) == [("fixed", "1"), ("q", text), ("list", "1"), ("list", "b c"), ("flag", "true")]


@pytest.mark.parametrize(
    ("section", "content_type", "sent"),
    [
        ({"body": [1, {"a": None}]}, "application/json", b'[1,{"a":null}]'),
        ({"body": None}, "application/json", b"null"),
        ({"body": "$.half"}, "application/json", b'"\\ud800"'),
        ({"text": "é {{$.x}}"}, "text/plain; charset=utf-8", "é &=".encode()),
        ({"form": {"a": "$.x", "b": [1, 2]}}, "application/x-www-form-urlencoded", b"a=%26%3D&b=1&b=2"),
        ({"body": {}, "headers": {"content-type": "application/vnd.x+json"}}, "application/vnd.x+json", b"{}"),
    ],
)
async def test_a_body_is_json_text_or_a_form(http, server, section, content_type, sent):
    await http({"url": server.url, "method": "PUT", **section}, {"x": "&=", "half": "\ud800"})

    assert (server.seen[0]["headers"]["content-type"], server.seen[0]["body"]) == (content_type, sent)


@pytest.mark.parametrize(
    ("method", "sent"), [("POST", "key-1"), ("PATCH", "key-1"), ("GET", None), ("PUT", None), ("DELETE", None)]
)
async def test_the_idempotency_key_goes_with_what_is_not_idempotent(http, server, method, sent):
    await http({"url": server.url, "method": method})

    assert server.seen[0]["headers"].get("idempotency-key") == sent


@pytest.mark.parametrize(("given", "sent"), [("mine", "mine"), (None, None)])
async def test_an_idempotency_key_of_the_authors_own_is_stronger(http, server, given, sent):
    await http({"url": server.url, "method": "POST", "headers": {"idempotency-key": given}})

    assert server.seen[0]["headers"].get("idempotency-key") == sent


@pytest.mark.parametrize(
    ("auth", "name", "value"),
    [
        ({"type": "bearer", "secret": "API"}, "authorization", "Bearer s3cret"),
        ({"type": "bearer", "secret": {"env": "API"}}, "authorization", "Bearer s3cret"),
        ({"type": "basic", "username": "{{$.user}}", "secret": "API"}, "authorization", "Basic YW5uOnMzY3JldA=="),
        ({"type": "header", "header": "X-Api-Key", "secret": "API"}, "x-api-key", "s3cret"),
    ],
)
async def test_a_secret_is_sent_as_the_auth_says(http, server, auth, name, value):
    await http({"url": server.url, "auth": auth}, {"user": "ann"}, secret="s3cret\n")

    assert server.seen[0]["headers"][name] == value


async def test_a_secret_that_is_echoed_does_not_come_back(http, server):
    basic = {"type": "basic", "username": "ann", "secret": "API"}
    await http({"url": server.url, "auth": basic})
    packed = server.seen[0]["headers"]["authorization"].removeprefix("Basic ")
    echo = {"auth": f"Basic {packed}", "plain": SECRET}
    server.answers = [web.json_response(echo, headers={"X-Echo": packed, "Set-Cookie": "a=b", "Authorization": "x"})]

    output = await http({"url": server.url, "auth": basic})

    assert output.value == {"auth": "Basic ***", "plain": "***"}
    assert output.response["headers"]["x-echo"] == "***"
    assert not {"set-cookie", "authorization"} & set(output.response["headers"])


async def test_an_address_is_sent_as_it_is_written(http, server):
    await http({"url": "$.url"}, {"url": f"{server.url}/a%2Fb/%7Ec/é;x=(1)?sig=%2B%2F%3D&b=+%20c&d"})

    assert server.seen[0]["target"] == "/a%2Fb/%7Ec/%C3%A9;x=(1)?sig=%2B%2F%3D&b=+%20c&d"


async def test_a_secret_is_in_no_failure(http, server):
    server.answers = [web.json_response({"you sent": SECRET}, status=401)]

    error = await failure(http({"url": server.url, "auth": {"type": "bearer", "secret": "API"}}))

    assert SECRET not in f"{error} {error.output}"
    assert error.output["body"] == {"you sent": "***"}


@pytest.mark.parametrize("secret", ["", "\n", "a\nb", "a\0b"])
async def test_a_secret_that_no_header_can_carry_fails_unsaid(http, server, secret):
    error = await failure(http({"url": server.url, "auth": {"type": "bearer", "secret": "API"}}, secret=secret))

    assert error.code == "SECRET_UNUSABLE"
    assert "API" in str(error)
    assert server.seen == []


async def test_no_cookies_are_kept(http, server):
    kind = Http(HttpSettings())
    prepared = kind.prepare(HttpSpec.model_validate({"url": server.url}), load())
    unused: Any = None
    scope = Scope({"$": {}}, "run_1", "s", 1, "key-1", Path(), unused, unused, unused)
    server.answers = [web.json_response({}, headers={"Set-Cookie": "a=b; Path=/"})]

    await kind.run(prepared, scope)
    await kind.run(prepared, scope)
    await kind.close()

    assert "cookie" not in server.seen[1]["headers"]


async def test_a_status_that_is_not_expected_fails_with_what_came(http, server):
    server.answers = [web.json_response({"error": "gone"}, status=404)]

    error = await failure(http({"url": f"{server.url}/{{{{$.id}}}}?key=hidden"}, {"id": "x1"}))

    assert (error.code, error.status, error.retry_after_s) == ("HTTP_STATUS", 404, None)
    assert "404 Not Found" in str(error)
    assert "x1" not in str(error)
    assert error.output["body"] == {"error": "gone"}


@pytest.mark.parametrize(
    ("expect", "status", "passes"),
    [
        (404, 404, True),
        ("2xx", 204, True),
        ("200-299", 300, False),
        (["2xx", 404], 404, True),
        (204, 200, False),
        ("3xx", 304, True),
    ],
)
async def test_which_statuses_are_a_success_can_be_said(http, server, expect, status, passes):
    server.answers = [web.Response(status=status)]
    running = http({"url": server.url, "expect": expect})

    if passes:
        assert (await running).response["status"] == status
    else:
        assert (await failure(running)).status == status


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("7", 7, 7),
        (lambda: formatdate(time.time() + 60, usegmt=True), 50, 60),
        (lambda: formatdate(0), 0, 0),
        ("999999999", 86400, 86400),
    ],
)
async def test_retry_after_is_told_in_seconds(http, server, header, least, most):
    server.answers = [web.Response(status=429, headers={"Retry-After": header if isinstance(header, str) else header()})]

    error = await failure(http({"url": server.url}))

    assert error.retry_after_s is not None
    assert least <= error.retry_after_s <= most


@pytest.mark.parametrize("header", ["soon", "-1", "1e9", "", "9" * 5000])
async def test_a_retry_after_that_says_nothing_is_none(http, server, header):
    server.answers = [web.Response(status=503, headers={"Retry-After": header})]

    assert (await failure(http({"url": server.url}))).retry_after_s is None


@pytest.mark.parametrize(
    ("form", "response", "value"),
    [
        ("auto", web.Response(body=b"plain", content_type="text/plain"), "plain"),
        ("auto", web.Response(body=b"\xff\x00", content_type="application/octet-stream"), "/wA="),
        ("auto", web.Response(body=b"\x89PNG", content_type="image/png"), "iVBORw=="),
        ("auto", web.Response(body=b'{"a":1}', content_type="application/problem+json"), {"a": 1}),
        ("auto", web.Response(body=b"", content_type="application/json"), None),
        ("auto", web.Response(status=204), None),
        ("auto", web.Response(body=b"<a/>", content_type="application/atom+xml"), "<a/>"),
        ("auto", web.Response(body="é".encode("latin-1"), content_type="text/plain", charset="iso-8859-1"), "é"),
        ("auto", web.Response(body=b"abc", headers={"Content-Type": "text/plain; charset=unicode_escape"}), "abc"),
        ("json", web.Response(body=b"[1, 2]", content_type="text/plain"), [1, 2]),
        ("json", web.Response(body=b'\xef\xbb\xbf{"bom":1}', content_type="application/json"), {"bom": 1}),
        ("text", web.Response(body=b'{"a":1}', content_type="application/json"), '{"a":1}'),
        ("text", web.Response(body=b"a\xff", content_type="text/plain"), "a\ufffd"),
        ("binary", web.Response(body=b'{"a":1}', content_type="application/json"), "eyJhIjoxfQ=="),
    ],
)
async def test_the_body_is_read_as_its_type_or_as_the_step_says(http, server, form, response, value):
    server.answers = [response]

    assert (await http({"url": server.url, "response": form})).value == value


@pytest.mark.parametrize("body", [b"{", b"NaN", b"\xff", b"[" * 5000, b'{"a": "\\ud800"}'])
async def test_json_that_is_none_fails_and_is_kept(http, server, body):
    server.answers = [web.Response(body=body, content_type="application/json")]

    error = await failure(http({"url": server.url}))

    assert error.code == "BAD_JSON"
    assert error.output["status"] == 200


async def test_a_refused_answer_that_is_no_json_is_a_refused_answer(http, server):
    server.answers = [web.Response(status=502, body=b"<html>", content_type="application/json")]

    error = await failure(http({"url": server.url, "response": "json"}))

    assert (error.code, error.output["body"]) == ("HTTP_STATUS", "<html>")


async def test_a_head_request_has_no_body(http, server):
    server.answers = [web.Response(headers={"Content-Length": "99999999999"}, content_type="application/json")]

    output = await http({"url": server.url, "method": "HEAD"})

    assert (output.value, output.response["status"]) == (None, 200)
