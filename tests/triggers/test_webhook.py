"""The webhook source through a real listener: what becomes an event, and what the sender is told."""

import asyncio
import hashlib
import hmac
import json
import subprocess
import sys
from contextlib import asynccontextmanager

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triggers.bodies import BODIES
from triggers.bodies.content import content_of
from triggers.bodies.json_body import parse_json
from triggers.bodies.refused import Refused
from triggers.source import Accepted, SourceError, Unavailable
from triggers.sources.webhook import WebhookSource, split_address
from triggers.sources.webhook_path import decoded_parts
from triggers.trigger import Trigger

SECRETS = {"TOKEN": b"tok", "KEY": b"key", "OLD": b"old"}


def find_secret(ref):
    return SECRETS[ref["env"]]


def trigger(key, path="/deal-created", *, enabled=True, **section):
    return Trigger(key, "webhook", WebhookSource.prepare({"path": path, **section}, key=key), "flow", enabled=enabled)


class Intake:
    """Takes events as the daemon's does, and keeps them; `answer` may be changed or made to raise."""

    def __init__(self):
        self.events = []
        self.answer = lambda event: Accepted(event.id, ("run_1",), {"a": "dispatched"})
        self.gate = None

    async def __call__(self, event):
        self.events.append(event)
        if self.gate is not None:
            await self.gate.wait()
        return self.answer(event)


class World:
    def __init__(self, source, intake, client):
        self.source, self.intake, self.client = source, intake, client

    async def send(self, path="/deal-created", data=None, *, method="POST", **more):
        async with self.client.request(method, f"{self.source.url}{path}", data=data, **more) as response:
            text = await response.text()
            return response, json.loads(text) if text else None

    @property
    def document(self):
        (event,) = self.intake.events
        return event.document

    async def connect(self):
        url = self.source.url.removeprefix("http://").removesuffix("/hooks")
        host, port = url.split(":")
        return await asyncio.open_connection(host, int(port))


@asynccontextmanager
async def opened(*triggers, clock=None, **settings):
    more = {} if clock is None else {"clock": clock}
    source = WebhookSource(WebhookSource.Settings(listen="127.0.0.1:0", **settings), secret=find_secret, **more)
    source.update(triggers)
    intake = Intake()
    async with source.open(intake), aiohttp.ClientSession() as client:
        yield World(source, intake, client)


async def test_a_posted_object_becomes_an_event_and_202_names_its_run():
    async with opened(trigger("a")) as world:
        response, said = await world.send(data=b'{"company": "Acme"}', headers={"Content-Type": "application/json", "X-Id": "7"})

        assert response.status == 202
        event = world.intake.events[0]
        assert said == {"event": event.id, "runs": ["run_1"], "verdicts": {"a": "dispatched"}}
        assert (event.source, event.address) == ("webhook", "/deal-created")
        document = event.document
        assert document["body"] == {"company": "Acme"}
        assert document["headers"]["x-id"] == "7"
        assert document["id"] == event.id
        assert document["chain"] == {"id": event.id, "depth": 0}
        assert document["trigger"] == {"type": "webhook", "firedAt": document["time"]}
        assert document["time"].endswith("Z")
        assert (document["method"], document["path"], document["remote"]) == ("POST", "/deal-created", "127.0.0.1")
        assert document["query"] == document["params"] == {}


async def test_an_event_that_makes_no_run_is_answered_200():
    async with opened(trigger("a")) as world:
        world.intake.answer = lambda event: Accepted(event.id, (), {"a": "filter_false"})

        response, said = await world.send(data=b"{}")

        assert response.status == 200
        assert said["runs"] == []


