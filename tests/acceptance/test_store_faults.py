"""The store's own faults under a running daemon: senders are told when to come again, and nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.acceptance.database import URL, about_the_file, change
from tests.acceptance.test_faults import DEAL, PATIENCE_S

pytestmark = pytest.mark.long

CAMSHAFT = Path(sys.executable).parent / "camshaft"
LOCKED_S = 7.0  # longer than either database lets a statement wait: 5 s


async def post(client, daemon, **more):
    """Status, Retry-After and what was said."""
    async with client.post(f"{daemon.hooks}/deal-created", json=DEAL | more) as answer:
        return answer.status, answer.headers.get("Retry-After"), await answer.json()


async def refused(client, daemon, **more):
    """Send until one is refused. Those that were taken, and the answer that says no."""
    taken = {}
    async with asyncio.timeout(PATIENCE_S):
        while (answer := await post(client, daemon, **more))[0] == 202:
            taken[answer[2]["event"]] = answer[2]["runs"][0]
    return taken, answer


async def taken_again(client, daemon):
    """Send until one is taken: the daemon has found by itself that it can write."""
    async with asyncio.timeout(PATIENCE_S):
        while (answer := await post(client, daemon))[0] != 202:
            await asyncio.sleep(0.05)
    return {answer[2]["event"]: answer[2]["runs"][0]}


async def ready(client, daemon):
    async with client.get(f"{daemon.admin}/readyz") as answer:
        return answer.status


def lines(daemon, event):
    return [line for line in map(json.loads, daemon.log.read_text().splitlines()) if line["event"] == event]


def told_to_come_again(answer):
    status, retry_after, said = answer
    return (status, int(retry_after) > 0, said["error"]["code"]) == (503, True, "UNAVAILABLE")


async def locked_out(client, daemon, let_go):
    """What a daemon does while a stranger holds its database for LOCKED_S."""
    answers = [await post(client, daemon)]
    held_until = asyncio.get_running_loop().time() + LOCKED_S - 5.0
    while asyncio.get_running_loop().time() < held_until:
        answers.append(await post(client, daemon))
        await asyncio.sleep(0.1)
    ready_meanwhile = await ready(client, daemon)
    let_go()
    taken = await taken_again(client, daemon)

    assert all(told_to_come_again(answer) for answer in answers)
    assert (ready_meanwhile, await ready(client, daemon)) == (503, 200)
    return taken


@about_the_file
@pytest.mark.slow
async def test_a_stranger_s_lock_that_outlasts_every_timeout_is_told_and_needs_no_restart(daemon, client):
    taken = await taken_again(client, daemon)
    stranger = sqlite3.connect(daemon.home / "state" / "camshaft.db", isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")

    taken |= await locked_out(client, daemon, stranger.rollback)
    stranger.close()
    await daemon.all_ended()

    (said,) = lines(daemon, "store.unavailable")
    assert ("camshaft.db: database is locked" in said["error"], said["hint"]) == (
        True,
        "another program holds the database: close it and try again",
    )
    assert len(lines(daemon, "store.recovered")) == 1
    assert dict(daemon.rows("SELECT event, id FROM runs WHERE status = 'completed'")) == taken


@pytest.mark.slow
async def test_a_stranger_s_lock_on_a_table_of_postgresql_that_outlasts_every_timeout_is_told_too(
    home, daemon_of, client, users_postgresql
):
    daemon = await daemon_of(home, env={URL: users_postgresql})
    taken = await taken_again(client, daemon)
    with psycopg.connect(users_postgresql) as stranger:
        stranger.execute("LOCK TABLE events")

        taken |= await locked_out(client, daemon, stranger.rollback)
    await daemon.stop()

    with psycopg.connect(users_postgresql) as connection:
        assert dict(connection.execute("SELECT event, id FROM runs WHERE status = 'completed'").fetchall()) == taken
    (said,) = lines(daemon, "store.unavailable")
    assert "lock timeout" in said["error"]
    assert len(lines(daemon, "store.recovered")) == 1


@about_the_file
async def test_a_file_that_may_not_grow_is_a_full_disk_and_what_was_acknowledged_is_there(home, daemon_of, client):
    narrow = ("bash", "-c", 'ulimit -S -f 1500; exec "$@"', "bash", str(CAMSHAFT))
    daemon = await daemon_of(home, program=narrow)

    taken, answer = await refused(client, daemon, company="x" * 20_000)
    ready_meanwhile = await ready(client, daemon)
    subprocess.run(["prlimit", "--pid", str(daemon.process.pid), "--fsize=unlimited"], check=True)
    taken |= await taken_again(client, daemon)
    await daemon.all_ended()

    assert told_to_come_again(answer)
    assert ready_meanwhile == 503
    assert dict(daemon.rows("SELECT event, id FROM runs WHERE status = 'completed'")) == taken
    assert len(lines(daemon, "store.recovered")) == 1


class Ext4:
    """A file system of its own that can turn read-only, as one does that finds an error in itself."""

    def __init__(self, folder):
        self.image, self.folder = folder / "image", folder / "disk"

    def make(self):
        self.folder.mkdir()
        self._do("truncate", "-s", "20M", self.image)
        self._do("mkfs.ext4", "-q", self.image)

    def mount(self):
        self._do("mount", "-o", "loop,errors=remount-ro", self.image, self.folder)
        device = self._do("findmnt", "-no", "SOURCE", self.folder).strip()
        self.fault = Path("/sys/fs/ext4") / Path(device).name / "trigger_fs_error"

    def fail(self):
        os.sync()  # what was written before may be in memory still
        self.fault.write_text("1")

    def repair(self):
        self._do("umount", self.folder)
        subprocess.run(
            ["e2fsck", "-fy", self.image], capture_output=True, check=False
        )  # its status says that it mended something
        self.mount()

    def _do(self, *command):
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def ext4(tmp_path):
    disk = Ext4(tmp_path)
    try:
        disk.make()
        disk.mount()
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"mounting is refused: {error}")
    if os.access(disk.fault, os.W_OK):
        yield disk
    subprocess.run(["umount", "-l", disk.folder], check=True)
    if not os.access(disk.fault.parent.parent, os.W_OK):
        pytest.skip("this kernel's file systems cannot be told to fail")


@about_the_file
@pytest.mark.slow
async def test_a_disk_that_turns_read_only_takes_nothing_more_and_the_next_start_has_what_was_acknowledged(
    home, ext4, write, daemon_of, client, tmp_path
):
    write(home, "camshaft.toml", "[worker]\ndrain_s = 0.5\n")
    shutil.move(home, ext4.folder / "home")
    home.symlink_to(ext4.folder / "home")  # so that the log is elsewhere
    daemon = await daemon_of(home)
    taken = await taken_again(client, daemon)

    ext4.fail()
    more, answer = await refused(client, daemon)
    ready_meanwhile = await ready(client, daemon)
    code = await daemon.stop()
    ext4.repair()
    daemon = await daemon_of(home)
    await daemon.all_ended()
    found = dict(daemon.rows("SELECT event, id FROM runs WHERE status = 'completed'"))
    await daemon.stop()

    assert told_to_come_again(answer)
    assert (ready_meanwhile, code) == (503, 0)
    assert found == taken | more
    assert "camshaft.db: disk I/O error" in lines(daemon, "store.unavailable")[0]["error"]


# ---- files that are not as they should be


@about_the_file
@pytest.mark.slow
async def test_a_database_that_is_damaged_under_the_daemon_takes_nothing_more_and_a_backup_in_its_place_is_served(
    home, daemon_of, client, run
):
    file = home / "state" / "camshaft.db"
    daemon = await daemon_of(home)
    taken = await taken_again(client, daemon)
    await daemon.all_ended()
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(home / "backup.db")) as backup:
        source.backup(backup)
        source.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with file.open("r+b") as damaged:
        damaged.seek(4096)
        damaged.write(os.urandom(file.stat().st_size - 4096))

    _, answer = await refused(client, daemon)
    listed = run("run", "list", home=home)
    code = await daemon.stop()
    again = run("serve", "--listen", "127.0.0.1:0", home=home)
    for left in file.parent.glob("camshaft.db*"):
        left.unlink()
    (home / "backup.db").rename(file)
    restored = await daemon_of(home)

    assert told_to_come_again(answer)
    assert code == 0
    for refusal in (listed, again):
        assert refusal.returncode != 0
        assert "camshaft.db" in refusal.stderr
        assert "malformed" in refusal.stderr
        assert "Traceback" not in refusal.stderr
    assert "put a backup in its place" in lines(daemon, "store.unavailable")[0]["hint"]
    assert dict(restored.rows("SELECT event, id FROM runs")) == taken


async def test_a_schema_of_a_newer_program_is_refused_by_every_command_and_left_as_it_is(home, daemon_of, client, run):
    daemon = await daemon_of(home)
    taken = await taken_again(client, daemon)
    await daemon.all_ended()
    await daemon.stop()
    ((version,),) = daemon.rows("SELECT version_num FROM alembic_version")
    change(home, "UPDATE alembic_version SET version_num = '9999'")

    commands = (["serve", "--listen", "127.0.0.1:0"], ["run", "list"], ["flow", "execute", "deal-process", "-i", "companyName=a"])
    refusals = await asyncio.gather(*(asyncio.to_thread(run, *words, home=home) for words in commands))
    left = daemon.rows("SELECT version_num FROM alembic_version")
    change(home, f"UPDATE alembic_version SET version_num = '{version}'")
    daemon = await daemon_of(home)

    for refusal in refusals:
        assert refusal.returncode == 1
        assert "9999" in refusal.stderr
        assert "a newer camshaft wrote it" in refusal.stderr
        assert "Traceback" not in refusal.stderr
    assert left == [("9999",)]
    assert dict(daemon.rows("SELECT event, id FROM runs")) == taken


async def test_a_token_that_others_may_read_stops_the_start_and_the_way_out_that_is_told_works(home, daemon_of, client, run):
    token = home / "state" / "admin.token"
    token.parent.mkdir()
    token.write_text("a-token-of-some-length\n")
    token.chmod(0o644)

    refusal = run("serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", home=home)
    way_out = re.search(r"chmod 600 \S+?(?=\)|\s|$)", refusal.stderr)[0]
    subprocess.run(way_out.split(), check=True)
    daemon = await daemon_of(home)
    headers = {"Authorization": f"Bearer {token.read_text().strip()}"}
    async with client.get(f"{daemon.admin}/v1/triggers", headers=headers) as answer:
        status = answer.status

    assert refusal.returncode == 1
    assert "others can read the admin token" in refusal.stderr
    assert status == 200
