"""While a daemon drains: what can still be asked of it, what a run may still do, and how long a stop takes at most."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress

import pytest

from tests.acceptance.database import about_the_file
from tests.acceptance.test_service import SLOW, listening, post, until

WITH_HANDLER = SLOW | {"onCancel": [{"id": "tidy", "type": "bash", "bash": {"command": "touch ../tidied"}}]}


async def ready(client, daemon):
    async with client.get(f"{daemon.admin}/readyz") as answer:
        return answer.status, (await answer.json())["checks"]


async def begun(daemon, client):
    """A run whose command is at work."""
    _, said = await post(client, daemon)
    await until((daemon.home / "started").exists)
    return said["runs"][0]


async def test_a_run_that_is_cancelled_while_the_daemon_drains_ends_cancelled_with_its_handlers(
    home, write, daemon_of, client, run_json
):
    write(home, "flows/deal-process.json", WITH_HANDLER)
    daemon = await daemon_of(home)
    run = await begun(daemon, client)

    daemon.process.send_signal(signal.SIGTERM)
    await until(lambda: not listening(daemon.hooks))
    said = await asyncio.to_thread(run_json, "run", "cancel", run, home=home)
    code = await daemon.process.wait()

    assert (said["cancelled"], code) == (True, 0)
    assert daemon.rows("SELECT status, code FROM runs WHERE id = ?", run) == [("cancelled", "CANCELLED")]
    assert (home / "tidied").exists()
    assert "run.left" not in daemon.log.read_text()


async def test_a_daemon_that_drains_is_not_ready(home, write, daemon_of, client):
    write(home, "flows/deal-process.json", SLOW)
    daemon = await daemon_of(home)
    await begun(daemon, client)
    before = await ready(client, daemon)

    daemon.process.send_signal(signal.SIGTERM)
    await until(lambda: not listening(daemon.hooks))
    draining = await ready(client, daemon)
    (home / "go").touch()

    assert before == (200, {"store": True, "sources": True})
    assert draining == (503, {"store": True, "sources": False})
    assert await daemon.process.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signals_that_go_on_coming_do_not_change_how_a_stop_ends(daemon, number):
    ended = asyncio.create_task(daemon.process.wait())
    with suppress(ProcessLookupError):
        while not ended.done():
            os.kill(daemon.process.pid, number)  # Popen's own would take the exit status from who waits for it
            await asyncio.sleep(0.005)

    assert await ended == 0
    assert "service.stopped" in daemon.log.read_text()


@about_the_file
@pytest.mark.slow
async def test_a_stop_does_not_wait_for_the_whole_drain_where_the_end_of_a_run_cannot_be_written(
    home, write, small_disk, fill, daemon_of, client
):
    command = "touch $STARTED; while ! test -e $GO; do sleep 0.02; done; head -c 60000 /dev/zero | tr '\\0' x"
    (marks := home.parent / "marks").mkdir()
    env = {"STARTED": str(marks / "started"), "GO": str(marks / "go")}
    write(home, "flows/deal-process.json", {"steps": [{"id": "a", "type": "bash", "bash": {"command": command, "env": env}}]})
    write(home, "camshaft.toml", "[worker]\ndrain_s = 300\n")
    home = shutil.copytree(home, small_disk / "home")
    daemon = await daemon_of(home)
    _, said = await post(client, daemon)
    await until((marks / "started").exists)
    fill(small_disk)
    (marks / "go").touch()
    async with asyncio.timeout(30):
        while (await ready(client, daemon))[0] == 200:
            await asyncio.sleep(0.1)

    began = time.monotonic()
    code = await daemon.stop()
    took_s = time.monotonic() - began
    subprocess.run(["mount", "-o", "remount,size=20m", small_disk], check=True)
    left = daemon.rows("SELECT status FROM runs")
    daemon = await daemon_of(home)
    await daemon.all_ended()

    assert code == 0
    assert left != [("completed",)]
    assert took_s < 30
    assert "store.given_up" in daemon.log.read_text()
    assert daemon.rows("SELECT id, status FROM runs") == [(said["runs"][0], "completed")]
