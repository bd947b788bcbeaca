"""What strangers and mistaken friends send, over real sockets: each gets a clear answer, and the daemon goes on."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import random
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

from tests.acceptance.database import ON_POSTGRESQL

CAMSHAFT = Path(sys.executable).parent / "camshaft"
DEAL = {"source": "email", "company": "Acme", "email": "a@b.c"}
PATIENCE_S = 20.0


def address(daemon):
    host, _, port = daemon.hooks.split("/")[2].rpartition(":")
    return host, int(port)


async def exchange(daemon, raw: bytes, *, half: bool = False) -> tuple[int, dict]:
    """Send bytes, read until the daemon closes (or has answered once): the status and the JSON of the first answer."""
    reader, writer = await asyncio.open_connection(*address(daemon))
    try:
        async with asyncio.timeout(PATIENCE_S):
            writer.write(raw)
            if half:
                writer.write_eof()
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = next(int(line.split(":")[1]) for line in head.lower().splitlines() if line.startswith("content-length"))
            body = await reader.readexactly(length)
    finally:
        writer.close()
    return int(head.split()[1]), json.loads(body)


def post(path: str, body: bytes, *headers: str, length: int | None = None) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body) if length is None else length}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


JSON = "Content-Type: application/json"


def deal(inner: bytes, *headers: str) -> bytes:
    return post("/hooks/deal-created", inner, JSON, *headers)


# What is sent, and the statuses that are a right answer to it.
REQUESTS: dict[str, tuple[bytes, set[int]]] = {
    "no json": (deal(b"{"), {400}),
    "a trailing comma": (deal(b'{"a": 1,}'), {400}),
    "two values": (deal(b"{} {}"), {400}),
    "NaN": (deal(b'{"a": NaN}'), {400}),
    "Infinity": (deal(b'{"a": -Infinity}'), {400}),
    "a number beyond doubles": (deal(b'{"a": 1e999}'), {400}),
    "an integer of 5,000 digits": (deal(b'{"a": ' + b"9" * 5000 + b"}"), {400}),
    "an integer of 4,000 digits": (deal(b'{"source": "email", "company": ' + b"9" * 4000 + b"}"), {200, 202}),
    "an integer of 20 digits": (deal(b'{"source": "email", "company": 99999999999999999999}'), {200, 202}),
    "a lone surrogate": (deal(b'{"source": "email", "company": "\\ud83d", "email": ""}'), {202}),
    "a lone surrogate as key": (deal(b'{"source": "email", "company": "a", "email": "", "\\udc00": 1}'), {202}),
    "a zero character": (deal(b'{"source": "email", "company": "a\\u0000b", "email": ""}'), {202}),
    "a raw zero byte": (deal(b'{"source": "em\x00ail"}'), {400}),
    "bytes that are no UTF-8": (deal(b'{"a": "\xff\xfe"}'), {400}),
    "surrogates as UTF-8": (deal(b'{"a": "\xed\xa0\x80"}'), {400}),
    "UTF-16": (deal('{"a": 1}'.encode("utf-16")), {400}),
    "a byte order mark": (deal(b"\xef\xbb\xbf" + json.dumps(DEAL).encode()), {202}),
    "deep lists": (deal(b"[" * 100_000), {400}),
    "deep closed lists": (deal(b"[" * 50_000 + b"]" * 50_000), {400}),
    "deep objects": (deal(b'{"a":' * 5000 + b"1" + b"}" * 5000), {400}),
    "a key that stands twice": (deal(b'{"source": "web", "source": "email", "company": "a"}'), {200, 202}),
    "nothing": (deal(b""), {200}),
    "null": (deal(b"null"), {200}),
    "a list": (deal(b"[]"), {200}),
    "a text": (deal(b'"x"'), {200}),
    "binary of another type": (post("/hooks/deal-created", bytes(range(256)), "Content-Type: image/png"), {200}),
    "binary of no type": (post("/hooks/deal-created", bytes(range(256)), "Content-Type: application/octet-stream"), {200}),
    "a form": (post("/hooks/deal-created", b"a=b&c=d", "Content-Type: application/x-www-form-urlencoded"), {200}),
    "JSON as a form, as curl sends it": (
        post("/hooks/deal-created", json.dumps(DEAL).encode(), "Content-Type: application/x-www-form-urlencoded"),
        {202},
    ),
    "another charset": (post("/hooks/deal-created", b"{}", "Content-Type: application/json; charset=latin-1"), {200}),
    "a charset of nobody": (post("/hooks/deal-created", b"{}", "Content-Type: application/json; charset=../x"), {415}),
    "a multipart body cut off": (
        post("/hooks/deal-created", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nv', "Content-Type: multipart/form-data; boundary=x"),
        {400},
    ),
    "half a CloudEvent": (post("/hooks/deal-created", b"{}", "Content-Type: application/cloudevents+json"), {400}),
    "half a CloudEvent in headers": (post("/hooks/deal-created", b"{}", JSON, "ce-specversion: 1.0"), {400}),
    "a bomb": (deal(gzip.compress(b" " * 50_000_000), "Content-Encoding: gzip"), {413}),
    "a coding of nobody": (deal(b"{}", "Content-Encoding: br"), {415}),
    "a type that is none": (post("/hooks/deal-created", b"{}", "Content-Type: ;;;="), {200, 400, 415}),
    "a type of raw bytes": (
        b"POST /hooks/deal-created HTTP/1.1\r\nHost: x\r\nContent-Type: te\xff\xfe/x\r\nContent-Length: 2\r\n\r\n{}",
        {200},
    ),
    "an encoding of raw bytes": (
        b"POST /hooks/deal-created HTTP/1.1\r\nHost: x\r\nContent-Encoding: \xff\xfe\r\nContent-Length: 2\r\n\r\n{}",
        {400, 415},
    ),
    "a charset of raw bytes": (
        b"POST /hooks/deal-created HTTP/1.1\r\nHost: x\r\nContent-Type: text/json; charset=\xff\r\nContent-Length: 2\r\n\r\n{}",
        {400, 415},
    ),
    "an expectation of raw bytes": (
        b"POST /hooks/deal-created HTTP/1.1\r\nHost: x\r\nExpect: \xff\xfe\r\nContent-Length: 2\r\n\r\n{}",
        {400, 417},
    ),
    "compressed": (deal(b"\x1f\x8b\x08\x00", "Content-Encoding: gzip"), {400}),
    "too large": (deal(b'{"a": "' + b"x" * 2_000_000 + b'"}'), {413}),
    "too large by its own word": (post("/hooks/deal-created", b"", JSON, length=10**12), {413}),
    "a length beyond everything": (post("/hooks/deal-created", b"", JSON, length=10**40), {400, 413}),
    "too large in chunks": (
        b"POST /hooks/deal-created HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" + JSON.encode() + b"\r\n\r\n"
        + (b"10000\r\n" + b" " * 65536 + b"\r\n") * 32,
        {413},
    ),
    "a chunk that lies": (
        b"POST /hooks/deal-created HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n",
        {400},
    ),
    "length and chunks": (
        b"POST /hooks/deal-created HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        {400},
    ),
    "two lengths": (post("/hooks/deal-created", b"{}", JSON, "Content-Length: 3"), {400}),
    "a length that is no number": (b"POST /hooks/deal-created HTTP/1.1\r\nHost: x\r\nContent-Length: two\r\n\r\n{}", {400}),
    "a negative length": (b"POST /hooks/deal-created HTTP/1.1\r\nHost: x\r\nContent-Length: -2\r\n\r\n{}", {400}),
    "an unknown path": (post("/hooks/nope", b"{}"), {404}),
    "another place": (post("/deal-created", b"{}"), {404}),
    "the root": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", {404}),
    "a way out of the folder": (post("/hooks/../../etc/passwd", b"{}"), {404}),
    "an encoded way out": (post("/hooks/%2e%2e%2f%2e%2e%2fetc%2fpasswd", b"{}"), {404}),
    "a path of broken escapes": (post("/hooks/%ff%fe%zz", b"{}"), {404}),
    "the admin's address": (b"GET /v1/triggers HTTP/1.1\r\nHost: x\r\n\r\n", {404}),
    "another method": (b"GET /hooks/deal-created HTTP/1.1\r\nHost: x\r\n\r\n", {405}),
    "a method nobody knows": (b"BREW /hooks/deal-created HTTP/1.1\r\nHost: x\r\n\r\n", {400, 405}),
    "no HTTP at all": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200, {400}),
    "an SSH client": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", {400}),
    "a version from the future": (b"GET / HTTP/9.9\r\n\r\n", {400, 404, 405}),
    "a head without end": (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", {400, 414}),
    "a header without end": (b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", {400, 431}),
    "headers without end": (b"GET / HTTP/1.1\r\n" + b"".join(b"X%d: a\r\n" % n for n in range(5000)) + b"\r\n", {400, 431}),
    "a header with a line end": (post("/hooks/deal-created", b"{}", JSON, "X: a\rb"), {200, 400}),
    "a header of raw bytes": (
        b"POST /hooks/deal-created HTTP/1.1\r\nHost: x\r\nX-A: \xff\xfe\r\nContent-Length: 2\r\n\r\n{}",
        {200, 400},
    ),
    "a query of everything": (post("/hooks/deal-created?a=%ff&b=%00&c&=d&a=2&%f0%9f%98%80=1", b"{}", JSON), {200}),
    "an absolute address": (post("http://x/hooks/deal-created", json.dumps(DEAL).encode(), JSON), {202}),
    "a guarded hook without anything": (post("/hooks/guarded", b"{}", JSON), {401}),
    "a guarded hook with nonsense": (post("/hooks/guarded", b"{", JSON, "X-Signature: sha256="), {401}),
    "a signature of bytes": (
        b"POST /hooks/guarded HTTP/1.1\r\nHost: x\r\nX-Signature: \xc3\xa9\xff\r\nContent-Length: 2\r\n\r\n{}",
        {400, 401},
    ),
}  # fmt: skip


@pytest.fixture
def guarded_home(home, write):
    """The home with a second hook that asks for a signature."""
    section = {
        "type": "webhook",
        "path": "/guarded",
        "auth": {"type": "hmac", "header": "X-Signature", "secret": {"env": "SECRET"}},
    }
    definition = {"key": "guarded", "trigger": section, "flow": "deal-process", "inputMapping": {"companyName": "$.body.company"}}
    write(home, "triggers/guarded.json", definition)
    return home


async def still_answers(daemon):
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{daemon.hooks}/deal-created", json=DEAL) as answer,
        session.get(f"{daemon.admin}/readyz") as ready,
    ):
        return (answer.status, ready.status) == (202, 200)


def nothing_is_half_done(daemon):
    """Every event has its verdicts, and every dispatched verdict its run."""
    assert daemon.rows("SELECT id FROM events WHERE id NOT IN (SELECT event FROM verdicts)") == []
    assert daemon.rows("SELECT * FROM verdicts WHERE event NOT IN (SELECT id FROM events)") == []
    broken = "SELECT * FROM verdicts WHERE (verdict = 'dispatched') <> (run IS NOT NULL)"
    assert daemon.rows(broken) == []
    assert daemon.rows("SELECT run FROM verdicts WHERE run IS NOT NULL AND run NOT IN (SELECT id FROM runs)") == []
    assert daemon.rows("SELECT id FROM runs WHERE event IS NOT NULL AND id NOT IN (SELECT run FROM verdicts WHERE run IS NOT NULL)") == []  # fmt: skip
    if not ON_POSTGRESQL:
        assert daemon.rows("PRAGMA integrity_check") == [("ok",)]


async def test_every_malformed_request_gets_a_clear_answer_and_the_daemon_goes_on(guarded_home, daemon_of, run_json):
    daemon = await daemon_of(guarded_home, env={"SECRET": "s"})
    wrong = {}

    for name, (raw, expected) in REQUESTS.items():
        status, said = await exchange(daemon, raw)
        if status not in expected:
            wrong[name] = (status, said)
        if status >= 400:
            assert said["error"]["code"] == said["error"]["code"].upper(), name
            assert said["error"]["message"], name
        else:
            assert said["event"].startswith("evt_"), name
            told = run_json("event", "show", said["event"], home=daemon.home) if "surrogate" in name else None
            assert told is None or told["verdicts"], name
    await daemon.all_ended()

    assert wrong == {}
    assert await still_answers(daemon)
    assert "Traceback" not in daemon.log.read_text()
    nothing_is_half_done(daemon)


async def test_slow_and_half_sent_requests_are_sent_away_and_hold_up_nobody(home, write, daemon_of):
    write(home, "camshaft.toml", "[sources.webhook]\nheader_timeout_s = 0.5\nbody_timeout_s = 0.5\n")
    daemon = await daemon_of(home)
    whole = deal(json.dumps(DEAL).encode())

    slow_head = asyncio.create_task(exchange(daemon, whole[:30]))
    slow_body = asyncio.create_task(exchange(daemon, whole[:-5]))
    no_word = asyncio.create_task(exchange(daemon, b""))
    meanwhile = await still_answers(daemon)
    half_reader, half_writer = await asyncio.open_connection(*address(daemon))
    half_writer.write(whole[:-5])
    half_writer.write_eof()
    async with asyncio.timeout(PATIENCE_S):
        leftover = await half_reader.read()
    half_writer.close()

    assert meanwhile
    assert (await slow_head)[0] == (await slow_body)[0] == 408
    assert (await no_word)[0] == 408
    assert leftover == b"" or leftover.split()[1] in {b"400", b"408"}
    assert await still_answers(daemon)
    await daemon.all_ended()
    assert daemon.rows("SELECT count(*) FROM events") == [(2,)]
    nothing_is_half_done(daemon)


async def test_pipelined_and_repeated_requests_are_each_answered(daemon):
    """Three in one packet on one connection; duplicates without an idempotency key are three events."""
    reader, writer = await asyncio.open_connection(*address(daemon))
    writer.write(deal(json.dumps(DEAL).encode()) * 3)
    events = []
    async with asyncio.timeout(PATIENCE_S):
        for _ in range(3):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line.split(b":")[1]) for line in head.lower().splitlines() if line.startswith(b"content-length"))
            events.append(json.loads(await reader.readexactly(length))["event"])
    writer.close()

    assert len(set(events)) == 3
    await daemon.all_ended()
    nothing_is_half_done(daemon)


async def test_a_thousand_connections_at_once_are_each_answered(daemon):
    async def one(session, number):
        async with session.post(f"{daemon.hooks}/deal-created", json={**DEAL, "company": str(number)}) as answer:
            return answer.status, (await answer.json()).get("event")

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        answers = await asyncio.gather(*(one(session, number) for number in range(1000)))
    await daemon.all_ended()

    taken = {event for status, event in answers if status == 202}
    assert {status for status, _ in answers} <= {202, 503}
    assert len(taken) == sum(status == 202 for status, _ in answers) >= 900
    assert taken == {event for (event,) in daemon.rows("SELECT event FROM runs WHERE status = 'completed'")}
    async with asyncio.timeout(30):  # until the daemon has seen that the thousand have gone, there is no room for one more
        while not await still_answers(daemon):
            await asyncio.sleep(0.01)
    nothing_is_half_done(daemon)


async def test_requests_during_a_shutdown_are_answered_in_full_or_refused(daemon):
    acknowledged, refused = [], 0

    async def sender(session):
        nonlocal refused
        while True:
            try:
                async with session.post(f"{daemon.hooks}/deal-created", json=DEAL) as answer:
                    if answer.status != 202:
                        assert answer.status == 503
                        refused += 1
                        return
                    acknowledged.append((await answer.json())["event"])
            except aiohttp.ClientError:
                return

    async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE_S):
        senders = [asyncio.create_task(sender(session)) for _ in range(20)]
        while len(acknowledged) < 200:
            await asyncio.sleep(0.01)
        daemon.process.send_signal(signal.SIGTERM)
        await asyncio.gather(*senders)
        assert await daemon.process.wait() == 0

    kept = {event for (event,) in daemon.rows("SELECT event FROM runs")}
    assert set(acknowledged) <= kept
    assert "Traceback" not in daemon.log.read_text()
    nothing_is_half_done(daemon)


# ---- the admin's socket and random noise


async def test_the_admin_s_listeners_take_nonsense_with_an_answer(daemon):
    token = (daemon.home / "state" / "admin.token").read_text().strip()
    requests = [
        ("GET", "/v1/runs?limit=x", None), ("GET", "/v1/runs?limit=0", None), ("GET", "/v1/runs?limit=99999999999999999999", None),
        ("GET", "/v1/runs/%00", None), ("GET", "/v1/runs/%25", None), ("GET", "/v1/runs/run_", None), ("GET", "/v1/runs/%ff", None),
        ("GET", "/v1/events/';--", None), ("GET", "/v1/nothing", None), ("PATCH", "/v1/runs", None),
        ("GET", "/v1/runs?status=nonsense", None), ("GET", "/v1/runs?before=zzz", None), ("GET", "/v1/events?verdict=nonsense", None),
        ("POST", "/v1/triggers", b"{"), ("POST", "/v1/triggers", b""), ("POST", "/v1/triggers", b"\xff"),
        ("POST", "/v1/triggers", b"[" * 100_000), ("POST", "/v1/triggers", b'{"key": ' + b"9" * 5000 + b"}"),
        ("POST", "/v1/triggers", b'{"key": "\\ud83d"}'), ("POST", "/v1/triggers", b" " * 20_000_000),
        ("POST", "/v1/flows/nope/execute", b"{}"), ("POST", "/v1/flows/deal-process/execute", b"[]"),
        ("POST", "/v1/flows/deal-process/execute", b'{"inputs": 5}'), ("POST", "/v1/flows/deal-process/execute", b'{"inputs": {}}'),
        ("POST", "/v1/flows/deal-process/execute", b'{"inputs": {"companyName": {"a": NaN}}}'),
        ("POST", "/v1/runs/nope/cancel", None), ("DELETE", "/v1/triggers/nope", None), ("DELETE", "/v1/triggers/..%2f..%2fx", None),
        ("GET", "/v1/runs/nope?wait=x", None), ("GET", "/v1/runs/nope?wait=-1", None), ("GET", "/v1/runs/nope?wait=nan", None),
    ]  # fmt: skip
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    async with aiohttp.ClientSession(headers=headers) as session:
        for method, path, body in requests:
            url = aiohttp.client.URL(daemon.admin + path, encoded=True)
            async with session.request(method, url, data=body and io.BytesIO(body)) as answer:
                text = await answer.text()
                assert answer.status < 500, (method, path, text)
                if answer.status >= 400:
                    assert json.loads(text)["error"]["message"], (method, path)
        async with session.get(f"{daemon.admin}/v1/triggers", headers={"Authorization": "Bearer \xe9"}) as answer:
            assert answer.status == 401
        async with session.get(f"{daemon.admin}/v1/triggers", headers={"Authorization": ""}) as answer:
            assert answer.status == 401

    assert await still_answers(daemon)
    assert "Traceback" not in daemon.log.read_text()


async def test_random_noise_never_brings_the_daemon_down(daemon):
    noise = random.Random(23)
    whole = deal(json.dumps(DEAL).encode())

    async def one():
        raw = bytearray(whole)
        for _ in range(noise.randint(1, 8)):
            at = noise.randrange(len(raw))
            raw[at : at + noise.randint(0, 4)] = noise.randbytes(noise.randint(0, 6))
        reader, writer = await asyncio.open_connection(*address(daemon))
        writer.write(bytes(raw))
        writer.write_eof()
        try:
            async with asyncio.timeout(PATIENCE_S):
                answer = await reader.read()
        except ConnectionResetError:
            return None
        finally:
            writer.close()
        return int(answer.split()[1]) if answer else None

    statuses = set()
    for _ in range(10):
        statuses |= set(await asyncio.gather(*(one() for _ in range(30))))
    await daemon.all_ended()

    assert statuses <= {None, 200, 202, 400, 404, 405, 408, 411, 413, 414, 415, 417, 431}
    assert "Traceback" not in daemon.log.read_text()
    assert await still_answers(daemon)
    nothing_is_half_done(daemon)
