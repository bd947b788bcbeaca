"""`data_source` over Airtable: pages, its pace, and values in formulas."""

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio

from flows.connectors.sources.airtable import MOST_PACES, AirtableSettings, AirtableSource
from tests.flows.airtable import Airtable, record, refusal
from tests.flows.reading import failure, prepared, read, refused, source
from tests.flows.servers import json_answer, serving

SECRET = "pat.s3cret"
BASE = "appAbc123"
DEALS = [record(number, Name=f"deal {number}") for number in range(250)]
TABLES = {BASE: {"Deals": DEALS, "a/b c?d": [record(1, x=1)], "Odd": [record(1, id="own", createdTime=5, id_2=6), record(2)]}}
CREATED = "2026-11-28T08:00:00.000Z"


@pytest_asyncio.fixture
async def airtable():
    made = Airtable(TABLES, SECRET)
    async with serving(made) as (url, _):
        made.url = url
        yield made


def listing(table="Deals", **query):
    return {"sourceType": "airtable", "sourceId": BASE, "query": {"table": table, **query}}


async def rows(airtable, section, **given):
    async with source(airtable=airtable.settings(airtable.url)) as kind:
        return await read(kind, section, secret=SECRET, **given)


async def fails(airtable, section, secret=SECRET, **given):
    async with source(airtable=airtable.settings(airtable.url)) as kind:
        return await failure(kind, section, secret=secret, **given)


async def test_all_pages_of_a_hundred_are_read(airtable):
    output = await rows(airtable, listing())

    assert output.value == [{"id": each["id"], "createdTime": CREATED, **each["fields"]} for each in DEALS]
    assert output.response["pages"] == 3
    assert [dict(query).get("offset") for _, query in airtable.asked] == [None, "itr/100", "itr/200"]


async def test_a_field_that_is_called_as_the_records_own_keeps_its_value(airtable):
    assert (await rows(airtable, listing("Odd"))).value == [
        {"id": "rec1", "createdTime": CREATED, "id_2": "own", "createdTime_2": 5, "id_2_2": 6},
        {"id": "rec2", "createdTime": CREATED},
    ]


async def test_what_is_asked_stands_in_the_address(airtable):
    section = listing(
        "$.input.table",
        view="Open {{$.input.month}}",
        fields=["Name", "x y"],
        sort=[{"field": "Name", "direction": "desc"}],
        filterByFormula="AND({Name}={{$.input.name | json}}, {Total}>{{$.input.least}})",
    )

    await rows(airtable, {**section, "transform": {"limit": 7}}, table="a/b c?d", month="May", name='O\'Neil "x")', least=5)

    path, query = airtable.asked[0]
    assert path == f"/v0/{BASE}/a/b c?d"
    assert query == [
        ("pageSize", "7"),
        ("fields[]", "Name"),
        ("fields[]", "x y"),
        ("sort[0][field]", "Name"),
        ("sort[0][direction]", "desc"),
        ("view", "Open May"),
        ("filterByFormula", 'AND({Name}="O\'Neil \\"x\\")", {Total}>5)'),
    ]


@pytest.mark.parametrize("value", ["x', TRUE(), '", 'a"b', "{Other}", "a\nb", "1)", "a&b", "a,b"])
async def test_a_value_that_could_change_a_formula_is_refused(value, airtable):
    error = await fails(airtable, listing(filterByFormula="{Name}='{{$.input.name}}'"), name=value)

    assert (error.code, error.retryable, airtable.asked) == ("UNSAFE_INTERPOLATION", False, [])
    assert "write {{$.input.name | json}}, without quotes around it" in str(error)


@pytest.mark.parametrize("value", ["Ada Lovelace", "ada@example.com", "2026-11-28", 5, "é"])
async def test_a_plain_value_stands_in_a_formula_as_it_is(value, airtable):
    await rows(airtable, listing(filterByFormula="{Name}='{{$.input.name}}'"), name=value)

    assert dict(airtable.asked[0][1])["filterByFormula"] == f"{{Name}}='{value}'"


async def test_no_more_than_five_requests_go_to_a_base_in_one_second(airtable):
    async with source(airtable=airtable.settings(airtable.url)) as kind:
        outputs = await asyncio.gather(*(read(kind, listing(), secret=SECRET) for _ in range(2)))

    assert [len(output.value) for output in outputs] == [250, 250]
    assert len(airtable.asked) == 6
    assert airtable.times[5] - airtable.times[0] >= 1.0


async def test_bases_at_which_nothing_goes_on_are_forgotten_and_no_other(airtable):
    source_of_bases = AirtableSource(airtable.settings(airtable.url))
    closed = source_of_bases._pace("appClosed")
    closed.close_for(30)

    async with source_of_bases._pace("appBusy").turn():
        busy = source_of_bases._pace("appBusy")
        for number in range(2 * MOST_PACES):
            source_of_bases._pace(f"app{number}")
        known = len(source_of_bases._paces)
    await source_of_bases.close()

    assert known <= MOST_PACES
    assert (source_of_bases._pace("appClosed"), source_of_bases._pace("appBusy")) == (closed, busy)


