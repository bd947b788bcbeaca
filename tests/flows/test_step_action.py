"""`action` and `paginate` against a One-style API on loopback: knowledge, connections, passthrough."""

import json
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from flows.dialects import load_flow
from flows.errors import DefinitionError, StepError
from flows.executor import World, execute
from flows.steps import make_kinds
from flows.steps.action_api import KEPT_S, MOST_KEPT, ActionApi, ActionSettings
from tests.flows.servers import serving

KEY = 'key"with/marks'
ACTIONS = {
    "list": {"method": "GET", "path": "/mail/{{userId}}/messages"},
    "send": {"method": "POST", "path": "mail/{userId}/send"},
    "custom": {"method": "post", "path": "/mail/custom", "tags": ["custom"]},
    "strict": {
        "method": "POST",
        "path": "/x",
        "ioSchema": {"inputSchema": {"properties": {"body": {"required": ["to"]}, "query": {"required": ["page"]}}}},
    },
    "broken": {"method": 5},
}
CONNECTIONS = [
    {"platform": "gmail", "key": "live::gmail::1", "tags": ["ann@x.example"]},
    {"platform": "Gmail", "key": "live::gmail::2", "tags": ["bob@x.example"]},
    {"platform": "stripe", "key": "live::stripe::1"},
]


class Api:
    """Remembers what it was sent, and answers passthroughs as it is told."""

    def __init__(self):
        self.seen = []
        self.answers = []
        self.asked = []

    async def handle(self, request):
        if request.headers.get("x-one-secret") != KEY:
            return web.json_response({"message": "who are you"}, status=401)
        if request.path == "/v1/knowledge":
            self.asked.append(request.query["_id"])
            found = ACTIONS.get(request.query["_id"])
            return web.json_response({"rows": [found] if found else []})
        if request.path == "/v1/vault/connections":
            self.asked.append(f"connections {request.query['page']}")
            page = int(request.query["page"])
            return web.json_response({"rows": CONNECTIONS[page - 1 : page], "pages": len(CONNECTIONS)})
        self.seen.append(
            {
                "line": f"{request.method} {request.raw_path}",
                "headers": {name.lower(): value for name, value in request.headers.items()},
                "body": await request.text(),
            }
        )
        return self.answers.pop(0) if self.answers else web.json_response({"ok": True})


@pytest_asyncio.fixture
async def api():
    made = Api()
    async with serving(made.handle) as (url, _):
        made.url = f"{url}/v1"
        yield made


@pytest_asyncio.fixture
async def run(api):
    made = []

    async def go(*steps, inputs=None, secret=KEY, **settings):
        kinds = make_kinds({"action": ActionSettings(base_url=api.url, **settings)})
        made.append(kinds)
        flow = load_flow({"key": "main", "steps": list(steps)}, key=None, folder=Path(), kinds=kinds)

        def find(name):
            if secret is None:
                raise StepError(f"there is no secret {name}", code="SECRET_MISSING", retryable=False)
            return secret

        return await execute(flow, inputs or {}, run_id="run_1", world=World(kinds, None, find), record=lambda _attempt: None)

    yield go
    for kinds in made:
        for kind in kinds.values():
            await kind.close()


def action(step_id="a", action_id="list", **section):
    section = {"platform": "gmail", "actionId": action_id, "connectionKey": "live::1", **section}
    return {"id": step_id, "type": "action", "action": {name: value for name, value in section.items() if value is not None}}


def paginate(**section):
    section = {
        "action": action()["action"],
        "pageTokenField": "nextPageToken",
        "resultsField": "messages",
        "inputTokenParam": "queryParams.pageToken",
        **section,
    }
    section["action"] = {**section["action"], "pathVars": {"userId": "me"}}
    return {"id": "all", "type": "paginate", "paginate": section}


async def test_an_action_is_sent_to_its_path_with_its_variables_query_and_headers(run, api):
    ended = await run(
        action(
            pathVars={"userId": "$.input.user"},
            queryParams={"max": 10, "label": ["a b", "c"], "none": "$.input.nothing"},
            headers={"x-more": "{{$.input.user}}"},
        ),
        inputs={"user": "me"},
    )

    assert ended.output == {"ok": True}
    assert ended.steps["a"]["response"] == {"ok": True}
    assert api.seen[0]["line"] == "GET /v1/passthrough/mail/me/messages?max=10&label=a+b&label=c"
    headers = api.seen[0]["headers"]
    assert (headers["x-one-connection-key"], headers["x-one-action-id"], headers["x-more"]) == ("live::1", "list", "me")