async def test_a_duplicate_is_answered_200_with_the_earlier_event():
    async with opened(trigger("a")) as world:
        world.intake.answer = lambda event: Accepted("evt_earlier", ("run_0",), {}, duplicate=True)

        response, said = await world.send(data=b"{}")

        assert (response.status, said["event"], said["runs"]) == (200, "evt_earlier", ["run_0"])


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"", None),
        (b"[]", []),
        (b"null", None),
        (b'"text"', "text"),
        (b"12.5", 12.5),
        (b"\xef\xbb\xbf{}", {}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'"\\ud800"', "\ud800"),
        (b"18446744073709551616", 18446744073709551616),
        (b"[-123456789012345678901234567890]", [-123456789012345678901234567890]),
        (b"[1234567890123456789]", [1234567890123456789]),
        (b'{"\\u0000": "\\u0000"}', {"\x00": "\x00"}),
        (b"[" * 64 + b"]" * 64, json.loads("[" * 64 + "]" * 64)),
        (b'["' + b"[" * 300 + b'"]', ["[" * 300]),
        (b"[" + b"{}," * 300 + b"{}]", [{}] * 301),
    ],
)
async def test_every_json_value_arrives_as_it_was_sent(body, value):
    async with opened(trigger("a")) as world:
        response, _ = await world.send(data=body, headers={"Content-Type": "application/json"})

        assert response.status == 202
        assert world.document["body"] == value


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "BAD_JSON"),
        (b"{}x", "BAD_JSON"),
        (b"NaN", "BAD_JSON"),
        (b'{"a": Infinity}', "BAD_JSON"),
        (b"[1e999]", "BAD_JSON"),
        (b'"\xff"', "BAD_JSON"),
        (b'"\xed\xa0\x80"', "BAD_JSON"),
        (b"\x00\x01\x02", "BAD_JSON"),
        (b"[" + b"9" * 5000 + b"]", "BAD_JSON"),
        (b" ", "BAD_JSON"),
        (b"[" * 65 + b"]" * 65, "BODY_TOO_DEEP"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "BODY_TOO_DEEP"),
        (b"[" * 100_000 + b"]" * 100_000, "BODY_TOO_DEEP"),
        (b"[" * 500 + b'"\\ud800"' + b"]" * 500, "BODY_TOO_DEEP"),
    ],
)
async def test_a_body_that_is_no_json_is_answered_400_and_makes_no_event(body, code):
    async with opened(trigger("a")) as world:
        response, said = await world.send(data=body, headers={"Content-Type": "application/json"})

        assert (response.status, said["error"]["code"]) == (400, code)
        assert world.intake.events == []


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{}", 202),
        ("application/json; charset=UTF-8", b"{}", 202),
        ("Application/JSON", b"{}", 202),
        ("application/vnd.github+json", b"{}", 202),
        ("text/plain", b'{"a": 1}', 202),
        ("application/x-www-form-urlencoded", b" [1]", 202),
        ("application/xml", b"", 202),
        ("application/json; charset=nonsense", b"{}", 415),
        ("application/json; charset=hex", b"{}", 415),
        ("text/plain; charset=utf-7", b"+AHg-", 415),
        ("application/cloudevents+avro", b"x", 415),
        ("nonsense", b"{}", 202),
        ("application/octet-stream", b"{}", 202),
    ],
)
async def test_the_content_type_says_how_a_body_is_read(content_type, body, status):
    async with opened(trigger("a")) as world:
        response, _ = await world.send(data=body, headers={"Content-Type": content_type})

        assert response.status == status


