"""The destinations `webhook` and `slack`, against a real server: what arrives, how it is signed, and what is not told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from flows.connectors.destinations.message_id import message_id
from flows.connectors.destinations.webhook import key_of, signature
from flows.dialects import load_flow
from flows.errors import DefinitionError, StepError
from flows.executor import World, execute
from flows.steps import make_kinds
from flows.summary import needs
from tests.flows.servers import serving

KEY = b"0123456789abcdef01234567"
SECRETS = {"HOOK": f"whsec_{base64.b64encode(KEY).decode()}", "EMPTY": "whsec_", "NO_BASE64": "whsec_not base64!", "WORDS": "ünï"}


class Receiver:
    """Takes what comes and answers as it is told to, once each; then 200."""

    def __init__(self):
        self.got, self.answers, self.url = [], [], ""

    async def handle(self, request):
        self.got.append((request, await request.read()))
        answer = self.answers.pop(0) if self.answers else {}
        return web.Response(**{"status": 200, "text": "ok", **answer})

    @property
    def bodies(self):
        return [json.loads(body) for _, body in self.got]


@pytest_asyncio.fixture
async def receiver():
    receiver = Receiver()
    async with serving(receiver.handle) as (receiver.url, _):
        yield receiver


def secret_of(secrets):
    def secret(name):
        if name not in secrets:
            raise StepError(f"there is no secret «{name}»", code="SECRET_MISSING", retryable=False)
        return secrets[name]

    return secret


async def run(output, inputs=None, secrets=None, record=None, **step):
    kinds = make_kinds()
    definition = {"key": "f", "steps": [{"id": "tell", "type": "output", "output": output, **step}]}
    flow = load_flow(definition, key=None, folder=Path("/"), kinds=kinds)
    world = World(kinds, None, secret_of({**SECRETS, **(secrets or {})}))
    try:
        return await execute(flow, inputs or {}, run_id="run_1", world=world, record=record or (lambda _attempt: None))
    finally:
        for kind in kinds.values():
            await kind.close()


def hook(url, **section):
    return {"destination": "webhook", "url": url, **section}


def refused(**output):
    with pytest.raises(DefinitionError) as caught:
        load_flow(
            {"key": "f", "steps": [{"id": "tell", "type": "output", "output": output}]},
            key=None,
            folder=Path("/"),
            kinds=make_kinds(),
        )
    return [str(problem) for problem in caught.value.problems]


# -- webhook


async def test_the_data_are_posted_as_json_and_the_step_gives_facts(receiver):
    ended = await run(hook(f"{receiver.url}/in", data={"n": "$.input.n"}, headers={"X-From": "{{n}}", "X-None": None}), {"n": 5})

    ((request, body),) = receiver.got
    assert (request.method, request.path, json.loads(body)) == ("POST", "/in", {"n": 5})
    assert (request.headers["Content-Type"], request.headers["X-From"]) == ("application/json", "5")
    assert not {"X-None", "Webhook-Signature"} & set(request.headers)
    assert ended.output == {"status": 200, "id": request.headers["Webhook-Id"]}


async def test_without_data_what_the_step_is_given_is_written(receiver):
    await run(hook(receiver.url), {"a": 1})

    assert receiver.bodies == [{"a": 1}]


async def test_the_signature_is_that_of_standard_webhooks_over_the_bytes_that_were_sent(receiver):
    await run(hook(receiver.url, secret="HOOK", data={"é": "😀 \ud800", "n": 1.0}))

    ((request, body),) = receiver.got
    name, sent_at = request.headers["Webhook-Id"], request.headers["Webhook-Timestamp"]
    expected = hmac.new(KEY, f"{name}.{sent_at}.".encode() + body, hashlib.sha256).digest()
    assert request.headers["Webhook-Signature"] == f"v1,{base64.b64encode(expected).decode()}"


def test_the_signature_of_a_known_message_is_the_published_one():
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "K")

    signed = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_every_try_carries_the_same_id_and_each_step_its_own(receiver):
    receiver.answers = [{"status": 503}, {"status": 500}]
    retried = {"onError": {"strategy": "retry", "retries": 2, "retryDelayMs": 0}}

    ended = await run(hook(receiver.url, secret="HOOK"), **retried)

    assert ended.status == "completed"
    assert {request.headers["Webhook-Id"] for request, _ in receiver.got} == {message_id("run_1:tell")}
    assert len(receiver.got) == 3
    assert message_id("run_1:tell") != message_id("run_1:each[0].tell")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed_with_the_signature(receiver, status):
    receiver.answers = [{"status": status, "headers": {"Location": f"{receiver.url}/elsewhere"}}]

    ended = await run(hook(receiver.url, secret="HOOK"))

    assert (ended.code, len(receiver.got)) == ("HTTP_STATUS", 1)


@pytest.mark.parametrize(
    ("status", "tries"), [(400, 1), (401, 1), (404, 1), (410, 1), (422, 1), (408, 2), (425, 2), (429, 2), (500, 2), (503, 2)]
)
async def test_whether_an_answer_is_tried_again_depends_on_its_status(receiver, status, tries):
    receiver.answers = [{"status": status}] * 2

    ended = await run(hook(receiver.url), onError={"strategy": "retry", "retries": 1, "retryDelayMs": 0})

    assert (ended.status, ended.code, len(receiver.got)) == ("failed", "HTTP_STATUS", tries)


async def test_a_receiver_that_asks_for_time_is_given_it(receiver):
    receiver.answers = [{"status": 429, "headers": {"Retry-After": "1"}}]
    attempts = []
    waits = {"strategy": "retry", "retries": 1, "retryDelayMs": 0, "maxDelayMs": 50}

    await run(hook(receiver.url), record=attempts.append, onError=waits)

    begun = [attempt.started_at for attempt in attempts if attempt.status == "running"]
    assert begun[1] - begun[0] >= 0.05


@pytest.mark.parametrize("name", ["EMPTY", "NO_BASE64", "WORDS", "GONE"])
async def test_a_secret_that_is_no_key_sends_nothing_and_is_not_told(receiver, name):
    ended = await run(hook(receiver.url, secret=name))

    assert ended.code == ("SECRET_MISSING" if name == "GONE" else "SECRET_UNUSABLE")
    assert name in ended.error
    assert name in {"GONE", "EMPTY"} or SECRETS[name] not in ended.error
    assert receiver.got == []


async def test_an_answer_that_is_too_large_or_never_comes_is_bounded(receiver):
    receiver.answers = [{"text": "x" * 2_000_000}]

    large = await run(hook(receiver.url))
    nobody = await run(hook("http://127.0.0.1:1/"))

    assert (large.code, nobody.code) == ("TOO_LARGE", "CONNECT_FAILED")


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        ({"destination": "webhok"}, "steps[0].output.destination: «webhok» is no destination (did you mean «webhook»?)"),
        ({"destination": 5}, "steps[0].output.destination: destination is 5, and must be text"),
        ({}, "steps[0].output.destination: destination is missing"),
        ({"destination": "webhook"}, "steps[0].output.url: url is missing"),
        (hook("ftp://x"), "steps[0].output.url: the url begins with «ftp://x» (it must begin with http:// or https://, or with a value)"),
        (hook("http://x", scret="HOOK"), "steps[0].output.scret: scret is not known here (did you mean «secret»?)"),
        (hook("http://x", headers={"webhook-ID": "x"}), "steps[0].output.headers.webhook-ID: webhook-ID is set by the signature"),
        (hook("http://x", headers={"a b": "x"}), "steps[0].output.headers.a b: «a b» is no header name"),
        (hook("http://x", headers={"Connection": "x"}), "steps[0].output.headers.Connection: Connection is set by the connection itself"),
        (hook("http://x", data="$.steps.gone"), "steps[0].output.data: there is no step «gone»"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_hook_is_refused_at_its_place(output, problem):
    assert refused(**output) == [problem]


async def test_a_value_changes_neither_the_address_nor_the_headers(receiver):
    moved = await run(hook(receiver.url + "/{{$.input.x}}"), {"x": "../admin?y=1#"})
    split = await run(hook(receiver.url, headers={"X": "$.input.x"}), {"x": "a\r\nX-Evil: 1"})

    assert (moved.code, split.code) == ("UNSAFE_INTERPOLATION", "BAD_HEADER")
    assert receiver.got == []


def test_a_flow_says_which_destinations_and_secrets_it_needs():
    steps = [
        {"id": "a", "type": "output", "output": hook("http://x", secret="HOOK")},
        {"id": "b", "type": "output", "output": {"destination": "slack", "secret": {"env": "SLACK"}, "text": "x"}},
    ]
    flow = load_flow({"key": "f", "steps": steps}, key=None, folder=Path("/"), kinds=make_kinds())

    assert (needs(flow)["destinations"], needs(flow)["secrets"]) == (["slack", "webhook"], ["HOOK", "SLACK"])


# -- slack


def slack(**section):
    return {"destination": "slack", "secret": "SLACK", **section}


async def test_a_message_is_a_text_or_blocks_with_values_that_call_nobody(receiver):
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "<https://x.example|look> {{$.input.who}}"}}]
    sent = slack(text="*Hi* <!here> {{$.input.who}} {{$.input.who | html}} {{$.input.gone}}", blocks=blocks)

    ended = await run(sent, {"who": "<!channel> & co"}, {"SLACK": f"{receiver.url}/services/T0/B0/x\n"})

    assert ended.output == {"status": 200}
    assert receiver.bodies == [
        {
            "text": "*Hi* <!here> &lt;!channel&gt; &amp; co &lt;!channel&gt; &amp; co ",
            "blocks": [
                {"type": "section", "text": {"type": "mrkdwn", "text": "<https://x.example|look> &lt;!channel&gt; &amp; co"}}
            ],
        }
    ]
    assert [request.path for request, _ in receiver.got] == ["/services/T0/B0/x"]


@pytest.mark.parametrize(
    ("section", "inputs", "body"),
    [
        ({}, {"text": "as it is", "channel": "#x"}, {"text": "as it is", "channel": "#x"}),
        ({"data": "$.input.n"}, {"n": "a<b"}, {"text": "a&lt;b"}),
        ({"data": "$.input.n"}, {"n": [1, None]}, {"text": "[1,null]"}),
        ({"text": "$.input.n"}, {"n": "<@U1>"}, {"text": "&lt;@U1&gt;"}),
        ({"blocks": "$.input.made"}, {"made": [{"type": "divider"}]}, {"blocks": [{"type": "divider"}]}),
        ({"text": "x", "blocks": [{"a": "$.input.gone", "b": 1}]}, {}, {"text": "x", "blocks": [{"b": 1}]}),
    ],
)  # fmt: skip
async def test_what_a_message_may_be(receiver, section, inputs, body):
    ended = await run(slack(**section), inputs, {"SLACK": f"{receiver.url}/x"})

    assert ended.status == "completed", ended.error
    assert receiver.bodies == [body]


ADDRESS = "https://hooks.example.invalid/services/T000/B000/s3cr3tpart"


@pytest.mark.parametrize(
    ("secret", "code"),
    [
        (ADDRESS, "CONNECT_FAILED"),
        ("ftp://hooks.example.invalid/s3cr3tpart", "SECRET_UNUSABLE"),
        ("s3cr3tpart", "SECRET_UNUSABLE"),
        ("http://u:s3cr3tpart@x", "SECRET_UNUSABLE"),
        ("http://x/s3cr3tpart\r\nX: y", "SECRET_UNUSABLE"),
    ],
)
async def test_the_address_of_a_hook_is_never_told(secret, code):
    attempts = []

    ended = await run(slack(text="x"), secrets={"SLACK": secret}, record=attempts.append)

    told = repr((ended, attempts))
    assert ended.code == code
    assert "SLACK" in ended.error
    assert "s3cr3tpart" not in told
    assert "hooks.example" not in told


async def test_an_answer_that_repeats_the_address_is_kept_without_it(receiver):
    address = f"{receiver.url}/services/s3cr3tpart"
    receiver.answers = [{"status": 404, "text": f"no_service at {address} or /services/s3cr3tpart"}]
    attempts = []

    ended = await run(slack(text="x"), secrets={"SLACK": address}, record=attempts.append)

    assert ended.error == "step «tell»: POST the hook SLACK answered 404 Not Found"
    assert "no_service" in repr(attempts)
    assert "s3cr3tpart" not in repr((ended, attempts))


async def test_slack_that_asks_for_time_is_tried_again_after_it(receiver):
    receiver.answers = [{"status": 429, "headers": {"Retry-After": "30"}}]
    waits = {"strategy": "retry", "retries": 1, "retryDelayMs": 0, "maxDelayMs": 40}

    ended = await run(slack(text="x"), secrets={"SLACK": f"{receiver.url}/x"}, onError=waits)

    assert (ended.status, len(receiver.got)) == ("completed", 2)


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"text": "x", "data": 1}, "data is the whole message: it cannot stand beside text or blocks"),
        ({"text": ""}, "text is empty"),
        ({"blocks": 5}, "blocks is 5, and must be a list or text"),
        ({"secret": None, "text": "x"}, "secret is null, and must be text or an object"),
        ({"blocks": [{"text": "{{$.input.x | gone}}"}]}, "blocks[0].text: the pipe gone is not known"),
        ({"text": "{{$.steps.gone.output}}"}, "there is no step «gone»"),
    ],
)
def test_what_is_wrong_with_a_message_is_refused(section, problem):
    (said,) = refused(**slack(**section))

    assert problem in said
