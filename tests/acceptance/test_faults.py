"""Faults under the daemon's feet: disks, locks, kills and clocks. Nothing acknowledged is lost, nothing runs twice."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from tests.acceptance.database import ON_POSTGRESQL, about_the_file, change, rows

pytestmark = pytest.mark.long

CAMSHAFT = Path(sys.executable).parent / "camshaft"
DEAL = {"source": "email", "company": "Acme", "email": "a@b.c"}
PATIENCE_S = 30.0
# Root may write whatever a mode says; without these two powers it is held to modes as everybody is.
HELD_TO_MODES = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []


async def until(condition):
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)


async def post(client, daemon, body=DEAL):
    async with client.post(f"{daemon.hooks}/deal-created", json=body) as answer:
        return answer.status, await answer.json()


def effects_flow(command, *more):
    """A flow of one shell command that leaves its mark in the home."""
    steps = [{"id": "a", "type": "bash", "bash": {"command": command, "timeout": 60000}}, *more]
    return {"key": "deal-process", "steps": steps}


# ---- homes and disks


@pytest.fixture
def read_only(home):
    """The home, where nothing may be made or changed until the test is over."""
    (home / "state").mkdir()
    folders = [home, *(entry for entry in home.rglob("*") if entry.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    yield home
    for folder in folders:
        folder.chmod(0o755)


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="as root this needs setpriv (apt: util-linux)")
def test_a_home_that_may_only_be_read_is_refused_with_reason_and_way_out(read_only):
    home = read_only

    def as_others(arguments):
        command = [*HELD_TO_MODES, str(CAMSHAFT), *arguments.split(), "--home", str(home)]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)

    commands = [
        "serve --listen 127.0.0.1:0",
        "trigger add --key x --webhook /x --flow deal-process --map companyName=a",
        "trigger rm auto-process-deal",
        "flow execute deal-process -i companyName=a -o json",
        "trigger list -o json",
    ]
    with ThreadPoolExecutor() as pool:
        served, added, removed, executed, listed = pool.map(as_others, commands)

    in_home = () if ON_POSTGRESQL else (executed,)  # a run's record goes where the store is
    for refused in (served, added, removed, *in_home):
        assert refused.returncode not in {0, None}, refused.args
        assert str(home) in refused.stderr
        assert "Traceback" not in refused.stderr
        assert refused.stdout == ""
    assert "--home" in served.stderr
    assert [row["key"] for row in json.loads(listed.stdout)] == ["auto-process-deal"]
    assert sorted(file.name for file in (home / "triggers").iterdir()) == ["auto-process-deal.json"]
    assert list((home / "state").iterdir()) == []


@about_the_file
async def test_on_a_full_disk_webhooks_are_told_to_come_again_and_nothing_acknowledged_is_lost(
    home, small_disk, daemon_of, client, run
):
    home = shutil.copytree(home, small_disk / "home")
    daemon = await daemon_of(home)
    acknowledged, refused = {}, 0
    async with asyncio.timeout(PATIENCE_S):
        while refused < 5:
            status, said = await post(client, daemon, {**DEAL, "company": "x" * 20_000})
            assert status in {202, 503}
            if status == 202:
                acknowledged[said["event"]] = said["runs"][0]
            else:
                refused += 1
                assert said["error"]["code"] == "UNAVAILABLE"
    async with client.get(f"{daemon.admin}/readyz") as ready:
        ready_status = ready.status
    full = run("trigger", "add", "--key", "x", "--webhook", "/x", "--flow", "deal-process", "--map", "companyName=a", home=home)

    subprocess.run(["mount", "-o", "remount,size=20m", small_disk], check=True)
    async with asyncio.timeout(PATIENCE_S):
        while (answer := await post(client, daemon))[0] != 202:
            await asyncio.sleep(0.05)
    acknowledged[answer[1]["event"]] = answer[1]["runs"][0]
    await daemon.all_ended()

    assert ready_status == 503
    assert (full.returncode, "nothing was changed" in full.stderr) == (5, True)
    assert not (home / "triggers" / "x.json").exists()  # which may well have found room
    assert dict(daemon.rows("SELECT event, id FROM runs WHERE status = 'completed'")) == acknowledged
    assert daemon.rows("PRAGMA integrity_check") == [("ok",)]


def test_a_start_on_a_full_disk_says_where_it_failed(home, small_disk, fill, run):
    home = shutil.copytree(home, small_disk / "home")
    fill(small_disk)

    refused = run("serve", "--listen", "127.0.0.1:0", home=home)

    assert refused.returncode == 1
    assert str(home / "state") in refused.stderr
    assert "Traceback" not in refused.stderr


@about_the_file
async def test_a_stranger_who_locks_the_database_for_three_seconds_loses_nothing(daemon, client):
    stranger = sqlite3.connect(daemon.home / "state" / "camshaft.db", isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")
    asked = [asyncio.create_task(post(client, daemon, {**DEAL, "company": str(number)})) for number in range(20)]
    await asyncio.sleep(3.0)  # the fault itself lasts so long
    waited = not any(one.done() and one.result()[0] not in {202, 503} for one in asked)
    stranger.execute("COMMIT")
    stranger.close()
    answers = await asyncio.gather(*asked)
    await daemon.all_ended()

    taken = {said["event"]: said["runs"][0] for status, said in answers if status == 202}
    assert waited
    assert {status for status, _ in answers} <= {202, 503}
    assert dict(daemon.rows("SELECT event, id FROM runs WHERE status = 'completed'")) == taken
    assert (await post(client, daemon))[0] == 202


@about_the_file
async def test_a_damaged_database_stops_the_start_with_its_place_and_is_not_touched(home, run):
    (home / "state").mkdir()
    (home / "state" / "camshaft.db").write_bytes(b"this is no database" * 1000)

    refused = run("serve", "--listen", "127.0.0.1:0", home=home)
    listed = run("run", "list", home=home)

    for one in (refused, listed):
        assert one.returncode == 1
        assert "camshaft.db" in one.stderr
        assert "Traceback" not in one.stderr
    assert (home / "state" / "camshaft.db").read_bytes() == b"this is no database" * 1000


# ---- commands beside a daemon


async def start(home, *arguments):
    return await asyncio.create_subprocess_exec(
        CAMSHAFT, *arguments, "--home", home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "NO_COLOR": "1"}
    )


async def end(process):
    async with asyncio.timeout(PATIENCE_S):
        said, talk = await process.communicate()
    process._transport.close()
    return process.returncode, said.decode(), talk.decode()


WAITS = "echo started >> ../effects; while ! test -e ../go; do sleep 0.02; done; echo ended >> ../effects"


async def test_a_flow_executed_without_a_daemon_is_not_run_twice_by_one_that_starts_meanwhile(home, write, daemon_of):
    write(home, "flows/deal-process.json", effects_flow(WAITS))
    command = await start(home, "flow", "execute", "deal-process", "-o", "json")
    await until((home / "effects").exists)

    daemon = await daemon_of(home)
    (home / "go").touch()
    code, said, talk = await end(command)
    await daemon.all_ended()

    assert (home / "effects").read_text().split() == ["started", "ended"]
    assert (code, talk) == (0, "")
    assert json.loads(said)["status"] == "completed"
    assert daemon.rows("SELECT status FROM runs") == [("completed",)]
    assert daemon.rows("SELECT path, number, status FROM attempts") == [("a", 1, "success")]


@pytest.mark.slow
async def test_a_run_whose_command_is_killed_is_gone_on_with_by_a_daemon_once_its_lease_has_run_out(home, write, daemon_of):
    write(
        home, "flows/deal-process.json", effects_flow(WAITS, {"id": "b", "type": "transform", "transform": {"expression": "1"}})
    )
    command = await start(home, "flow", "execute", "deal-process", "-o", "json")
    await until((home / "effects").exists)
    await until(lambda: rows(home, "SELECT 1 FROM attempts WHERE path = 'a' AND status = 'running'"))
    command.kill()
    await end(command)
    (home / "go").touch()

    daemon = await daemon_of(home)
    left = daemon.rows("SELECT status, lease_until IS NULL FROM runs")
    await daemon.kill()
    change(home, "UPDATE runs SET lease_until = 1")  # as if a minute had gone by
    daemon = await daemon_of(home)
    await daemon.all_ended()

    assert left == [("running", 0)]  # it might still be alive: the lease decides, nobody guesses
    assert daemon.rows("SELECT status FROM runs") == [("completed",)]
    assert daemon.rows("SELECT path, number, status FROM attempts ORDER BY position") == [
        ("a", 1, "interrupted"),
        ("a", 2, "success"),
        ("b", 1, "success"),
    ]


async def test_a_command_that_is_stopped_cancels_its_run_and_leaves_no_process(home, write, run_json):
    write(home, "flows/deal-process.json", effects_flow("echo $$ > ../pid; sleep 300"))
    command = await start(home, "flow", "execute", "deal-process", "-o", "json")
    await until(lambda: (home / "pid").exists() and (home / "pid").read_text())

    command.send_signal(signal.SIGINT)
    code, said, _ = await end(command)

    assert code == 130
    assert json.loads(said)["status"] == "cancelled"
    assert not Path(f"/proc/{(home / 'pid').read_text().strip()}").exists()
    assert [row["status"] for row in run_json("run", "list", home=home)] == ["cancelled"]


# ---- stops


async def test_sigterm_under_load_leaves_every_acknowledged_event_its_run_and_the_next_start_completes_them(
    home, write, daemon_of
):
    write(home, "camshaft.toml", "[worker]\ndrain_s = 0.1\nconcurrency = 4\n")
    write(home, "flows/deal-process.json", effects_flow("sleep 0.02; echo $CAMSHAFT_IDEMPOTENCY_KEY >> ../effects"))
    acknowledged = {}
    daemon = await daemon_of(home)

    async def sender(session):
        while True:
            try:
                status, said = await post(session, daemon)
            except aiohttp.ClientError:
                return
            if status != 202:
                return
            acknowledged[said["event"]] = said["runs"][0]

    async with aiohttp.ClientSession() as session:
        senders = [asyncio.create_task(sender(session)) for _ in range(8)]
        await until(lambda: len(acknowledged) >= 60)
        code = await daemon.stop()
        await asyncio.gather(*senders)
    left = daemon.rows("SELECT count(*) FROM runs WHERE status NOT IN ('completed')")[0][0]
    daemon = await daemon_of(home)
    await daemon.all_ended()

    runs = dict(daemon.rows("SELECT event, id FROM runs"))
    assert code == 0
    assert left > 0  # the stop came in the middle of it
    assert acknowledged.items() <= runs.items()
    assert daemon.rows("SELECT DISTINCT status FROM runs") == [("completed",)]
    assert daemon.rows("SELECT run FROM attempts WHERE status = 'success' GROUP BY run, path HAVING count(*) > 1") == []


# ---- time and files


def slots(policy):
    section = {"type": "schedule", "cron": "* * * * *", "catchup": {"policy": policy, "window": "2h"}, "overlap": "allow"}
    mapping = {"companyName": "$.trigger.scheduledTime"}
    return {"key": f"every-{policy}", "trigger": section, "flow": "deal-process", "inputMapping": mapping}


async def test_slots_missed_while_the_daemon_was_away_are_dealt_with_once_as_their_catchup_says(home, write, daemon_of):
    for policy in ("none", "last", "all"):
        write(home, f"triggers/every-{policy}.json", slots(policy))
    daemon = await daemon_of(home)
    await daemon.until("SELECT 1 FROM source_state WHERE source = 'schedule' GROUP BY source HAVING count(*) = 3")
    await daemon.stop()
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    due = (now - timedelta(minutes=4)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for key, value in daemon.rows("SELECT key, value FROM source_state WHERE source = 'schedule'"):
        moved = json.dumps({**json.loads(value), "due": due})
        change(home, f"UPDATE source_state SET value = '{moved}' WHERE source = 'schedule' AND key = '{key}'")
    change(home, *(f"DELETE FROM {table}" for table in ("causes", "verdicts", "runs", "events")))

    daemon = await daemon_of(home)
    await daemon.until(
        "SELECT 1 FROM verdicts WHERE trigger = 'every-all' AND verdict = 'dispatched' GROUP BY 1 HAVING count(*) >= 5"
    )
    await daemon.until("SELECT 1 FROM verdicts WHERE trigger = 'every-none' GROUP BY trigger HAVING count(*) >= 5")
    await daemon.until("SELECT 1 FROM verdicts WHERE trigger = 'every-last' GROUP BY trigger HAVING count(*) >= 5")
    await daemon.all_ended()
    first = daemon.rows("SELECT trigger, verdict, count(*) FROM verdicts GROUP BY 1, 2")
    await daemon.kill()
    daemon = await daemon_of(home)
    await daemon.all_ended()

    by_trigger = {(trigger, verdict): count for trigger, verdict, count in first}
    assert by_trigger[("every-all", "dispatched")] in {5, 6}  # a minute may begin meanwhile
    assert by_trigger[("every-last", "dispatched")] in {1, 2}
    assert by_trigger[("every-last", "catchup_skipped")] in {3, 4}  # the slot of this very minute is not missed yet
    assert by_trigger[("every-none", "missed")] in {4, 5}
    assert by_trigger.get(("every-none", "dispatched"), 0) in {0, 1, 2}
    inputs = [row[0] for row in daemon.rows("SELECT inputs FROM runs WHERE trigger = 'every-all' ORDER BY id")]
    assert len(set(inputs)) == len(inputs)  # no slot twice, also after the kill
    assert json.loads(inputs[0])["companyName"].startswith(due[:16])


async def test_files_are_told_once_also_those_that_came_while_nobody_watched(home, write, daemon_of):
    inbox = home.parent / "inbox"
    inbox.mkdir()
    (inbox / "old.txt").write_text("old")
    section = {
        "type": "file-watch",
        "paths": [str(inbox)],
        "include": ["*.txt"],
        "events": ["created", "modified"],
        "settle": "100ms",
    }
    trigger = {"key": "inbox", "trigger": section, "flow": "deal-process", "inputMapping": {"companyName": "$.file.name"}}
    write(home, "triggers/inbox.json", trigger)

    def told(daemon):
        rows = daemon.rows("SELECT inputs FROM runs WHERE trigger = 'inbox' AND status = 'completed'")
        return sorted(json.loads(row[0])["companyName"] for row in rows)

    daemon = await daemon_of(home)
    await daemon.until("SELECT 1 FROM source_state WHERE source = 'file-watch'")
    before = told(daemon)
    with (inbox / "new.txt").open("w") as file:
        for part in "abc":
            file.write(part)
            file.flush()
    (inbox / "ignored.pdf").write_text("x")
    await until(lambda: "new.txt" in told(daemon))
    await daemon.kill()
    (inbox / "missed.txt").write_text("missed")
    daemon = await daemon_of(home)
    await until(lambda: "missed.txt" in told(daemon))
    (inbox / "sub").mkdir()
    (inbox / "moved.txt.part").write_text("moved")
    (inbox / "moved.txt.part").rename(inbox / "moved.txt")
    await until(lambda: "moved.txt" in told(daemon))
    await daemon.all_ended()

    assert before in ([], ["old.txt"])
    assert told(daemon) == sorted({*before, "missed.txt", "moved.txt", "new.txt"})