async def test_a_coding_that_is_not_read_is_refused_with_those_that_are():
    async with opened(trigger("a")) as world:
        response, said = await world.send(data=b"x", headers={"Content-Encoding": "br"})

        assert (response.status, said["error"]["code"]) == (415, "CONTENT_ENCODING")
        assert response.headers["Accept-Encoding"] == "gzip, deflate"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/deal-created", 202),
        ("/deal-created/", 202),
        ("/deal%2Dcreated", 202),
        ("/deal-created?x=1", 202),
        ("/deal-created//", 404),
        ("//deal-created", 404),
        ("/Deal-created", 404),
        ("/./deal-created", 404),
        ("/x/../deal-created", 404),
        ("/deal%2", 404),
        ("/%ff", 404),
        ("/deal-created%00", 404),
        ("/other", 404),
        ("/%2Fdeal-created", 404),
        ("", 404),
    ],
)
async def test_a_hook_is_found_by_its_path_and_by_nothing_else(path, status):
    from yarl import URL

    async with opened(trigger("a")) as world:
        async with world.client.post(URL(f"{world.source.url}{path}", encoded=True)) as response:
            said = await response.json()

        assert response.status == status
        if status == 404:
            assert said["error"]["code"] == "NO_HOOK"
            assert "deal-created" not in json.dumps(said)


async def test_a_path_outside_of_hooks_is_not_found():
    async with opened(trigger("a")) as world, world.client.get(world.source.url.removesuffix("/hooks") + "/metrics") as response:
        assert response.status == 404


async def test_a_method_that_no_trigger_takes_is_answered_405_with_those_that_are():
    async with opened(trigger("a", methods=["POST", "put"])) as world:
        statuses = {method: (await world.send(method=method))[0].status for method in ("GET", "PATCH", "DELETE", "HEAD", "PUT")}
        response, said = await world.send(method="GET")

        assert statuses == {"GET": 405, "PATCH": 405, "DELETE": 405, "HEAD": 405, "PUT": 202}
        assert response.headers["Allow"] == "OPTIONS, POST, PUT"
        assert said["error"]["code"] == "METHOD"


async def test_a_trigger_that_does_not_take_the_method_is_withheld_while_its_neighbour_fires():
    async with opened(trigger("a"), trigger("b", methods=["PUT"])) as world:
        await world.send(method="PUT", data=b"{}")

        assert world.intake.events[0].withheld == {"a": ("filter_false", "it takes POST, and this was PUT")}


async def test_query_and_headers_are_kept_without_their_secrets():
    async with opened(trigger("a")) as world:
        await world.send(
            "/deal-created?a=1&a=2&b=&token=hush&caf%C3%A9=%F0%9F%98%80",
            data=b"{}",
            headers=[("Authorization", "Bearer x"), ("Cookie", "c=1"), ("X-Api-Key", "k"), ("X-Dup", "1"), ("X-Dup", "2")],
        )

        assert world.document["query"] == {"a": ["1", "2"], "b": "", "token": "[redacted]", "café": "😀"}
        headers = world.document["headers"]
        assert headers["x-dup"] == "1, 2"
        assert {headers[name] for name in ("authorization", "cookie", "x-api-key")} == {"[redacted]"}


async def test_too_many_query_fields_are_refused():
    async with opened(trigger("a")) as world:
        response, said = await world.send("/deal-created?" + "&".join(f"a{n}" for n in range(1100)), data=b"{}")

        assert (response.status, said["error"]["code"]) == (400, "QUERY")


# ---- auth


def signed(body, key=b"key"):
    return "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest()


HMAC = {"type": "hmac", "secret": {"env": "KEY"}, "header": "X-Hub-Signature-256"}
BEARER = {"type": "bearer", "secret": {"env": "TOKEN"}}


async def test_a_signature_is_checked_on_the_raw_bytes_and_not_stored():
    body = b'{ "a" :1 }'
    async with opened(trigger("a", auth=HMAC)) as world:
        response, _ = await world.send(data=body, headers={"X-Hub-Signature-256": signed(body)})

        assert response.status == 202
        assert world.document["headers"]["x-hub-signature-256"] == "[redacted]"


async def test_a_request_that_nobody_lets_in_is_401_recorded_without_its_body_and_names_no_trigger():
    async with opened(trigger("secret-deal", auth=HMAC)) as world:
        response, said = await world.send(data=b'{"a": 1}', headers={"X-Hub-Signature-256": signed(b"other")})

        assert response.status == 401
        assert said["error"]["code"] == "UNAUTHORIZED"
        assert "secret-deal" not in json.dumps(said)
        assert world.document["body"] is None
        assert world.intake.events[0].failed_auth == {"secret-deal": "the signature does not fit the body and the secret"}


