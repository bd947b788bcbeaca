"""Addresses and headers that values cannot change, and what is refused before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from flows.errors import DefinitionError
from flows.steps.http_request import Http, HttpSettings, HttpSpec
from tests.flows.step_http.exchanging import failure, load


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
