"""Large outputs under a real daemon: 9 MB through a kill, a resume, a command and retention."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys

import pytest

from tests.acceptance.conftest import PATIENCE_S
from tests.acceptance.database import about_the_file

pytestmark = pytest.mark.long

LETTERS = 9_000_000


@pytest.fixture
def large_home(home, write):
    """A step that prints 9 MB, one that waits for a file, one that reads what the first printed."""
    steps = [
        {
            "id": "big",
            "type": "bash",
            "bash": {"command": f'echo x >> ../ran; {sys.executable} -c \'print("é" * 10 + "a" * {LETTERS - 10})\''},
        },
        {"id": "gate", "type": "bash", "bash": {"command": "until [ -e ../go ]; do sleep 0.05; done"}},
        {"id": "read", "type": "transform", "transform": {"expression": "$.steps.big.output.trim().length"}},
        {"id": "again", "type": "transform", "transform": {"expression": "$.steps.big.output"}},
    ]
    write(home, "flows/deal-process.json", {"key": "deal-process", "inputs": {"companyName": {}}, "steps": steps})
    return home


def files(home):
    return sorted((home / "state" / "outputs").rglob("*.json"))


async def begun(client, daemon):
    """One event; returns its run when the large step is recorded."""
    body = {"source": "email", "company": "Acme", "email": "a@b.c"}
    async with client.post(f"{daemon.hooks}/deal-created", json=body) as answer:
        assert answer.status == 202
        run = (await answer.json())["runs"][0]
    await daemon.until("SELECT 1 FROM attempts WHERE run = ? AND path = 'big' AND status = 'success'", run)
    return run


@pytest.mark.slow
async def test_an_output_of_9_mb_survives_a_kill_and_is_read_whole_until_retention_takes_it(
    large_home, daemon_of, client, run_json, write
):
    home = large_home
    daemon = await daemon_of(home)
    run = await begun(client, daemon)
    await daemon.until("SELECT 1 FROM attempts WHERE run = ? AND path = 'gate'", run)

    await daemon.kill()
    (in_row,) = daemon.rows("SELECT output FROM attempts WHERE path = 'big'")
    (home / "go").touch()
    second = await daemon_of(home)
    await second.all_ended()
    shown = await asyncio.to_thread(run_json, "run", "show", run, home=home)
    async with client.post(f"{second.hooks}/deal-created", json={"source": "else"}) as answer:
        assert answer.ok
    await second.stop()
    without_daemon = await asyncio.to_thread(run_json, "run", "show", run, home=home)

    assert (home / "ran").read_text() == "x\n"
    assert len(in_row[0]) < 200
    assert shown["status"] == "completed"
    whole = "é" * 10 + "a" * (LETTERS - 10)
    assert shown["steps"]["read"]["output"] == LETTERS
    assert all(shown["steps"][name]["output"].strip() == whole for name in ("big", "again"))
    assert shown["output"].strip() == whole
    assert bool(without_daemon == shown)  # as a word: a failure need not print 9 MB

    write(home, "camshaft.toml", "[retention]\nrows = 1\n")
    for path in files(home):
        os.utime(path, (1, 1))
    last = await daemon_of(home)
    async with asyncio.timeout(PATIENCE_S):
        while files(home):
            await asyncio.sleep(0.02)
    assert last.rows("SELECT count(*) FROM spilled") == [(0,)]


async def test_a_resumed_run_whose_output_is_lost_fails_and_says_so(large_home, daemon_of, client, run_json):
    daemon = await daemon_of(large_home)
    run = await begun(client, daemon)
    await daemon.kill()
    for path in files(large_home):
        path.unlink()
    (large_home / "go").touch()

    second = await daemon_of(large_home)
    await second.all_ended()
    shown = await asyncio.to_thread(run_json, "run", "show", run, home=large_home)

    assert (shown["status"], shown["errorCode"]) == ("failed", "OUTPUT_LOST")
    assert str(large_home / "state" / "outputs") in shown["error"]
    assert (large_home / "ran").read_text() == "x\n"


@about_the_file
async def test_a_disk_that_is_full_under_a_large_output_is_waited_for(large_home, small_disk, daemon_of, client, run_json):
    home = shutil.copytree(large_home, small_disk / "home")
    (home / "go").touch()
    daemon = await daemon_of(home)
    body = {"source": "email", "company": "Acme", "email": "a@b.c"}
    async with client.post(f"{daemon.hooks}/deal-created", json=body) as answer:
        run = (await answer.json())["runs"][0]
    async with asyncio.timeout(PATIENCE_S):
        while "store.unavailable" not in daemon.log.read_text():
            await asyncio.sleep(0.02)
    async with client.post(f"{daemon.hooks}/deal-created", json=body) as answer:
        refused = answer.status

    subprocess.run(["mount", "-o", "remount,size=60m", small_disk], check=True)
    await daemon.all_ended()
    shown = await asyncio.to_thread(run_json, "run", "show", run, home=home)

    assert refused == 503
    assert shown["status"] == "completed"
    assert (home / "ran").read_text() == "x\n"
