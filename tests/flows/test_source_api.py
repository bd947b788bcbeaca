"""`data_source` over JSON APIs: every way of paging, against a server that pages so."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from aiohttp import web

from flows.steps.http_request import HttpSettings
from tests.flows.reading import failure, prepared, read, refused, source
from tests.flows.servers import json_answer, raw_serving, serving

ROWS = [{"id": number, "text": f"row {number}"} for number in range(1, 8)]
SECRET = 'tok"en/ü'


async def link(request):
    page = int(request.query.get("page", 1))
    rows = ROWS[(page - 1) * 3 : page * 3]
    more = {"Link": f'</rows?page={page - 1}>; rel="prev", </rows?page={page + 1}&x=a,b>; foo="a, b"; rel="next last"'}
    return json_answer(rows, **(more if page < 3 else {"Link": '</rows?page=1>; rel="first"'}))


async def next_url(request):
    page = int(request.query.get("page", 1))
    following = None if page == 3 else f"{request.scheme}://{request.host}/rows?page={page + 1}" if page == 1 else "rows?page=3"
    return json_answer({"data": {"rows": ROWS[(page - 1) * 3 : page * 3]}, "links": {"next": following}})


async def cursor(request):
    given = (await request.json()).get("after", {}).get("mark") if request.method == "POST" else request.query.get("mark")
    start = int(given or 0)
    more = start + 3 < len(ROWS)
    return json_answer({"results": ROWS[start : start + 3], "meta": {"next": start + 3 if more else None}, "has_more": more})


async def last_row(request):
    start = int(request.query.get("starting_after", 0))
    return json_answer({"results": ROWS[start : start + 3], "has_more": start + 3 < len(ROWS)})


async def page(request):
    number, size = int(request.query["page"]), int(request.query.get("per_page", 3))
    return json_answer({"rows": ROWS[(number - 1) * size : number * size]})


async def offset(request):
    start = int(request.query["from"])
    return json_answer({"rows": ROWS[start : start + 3]})


WAYS = {
    "link": (link, {"paging": {"type": "link"}}, 3),
    "next": (next_url, {"items": "data.rows", "paging": {"type": "next", "at": "links.next"}}, 3),
    "cursor": (cursor, {"items": "results", "paging": {"type": "cursor", "at": "meta.next", "param": "mark"}}, 3),
    "cursor in the body": (
        cursor,
        {
            "items": "results",
            "method": "POST",
            "body": {"size": 3, "after": {"x": 1}},
            "paging": {"type": "cursor", "at": "meta.next", "param": "after.mark", "in": "body"},
        },
        3,
    ),
    "last row": (
        last_row,
        {"items": "results", "paging": {"type": "cursor", "lastRow": "id", "more": "has_more", "param": "starting_after"}},
        3,
    ),
    "page": (page, {"items": "rows", "paging": {"type": "page", "size": 5, "sizeParam": "per_page"}}, 2),
    "page until an empty one": (page, {"items": "rows", "paging": {"type": "page"}}, 4),
    "offset": (offset, {"items": "rows", "paging": {"type": "offset", "param": "from"}}, 4),
    "offset with a size": (offset, {"items": "rows", "paging": {"type": "offset", "param": "from", "size": 3}}, 3),
}


@pytest.mark.parametrize("way", WAYS)
async def test_every_way_of_paging_gives_all_rows(way):
    handle, query, pages = WAYS[way]
    async with serving(handle) as (url, seen), source() as kind:
        output = await read(kind, {"sourceType": "api", "sourceId": f"{url}/rows?kept=1", "query": query})

    assert output.value == ROWS
    assert (output.response["pages"], len(seen)) == (pages, pages)
    if query["paging"]["type"] not in ("link", "next"):
        assert {request.query.get("kept") for request in seen} == {"1"}


async def test_a_limit_asks_for_no_more_pages_than_it_needs():
    async with serving(link) as (url, seen), source() as kind:
        section = {"sourceType": "api", "sourceId": f"{url}/rows", "query": {"paging": {"type": "link"}}}
        output = await read(kind, {**section, "transform": {"filter": "item.id > 1", "limit": 2}})

    assert ([row["id"] for row in output.value], len(seen)) == ([2, 3], 1)


async def test_pages_behind_maxPages_are_left_out_and_it_is_said():
    async with serving(link) as (url, seen), source() as kind:
        query = {"paging": {"type": "link"}, "maxPages": 2}
        output = await read(kind, {"sourceType": "api", "sourceId": f"{url}/rows", "query": query})

    assert (len(output.value), output.response["truncatedBy"], len(seen)) == (6, "maxPages", 2)


async def test_an_api_that_never_ends_is_given_up():
    async def endless(request):
        return json_answer([1], Link=f"</rows?page={int(request.query.get('page', 1)) + 1}>; rel=next")

    async with serving(endless) as (url, seen), source() as kind:
        query = {"paging": {"type": "link"}}
        error = await failure(kind, {"sourceType": "api", "sourceId": f"{url}/rows", "query": query})

    assert (error.code, error.retryable, len(seen)) == ("PAGES_LIMIT", False, 1000)


@pytest.mark.parametrize(
    ("answer", "paging"),
    [
        (json_answer([1], Link="</rows>; rel=next"), {"type": "link"}),
        (json_answer({"rows": [1], "next": "same"}), {"type": "cursor", "at": "next", "param": "c"}),
        (json_answer({"rows": [1]}), {"type": "page"}),
    ],
)
async def test_pages_that_go_round_are_noticed(answer, paging):
    async def same(request):
        return web.Response(body=answer.body, headers={k: v for k, v in answer.headers.items() if k != "Content-Length"})

    async with serving(same) as (url, seen), source() as kind:
        query = {"paging": paging, **({} if paging["type"] == "link" else {"items": "rows"})}
        error = await failure(kind, {"sourceType": "api", "sourceId": f"{url}/rows", "query": query})

    assert (error.code, error.retryable) == ("PAGING_LOOP", False)
    assert len(seen) <= 2


async def test_credentials_do_not_go_to_another_place_for_the_next_page():
    async def elsewhere(request):
        return json_answer([2])

    async with serving(elsewhere) as (other, asked), source() as kind:

        async def first(request):
            return json_answer([1], Link=f"<{other}/rows>; rel=next")

        async with serving(first) as (url, _):
            query = {"paging": {"type": "link"}}
            section = {"sourceType": "api", "sourceId": f"{url}/rows", "query": query}
            query["auth"] = {"type": "bearer", "secret": "KEY"}
            with_auth = await failure(kind, section, secret=SECRET)
            del query["auth"]
            query["headers"] = {"X-Key": "$.input.key"}
            with_header = await failure(kind, section, key="k")
            del query["headers"]
            open_one = await read(kind, section)

    assert [(error.code, error.retryable) for error in (with_auth, with_header)] == [("PAGING_ORIGIN", False)] * 2
    assert (open_one.value, len(asked)) == ([1, 2], 1)


async def test_each_page_that_is_posted_has_a_key_of_its_own():
    handle, query, _ = WAYS["cursor in the body"]
    async with serving(handle) as (url, seen), source() as kind:
        await read(kind, {"sourceType": "api", "sourceId": f"{url}/rows", "query": query})

    assert [request.headers["Idempotency-Key"] for request in seen] == ["key-1", "key-1:2", "key-1:3"]


async def test_a_secret_that_comes_back_is_in_no_row_and_no_error_and_still_finds_the_next_page():
    async def echo(request):
        said = request.headers["Authorization"].removeprefix("Bearer ")
        if "page" in request.query:
            return json_answer({"error": f"bad token {said}"}, status=403)
        return json_answer(
            {"rows": [{said: [said]}], "next": f"/rows?page=2&token={said.replace('/', '%2F').replace(chr(34), '%22')}"}
        )

    async with serving(echo) as (url, seen), source() as kind:
        query = {"items": "rows", "auth": {"type": "bearer", "secret": "KEY"}, "paging": {"type": "next", "at": "next"}}
        section = {"sourceType": "api", "sourceId": f"{url}/rows", "query": query}
        error = await failure(kind, section, secret=SECRET)
        output = await read(kind, {**section, "query": {**query, "maxPages": 1}}, secret=SECRET)

    assert (error.code, error.status, error.retryable) == ("HTTP_STATUS", 403, True)
    assert error.output["body"] == {"error": "bad token ***"}
    assert output.value == [{"***": ["***"]}]
    assert seen[1].query["token"] == SECRET


async def test_a_rate_limit_is_handed_on_with_the_time_to_wait():
    async def limited(request):
        return json_answer({}, status=429, **{"Retry-After": "17"})

    async with serving(limited) as (url, _), source() as kind:
        error = await failure(kind, {"sourceType": "api", "sourceId": url})

    assert (error.code, error.status, error.retry_after_s) == ("HTTP_STATUS", 429, 17)


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        ({"data": [1], "n": 1}, "SOURCE_ROWS", 'not a list of rows; lists stand at data: "items" says which'),
        ("text", "SOURCE_ROWS", "the answer is «text», not a list of rows"),
        (5, "SOURCE_ROWS", "the answer is 5, not a list of rows"),
    ],
)
async def test_an_answer_without_rows_is_told(answer, code, said):
    async with serving(partial(answering, answer)) as (url, _), source() as kind:
        error = await failure(kind, {"sourceType": "api", "sourceId": url})

    assert (error.code, error.retryable) == (code, False)
    assert said in str(error)


async def answering(value, _request):
    return json_answer(value)


@pytest.mark.parametrize("answer", [{"resultSizeEstimate": 0}, {"messages": None}])
async def test_an_api_that_leaves_an_empty_list_out_may_do_so_where_the_step_says_so(answer):
    async with serving(partial(answering, answer)) as (url, _), source() as kind:
        section = {"sourceType": "api", "sourceId": url, "query": {"items": "messages"}}
        error = await failure(kind, section)
        output = await read(kind, {**section, "query": {"items": "messages", "itemsOptional": True}})

    assert (error.code, output.value) == ("SOURCE_ROWS", [])


async def test_no_answer_at_all_is_no_rows():
    async def nothing(request):
        return web.Response(status=204)

    async with serving(nothing) as (url, _), source() as kind:
        assert (await read(kind, {"sourceType": "api", "sourceId": url})).value == []


DEEP = b'{"rows": ' + b"[" * 900 + b"]" * 900 + b"}"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("chunks", "code", "retryable"),
    [
        ([HEAD + b"Content-Length: 100\r\n\r\n[1,"], "CONNECTION_LOST", True),
        ([HEAD + b"Content-Length: 3\r\n\r\n[1,"], "BAD_JSON", True),
        ([HEAD + b"Content-Length: 4\r\n\r\n\xff\xfe\x00\x01"], "BAD_JSON", True),
        ([HEAD + b"Content-Length: %d\r\n\r\n" % (2 * 50_000) + b"[" * 50_000 + b"]" * 50_000], "BAD_JSON", True),
        ([HEAD + b"Content-Length: 3000\r\n\r\n" + b"[" + b"1," * 1499 + b"]"], "TOO_LARGE", False),
        ([HEAD + b"\r\n" + b"[" + b"1," * 5000], "TOO_LARGE", False),
        ([b"not HTTP at all\r\n\r\n"], "BAD_RESPONSE", True),
        ([b""], "CONNECTION_LOST", True),
    ],
)
async def test_broken_answers_are_failures_with_a_code(chunks, code, retryable):
    async with raw_serving(*chunks) as url, source() as kind:
        query = {"maxBytes": 200_000 if code == "BAD_JSON" else 2000}
        error = await failure(kind, {"sourceType": "api", "sourceId": url, "query": query})

    assert (error.code, error.retryable) == (code, retryable)


async def test_rows_that_are_nested_too_deep_are_refused():
    async with raw_serving(HEAD + b"Content-Length: %d\r\n\r\n" % len(DEEP) + DEEP) as url, source() as kind:
        query = {"items": "rows", "auth": {"type": "bearer", "secret": "KEY"}}
        error = await failure(kind, {"sourceType": "api", "sourceId": url, "query": query}, secret=SECRET)

    assert (error.code, error.retryable) == ("SOURCE_ROWS", False)


async def test_a_server_that_is_slow_and_one_that_redirects_for_ever_are_given_up():
    async def slow(request):
        await asyncio.sleep(30)

    async def round_and_round(request):
        raise web.HTTPFound("/again")

    async with source() as kind, serving(slow) as (url, _), serving(round_and_round) as (circle, _):
        late = await failure(kind, {"sourceType": "api", "sourceId": url, "query": {"timeout": 50}})
        whole = await failure(kind, {"sourceType": "api", "sourceId": url, "timeout": 50})
        around = await failure(kind, {"sourceType": "api", "sourceId": circle})

    assert [(error.code, error.retryable) for error in (late, whole)] == [("TIMEOUT", True)] * 2
    assert around.code == "TOO_MANY_REDIRECTS"


async def test_private_addresses_are_refused_as_for_http_steps():
    async with serving(link) as (url, _), source(http=HttpSettings(allow_private=False)) as kind:
        error = await failure(kind, {"sourceType": "api", "sourceId": url})

    assert (error.code, error.retryable) == ("ADDRESS_REFUSED", False)


async def test_hostile_values_stay_values():
    hostile = "'; DROP TABLE t; -- {{$.input.x}} & ?a=b #é\0"

    async def echo(request):
        return json_answer([{"query": request.query["q"], "path": request.path, "body": (await request.json())["q"]}])

    async with serving(echo) as (url, _), source() as kind:
        query = {"method": "POST", "query": {"q": "$.input.x"}, "body": {"q": "$.input.x"}}
        section = {"sourceType": "api", "sourceId": f"{url}/a/{{{{$.input.x | url}}}}", "query": query}
        output = await read(kind, section, x=hostile)

    assert output.value == [{"query": hostile, "path": f"/a/{hostile}", "body": hostile}]


def test_the_secrets_that_an_api_needs_are_known():
    query = {"url": "https://example.com", "auth": {"type": "bearer", "secret": {"env": "KEY"}}}

    async def made():
        async with source() as kind:
            return prepared(kind, {"sourceType": "api", "query": query})

    assert asyncio.run(made()).query.exchange.secrets == ("KEY",)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({}, "the address is not named"),
        ({"sourceId": "https://a", "query": {"url": "https://b"}}, "sourceId: the address is named twice"),
        ({"sourceId": "ftp://a"}, "sourceId: the url begins with «ftp://a»"),
        ({"query": {"url": "ftp://a"}}, "query.url: the url begins with «ftp://a»"),
        ({"sourceId": "https://a", "query": {"headers": {"a b": "c"}}}, "query.headers.a b: «a b» is no header name"),
        ({"sourceId": "https://a", "query": {"paging": {"type": "links"}}}, "query.paging.type: type is «links» (did you mean «link»?"),
        ({"sourceId": "https://a", "query": {"paging": {"type": "next"}}}, "query.paging: paging of type next needs at"),
        ({"sourceId": "https://a", "query": {"paging": {"type": "link", "at": "x"}}}, "query.paging: paging of type link has no at"),
        ({"sourceId": "https://a", "query": {"paging": {"type": "cursor", "param": "c"}}}, "query.paging: paging of type cursor needs at or lastRow"),
        ({"sourceId": "https://a", "query": {"paging": {"type": "page", "sizeParam": "n"}}}, "query.paging: paging has a sizeParam and no size"),
        ({"sourceId": "https://a", "query": {"text": "x", "paging": {"type": "page", "in": "body"}}}, "query.paging.in: parameters of pages go into a JSON body"),
    ],
)  # fmt: skip
def test_a_query_that_makes_no_sense_is_refused_at_load(section, said):
    problems = refused({"sourceType": "api", **section})

    assert any(problem.startswith(said) for problem in problems), problems