async def test_the_body_is_the_data_as_json_without_what_leads_nowhere(run, api):
    data = {"to": "$.input.to", "cc": "$.input.cc", "text": "Hello {{$.input.to}}"}

    await run(action(action_id="send", pathVars={"userId": "me"}, data=data), inputs={"to": 'a"b'})

    assert api.seen[0]["line"] == "POST /v1/passthrough/mail/me/send"
    assert json.loads(api.seen[0]["body"]) == {"to": 'a"b', "text": 'Hello a"b'}


async def test_a_custom_action_is_given_its_connection_in_the_body(run, api):
    await run(action(action_id="custom", data={"x": 1}))

    assert json.loads(api.seen[0]["body"]) == {"x": 1, "connectionKey": "live::1"}


async def test_a_connection_is_found_by_platform_and_tag_when_the_step_runs(run, api):
    steps = [
        action("a", pathVars={"userId": "me"}, connectionKey=None, connection={"platform": "gmail", "tag": "$.input.who"}),
        action("b", pathVars={"userId": "me"}, connectionKey=None, connection={"platform": "stripe"}),
    ]

    ended = await run(*steps, inputs={"who": "bob@x.example"})

    assert ended.status == "completed"
    assert [each["headers"]["x-one-connection-key"] for each in api.seen] == ["live::gmail::2", "live::stripe::1"]
    assert api.asked.count("connections 1") == 1
    assert api.asked.count("list") == 1


@pytest.mark.parametrize(
    ("connection", "code"),
    [({"platform": "gmail"}, "CONNECTION_AMBIGUOUS"), ({"platform": "notion"}, "CONNECTION_UNKNOWN")],
)
async def test_a_connection_that_is_not_one_fails_with_the_reason(run, connection, code):
    ended = await run(action(connectionKey=None, connection=connection))

    assert (ended.status, ended.code) == ("failed", code)


@pytest.mark.parametrize(
    ("step", "code", "said"),
    [
        (action(action_id="nope"), "ACTION_UNKNOWN", "knows no action «nope»"),
        (action(action_id="broken"), "ACTION_UNKNOWN", "no method and path"),
        (action(), "ACTION_INPUT", 'needs the variable "userId" in pathVars'),
        (action(pathVars={"userId": ".."}), "UNSAFE_INTERPOLATION", "another path"),
        (action(action_id="strict", data={}), "ACTION_INPUT", 'queryParams is missing "page"; data is missing "to"'),
        (action(connectionKey="$.input.nothing"), "CONNECTION_UNKNOWN", "the connection's key is missing"),
        (action(headers={"x": "a\nb"}, pathVars={"userId": "me"}), "BAD_HEADER", "cannot be sent"),
        (action(pathVars="$.input.list"), "ACTION_INPUT", "pathVars must be an object"),
    ],
)
async def test_a_call_that_cannot_be_made_fails_with_a_code(run, api, step, code, said):
    ended = await run(step, inputs={"list": [1]})

    assert (ended.status, ended.code) == ("failed", code)
    assert said in ended.error
    assert api.seen == []


async def test_required_fields_are_not_looked_for_where_that_is_switched_off(run):
    assert (await run(action(action_id="strict"), validate_input=False)).status == "completed"


async def test_a_refused_call_says_its_status_and_what_was_answered_and_retries_match_it(run, api):
    api.answers = [web.json_response({"message": f"slow down, {KEY}"}, status=429), web.json_response([1])]
    rule = {"strategy": "retry", "retries": 1, "retryDelayMs": 0, "retryOn": [429]}

    ended = await run({**action(pathVars={"userId": "me"}), "onError": rule})

    assert ended.output == [1]
    assert ended.steps["a"]["retries"] == 1


async def test_the_key_does_not_come_back_in_answers_or_errors(run, api):
    api.answers = [web.json_response({"echo": f"you are {KEY}", "c": "live::1"}), web.Response(text=f"no, {KEY}", status=403)]
    quiet = {**action("b", pathVars={"userId": "me"}), "onError": {"strategy": "continue"}}

    ended = await run(action(pathVars={"userId": "me"}), quiet)

    assert ended.steps["a"]["output"] == {"echo": "you are ***", "c": "***"}
    assert ended.steps["b"]["errorCode"] == "HTTP_STATUS"
    assert KEY not in json.dumps(ended.steps)


async def test_a_missing_or_refused_key_fails_the_step(run):
    assert (await run(action(), secret=None)).code == "SECRET_MISSING"
    assert (await run(action(), secret=" ")).code == "SECRET_UNUSABLE"
    refused = await run(action(), secret="other")
    assert (refused.code, "401" in refused.error) == ("HTTP_STATUS", True)


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (web.Response(body=b'{"a": 1}', content_type="application/octet-stream"), {"a": 1}),
        (web.Response(text="a,b", content_type="text/csv"), {"text": "a,b", "contentType": "text/csv; charset=utf-8"}),
        (web.Response(body=b""), {}),
        (
            web.Response(body=b"\x89PNG\x00", content_type="image/png"),
            {"binary": True, "size": 5, "contentType": "image/png"},
        ),
    ],
    ids=["mislabeled json", "text", "nothing", "bytes"],
)
async def test_whatever_is_answered_becomes_a_value(run, api, answer, value):
    api.answers = [answer]

    assert (await run(action(pathVars={"userId": "me"}))).output == value