async def test_after_a_429_nothing_is_sent_for_thirty_seconds(airtable):
    airtable.answers[2] = refusal(429, "RATE_LIMIT_REACHED", "Rate limit exceeded")

    async with source(airtable=airtable.settings(airtable.url)) as kind:
        first = await failure(kind, listing(), secret=SECRET)
        second = await failure(kind, listing(), secret=SECRET)

    assert (first.code, first.status, first.retry_after_s) == ("HTTP_STATUS", 429, 30)
    assert (second.code, second.status, len(airtable.asked)) == ("HTTP_STATUS", 429, 2)
    assert 10 < second.retry_after_s <= 30


async def test_a_server_that_says_how_long_to_wait_is_believed(airtable):
    airtable.answers[1] = refusal(429, "RATE_LIMIT_REACHED", "Rate limit exceeded")
    airtable.answers[1].headers["Retry-After"] = "3"

    assert (await fails(airtable, listing())).retry_after_s == 3


async def test_a_page_that_is_not_kept_any_more_is_worth_another_try(airtable):
    airtable.answers[2] = refusal(422, "LIST_RECORDS_ITERATOR_NOT_AVAILABLE", "The iterator is not available")

    error = await fails(airtable, listing())

    assert (error.code, error.status, error.retryable) == ("PAGING_EXPIRED", None, True)


async def test_a_page_that_names_itself_is_noticed(airtable):
    airtable.answers = {number: json_answer({"records": [], "offset": "same"}) for number in (1, 2)}

    error = await fails(airtable, listing())

    assert (error.code, error.retryable) == ("PAGING_LOOP", False)


async def test_pages_behind_maxPages_are_left_out_and_it_is_said(airtable):
    output = await rows(airtable, listing(maxPages=2))

    assert (len(output.value), output.response["truncatedBy"], len(airtable.asked)) == (200, "maxPages", 2)


@pytest.mark.parametrize(
    ("section", "status", "said"),
    [
        (listing("Nothing"), 404, "answered 404 Not Found: NOT_FOUND"),
        (listing() | {"sourceId": "appOther"}, 404, "NOT_FOUND"),
    ],
)
async def test_what_airtable_refuses_is_told_in_its_words(section, status, said, airtable):
    error = await fails(airtable, section)

    assert (error.code, error.status) == ("HTTP_STATUS", status)
    assert said in str(error)


async def test_a_token_is_in_no_error_and_no_row(airtable):
    wrong = await fails(airtable, listing(), secret="other-token")
    airtable.answers[2] = json_answer({"records": [record(1, a=[SECRET])]})
    output = await rows(airtable, listing())

    assert (wrong.status, "other-token" in f"{wrong} {wrong.output}") == (401, False)
    assert output.value == [{"id": "rec1", "createdTime": CREATED, "a": ["***"]}]


@pytest.mark.parametrize("answer", [[], {}, {"records": None}, "x", None])
async def test_an_answer_that_is_not_as_documented_is_told(answer, airtable):
    airtable.answers[1] = json_answer(answer)

    assert (await fails(airtable, listing())).code == "SOURCE_ROWS"


@pytest.mark.parametrize(
    ("base", "table", "code"),
    [
        ("../x", "T", "UNSAFE_INTERPOLATION"),
        ("app1", "", "SOURCE_INPUT"),
        ("app1", "..", "SOURCE_INPUT"),
        ("app1", "a\0", "UNSAFE_INTERPOLATION"),
    ],
)
async def test_values_lead_to_no_other_place(base, table, code, airtable):
    section = {"sourceType": "airtable", "sourceId": "{{$.input.base}}", "query": {"table": "{{$.input.table}}"}}

    error = await fails(airtable, section, base=base, table=table)

    assert (error.code, error.retryable, airtable.asked) == (code, False, [])


def test_the_secret_that_is_asked_for_is_known():
    async def made(**query):
        async with source(airtable=AirtableSettings(secret="TABLES")) as kind:
            return prepared(kind, listing(**query)).query.secrets

    assert asyncio.run(made()) == ("TABLES",)
    assert asyncio.run(made(secret="MINE")) == ("MINE",)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"query": {"table": "T"}}, "sourceId: the base is not named"),
        ({"sourceId": "https://airtable.com/app1", "query": {"table": "T"}}, "sourceId: that is no id of a base"),
        ({"sourceId": "app1"}, "query.table: table is missing"),
        ({"sourceId": "app1", "query": {"table": "T", "fields": []}}, "query.fields: "),
        ({"sourceId": "app1", "query": {"table": "T", "sort": [{"field": "a", "direction": "up"}]}}, "query.sort[0].direction: "),
        ({"sourceId": "app1", "query": {"table": "T", "filterByFormula": "{{"}}, "query.filterByFormula: the {{ is not closed"),
        ({"sourceId": "app1", "query": {"table": "T", "filterByFormulas": "x"}}, "query.filterByFormulas: filterByFormulas is not known here"),
    ],
)  # fmt: skip
def test_a_query_that_makes_no_sense_is_refused_at_load(section, said):
    problems = refused({"sourceType": "airtable", **section})

    assert any(problem.startswith(said) for problem in problems), problems
