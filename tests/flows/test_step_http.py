"""The http step against a real server on loopback."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
import pytest_asyncio
from aiohttp import web

from flows.errors import DefinitionError, StepError
from flows.step import Load, Output, Scope
from flows.steps.http_request import Http, HttpSettings, HttpSpec

SECRET = 'tok"en+s3cr&t/ü'


class Server:
    """A server that remembers what it was sent and answers as it is told."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.answers: list[web.StreamResponse] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(
            {
                "method": request.method,
                "target": request.raw_path,
                "headers": {name.lower(): value for name, value in request.headers.items()},
                "body": await request.read(),
            }
        )
        return self.answers.pop(0) if self.answers else web.json_response({"ok": True})


async def started(server: Server) -> web.AppRunner:
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", server.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    return runner


@pytest_asyncio.fixture
async def server():
    made = Server()
    runner = await started(made)
    yield made
    await runner.cleanup()


@pytest_asyncio.fixture
async def other():
    made = Server()
    runner = await started(made)
    yield made
    await runner.cleanup()


def load(warnings: list[Any] | None = None) -> Load:
    def warn(*said: Any) -> None:
        if warnings is not None:
            warnings.append(said)

    return Load(Path(), lambda _steps, _path: pytest.fail("no body"), frozenset({"$"}), warn)


@pytest_asyncio.fixture
async def http():
    kinds: list[Http] = []

    async def run(section: dict[str, Any], dollar: Any = None, *, secret: str = SECRET, **settings: Any) -> Output:
        kind = Http(HttpSettings(**settings))
        kinds.append(kind)
        prepared = kind.prepare(HttpSpec.model_validate(section), load())
        unused: Any = None
        names = {"$": dollar or {}}
        return await kind.run(prepared, Scope(names, "run_1", "s", 1, "key-1", Path(), unused, unused, lambda _name: secret))

    yield run
    for kind in kinds:
        await kind.close()


async def failure(awaited: Any) -> StepError:
    with pytest.raises(StepError) as raised:
        await awaited
    return raised.value


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


async def test_a_head_request_has_no_body(http, server):
    server.answers = [web.Response(headers={"Content-Length": "99999999999"}, content_type="application/json")]

    output = await http({"url": server.url, "method": "HEAD"})

    assert (output.value, output.response["status"]) == (None, 200)


async def listening(answer: Any) -> tuple[asyncio.Server, str]:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


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


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://localhost:9/", "http://[::1]:9/", "http://0x7f000001:9/"])
async def test_private_addresses_can_be_forbidden(http, url):
    error = await failure(http({"url": url}, allow_private=False))

    assert (error.code, error.retryable) == ("ADDRESS_REFUSED", False)


@pytest.mark.parametrize(
    "value",
    [
        "a/b",
        "a?b",
        "a#b",
        "a%2fb",
        "a&b",
        "a b",
        "a\nb",
        "a\\b",
        "..",
        ".",
        "a\r\nX-Evil: 1",
        "a+b",
        "a=b",
        "\0",
        "é\ud800",
        "<x>",
    ],
)
async def test_a_plain_value_that_could_change_the_address_is_refused(http, server, value):
    error = await failure(http({"url": f"{server.url}/a/{{{{$.x}}}}"}, {"x": value}))

    assert error.code in ("UNSAFE_INTERPOLATION", "BAD_URL")
    assert server.seen == []


async def test_the_refusal_names_the_placeholder_and_the_pipe(http, server):
    error = await failure(http({"url": f"{server.url}/a/{{{{ $.x }}}}"}, {"x": "a/b"}))

    assert "{{ $.x }}" in str(error)
    assert "{{ $.x | url}}" in str(error)


@pytest.mark.parametrize("value", ["..", "%2e%2e"])
async def test_dots_that_lead_elsewhere_are_refused_also_behind_the_pipe(http, server, value):
    running = http({"url": f"{server.url}/users/{{{{$.x | url}}}}/mail"}, {"x": value})

    if value == "..":
        assert (await failure(running)).code == "BAD_URL"
    else:
        await running
        assert server.seen[0]["target"] == "/users/%252e%252e/mail"