async def test_a_forged_request_is_not_parsed():
    async with opened(trigger("a", auth=HMAC)) as world:
        response, _ = await world.send(data=b"{not json", headers={"X-Hub-Signature-256": "sha256=00"})

        assert response.status == 401


async def test_who_passes_one_of_two_auths_is_let_in_and_the_other_trigger_learns_of_it():
    async with opened(trigger("a", auth=HMAC), trigger("b", auth=BEARER)) as world:
        response, _ = await world.send(data=b"{}", headers={"Authorization": "bearer tok"})

        assert response.status == 202
        assert world.intake.events[0].failed_auth == {"a": "the header x-hub-signature-256 is missing"}
        assert world.document["body"] == {}


async def test_a_trigger_for_another_method_does_not_open_the_door():
    async with opened(trigger("a", auth=HMAC), trigger("b", methods=["PUT"])) as world:
        assert (await world.send(data=b"{}"))[0].status == 401
        assert (await world.send(data=b"{}", method="PUT"))[0].status == 202


async def test_a_disabled_trigger_without_auth_does_not_open_the_door():
    async with opened(trigger("a", auth=HMAC), trigger("b", enabled=False)) as world:
        assert (await world.send(data=b"{}"))[0].status == 401


async def test_a_secret_that_is_not_there_lets_nobody_in_and_says_so_to_the_owner():
    async with opened(trigger("a", auth={"type": "bearer", "secret": {"env": "NOPE"}})) as world:
        response, _ = await world.send(data=b"{}", headers={"Authorization": "Bearer tok"})

        assert response.status == 401
        assert world.intake.events[0].failed_auth == {"a": "its secret is not available: NOPE"}


async def test_refusals_are_recorded_sixty_times_a_minute_and_then_only_counted():
    now = [1_000_000.0]
    async with opened(trigger("a", auth=HMAC), clock=lambda: now[0]) as world:
        statuses = {(await world.send(data=b"{}"))[0].status for _ in range(70)}
        recorded = len(world.intake.events)
        now[0] += 60
        await world.send(data=b"{}")

        assert (statuses, recorded, len(world.intake.events)) == ({401}, 60, 61)


async def test_a_refusal_that_cannot_be_recorded_is_still_a_refusal():
    async with opened(trigger("a", auth=HMAC)) as world:
        world.intake.answer = lambda event: unavailable()

        assert (await world.send(data=b"{}"))[0].status == 401


def unavailable():
    raise Unavailable("the disk is full", retry_after_s=7)


async def test_what_cannot_be_made_durable_is_answered_503_with_a_time_to_come_back():
    async with opened(trigger("a")) as world:
        world.intake.answer = lambda event: unavailable()

        response, said = await world.send(data=b"{}")

        assert (response.status, response.headers["Retry-After"], said["error"]["code"]) == (503, "7", "UNAVAILABLE")


async def test_a_fault_of_ours_is_answered_500_without_our_insides_and_the_listener_goes_on():
    async with opened(trigger("a")) as world:
        world.intake.answer = lambda event: 1 / 0

        response, said = await world.send(data=b"{}")
        world.intake.answer = lambda event: Accepted(event.id, (), {})
        again, _ = await world.send(data=b"{}")

        assert (response.status, said["error"]["code"], again.status) == (500, "INTERNAL", 200)
        assert "ZeroDivision" not in json.dumps(said)


