"""PostgreSQL goes away under a running daemon: senders are told at once, nothing is lost, and nothing needs a restart."""

from __future__ import annotations

import asyncio
import json
import re
import signal

import psycopg
import pytest

from tests.acceptance.conftest import PATIENCE_S
from tests.postgresql_server import PASSWORD

pytestmark = pytest.mark.long

DEAL = {"source": "email", "company": "Acme", "email": "a@b.c"}
SENDER_S = 10.0  # what a sender of webhooks may wait at most


@pytest.fixture
def server(own_postgresql):
    """It is started and stopped by each test."""
    own_postgresql.start()
    yield own_postgresql
    own_postgresql.stop()


@pytest.fixture
def away_home(home, write, server, monkeypatch):
    """The home with its store there, a flow whose run is under way until `go` is there, and a watched folder."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    monkeypatch.setenv("CAMSHAFT_STORE__URL", server.url)
    steps = [
        {"id": "a", "type": "bash", "bash": {"command": "echo $CAMSHAFT_IDEMPOTENCY_KEY >> ../effects; until test -e ../go; do sleep 0.05; done"}},
        {"id": "b", "type": "transform", "transform": {"expression": "1"}},
    ]  # fmt: skip
    write(home, "flows/deal-process.json", {"key": "deal-process", "steps": steps})
    (home.parent / "inbox").mkdir()
    write(
        home,
        "triggers/inbox.json",
        {
            "key": "inbox",
            "trigger": {"type": "file-watch", "paths": [str(home.parent / "inbox")], "settle": "50ms"},
            "flow": "deal-process",
        },
    )
    return home


def ask(server, query):
    with psycopg.connect(server.url) as connection:
        return connection.execute(query).fetchall()


async def until(condition, *, every_s=0.05):
    async with asyncio.timeout(2 * PATIENCE_S):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(every_s)


async def post(client, daemon):
    """Status, Retry-After and what was said, within what a sender waits."""
    async with asyncio.timeout(SENDER_S), client.post(f"{daemon.hooks}/deal-created", json=DEAL) as answer:
        return answer.status, answer.headers.get("Retry-After"), await answer.json()


async def refused(client, daemon):
    """Send until it is known that the server is away; the last answer."""
    async with asyncio.timeout(PATIENCE_S):
        while (answer := await post(client, daemon))[0] == 202:
            pass
    return answer


async def is_ready(client, daemon):
    async with client.get(f"{daemon.admin}/readyz") as answer:
        return answer.status == 200


def logged(daemon):
    return re.findall(r'"event": ?"(store\.\w+)"', daemon.log.read_text())


@pytest.mark.parametrize("how", [signal.SIGINT, pytest.param(signal.SIGQUIT, marks=pytest.mark.slow)], ids=["fast", "immediate"])
async def test_a_server_that_is_stopped_loses_nothing_and_is_found_again(away_home, server, daemon_of, client, run, how):
    home, inbox = away_home, away_home.parent / "inbox"
    daemon = await daemon_of(home, "--log-format", "json")
    taken = {said["event"]: said["runs"][0] for _, _, said in [await post(client, daemon) for _ in range(3)]}
    await until(lambda: (home / "effects").exists() and len((home / "effects").read_text().split()) == 3)

    await asyncio.to_thread(server.stop, how)
    async with asyncio.timeout(SENDER_S):  # before any sender finds out
        while await is_ready(client, daemon):
            await asyncio.sleep(0.1)
    status, retry_after, said = await refused(client, daemon)
    async with client.get(f"{daemon.admin}/readyz") as ready:
        ready_status = ready.status
    (home / "go").touch()  # the runs under way end while nothing of it can be recorded
    (inbox / "meanwhile.txt").write_text("a file of the gap")
    commands = [
        await asyncio.to_thread(run, *words, home=home) for words in (["status"], ["run", "list"], ["run", "list", "-o", "json"])
    ]
    again = await post(client, daemon)
    await asyncio.to_thread(server.start)
    async with asyncio.timeout(PATIENCE_S):
        while (answer := await post(client, daemon))[0] != 202:
            await asyncio.sleep(0.05)
    taken[answer[2]["event"]] = answer[2]["runs"][0]
    await until(lambda: ask(server, "SELECT 1 FROM runs WHERE trigger = 'inbox'"))
    await until(lambda: ask(server, "SELECT count(*) FROM runs WHERE status <> 'completed'") == [(0,)])
    async with client.get(f"{daemon.admin}/readyz") as ready:
        assert ready.status == 200

    assert (status, again[0], ready_status) == (503, 503, 503)
    assert int(retry_after) > 0
    assert said["error"]["code"] == "UNAVAILABLE"
    for done in commands:
        assert "Traceback" not in done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        assert done.returncode == 0 or re.search(r"PostgreSQL|cannot be read|refused", done.stdout + done.stderr)
    runs = dict(ask(server, "SELECT event, id FROM runs"))
    assert taken.items() <= runs.items()
    assert len(ask(server, "SELECT 1 FROM runs WHERE trigger = 'inbox'")) == 1
    assert ask(server, "SELECT run FROM attempts WHERE path = 'a' GROUP BY run HAVING count(*) > 1") == []
    effects = (home / "effects").read_text().split()
    assert len(effects) == len(set(effects)) == len(runs)  # none ran twice
    assert logged(daemon) == ["store.unavailable", "store.recovered"]
    assert PASSWORD not in daemon.log.read_text()


@pytest.mark.slow
async def test_a_daemon_stopped_while_the_server_is_away_ends_and_the_next_goes_on(away_home, server, write, daemon_of, client):
    home = away_home
    write(home, "camshaft.toml", "[worker]\ndrain_s = 0.5\n")
    daemon = await daemon_of(home, "--log-format", "json")
    _, _, said = await post(client, daemon)
    await until((home / "effects").exists)
    await asyncio.to_thread(server.stop)
    await refused(client, daemon)

    code = await daemon.stop()  # within its patience
    ends = [json.loads(line)["event"] for line in daemon.log.read_text().splitlines()]
    (home / "go").touch()
    await asyncio.to_thread(server.start)
    await daemon_of(home)
    await until(lambda: ask(server, "SELECT count(*) FROM runs WHERE status <> 'completed'") == [(0,)])

    assert code == 0
    assert ends[-2:] == ["store.given_up", "service.stopped"]
    assert ask(server, "SELECT id, status FROM runs") == [(said["runs"][0], "completed")]
