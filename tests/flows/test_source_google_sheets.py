"""`data_source` over Google Sheets: rows, signing in, and what Google refuses."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
import pytest_asyncio

from flows.connectors.google_token import GoogleTokens
from flows.connectors.json_exchange import ApiSettings
from flows.connectors.sources.google_sheets import GoogleSheetsSettings
from tests.flows.google import EMAIL, SCOPE, Google, error, key_pair, service_account
from tests.flows.reading import failure, prepared, read, refused, source
from tests.flows.servers import json_answer, serving

CUSTOMERS = [["name", "orders", "since"], ["Ada", 3, "1/2/2026"], ["Bea", "", "3/4/2026"], [], ["Cem", 1.5]]
SHEETS = {
    "abc-123": {
        "Customers": CUSTOMERS,
        "It's 1!A1": [["x"], ["y"]],
        "Ragged": [["a", "", "a"], [1, 2, 3, 4], [True]],
        "Numbers": [[2025, 1.5], [1, 2]],
        "Empty": [],
        "Heading": [["a", "b"]],
        "Blank first": [["", ""], ["a"], [1]],
    },
    "private": {},
}


@pytest_asyncio.fixture
async def google():
    made = Google(SHEETS)
    async with serving(made) as (url, _):
        made.url = url
        yield made


async def rows(google, query, spreadsheet="abc-123", **given):
    async with source(google_sheets=google.settings(google.url)) as kind:
        section = {"sourceType": "google_sheets", "sourceId": spreadsheet, "query": query}
        return await read(kind, section, secret=given.pop("secret", service_account(google.url)), **given)


async def fails(google, query=None, spreadsheet="abc-123", secret=None, **given):
    async with source(google_sheets=google.settings(google.url)) as kind:
        section = {"sourceType": "google_sheets", "sourceId": spreadsheet, "query": query or {"sheet": "Customers"}}
        return await failure(kind, section, secret=secret or service_account(google.url), **given)


async def test_the_query_of_the_specification_gives_an_object_for_each_row(google):
    output = await rows(google, {"sheet": "Customers", "range": "A1:D100"})

    assert output.value == [
        {"name": "Ada", "orders": 3, "since": "1/2/2026"},
        {"name": "Bea", "orders": None, "since": "3/4/2026"},
        {"name": "Cem", "orders": 1.5, "since": None},
    ]
    assert output.response["ranges"] == ["'Customers'!A1:D100"]
    assert google.asked == [
        (
            "/v4/spreadsheets/abc-123/values:batchGet",
            {
                "ranges": "'Customers'!A1:D100",
                "majorDimension": "ROWS",
                "valueRenderOption": "UNFORMATTED_VALUE",
                "dateTimeRenderOption": "FORMATTED_STRING",
            },
        )
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"sheet": "Customers", "header": False, "range": "A2:B3"}, [["Ada", 3], ["Bea"]]),
        ({"sheet": "Ragged"}, [{"a": 1, "column_2": 2, "a_2": 3, "column_4": 4}, {"a": True, "column_2": None, "a_2": None}]),
        ({"sheet": "Numbers"}, [{"2025": 1, "1.5": 2}]),
        ({"sheet": "Empty"}, []),
        ({"sheet": "Heading"}, []),
        ({"sheet": "Blank first"}, [{"a": 1}]),
        ({"sheet": "It's 1!A1"}, [{"x": "y"}]),
        ({"range": "A1:A2"}, [{"name": "Ada"}]),
        ({"sheet": "Customers", "ranges": ["A1:A2", "C1:C2"]}, [{"name": "Ada"}, {"since": "1/2/2026"}]),
    ],
)
async def test_headings_ragged_rows_and_empty_sheets(query, expected, google):
    assert (await rows(google, query)).value == expected


async def test_sheet_range_and_spreadsheet_may_be_values(google):
    query = {"sheet": "{{$.input.sheet}}", "range": "A1:{{$.input.last}}"}

    output = await rows(google, query, "$.input.id", sheet="It's 1!A1", last="A2", id="abc-123")

    assert output.value == [{"x": "y"}]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"sheet": "Customers", "last": "A2&ranges=Other", "id": "abc-123"}, "SOURCE_INPUT"),
        ({"sheet": "Customers", "last": "B2'!A1", "id": "abc-123"}, "SOURCE_INPUT"),
        ({"sheet": "a\0b", "last": "A2", "id": "abc-123"}, "SOURCE_INPUT"),
        ({"sheet": "", "last": "A2", "id": "abc-123"}, "SOURCE_INPUT"),
        ({"sheet": "Customers", "last": "A2", "id": "../../other"}, "UNSAFE_INTERPOLATION"),
        ({"sheet": "Customers", "last": "A2", "id": "a/b?c=d"}, "UNSAFE_INTERPOLATION"),
    ],
)
async def test_values_lead_to_no_other_place(given, code, google):
    problem = await fails(google, {"sheet": "$.input.sheet", "range": "A1:{{$.input.last}}"}, "{{$.input.id}}", **given)

    assert (problem.code, problem.retryable) == (code, False)
    assert google.asked == []


async def test_a_hostile_name_of_a_sheet_is_one_name(google):
    problem = await fails(google, {"sheet": "$.input.sheet"}, sheet="x'!A1:Z9&ranges='Customers'")

    assert (problem.code, problem.status) == ("HTTP_STATUS", 400)
    assert google.asked[0][1]["ranges"] == "'x''!A1:Z9&ranges=''Customers'''"


async def test_one_token_serves_many_readings_and_a_refused_one_is_asked_for_anew(google):
    async with source(google_sheets=google.settings(google.url)) as kind:
        section = {"sourceType": "google_sheets", "sourceId": "abc-123", "query": {"sheet": "Customers"}}
        key = service_account(google.url)
        await asyncio.gather(*(read(kind, section, secret=key) for _ in range(10)))
        first = list(google.tokens)
        google.revoked.add(google.tokens[0])
        output = await read(kind, section, secret=key)

    assert (len(first), len(google.tokens), len(output.value)) == (1, 2, 3)


async def test_a_token_is_asked_for_anew_shortly_before_its_end(google):
    clock = google.now = [time.time()]
    settings = ApiSettings()
    client = settings.client()
    tokens = GoogleTokens(settings, client, now=lambda: clock[0])
    key = service_account(google.url)

    first = await tokens.token("KEY", key, SCOPE)
    clock[0] += 3470
    kept = await tokens.token("KEY", key, SCOPE)
    clock[0] += 20
    anew = await tokens.token("KEY", key, SCOPE)
    await client.close()

    assert (first, kept, anew) == ("ya29.token-1", "ya29.token-1", "ya29.token-2")


async def test_who_is_still_refused_with_a_new_token_is_told(google):
    google.answers = [error(401, "UNAUTHENTICATED", "no") for _ in range(2)]

    problem = await fails(google)

    assert (problem.code, problem.status, len(google.tokens), len(google.asked)) == ("HTTP_STATUS", 401, 2, 2)


@pytest.mark.parametrize(
    ("spreadsheet", "query", "status", "said"),
    [
        ("private", {"sheet": "x"}, 403, "PERMISSION_DENIED: The caller does not have permission (share the spreadsheet with"),
        ("nowhere", {"sheet": "x"}, 404, "NOT_FOUND: Requested entity was not found."),
        ("abc-123", {"sheet": "Custmers"}, 400, "INVALID_ARGUMENT: Unable to parse range: 'Custmers'"),
    ],
)
async def test_what_google_refuses_is_told_in_its_words(spreadsheet, query, status, said, google):
    problem = await fails(google, query, spreadsheet)

    assert (problem.code, problem.status) == ("HTTP_STATUS", status)
    assert said in str(problem)


async def test_a_rate_limit_is_handed_on_with_the_time_to_wait(google):
    limited = error(429, "RESOURCE_EXHAUSTED", "Quota exceeded")
    limited.headers["Retry-After"] = "41"
    google.answers = [limited]

    problem = await fails(google)

    assert (problem.status, problem.retry_after_s) == (429, 41)


@pytest.mark.parametrize(
    "changed",
    [
        {"private_key": "bad pem"},
        {"private_key": 5},
        {"client_email": None},
        {"token_uri": "ftp://x"},
        {"token_uri": "http://u:p@x/"},
    ],
)
async def test_a_key_that_is_none_is_refused_and_not_quoted(changed, google):
    problem = await fails(google, secret=service_account(google.url, **changed))

    assert (problem.code, problem.retryable) == ("SECRET_UNUSABLE", False)
    assert "PRIVATE" not in str(problem)
    assert "bad pem" not in str(problem)


@pytest.mark.parametrize("secret", ["", "s3cret", "[]", '{"type": "authorized_user"}', "\ud800"])
async def test_a_secret_that_is_no_key_is_refused_and_not_quoted(secret, google):
    async with source(google_sheets=google.settings(google.url)) as kind:
        section = {"sourceType": "google_sheets", "sourceId": "abc-123", "query": {"sheet": "Customers"}}
        problem = await failure(kind, section, secret=lambda _name: secret)

    assert (problem.code, problem.retryable) == ("SECRET_UNUSABLE", False)
    assert "s3cret" not in str(problem)


async def test_an_account_that_google_does_not_know_is_told(google):
    other = json.loads(service_account(google.url))
    problem = await fails(google, secret=json.dumps(other | {"client_email": "stranger@example.com"}))

    assert (problem.code, problem.status) == ("GOOGLE_AUTH", 400)
    assert "invalid_scope" in str(problem)


async def test_a_token_endpoint_that_is_down_is_worth_another_try_and_one_that_talks_nonsense_is_not(google):
    async def down(request):
        return json_answer({}, status=503)

    async def nonsense(request):
        return json_answer({"access_token": "a\nb", "expires_in": "x"})

    async with serving(down) as (url, _):
        gone = await fails(google, secret=service_account(google.url, token_uri=f"{url}/token"))
    async with serving(nonsense) as (url, _):
        wrong = await fails(google, secret=service_account(google.url, token_uri=f"{url}/token"))

    assert (gone.code, gone.status, gone.retryable) == ("GOOGLE_AUTH", 503, True)
    assert (wrong.code, wrong.retryable) == ("GOOGLE_AUTH", False)


async def test_neither_key_nor_token_is_in_rows_errors_or_what_is_prepared(google):
    google.answers = [json_answer({"valueRanges": [{"values": [["a"], ["ya29.token-1"]]}]})]
    output = await rows(google, {"sheet": "Customers"})
    google.answers = [error(400, "X", "ya29.token-2 is bad")]
    problem = await fails(google)

    assert output.value == [{"a": "***"}]
    assert "ya29" not in f"{problem} {problem.output}"
    assert key_pair()[0][40:80] not in f"{output} {problem} {problem.output}"
    assert EMAIL not in f"{output} {problem}"


@pytest.mark.parametrize("answer", [[], {"valueRanges": None}, {"valueRanges": [5]}, "x"])
async def test_an_answer_that_is_not_as_documented_is_told(answer, google):
    google.answers = [json_answer(answer)]

    assert (await fails(google)).code == "SOURCE_ROWS"


def test_the_secret_that_is_asked_for_is_known():
    section = {"sourceType": "google_sheets", "sourceId": "abc-123", "query": {"sheet": "Customers", "range": "A1:D100"}}

    async def made(**query):
        async with source(google_sheets=GoogleSheetsSettings(secret="SHEETS")) as kind:
            return prepared(kind, section | {"query": section["query"] | query}).query.secrets

    assert asyncio.run(made()) == ("SHEETS",)
    assert asyncio.run(made(secret={"env": "MINE"})) == ("MINE",)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"query": {"sheet": "a"}}, "sourceId: the spreadsheet is not named"),
        ({"sourceId": "https://docs.google.com/x", "query": {"sheet": "a"}}, "sourceId: that is no id of a spreadsheet"),
        ({"sourceId": "a"}, "query: nothing says what is read"),
        ({"sourceId": "a", "query": {"range": "A1:"}}, "query.range: «A1:» is no range"),
        ({"sourceId": "a", "query": {"range": "A1;B2"}}, "query.range: «A1;B2» is no range"),
        ({"sourceId": "a", "query": {"sheet": "x", "range": "Other!A1"}}, "query.range: «Other!A1» is no range"),
        ({"sourceId": "a", "query": {"range": "A1", "ranges": ["B1"]}}, "query.ranges: range and ranges are both given"),
        ({"sourceId": "a", "query": {"ranges": ["A1", "?"]}}, "query.ranges[1]: «?» is no range"),
        ({"sourceId": "a", "query": {"sheet": "x", "valueRenderOption": "RAW"}}, "query.valueRenderOption: "),
        ({"sourceId": "a", "query": {"shet": "x"}}, "query.shet: shet is not known here (did you mean «sheet»?)"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused_at_load(section, said):
    problems = refused({"sourceType": "google_sheets", **section})

    assert any(problem.startswith(said) for problem in problems), problems