async def test_strangers_learn_verdicts_only_behind_auth_and_only_of_triggers_that_let_them_in():
    async with opened(trigger("open", "/open"), trigger("a", auth=BEARER), trigger("b", auth=HMAC)) as world:
        world.source._receiver.loopback = False  # as if bound to a public address
        world.intake.answer = lambda event: Accepted(event.id, ("run_1",), {"a": "dispatched", "b": "auth_failed"})

        _, in_the_open = await world.send("/open", data=b"{}")
        _, behind_auth = await world.send(data=b"{}", headers={"Authorization": "Bearer tok"})

        assert "verdicts" not in in_the_open
        assert behind_auth["verdicts"] == {"a": "dispatched"}


async def test_update_swaps_what_is_listened_for():
    async with opened(trigger("a")) as world:
        world.source.update([trigger("b", "/new")])

        assert (await world.send("/deal-created", data=b"{}"))[0].status == 404
        assert (await world.send("/new", data=b"{}"))[0].status == 202


async def test_a_taken_port_is_refused_by_name_with_a_way_out():
    async with opened(trigger("a")) as world:
        taken = world.source.url.removeprefix("http://").removesuffix("/hooks")
        second = WebhookSource(WebhookSource.Settings(listen=taken), secret=find_secret)

        with pytest.raises(SourceError, match=f"{taken} is taken.*--listen"):
            async with second.open(world.intake):
                pass


async def test_an_address_of_another_machine_is_refused():
    source = WebhookSource(WebhookSource.Settings(listen="192.0.2.1:0"), secret=find_secret)

    with pytest.raises(SourceError, match=r"192\.0\.2\.1:0"):
        async with source.open(Intake()):
            pass


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("[::1]:0", ("::1", 0)),
        (":8420", ("0.0.0.0", 8420)),
        ("localhost:1", ("localhost", 1)),
    ],
)
def test_an_address_to_listen_on_is_host_and_port(text, address):
    assert split_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "8420", "localhost", "localhost:", "localhost:x", "localhost:99999", "::1:80", "h:-1", "h:²"]
)
def test_an_address_that_is_none_is_refused(text):
    with pytest.raises(SourceError, match="HOST:PORT"):
        split_address(text)


@settings(max_examples=200)
@given(
    st.text(max_size=40)
    | st.sampled_from(
        ["application/json;", "a/b; charset*=x''y", "text/plain; charset=\udcff", ";;;", 'application/json; charset="utf-8"']
    )
)
def test_no_content_type_makes_the_reader_raise(content_type):
    content = content_of(content_type)

    assert content.form in BODIES
    assert content.charset is None or "x".encode(content.charset)


@settings(max_examples=200)
@given(st.text(max_size=30))
def test_no_path_makes_the_reader_raise_and_what_is_found_is_plain(path):
    parts = decoded_parts(path)

    assert parts is None or not {"", ".", ".."} & set(parts)


@settings(max_examples=200)
@given(st.binary(max_size=60) | st.text('[]{}":,0123456789eE.-+ntf\\u', max_size=60).map(str.encode))
def test_a_body_is_json_as_the_standard_library_has_it_or_refused(raw):
    try:
        said = json.dumps(parse_json(raw, max_depth=64))
    except Refused as refused:
        said = refused.answer.status

    assert said == 400 or said == json.dumps(json.loads(raw))


def test_who_only_checks_definitions_loads_no_server_and_no_scheduler():
    code = (
        "import sys; from triggers.load import load_trigger;"
        "load_trigger({'key': 'a', 'trigger': {'type': 'webhook', 'path': '/a'}, 'flow': 'f'}, key=None, file=None);"
        "print([name for name in ('aiohttp', 'apscheduler', 'watchdog', 'sqlalchemy') if name in sys.modules])"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


async def test_an_ipv6_listener_says_its_address_in_brackets():
    source = WebhookSource(WebhookSource.Settings(listen="[::1]:0"), secret=find_secret)

    try:
        async with source.open(Intake()):
            assert source.url.startswith("http://[::1]:")
    except SourceError as error:
        assert "no such address" in str(error)  # noqa: PT017 - a machine without IPv6 says so
