"""What runs out or goes away under a running daemon: descriptors, its folder, its socket, the time."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from daemon.cli.client import Client
from tests.acceptance.database import about_the_file

pytestmark = pytest.mark.long

CAMSHAFT = Path(sys.executable).parent / "camshaft"
DEAL = {"source": "email", "company": "Acme", "email": "a@b.c"}
PATIENCE_S = 60.0
LIBFAKETIME = next(iter(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)


async def post(client, daemon):
    async with client.post(f"{daemon.hooks}/deal-created", json=DEAL) as answer:
        return answer.status, await answer.json()


# A daemon that may have so many descriptors open and no more.
POOR = ("bash", "-c", 'ulimit -n 80; exec "$@"', "bash", str(CAMSHAFT))


async def test_when_descriptors_run_short_clients_are_told_to_come_again_and_the_daemon_goes_on(home, write, daemon_of, client):
    steps = [{"id": "a", "type": "bash", "bash": {"command": "cat /etc/hostname"}}]
    write(home, "flows/deal-process.json", {"key": "deal-process", "steps": steps})
    daemon = await daemon_of(home, program=POOR)
    host, port = daemon.hooks.split("/")[2].split(":")
    before = await post(client, daemon)

    crowd = [await asyncio.open_connection(host, int(port)) for _ in range(120)]
    async with asyncio.timeout(PATIENCE_S):
        refused = [await reader.read(4096) for reader, _ in crowd[-20:]]
        meanwhile = await post(client, daemon)  # on the connection that it has kept
        await daemon.all_ended()
    for _, writer in crowd:
        writer.close()
    async with asyncio.timeout(PATIENCE_S):
        while (after := await fresh(daemon))[0] == 503:
            await asyncio.sleep(0.02)
        await daemon.all_ended()

    assert (before[0], meanwhile[0], after[0]) == (202, 202, 202)
    assert all(b" 503 " in said and b"Retry-After" in said for said in refused)
    assert daemon.rows("SELECT status, count(*) FROM runs GROUP BY 1") == [("completed", 3)]
    lines = [json.loads(line) for line in daemon.log.read_text().splitlines()]
    assert [line["event"] for line in lines].count("http.short_of_descriptors") == 1


async def fresh(daemon):
    async with aiohttp.ClientSession() as client:
        return await post(client, daemon)


@about_the_file
async def test_a_state_folder_that_is_taken_away_acknowledges_nothing_until_it_is_back(daemon, client):
    state, aside = daemon.home / "state", daemon.home / "aside"
    first = await post(client, daemon)
    await daemon.all_ended()

    state.rename(aside)
    gone = [await post(client, daemon) for _ in range(3)]
    async with client.get(f"{daemon.admin}/readyz") as ready:
        ready_status = ready.status
    made_again = state.exists()
    aside.rename(state)
    async with asyncio.timeout(PATIENCE_S):
        while (back := await post(client, daemon))[0] != 202:
            await asyncio.sleep(0.05)
    await daemon.all_ended()

    assert (first[0], {status for status, _ in gone}, ready_status, made_again) == (202, {503}, 503, False)
    assert {row[0] for row in daemon.rows("SELECT event FROM runs")} == {first[1]["event"], back[1]["event"]}
    assert "removed or replaced under the daemon" in daemon.log.read_text()


@about_the_file
async def test_a_daemon_whose_folder_is_gone_for_good_stops_without_a_defect(daemon, client):
    shutil.rmtree(daemon.home / "state")
    status, _ = await post(client, daemon)

    code = await daemon.stop()

    assert (status, code) == (503, 0)
    assert "Traceback" not in daemon.log.read_text()


async def test_a_socket_file_that_is_removed_is_made_again(daemon):
    socket = daemon.home / "state" / "admin.sock"
    socket.unlink()

    async with asyncio.timeout(PATIENCE_S):
        while not socket.exists():
            await asyncio.sleep(0.05)
    status = await asyncio.to_thread(Client(daemon.home).ask, "GET", "/v1/status")
    await daemon.stop()

    assert status["uptimeS"] >= 0
    assert "admin.socket_restored" in daemon.log.read_text()
    assert not socket.exists()


class Clock:
    """The time as a daemon sees it: it runs from where it is set."""

    def __init__(self, folder):
        self.file = folder / "time"
        self.set(0)

    def set(self, offset_s):
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{offset_s:+d}")
        fresh.replace(self.file)

    def set_just_before_a_minute(self, hours):
        """So many hours from now, and then to four seconds before the next minute."""
        self.set(hours * 3600 + 56 - int(time.time()) % 60)

    @property
    def environment(self):
        return {
            "LD_PRELOAD": str(LIBFAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }


@pytest.mark.skipif(LIBFAKETIME is None, reason="needs libfaketime: apt-get install libfaketime")
@pytest.mark.slow
async def test_a_clock_that_jumps_by_hours_forth_and_back_stops_no_schedule_and_makes_ids_that_still_rise(
    home, write, daemon_of, client
):
    write(home, "camshaft.toml", "[sources.schedule]\nwake_s = 0.5\n")
    section = {"type": "schedule", "cron": "* * * * *", "catchup": {"policy": "none"}}
    mapping = {"companyName": "$.trigger.scheduledTime"}
    write(home, "triggers/each.json", {"key": "each", "trigger": section, "flow": "deal-process", "inputMapping": mapping})
    clock = Clock(home.parent)
    daemon = await daemon_of(home, env=clock.environment)
    events = [(await post(client, daemon))[1]["event"]]
    fired = "SELECT 1 FROM runs WHERE trigger = 'each' AND status = 'completed' AND created_at BETWEEN ? AND ?"

    for hours in (3, -3):
        clock.set_just_before_a_minute(hours)
        now_us = (time.time() + hours * 3600) * 1e6
        async with asyncio.timeout(2 * PATIENCE_S):  # one minute more, where a machine was too busy to see the first come
            while not daemon.rows(fired, now_us - 300e6, now_us + 300e6):
                await asyncio.sleep(0.05)
        events.append((await post(client, daemon))[1]["event"])
    status = await asyncio.to_thread(Client(home).ask, "GET", "/v1/status")

    assert events == sorted(events)
    assert status["uptimeS"] < 3600
    assert "schedule.clock_jumped" in daemon.log.read_text()
    await daemon.all_ended()
    assert daemon.rows("SELECT status FROM runs WHERE trigger != 'each' GROUP BY 1") == [("completed",)]
