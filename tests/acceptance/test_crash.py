"""`kill -9`, at random, again and again: nothing acknowledged is lost, nothing runs twice, everything ends."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import aiohttp
import pytest

CONCURRENCY = 8
SIZES = [pytest.param(100, 3, id="3 kills"), pytest.param(500, 10, id="10 kills", marks=pytest.mark.slow)]


@pytest.fixture
def home_with_effects(home, write):
    """With so many workers; each run appends its number to a file: effects that can be counted."""
    write(home, "camshaft.toml", f"[worker]\nconcurrency = {CONCURRENCY}\n")
    write(
        home,
        "flows/deal-process.json",
        {
            "key": "deal-process",
            "inputs": {"companyName": {"type": "string"}, "founderEmail": {"type": "string", "required": False}},
            "steps": [
                {"id": "name", "type": "transform", "transform": {"expression": "$.input.companyName"}},
                {
                    "id": "note",
                    "type": "file-write",
                    "fileWrite": {"path": "../notes.txt", "content": "{{$.steps.name.output}}\n", "append": True},
                },
                {"id": "sum", "type": "transform", "transform": {"expression": "$.steps.note.output.bytesWritten"}},
            ],
        },
    )
    return home


@pytest.mark.parametrize(("events", "kills"), SIZES)
async def test_webhooks_under_kills_lose_nothing_and_run_nothing_twice(home_with_effects, daemon_of, events, kills):
    random_times = random.Random(2026)
    state = {"daemon": await daemon_of(home_with_effects)}
    acknowledged: dict[str, str] = {}  # event → run
    numbers = iter(range(events))

    async def send_all():
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=20)) as session:
            await asyncio.gather(*(sender(session) for _ in range(16)))

    async def sender(session):
        for number in numbers:
            while True:  # a sender of webhooks sends again what was not acknowledged
                try:
                    body = {"source": "email", "company": f"company-{number}", "email": "a@b.c"}
                    async with session.post(f"{state['daemon'].hooks}/deal-created", json=body) as answer:
                        assert answer.status == 202
                        said = await answer.json()
                        acknowledged[said["event"]] = said["runs"][0]
                        break
                except (aiohttp.ClientError, ConnectionError):
                    await asyncio.sleep(0.02)

    async def kill_again_and_again():
        for _ in range(kills):
            await asyncio.sleep(random_times.uniform(0.0, 0.15))
            await state["daemon"].kill()
            state["daemon"] = await daemon_of(home_with_effects)

    await asyncio.gather(send_all(), kill_again_and_again())
    daemon = state["daemon"]
    await daemon.all_ended()

    runs = dict(daemon.rows("SELECT id, status FROM runs"))
    made_by = dict(daemon.rows("SELECT event, run FROM verdicts WHERE verdict = 'dispatched'"))
    assert len(acknowledged) == events
    assert all(made_by[event] == run for event, run in acknowledged.items())
    assert set(runs.values()) == {"completed"}
    assert len(set(made_by.values())) == len(made_by) == len(runs)
    steps = daemon.rows("SELECT run, path, count(*) FROM attempts WHERE status = 'success' GROUP BY run, path")
    assert {count for _, _, count in steps} == {1}  # a recorded step never runs again
    assert len(steps) == 3 * len(runs)
    noted = Counter((home_with_effects / "notes.txt").read_text().split())
    assert set(noted) == {f"company-{number}" for number in range(events)}
    assert len(runs) <= noted.total() <= len(runs) + kills * CONCURRENCY  # only what was in flight at a kill was done again


async def test_a_run_goes_on_from_its_last_recorded_step(home, write, daemon_of, client):
    """The first step's effect is there once; the step in flight runs again; its key is the same both times."""
    write(
        home,
        "flows/deal-process.json",
        {
            "key": "deal-process",
            "steps": [
                {"id": "first", "type": "bash", "bash": {"command": "echo first >> ../effects; echo done"}},
                {
                    "id": "second",
                    "type": "bash",
                    "bash": {
                        "command": 'echo "second $CAMSHAFT_IDEMPOTENCY_KEY $CAMSHAFT_ATTEMPT" >> ../effects; test -e ../go || sleep 60'
                    },
                },
            ],
        },
    )
    daemon = await daemon_of(home)
    effects = home / "effects"
    async with client.post(
        f"{daemon.hooks}/deal-created", json={"source": "email", "company": "Acme", "email": "a@b.c"}
    ) as answer:
        run = (await answer.json())["runs"][0]
    async with asyncio.timeout(20):
        while not (effects.exists() and "second" in effects.read_text()):
            await asyncio.sleep(0.01)
    await daemon.until("SELECT 1 FROM attempts WHERE path = 'second' AND status = 'running'")

    await daemon.kill()
    (home / "go").touch()
    daemon = await daemon_of(home)
    await daemon.all_ended()

    lines = effects.read_text().split("\n")[:-1]
    assert lines[0] == "first"
    assert [line.split()[0] for line in lines] == ["first", "second", "second"]
    assert lines[1].split()[1] == lines[2].split()[1]
    assert [line.split()[2] for line in lines[1:]] == ["1", "2"]
    assert daemon.rows("SELECT path, number, status FROM attempts WHERE run = ? ORDER BY position", run) == [
        ("first", 1, "success"),
        ("second", 1, "interrupted"),
        ("second", 2, "success"),
    ]
    assert daemon.rows("SELECT status FROM runs WHERE id = ?", run) == [("completed",)]