@pytest.mark.parametrize("value", ["evil.example/", "evil.example#", "user@evil.example", "evil.example?", "evil.example\\"])
async def test_a_value_in_the_host_cannot_end_it(http, value):
    error = await failure(http({"url": "http://{{$.x}}.internal.example/"}, {"x": value}))

    assert error.code == "UNSAFE_INTERPOLATION"


async def test_an_address_may_begin_with_a_value_or_be_one(http, server):
    await http({"url": "{{$.base}}/deals/{{$.id}}"}, {"base": f"{server.url}/v1", "id": 7})
    await http({"url": "$.url"}, {"url": f"{server.url}/x?y=%20z"})

    assert [seen["target"] for seen in server.seen] == ["/v1/deals/7", "/x?y=%20z"]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://x/",
        "file:///etc/passwd",
        "http://",
        "http:///x",
        "http://u:p@h/",
        "http://h:0/",
        "http://h:99999/",
        "http://a b/",
        7,
        None,
    ],
)
async def test_what_is_no_address_is_refused_before_anything_is_sent(http, url):
    error = await failure(http({"url": "$.url"}, {"url": url}))

    assert error.code in ("BAD_URL", "VALUE_TYPE")


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\0b", ["a"], {"a": 1}, "\ud800"])
async def test_a_header_cannot_be_broken_open(http, server, value):
    error = await failure(http({"url": server.url, "headers": {"X-Value": "$.v"}}, {"v": value}))

    assert error.code == "BAD_HEADER"
    assert server.seen == []


@pytest.mark.parametrize(
    ("section", "path"),
    [
        ({"url": "ftp://x/"}, ("url",)),
        ({"url": "http://u:p@h/"}, ("url",)),
        ({"url": "{{$.x"}, ("url",)),
        ({"url": "http://h/", "headers": {"A B": "x"}}, ("headers", "A B")),
        ({"url": "http://h/", "headers": {"Content-Length": "1"}}, ("headers", "Content-Length")),
        ({"url": "http://h/", "body": 1, "text": "x"}, ("text",)),
        ({"url": "http://h/", "expect": "ok"}, ("expect",)),
        ({"url": "http://h/", "expect": []}, ("expect",)),
        ({"url": "http://h/", "expect": [True]}, ("expect",)),
        ({"url": "http://h/", "query": {"a": "$.b["}}, ("query", "a")),
        ({"url": "http://h/", "body": {"a": ["$.b["]}}, ("body", "a", 0)),
    ],
)
def test_what_can_be_known_at_load_is_refused_there(section, path):
    with pytest.raises((DefinitionError, ValueError)) as raised:
        Http(HttpSettings()).prepare(HttpSpec.model_validate(section), load())

    if isinstance(raised.value, DefinitionError):
        assert raised.value.problems[0].path == path


@pytest.mark.parametrize(
    "section",
    [
        {"url": "http://h/", "method": "GET X"},
        {"url": "http://h/", "methd": "GET"},
        {"url": "http://h/", "auth": {"type": "basic", "secret": "A"}},
        {"url": "http://h/", "auth": {"type": "bearer", "secret": "A", "header": "X"}},
        {"url": "http://h/", "auth": {"type": "digest", "secret": "A"}},
        {"url": "http://h/", "timeout": 0},
        {"url": "http://h/", "response": "xml"},
        {},
    ],
)
def test_a_section_of_another_shape_is_refused(section):
    with pytest.raises(ValueError):
        HttpSpec.model_validate(section)


def test_the_paths_it_reads_are_known_at_load():
    section = {
        "url": "http://h/{{$.steps.a.output | url}}",
        "headers": {"X": "$.steps.b.output"},
        "query": {"q": ["$.steps.c.output"]},
        "body": {"x": "{{$.steps.d.output}}"},
        "auth": {"type": "basic", "username": "$.steps.e.output", "secret": "S"},
        "method": "POST",
    }

    prepared = Http(HttpSettings()).prepare(HttpSpec.model_validate(section), load())

    assert {reference[2] for reference in prepared.references} == set("abcde")


def test_validate_points_at_a_plain_value_inside_an_address():
    said: list[Any] = []
    spec = HttpSpec.model_validate({"url": "{{$.base}}/a/{{$.x}}/{{$.y | url}}"})

    Http(HttpSettings()).prepare(spec, load(said))

    assert [(path, hint) for path, _, hint in said] == [(("url",), "write {{$.x | url}}")]


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
