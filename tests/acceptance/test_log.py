"""The log of a real daemon: it holds nothing that was sent, and whoever reads it cannot hold the daemon up."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

CAMSHAFT = Path(sys.executable).parent / "camshaft"
PATIENCE_S = 30.0
SECRET = "hunter2-s3cret-value"
BODY = "the-body-says-this"
HEADER = "the-header-says-that"
HOSTILE = 'line\nbreak\r\n{"event": "run.completed"} \x1b[31mred \x9b31m \u202eback \u2028'


@pytest.fixture
def talkative(home, write):
    """A home in which everything that can fail fails, with what strangers sent in the middle of it."""
    write(home, "camshaft.toml", "[log]\nlevel = 'debug'\n")
    auth = {"type": "bearer", "secret": {"env": "HOOK_TOKEN"}}
    for key, step in {
        "shell": {
            "type": "bash",
            "bash": {"command": "echo {{input.text | shell}} >&2; echo $TOKEN >&2; exit 3", "env": {"TOKEN": "{{input.token}}"}},
        },
        "unsafe": {"type": "bash", "bash": {"command": "echo {{input.text}}"}},
        "walk": {"type": "transform", "transform": {"expression": "$.input.text.nothing.there"}},
        "file": {"type": "file-read", "fileRead": {"path": "{{input.text}}"}},
        "http": {"type": "http", "http": {"url": "http://127.0.0.1:1/{{input.token}}"}},
    }.items():
        write(
            home,
            f"flows/{key}.json",
            {"inputs": {"text": {"type": "string"}, "token": {"type": "string"}}, "steps": [{"id": "a", **step}]},
        )
        trigger = {"type": "webhook", "path": "/talk", "auth": auth}
        mapping = {"text": "$.body.text", "token": "$.headers['x-token']"}
        write(home, f"triggers/{key}.json", {"key": key, "trigger": trigger, "flow": key, "inputMapping": mapping})
    filtered = {"type": "webhook", "path": "/talk", "filter": "$.body.text.nothing.there === 1", "auth": auth}
    write(home, "triggers/filtered.json", {"key": "filtered", "trigger": filtered, "flow": "walk"})
    return home


async def test_no_body_header_or_secret_is_in_the_log_and_no_hostile_text_raw(talkative, daemon_of, client):
    daemon = await daemon_of(talkative, env={"HOOK_TOKEN": SECRET})
    text = f"{BODY} {HOSTILE}"
    headers = {"Authorization": f"Bearer {SECRET}", "X-Token": HEADER}
    url = f"{daemon.hooks}/talk"

    async with client.post(url, json={"text": text}, headers=headers) as answer:
        assert answer.status == 202, await answer.text()
    async with client.post(url, json={"text": "\ud800" + BODY}, headers=headers) as answer:
        assert answer.status in {202, 400}
    for wrong in ({"Authorization": f"Bearer {SECRET}x"}, {"Authorization": HOSTILE.encode("unicode_escape").decode()}):
        async with client.post(f"{url}?token={SECRET}", json={"text": BODY}, headers=wrong) as answer:
            assert answer.status == 401
    async with client.post(
        url, data=b'{"text": "' + BODY.encode() + b"\xff\x1b[31m", headers={**headers, "Content-Type": "application/json"}
    ) as answer:
        assert answer.status == 400
    async with client.post(f"{daemon.hooks}/{BODY}%0a%1b[31m", headers=headers) as answer:
        assert answer.status == 404
    await daemon.all_ended()
    await daemon.stop()

    log = daemon.log.read_bytes()
    lines = [json.loads(line) for line in log.splitlines()]
    assert {"run.failed", "run.completed"} & {line["event"] for line in lines}
    assert sum(line["event"] == "run.failed" for line in lines) >= 4
    for word in (SECRET, BODY, HEADER):
        assert [line for line in lines if word in json.dumps(line)] == []
    for mark in (b"\x1b", b"\r", b"\xc2\x9b", b"\xe2\x80\xae", b"\xe2\x80\xa8", b"\x7f"):
        assert mark not in log


def test_text_that_would_steer_a_terminal_is_escaped_in_both_forms():
    code = "import structlog; from daemon.log import set_up_logs; set_up_logs('info', {!r}); log = structlog.get_logger()\n"
    code += "try:\n    raise ValueError({!r})\nexcept ValueError:\n    log.exception('a.b', text={!r}, half='\\ud800')"
    told = [subprocess.run([sys.executable, "-c", code.format(form, HOSTILE, HOSTILE)], capture_output=True, check=True, timeout=60).stderr for form in ("json", "console")]  # fmt: skip

    assert json.loads(told[0])["text"] == HOSTILE
    for said in told:
        for mark in (b"\x1b", b"\r", b"\xc2\x9b"):
            assert mark not in said


@pytest.fixture
async def piped(home):
    """A daemon whose log is a pipe in our hands."""
    started = []

    async def start():
        reading, writing = os.pipe()
        command = [CAMSHAFT, "serve", "--home", home, "--listen", "127.0.0.1:0", "--log-format", "json"]
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=writing)
        os.close(writing)
        started.append(process)
        async with asyncio.timeout(PATIENCE_S):
            hooks = (await process.stdout.readline()).decode().split()[1]
        return process, reading, hooks

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()
        process._transport.close()


async def post_many(client, hooks, count):
    """Events that are answered, each of which would be a line."""
    for _ in range(count // 20):
        answers = await asyncio.gather(
            *(client.post(f"{hooks}/deal-created", json={"source": "email", "company": "A", "email": "e"}) for _ in range(20))
        )
        for answer in answers:
            assert answer.status == 202
            answer.release()


async def test_a_log_that_nobody_reads_holds_nothing_up_and_says_what_it_lost_when_it_is_read(piped, client):
    process, reading, hooks = await piped()
    await post_many(client, hooks, 1000)  # a pipe takes some 300 lines
    process.send_signal(signal.SIGTERM)

    async with asyncio.timeout(PATIENCE_S):
        code = await process.wait()
    with os.fdopen(reading, "rb") as log:
        lines = [json.loads(line) for line in log.read().splitlines() if line.endswith(b"}")]

    assert code == 0
    assert 0 < sum(line["event"] == "run.completed" for line in lines) < 1000


async def test_a_reader_that_has_gone_is_no_reason_to_stop(piped, client):
    process, reading, hooks = await piped()
    os.close(reading)

    await post_many(client, hooks, 100)
    process.send_signal(signal.SIGTERM)

    async with asyncio.timeout(PATIENCE_S):
        assert await process.wait() == 0
