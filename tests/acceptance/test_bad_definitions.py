"""Definitions that are wrong, added twice at a time, or taken away under a run: refused with words, and nothing half done."""

from __future__ import annotations

import asyncio
import json
import subprocess

import aiohttp

from tests.acceptance.test_bad_input import CAMSHAFT, DEAL, PATIENCE_S, still_answers

TRIGGER = {"trigger": {"type": "webhook", "path": "/new"}, "flow": "deal-process", "inputMapping": {"companyName": "$.body.a"}}
BROKEN_DEFINITIONS = [
    "{",
    "",
    "null",
    "[]",
    "\x00",
    '"text"',
    json.dumps({**TRIGGER, "key": "../../escape"}),
    json.dumps({**TRIGGER, "key": "UPPER"}),
    json.dumps({**TRIGGER, "key": ""}),
    json.dumps({**TRIGGER, "key": 5}),
    json.dumps({**TRIGGER, "key": "x" * 5000}),
    json.dumps({**TRIGGER, "key": "new", "flow": "no-such-flow"}),
    json.dumps({**TRIGGER, "key": "new", "filter": "$.a ==="}),
    json.dumps({**TRIGGER, "key": "new", "fliter": "true"}),
    json.dumps({**TRIGGER, "key": "new", "inputMapping": {}}),
    json.dumps({**TRIGGER, "key": "new", "inputMapping": {"companyName": "$.body[a]"}}),
    json.dumps({**TRIGGER, "key": "new", "trigger": {"type": "webhook"}}),
    json.dumps({**TRIGGER, "key": "new", "trigger": {"type": "webhook", "path": "/../x"}}),
    json.dumps({**TRIGGER, "key": "new", "trigger": {"type": "carrier-pigeon"}}),
    json.dumps({**TRIGGER, "key": "new", "trigger": {"type": "schedule", "cron": "0 0 30 2 *"}}),
    json.dumps({**TRIGGER, "key": "new", "trigger": {"type": "schedule", "cron": "* * * * * *"}}),
    json.dumps({**TRIGGER, "key": "new", "trigger": {"type": "file-watch", "paths": []}}),
    json.dumps({**TRIGGER, "key": "new", "enabled": "yes"}),
    json.dumps({**TRIGGER, "key": "new", "description": "x" * 3_000_000}),
    '{"key": "new", "trigger": ' + "[" * 5000 + "]" * 5000 + "}",
    '{"key": "new", "priority": ' + "9" * 5000 + "}",
    "key: new\nkey: new\n",
    "a: &a [*a]",
]


def tree(home):
    return {
        str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file() and "state" not in path.parts
    }


async def test_a_broken_definition_is_refused_with_words_and_leaves_nothing_behind(daemon, write):
    before = tree(daemon.home)
    added = [
        await asyncio.create_subprocess_exec(
            CAMSHAFT, "trigger", "add", "-", "--home", daemon.home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in BROKEN_DEFINITIONS
    ]  # fmt: skip

    ends = await asyncio.gather(
        *(process.communicate(text.encode()) for process, text in zip(added, BROKEN_DEFINITIONS, strict=True))
    )

    for process, text, (said, talk) in zip(added, BROKEN_DEFINITIONS, ends, strict=True):
        assert (process.returncode, said) == (3, b""), (text[:100], talk)
        assert talk.startswith(b"camshaft: "), text[:100]
        assert b"Traceback" not in talk, text[:100]
        process._transport.close()
    assert tree(daemon.home) == before
    assert await still_answers(daemon)


async def test_of_two_that_add_one_trigger_at_the_same_time_one_wins_and_the_other_is_told(daemon):
    async def add(number):
        definition = {**TRIGGER, "key": "new", "description": str(number)}
        process = await asyncio.create_subprocess_exec(
            CAMSHAFT, "trigger", "add", "-", "-o", "json", "--home", daemon.home,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        said, talk = await process.communicate(json.dumps(definition).encode())
        process._transport.close()
        return process.returncode, said, talk

    ends = await asyncio.gather(*(add(number) for number in range(6)))

    winner = [number for number, (code, _, _) in enumerate(ends) if code == 0]
    assert len(winner) == 1
    assert all("already" in talk.decode() for code, _, talk in ends if code)
    assert json.loads((daemon.home / "triggers" / "new.json").read_text())["description"] == str(winner[0])
    assert [name for name in tree(daemon.home) if name.endswith(".part")] == []
    async with aiohttp.ClientSession() as session, session.post(f"{daemon.hooks}/new", json={"a": "x"}) as answer:
        assert (answer.status, (await answer.json())["verdicts"]) == (202, {"new": "dispatched"})


async def test_runs_go_on_when_their_trigger_is_removed(home, write, daemon_of, client, run):
    command = "touch ../started; while ! test -e ../go; do sleep 0.02; done; echo {{$.input.companyName}}"
    flow = json.loads((home / "flows/deal-process.json").read_text())
    write(home, "flows/deal-process.json", {**flow, "steps": [{"id": "slow", "type": "bash", "bash": {"command": command}}]})
    daemon = await daemon_of(home)
    async with client.post(f"{daemon.hooks}/deal-created", json=DEAL) as answer:
        (made,) = (await answer.json())["runs"]
    async with asyncio.timeout(PATIENCE_S):
        while not (home / "started").exists():
            await asyncio.sleep(0.01)

    removed = run("trigger", "rm", "auto-process-deal", home=home)
    again = run("trigger", "rm", "auto-process-deal", home=home)
    async with client.post(f"{daemon.hooks}/deal-created", json=DEAL) as answer:
        gone = answer.status
    (home / "go").touch()
    await daemon.all_ended()

    assert (removed.returncode, again.returncode, gone) == (0, 4, 404)
    assert daemon.rows("SELECT status FROM runs WHERE id = ?", made) == [("completed",)]
