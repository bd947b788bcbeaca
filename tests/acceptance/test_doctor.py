"""doctor and status, the commands: each trouble is found by its name, and nothing is changed."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import time

import pytest

from daemon.doctor import machine
from tests.acceptance.conftest import CAMSHAFT
from tests.acceptance.database import about_the_file, names_its_store

pytestmark = pytest.mark.long

# Root may read whatever a mode says; without these two powers it is held to modes as everybody is.
HELD_TO_MODES = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []


@pytest.fixture
def examined(run, home):
    """Run doctor on the home → exit status, and findings as (check, level) → (what, hint)."""

    def examine(env=None):
        done = run("doctor", "-o", "json", home=home, env=env)
        assert done.stderr == ""
        findings = {(one["check"], one["level"]): (one["what"], one["hint"]) for one in json.loads(done.stdout)}
        return done.returncode, findings

    return examine


@pytest.fixture
def settled(home, write):
    """Addresses that are free."""
    write(home, "camshaft.toml", f'[http]\nlisten = "127.0.0.1:{free_port()}"\n')
    return home


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def troubles(findings):
    """What is not ok, but for this machine's own clock, and for an input that the sample's flow does not read."""
    return {one for one in findings if one[1] != "ok"} - {("clock.synchronised", "warning"), ("definitions", "warning")}


def test_a_healthy_home_has_no_problem_and_is_left_as_it_is(settled, examined):
    before = sorted(settled.rglob("*"))

    status, findings = examined()

    assert (status, troubles(findings)) == (0, set())
    assert sorted(settled.rglob("*")) == before
    assert {check for check, _ in findings} >= {
        "versions",
        "config",
        "definitions",
        "database",
        "ports",
        "disk.space",
        "limits.files",
    }


def test_for_people_each_finding_is_a_line(settled, run):
    done = run("doctor", home=settled)

    assert done.returncode == 0
    assert all(line.startswith(("ok ", "WARNING ", "PROBLEM ")) for line in done.stdout.splitlines())


async def test_a_daemon_that_runs_is_asked_and_one_that_hangs_is_told(settled, daemon_of, examined):
    daemon = await daemon_of(settled)

    status, findings = await asyncio.to_thread(examined)
    await daemon.stop()
    with (settled / "state/lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        hanging, told = await asyncio.to_thread(examined)

    assert (status, troubles(findings)) == (0, set())
    assert f"process {daemon.process.pid}" in findings["daemon.answers", "ok"][0]
    assert hanging == 1
    assert str(os.getpid()) in told["daemon.answers", "problem"][0]


def test_what_others_could_read_is_told(settled, examined):
    state = settled / "state"
    state.mkdir(mode=0o700)
    (state / "admin.token").write_text("x" * 40)
    (state / "admin.token").chmod(0o644)

    status, findings = examined()

    assert status == 1
    assert findings["state.modes", "problem"][1] == f"chmod go= {state / 'admin.token'}"


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="as root this needs setpriv (apt: util-linux)")
@pytest.mark.parametrize(
    ("closed", "told"),
    [
        pytest.param("", {("state.folder", "problem"), ("daemon.answers", "problem")}, id="the folder"),
        pytest.param("camshaft.db", {("database", "problem")}, id="the database", marks=about_the_file),
    ],
)
def test_what_this_user_may_not_read_is_told_and_nothing_is_claimed_of_it(settled, run_json, closed, told):
    run_json("flow", "execute", "deal-process", "-i", "companyName=Ada", home=settled)
    file = settled / "state" / closed
    mode = file.stat().st_mode
    file.chmod(0)

    done = subprocess.run(
        [*HELD_TO_MODES, CAMSHAFT, "doctor", "-o", "json", "--home", settled], capture_output=True, text=True, check=False
    )

    file.chmod(mode)
    findings = {(one["check"], one["level"]): (one["what"], one["hint"]) for one in json.loads(done.stdout)}
    assert (done.returncode, done.stderr, troubles(findings)) == (1, "", told)
    assert all(findings[one][1] == "run as the daemon's user" for one in told)


def test_settings_that_are_refused_are_told_with_their_line(home, examined, write):
    write(home, "camshaft.toml", "[http]\nlisten = 'nonsense:x'\n")

    status, findings = examined()

    assert status == 1
    assert "camshaft.toml:2" in findings["config", "problem"][0]


def test_definitions_that_do_not_load_are_told(settled, examined, write):
    write(settled, "triggers/broken.json", {"trigger": {"type": "webhook", "path": "/x"}, "flow": "nowhere"})

    status, findings = examined()

    assert status == 1
    assert "there is no flow «nowhere»" in findings["definitions", "problem"][0]


def test_a_secret_is_missed_by_its_name_and_its_value_is_never_shown(settled, examined, write):
    hook = {"type": "webhook", "path": "/x", "auth": {"type": "bearer", "secret": {"env": "HOOK_SECRET_OF_THE_TEST"}}}
    write(settled, "triggers/signed.json", {"trigger": hook, "flow": "deal-process", "inputMapping": {"companyName": "x"}})

    missing, findings = examined()
    there, found = examined(env={"HOOK_SECRET_OF_THE_TEST": "swordfish"})

    assert (missing, there) == (0, 0)  # the daemon's environment may be another one
    assert "HOOK_SECRET_OF_THE_TEST" in findings["secrets", "warning"][0]
    assert ("secrets", "ok") in found
    assert "swordfish" not in str(found)


def test_a_program_that_steps_need_is_missed(settled, examined, write):
    write(settled, "flows/shell.json", {"steps": [{"id": "a", "type": "bash", "bash": {"command": "true"}}]})

    status, findings = examined(env={"PATH": str(settled)})

    assert status == 1
    assert findings["programs", "problem"][0] == "bash is not in PATH, and shell needs it"


def test_a_port_that_is_taken_is_told(home, examined, write):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        write(home, "camshaft.toml", f'[http]\nlisten = "127.0.0.1:{taken.getsockname()[1]}"\n')

        status, findings = examined()

    assert status == 1
    assert "another program listens there" in findings["ports", "problem"][0]


@about_the_file
async def test_a_damaged_a_newer_and_a_foreign_database_are_told(settled, daemon_of, examined, client):
    daemon = await daemon_of(settled)
    async with client.post(f"{daemon.hooks}/deal-created", json={"source": "email", "company": "x" * 9000}):
        pass
    await daemon.stop()
    file = settled / "state/camshaft.db"
    good = file.read_bytes()

    def found(change):
        file.write_bytes(good)
        change()
        return examined()

    def newer():
        with sqlite3.connect(file) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.close()

    def ahead():
        with sqlite3.connect(file) as connection:
            connection.execute("UPDATE events SET time = ?", (int((time.time() + 7200) * 1e6),))
        connection.close()

    damaged = found(lambda: file.write_bytes(good[:8192] + b"\xff" * 8192 + good[16384:]))
    foreign = found(lambda: file.write_bytes(b"no database at all" * 500))
    later = found(newer)
    jumped = found(ahead)

    assert (damaged[0], foreign[0], later[0], jumped[0]) == (1, 1, 1, 0)
    assert ("database", "problem") in damaged[1]
    assert ("database", "problem") in foreign[1]
    assert "9999" in later[1]["database.version", "problem"][0]
    assert "ahead of the clock" in jumped[1]["clock.jumped", "warning"][0]


@names_its_store
def test_a_server_that_does_not_answer_is_told_without_its_password(home, examined, write):
    url = f"postgresql://camshaft:swordfish@127.0.0.1:{free_port()}/camshaft"
    write(home, "camshaft.toml", f'[http]\nlisten = "127.0.0.1:{free_port()}"\n[store]\nurl = "{url}"\n')

    status, findings = examined()

    assert status == 1
    assert ("database", "problem") in findings
    assert "swordfish" not in str(findings)


def test_a_watched_folder_that_is_not_there_is_told(settled, examined, write):
    watch = {"trigger": {"type": "file-watch", "paths": ["inbox"]}, "flow": "deal-process", "inputMapping": {"companyName": "x"}}
    write(settled, "triggers/watch.json", watch)

    status, findings = examined()

    assert status == 0
    assert "inbox is not there" in findings["watch.paths", "warning"][0]


def test_more_folders_than_the_kernel_follows_are_told(tmp_path, monkeypatch):
    for number in range(20):
        (tmp_path / f"tree/{number}").mkdir(parents=True)
    (tmp_path / "max_user_watches").write_text("10\n")
    (tmp_path / "max_user_instances").write_text("1\n")
    monkeypatch.setattr(machine, "INOTIFY", tmp_path)

    found = {(one.check, one.level): one.what for one in machine.inotify([(tmp_path / "tree", True)])}

    assert "21 folders" in found["watch.inotify", "problem"]
    assert ("watch.instances", "warning") in found


def test_a_zone_without_data_is_told():
    found = [one for one in machine.clock({"UTC", "Mars/Olympus"}) if one.check == "clock.zones"]

    assert [(one.level, one.what) for one in found] == [("problem", "there is no data for the time zones Mars/Olympus")]


# -- status


async def test_status_says_what_the_daemon_does(daemon, client, run, run_json):
    async with client.post(f"{daemon.hooks}/deal-created", json={"source": "email", "company": "Acme"}):
        pass
    await daemon.all_ended()

    said = await asyncio.to_thread(run_json, "status", home=daemon.home)
    shown = await asyncio.to_thread(run, "status", home=daemon.home)

    assert said["pid"] == daemon.process.pid
    assert said["listeners"] == {"hooks": daemon.hooks, "admin": str(daemon.home / "state/admin.sock"), "adminTcp": daemon.admin}
    assert said["sources"] == [{"source": "webhook", "triggers": 1, "state": "open"}]
    assert (said["queued"], said["running"], said["runs"], said["oldestQueuedAt"]) == (0, 0, {}, None)
    assert said["uptimeS"] > 0
    assert said["disk"]["freeBytes"] == pytest.approx(shutil.disk_usage(daemon.home).free, rel=0.2)
    assert daemon.hooks in shown.stdout
    assert "PROBLEM" not in shown.stdout


async def test_status_says_since_when_a_run_waits(home, daemon_of, run, run_json, write):
    write(home, "flows/slow.json", {"steps": [{"id": "a", "type": "bash", "bash": {"command": "sleep 60"}}]})
    daemon = await daemon_of(home, "--concurrency", "1", "--drain", "0")
    for _ in range(2):
        await asyncio.to_thread(run, "flow", "execute", "slow", "--detach", home=home)
    await daemon.until("SELECT 1 FROM runs WHERE status = 'running'")

    said = await asyncio.to_thread(run_json, "status", home=home)

    assert (said["running"], said["queued"]) == (1, 1)
    assert said["oldestQueuedAt"].startswith("20")


def test_status_without_a_daemon_says_so(home, run):
    done = run("status", home=home)

    assert (done.returncode, done.stdout) == (5, "")
    assert "no daemon runs for this home" in done.stderr
