"""The admin API: its socket, its guard, its routes, and failures as JSON."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import socket
import stat
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from daemon.admin import Behind, open_admin
from daemon.admin.guard import read_token
from daemon.admin.routes import ROUTES
from daemon.admin.unix_socket import bound
from daemon.advice import Advice
from daemon.cli.client import Client, NoDaemon
from daemon.config import Address
from daemon.errors import BadRequest, Conflict, HomeError, NotFound, Unreachable
from daemon.home.definitions import Holder
from daemon.home.whole import read_home
from daemon.operations import Operations
from flows.errors import DefinitionError
from flows.steps import make_kinds

TOKEN = "a-token-of-the-test"
HOOK = {"key": "hook", "trigger": {"type": "webhook", "path": "/a"}, "flow": "greet"}
FLOW = {"steps": [{"id": "say", "type": "transform", "transform": {"expression": "1"}}]}


@asynccontextmanager
async def served(home: Path, *, tcp: bool = False, ready=(("store", True),)):
    (home / "flows").mkdir(exist_ok=True)
    (home / "flows/greet.json").write_text(json.dumps(FLOW))
    kinds = make_kinds()
    operations = Operations(home, Holder(read_home(home, kinds)), kinds, Advice(lambda: "http://h"))
    address = Address("127.0.0.1", 0) if tcp else None

    async def is_ready():
        return dict(ready)

    async with open_admin(Behind(operations, is_ready), socket_path=home / "state/admin.sock", tcp=address, token=TOKEN) as where:
        yield where


async def nothing_to_check():
    return {}


async def ask(home: Path, *asked, **more):
    return await asyncio.to_thread(Client(home).ask, *asked, **more)


async def get(where, path: str, method: str = "GET", **more) -> tuple[int, dict]:
    async with aiohttp.ClientSession() as session, session.request(method, f"http://{where.tcp}{path}", **more) as response:
        return response.status, await response.json()


AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


async def test_the_socket_is_the_owners_alone_and_goes_with_the_daemon(tmp_path):
    async with served(tmp_path) as where:
        mode = stat.S_IMODE(where.socket.stat().st_mode)

    assert mode == 0o600
    assert not where.socket.exists()


async def test_a_home_that_lies_deep_can_be_reached(tmp_path):
    home = tmp_path / ("deep" * 20) / ("deeper" * 20)
    home.mkdir(parents=True)

    async with served(home):
        answer = await ask(home, "GET", "/healthz")

    assert len(str(home)) > 107
    assert answer == {"ok": True}


async def test_a_dead_daemons_socket_is_replaced(tmp_path):
    (tmp_path / "state").mkdir()
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "state/admin.sock"))
    left.close()

    async with served(tmp_path):
        answer = await ask(tmp_path, "GET", "/healthz")

    assert answer == {"ok": True}


async def test_a_living_daemon_is_not_pushed_aside(tmp_path):
    async with served(tmp_path):
        with pytest.raises(Conflict, match="a daemon runs"), bound(tmp_path / "state/admin.sock"):
            pass
        answer = await ask(tmp_path, "GET", "/healthz")

    assert answer == {"ok": True}


def test_what_is_no_socket_is_not_removed(tmp_path):
    file = tmp_path / "admin.sock"
    file.write_text("precious")

    with pytest.raises(HomeError, match="is no socket"), bound(file):
        pass

    assert file.read_text() == "precious"


def test_on_leaving_another_daemons_socket_stays(tmp_path):
    file = tmp_path / "admin.sock"

    with bound(file):
        file.unlink()
        other = socket.socket(socket.AF_UNIX)
        other.bind(str(file))

    assert file.exists()
    other.close()


def test_without_a_daemon_the_client_says_so(tmp_path):
    with pytest.raises(NoDaemon):
        Client(tmp_path).ask("GET", "/healthz")
    with pytest.raises(NoDaemon):
        Client(tmp_path / "nowhere").ask("GET", "/healthz")


def test_a_token_is_made_once_and_for_the_owner_alone(tmp_path):
    file = tmp_path / "state/admin.token"

    first, second = read_token(file), read_token(file)

    assert first == second
    assert len(first) > 40
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(("content", "mode"), [("", 0o600), ("short", 0o600), ("a-good-token-of-length", 0o644)])
def test_a_token_that_is_none_or_that_others_can_read_is_refused(tmp_path, content, mode):
    file = tmp_path / "admin.token"
    file.write_text(content)
    file.chmod(mode)

    with pytest.raises(HomeError):
        read_token(file)


async def test_probes_and_signed_links_need_no_token_and_everything_else_does(tmp_path):
    async with served(tmp_path, tcp=True) as where:
        answers = {route.path: (await get(where, re.sub(r"{\w+}", "x", route.path), route.method))[0] for route in ROUTES}

    assert {path for path, status in answers.items() if status != 401} == {"/healthz", "/readyz", "/approvals/{token}"}


async def test_a_token_opens_the_api(tmp_path):
    async with served(tmp_path, tcp=True) as where:
        good = await get(where, "/v1/triggers", headers=AUTHORIZED)
        statuses = [
            (await get(where, "/v1/triggers", headers={"Authorization": text}))[0]
            for text in ("Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer", "Bearer \xff")
        ]

    assert good == (200, [])
    assert statuses == [401] * 5


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
    ],
)
async def test_pages_in_browsers_are_kept_out(tmp_path, headers):
    async with served(tmp_path, tcp=True) as where:
        status, _ = await get(where, "/healthz", headers=headers)

    assert status == 401


async def test_a_page_with_a_stolen_token_is_kept_out_too(tmp_path):
    async with served(tmp_path, tcp=True) as where:
        status, _ = await get(where, "/v1/triggers", headers={"Origin": "http://evil.example", **AUTHORIZED})

    assert status == 401


async def test_readiness_names_what_is_missing(tmp_path):
    async with served(tmp_path, tcp=True, ready=(("store", True), ("sources", False))) as where:
        answer = await get(where, "/readyz")

    assert answer == (503, {"ready": False, "checks": {"store": True, "sources": False}})


async def test_a_port_that_is_taken_is_told(tmp_path):
    kinds = make_kinds()
    operations = Operations(tmp_path, Holder(read_home(tmp_path, kinds)), kinds, Advice(lambda: "http://h"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = Address("127.0.0.1", taken.getsockname()[1])

        with pytest.raises(HomeError, match="the port is taken"):
            async with open_admin(Behind(operations, nothing_to_check), socket_path=tmp_path / "admin.sock", tcp=address):
                pass

    assert not (tmp_path / "admin.sock").exists()


async def test_a_trigger_comes_and_goes(tmp_path):
    async with served(tmp_path):
        added = await ask(tmp_path, "POST", "/v1/triggers", body=HOOK)
        listed = await ask(tmp_path, "GET", "/v1/triggers")
        shown = await ask(tmp_path, "GET", "/v1/triggers/hook")
        await ask(tmp_path, "DELETE", "/v1/triggers/hook")
        after = await ask(tmp_path, "GET", "/v1/triggers")

    assert (added["url"], [one["key"] for one in listed], shown["definition"]) == ("http://h/hooks/a", ["hook"], HOOK)
    assert after == []


async def test_what_is_refused_comes_back_as_the_error_it_is(tmp_path):
    async with served(tmp_path):
        with pytest.raises(DefinitionError, match="there is no flow «gret»"):
            await ask(tmp_path, "POST", "/v1/triggers", body=HOOK | {"flow": "gret"})
        with pytest.raises(NotFound, match="no trigger «x»"):
            await ask(tmp_path, "GET", "/v1/triggers/x")
        with pytest.raises(BadRequest, match="no parameter «limt»"):
            await ask(tmp_path, "GET", "/v1/runs", {"limt": 1})
        with pytest.raises(Unreachable, match="no daemon runs"):
            await ask(tmp_path, "POST", "/v1/flows/greet/execute", body={"inputs": {}})


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "NOT_FOUND"),
        ("DELETE", "/healthz", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/v1/runs?limit=x", 400, "BAD_REQUEST"),
        ("GET", "/v1/runs/x?wait=-1", 400, "BAD_REQUEST"),
        ("GET", "/v1/runs/x?wait=nan", 400, "BAD_REQUEST"),
        ("GET", "/v1/flows/%00", 404, "NOT_FOUND"),
    ],
)
async def test_a_request_without_meaning_is_refused_in_json(tmp_path, method, path, status, code):
    async with served(tmp_path, tcp=True) as where:
        said, body = await get(where, path, method, headers=AUTHORIZED)

    assert (said, body["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/triggers", b"{", 400),
        ("/v1/triggers", b"[" * 100_000, 400),
        ("/v1/triggers", b"\xff", 400),
        ("/v1/triggers", b'{"a": ' + b"9" * 5000 + b"}", 400),
        ("/v1/triggers", b"[]", 422),
        ("/v1/triggers", b"", 422),
        ("/v1/triggers", b" " * (17 * 1024 * 1024), 413),
        ("/v1/flows/greet/execute", b"[]", 400),
        ("/v1/flows/greet/execute", b'{"inputs": []}', 400),
        ("/v1/flows/greet/execute", b'{"input": {}}', 400),
        ("/v1/flows/greet/execute", b'{"wait": "soon"}', 400),
    ],
)
async def test_a_body_without_meaning_is_refused_and_the_daemon_goes_on(tmp_path, path, body, status):
    async with served(tmp_path, tcp=True) as where:
        said, _ = await get(where, path, "POST", data=io.BytesIO(body), headers=AUTHORIZED)
        after, _ = await get(where, "/healthz")

    assert (said, after) == (status, 200)


async def test_a_mistake_of_ours_is_an_answer_and_not_a_broken_connection(tmp_path):
    def broken():
        raise RuntimeError("a defect")

    async with served(tmp_path, tcp=True, ready=broken) as where:
        status, body = await get(where, "/readyz")

    assert (status, body["error"]["code"]) == (500, "INTERNAL")
    assert "defect" not in json.dumps(body)


def test_each_route_says_what_it_is_for():
    assert all(route.summary and len(route.summary) < 100 for route in ROUTES)
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


async def test_a_daemon_that_breaks_off_is_told(tmp_path):
    (tmp_path / "state").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "state/admin.sock"))
        server.listen()

        def hang_up():
            connection, _ = server.accept()
            connection.recv(10)
            connection.close()

        closing = asyncio.create_task(asyncio.to_thread(hang_up))
        with pytest.raises(Unreachable, match="broke off"):
            await ask(tmp_path, "GET", "/healthz")
        await closing


def test_the_process_keeps_no_descriptor_of_a_socket_it_closed(tmp_path):
    before = len(os.listdir("/proc/self/fd"))

    for _ in range(3):
        with bound(tmp_path / "admin.sock"):
            pass

    assert len(os.listdir("/proc/self/fd")) == before