async def test_hostile_values_arrive_as_data(run, api):
    hostile = "a/b?c=d#e {{$.input.x}} $.y `id` $(id) '\" é"

    ended = await run(
        action(action_id="send", pathVars={"userId": "$.input.x"}, queryParams={"q": "$.input.x"}, data={"v": "$.input.x"}),
        inputs={"x": hostile},
    )

    assert ended.status == "completed"
    path, _, query = api.seen[0]["line"].partition(" ")[2].partition("?")
    assert path.count("/") == 5
    assert query.startswith("q=a%2Fb%3Fc%3Dd%23e+")
    assert json.loads(api.seen[0]["body"]) == {"v": hostile}


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"connectionKey": None}, "the connection is missing"),
        ({"connection": {"platform": "gmail"}}, "connection and connectionKey are both given"),
        ({"connectionKey": None, "connection": {"platform": "gmail", "tags": "x"}}, "tags"),
        ({"platform": None}, "platform"),
        ({"data": "$.steps.no.output"}, "there is no step «no»"),
        ({"queryParms": {}}, "did you mean «queryParams»?"),
    ],
)
def test_what_can_be_known_at_load_is_refused_there(section, said):
    with pytest.raises(DefinitionError) as caught:
        load_flow({"key": "k", "steps": [action(**section)]}, key=None, folder=Path(), kinds=make_kinds())

    assert said in str(caught.value)


async def test_pages_are_collected_until_none_follows(run, api):
    api.answers = [
        web.json_response({"messages": [1, 2], "nextPageToken": "t&1"}),
        web.json_response({"messages": [3], "nextPageToken": None}),
    ]

    ended = await run(paginate())

    assert ended.output == [1, 2, 3]
    assert ended.steps["all"]["response"] == {"pages": 2, "totalResults": 3, "results": [1, 2, 3]}
    assert [each["line"].partition("messages")[2] for each in api.seen] == ["", "?pageToken=t%261"]


async def test_pages_end_at_the_limit_ten_where_nothing_is_said(run, api):
    api.answers = [web.json_response({"messages": [1], "nextPageToken": 0}) for _ in range(20)]

    assert (await run(paginate())).output == [1] * 10
    assert (await run(paginate(maxPages=3))).steps["all"]["response"]["pages"] == 3


async def test_tokens_and_results_are_found_at_dotted_paths_and_put_into_the_body(run, api):
    api.answers = [
        web.json_response({"data": [{"items": [1]}], "meta": {"next": {"at": "n"}}}),
        web.json_response({"data": [{"items": [2]}], "meta": {}}),
    ]
    section = {
        "action": action(action_id="send", data={"page": {"size": 1}})["action"],
        "resultsField": "data[0].items",
        "pageTokenField": "meta.next.at",
        "inputTokenParam": "data.page.token",
    }

    assert (await run(paginate(**section))).output == [1, 2]
    assert [json.loads(each["body"]) for each in api.seen] == [{"page": {"size": 1}}, {"page": {"size": 1, "token": "n"}}]


async def test_a_page_that_fails_fails_the_step(run, api):
    api.answers = [web.json_response({"messages": [1], "nextPageToken": "t"}), web.Response(status=500, text="no")]

    ended = await run(paginate())

    assert (ended.code, ended.output) == ("HTTP_STATUS", None)


def test_a_token_that_no_action_takes_is_refused_at_load():
    step = paginate(inputTokenParam="pageToken")
    with pytest.raises(DefinitionError, match="an action takes nothing at «pageToken»"):
        load_flow({"key": "k", "steps": [step]}, key=None, folder=Path(), kinds=make_kinds())


async def test_what_was_asked_about_actions_is_forgotten_when_its_time_is_over_and_where_it_becomes_much(api):
    now = [0.0]
    known = ActionApi(ActionSettings(base_url=api.url), clock=lambda: now[0])

    async def about(number):
        return number

    for number in range(2 * MOST_KEPT):
        await known._kept_or(KEY, f"action {number}", partial(about, number))
    most = len(known._kept)
    last = await known._kept_or(KEY, f"action {2 * MOST_KEPT - 1}", partial(about, "asked again"))
    now[0] = KEPT_S
    again = await known._kept_or(KEY, "action 0", partial(about, "asked again"))
    await known.close()

    assert (most, last, again, len(known._kept)) == (MOST_KEPT, 2 * MOST_KEPT - 1, "asked again", 1)
