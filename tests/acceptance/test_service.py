"""The daemon as a process: it starts or says why not, it drains, it leaves what it cannot finish."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import time

from tests.acceptance.conftest import CAMSHAFT

SLOW = {
    "key": "deal-process",
    "steps": [
        {
            "id": "slow",
            "type": "bash",
            "bash": {"command": "touch ../started; while ! test -e ../go; do sleep 0.02; done", "timeout": 60000},
        }
    ],
}
DEAL = {"source": "email", "company": "Acme", "email": "a@b.c"}


async def post(client, daemon, body=DEAL):
    async with client.post(f"{daemon.hooks}/deal-created", json=body) as answer:
        return answer.status, await answer.json()


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def test_an_event_becomes_a_run_with_its_steps_and_durations(daemon, client, run_json):
    status, said = await post(client, daemon)
    await daemon.all_ended()
    shown = run_json("run", "show", said["runs"][0], home=daemon.home)

    assert status == 202
    assert said["verdicts"] == {"auto-process-deal": "dispatched"}
    assert shown["status"] == "completed"
    assert shown["steps"]["greet"]["output"] == "Hello Acme"
    assert isinstance(shown["steps"]["greet"]["durationMs"], int)
    assert (shown["event"], shown["trigger"], shown["flow"]) == (said["event"], "auto-process-deal", "deal-process")


async def test_an_event_that_does_not_fire_says_why_with_the_value_it_saw(daemon, client, run, run_json):
    status, said = await post(client, daemon, {"source": "web"})
    explained = run("event", "explain", said["event"], home=daemon.home)
    shown = run_json("event", "show", said["event"], home=daemon.home)

    sentence = "`$.body.source === 'email'` was false because `$.body.source` was `\"web\"`"
    assert (status, said["runs"]) == (200, [])
    assert sentence in " ".join(explained.stdout.split())
    (verdict,) = shown["verdicts"]
    assert (verdict["trigger"], verdict["verdict"], verdict["reason"], verdict["run"]) == (
        "auto-process-deal",
        "filter_false",
        sentence,
        None,
    )


async def test_a_daemon_whose_output_nobody_reads_serves_all_the_same(home, client):
    reading, writing = os.pipe()
    os.close(reading)
    log = home.parent / "home.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [CAMSHAFT, "serve", "--home", home, "--listen", "127.0.0.1:0"],
            stdout=writing,
            stderr=stderr,
            env=os.environ | {"CAMSHAFT_LOG__FORMAT": "json"},
        )
    os.close(writing)
    async with asyncio.timeout(30):
        while "service.started" not in log.read_text():
            await asyncio.sleep(0.02)
    (said,) = [line for line in map(json.loads, log.read_text().splitlines()) if line["event"] == "service.started"]

    async with client.post(f"{said['hooks']}/deal-created", json=DEAL) as answer:
        status = answer.status
    process.terminate()

    assert (status, process.wait(30)) == (202, 0)


async def test_sigterm_lets_runs_end_takes_nothing_new_and_exits_with_0(home, write, daemon_of, client):
    write(home, "flows/deal-process.json", SLOW)
    daemon = await daemon_of(home)
    _, said = await post(client, daemon)
    await until((home / "started").exists)

    daemon.process.send_signal(signal.SIGTERM)
    await until(lambda: not listening(daemon.hooks))
    (home / "go").touch()

    assert await daemon.process.wait() == 0
    assert daemon.rows("SELECT status FROM runs WHERE id = ?", said["runs"][0]) == [("completed",)]


async def test_a_run_that_outlasts_the_drain_is_left_and_the_next_start_ends_it(home, write, daemon_of, client):
    write(home, "flows/deal-process.json", SLOW)
    write(home, "camshaft.toml", "[worker]\ndrain_s = 0.2\n")
    daemon = await daemon_of(home)
    _, said = await post(client, daemon)
    await until((home / "started").exists)

    assert await daemon.stop() == 0
    assert daemon.rows("SELECT status FROM runs WHERE id = ?", said["runs"][0]) == [("running",)]

    (home / "go").touch()
    daemon = await daemon_of(home)
    await daemon.all_ended()
    assert daemon.rows("SELECT status FROM runs WHERE id = ?", said["runs"][0]) == [("completed",)]


async def test_a_second_sigterm_does_not_wait(home, write, daemon_of, client):
    write(home, "flows/deal-process.json", SLOW)
    write(home, "camshaft.toml", "[worker]\ndrain_s = 3600\n")
    daemon = await daemon_of(home)
    await post(client, daemon)
    await until((home / "started").exists)
    daemon.process.send_signal(signal.SIGTERM)
    await until(lambda: not listening(daemon.hooks))

    assert await daemon.stop() == 0
    said = [json.loads(line) for line in daemon.log.read_text().splitlines()]
    assert [line["runs"] for line in said if line["event"] == "service.left_runs"] == [1]


async def test_a_second_sigterm_ends_also_commands_that_ignore_it_with_all_that_they_started(home, write, daemon_of, client):
    write(home, "camshaft.toml", "[worker]\ndrain_s = 3600\n[steps.bash]\ngrace_s = 0.2\n")
    command = "trap '' TERM; (trap '' TERM; echo $BASHPID > ../grandchild; sleep 600) & echo $$ > ../pid; touch ../started; wait"
    steps = [{"id": "deaf", "type": "bash", "bash": {"command": command, "timeout": 600000}}]
    write(home, "flows/deal-process.json", {"key": "deal-process", "steps": steps})
    daemon = await daemon_of(home)
    _, said = await post(client, daemon)
    await until((home / "started").exists)
    await until(lambda: (home / "grandchild").exists() and (home / "grandchild").read_text().strip())
    daemon.process.send_signal(signal.SIGTERM)
    await until(lambda: not listening(daemon.hooks))

    assert await daemon.stop() == 0
    assert not alive(int((home / "pid").read_text()))
    assert not alive(int((home / "grandchild").read_text()))
    assert daemon.rows("SELECT status FROM runs WHERE id = ?", said["runs"][0]) == [("running",)]


def listening(url):
    host, port = url.split("/")[2].split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


async def test_no_process_is_left_behind_when_a_run_is_left(home, write, daemon_of, client):
    write(home, "camshaft.toml", "[worker]\ndrain_s = 0\n")
    command = "echo $$ > ../pid; sleep 300 & echo $! > ../grandchild; touch ../started; wait"
    steps = [{"id": "slow", "type": "bash", "bash": {"command": command, "timeout": 600000}}]
    write(home, "flows/deal-process.json", {"key": "deal-process", "steps": steps})
    daemon = await daemon_of(home)
    await post(client, daemon)
    await until((home / "started").exists)

    await daemon.stop()

    for name in ("pid", "grandchild"):
        await until(lambda name=name: not alive(int((home / name).read_text())))


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_second_daemon_of_one_home_is_refused_with_the_process_id(daemon, run):
    second = run("serve", "--listen", "127.0.0.1:0", home=daemon.home)

    assert second.returncode not in {0, None}
    assert str(daemon.process.pid) in second.stderr
    assert "Traceback" not in second.stderr


async def test_a_second_daemon_takes_nothing_from_the_first_also_where_the_lock_was_removed(home, write, daemon_of, client, run):
    """To open the store is to take over every run that has not ended: whoever is refused must be so before that."""
    write(home, "flows/deal-process.json", SLOW)
    daemon = await daemon_of(home)
    _, said = await post(client, daemon)
    await until((home / "started").exists)
    (home / "state/lock").unlink()

    done = await asyncio.to_thread(run, "serve", "--listen", "127.0.0.1:0", home=home)
    (home / "go").touch()

    assert (done.returncode, done.stdout) == (3, "")
    assert "a daemon runs for this home already" in done.stderr
    await daemon.until("SELECT 1 FROM runs WHERE id = ? AND status = 'completed'", said["runs"][0])


async def test_a_port_that_is_taken_stops_the_start_with_the_address_and_a_hint(home, run):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        refused = run("serve", "--listen", f"127.0.0.1:{port}", home=home)

    assert refused.returncode not in {0, None}
    assert f"127.0.0.1:{port}" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_broken_home_stops_the_start_with_every_problem(home, write, run):
    broken = '{"trigger": {"type": "webhook", "path": "/x", "filter": "$.body.a ==="}, "flow": "deal-proces"}'
    write(home, "triggers/broken.json", broken)

    refused = run("serve", "--listen", "127.0.0.1:0", home=home)

    assert refused.returncode == 3
    assert "broken.json:1:" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_home_that_is_a_file_or_missing_is_named(tmp_path, run):
    file = tmp_path / "file"
    file.write_text("")

    for place in (file, tmp_path / "missing"):
        refused = run("serve", "--listen", "127.0.0.1:0", home=place)
        assert refused.returncode not in {0, None}
        assert str(place) in refused.stderr
        assert "Traceback" not in refused.stderr


def test_a_home_that_cannot_be_written_to_is_named_with_a_way_out(home, run):
    (home / "state").write_text("a file where the daemon's folder would be")

    refused = run("serve", "--listen", "127.0.0.1:0", home=home)

    assert refused.returncode not in {0, None}
    assert str(home / "state") in refused.stderr
    assert "--home" in refused.stderr
    assert "Traceback" not in refused.stderr


async def test_ready_and_healthy_are_answered_without_a_token_and_the_rest_is_not(daemon, client):
    async with client.get(f"{daemon.admin}/readyz") as ready, client.get(f"{daemon.admin}/healthz") as healthy:
        assert (ready.status, healthy.status) == (200, 200)
    async with client.get(f"{daemon.admin}/v1/triggers") as refused:
        assert refused.status == 401
    token = (daemon.home / "state" / "admin.token").read_text().strip()
    async with client.get(f"{daemon.admin}/v1/triggers", headers={"Authorization": f"Bearer {token}"}) as listed:
        assert listed.status == 200


async def test_a_trigger_added_to_a_running_daemon_fires_at_once_and_a_removed_one_does_not(daemon, client, run, run_json):
    definition = {
        "key": "second",
        "trigger": {"type": "webhook", "path": "/second"},
        "flow": "deal-process",
        "inputMapping": {"companyName": "$.body.name"},
    }
    added = run_json("trigger", "add", "-", home=daemon.home, stdin=json.dumps(definition))

    assert added["url"] == f"{daemon.hooks}/second"
    assert added["curl"].startswith("curl")
    async with client.post(added["url"], json={"name": "Acme"}) as answer:
        assert answer.status == 202
    assert run("trigger", "rm", "second", home=daemon.home).returncode == 0
    async with client.post(added["url"], json={"name": "Acme"}) as answer:
        assert answer.status == 404


async def test_a_schedule_added_to_a_running_daemon_tells_its_next_three_times_and_opens_its_source(daemon, run_json):
    definition = {
        "key": "digest",
        "trigger": {"type": "schedule", "cron": "0 9 * * 1-5"},
        "flow": "deal-process",
        "inputMapping": {"companyName": "$.trigger.scheduledDate"},
    }

    added = run_json("trigger", "add", "-", home=daemon.home, stdin=json.dumps(definition))
    listed = run_json("trigger", "list", home=daemon.home)

    assert len(added["next"]) == 3
    assert all(time.strptime(slot, "%Y-%m-%dT09:00:00Z").tm_wday < 5 for slot in added["next"])
    assert [(row["key"], row["type"], row["next"]) for row in listed] == [
        ("auto-process-deal", "webhook", []),
        ("digest", "schedule", added["next"]),
    ]
    await daemon.until("SELECT 1 FROM source_state WHERE source = 'schedule' AND key = 'digest'")


async def test_a_flow_is_executed_by_the_daemon_and_recorded_by_it(daemon, run_json):
    done = run_json("flow", "execute", "deal-process", "-i", "companyName=Acme", "--metrics", home=daemon.home)

    assert done["status"] == "completed"
    assert done["steps"]["greet"]["output"] == "Hello Acme"
    assert done["_stepTimings"].keys() == {"greet"}
    assert daemon.rows("SELECT flow, event, status FROM runs WHERE id = ?", done["run"]) == [("deal-process", None, "completed")]


async def test_a_flow_is_executed_without_a_daemon_and_recorded_in_the_home(home, daemon_of, run_json):
    done = run_json("flow", "execute", "deal-process", "-i", "companyName=Acme", home=home)

    daemon = await daemon_of(home)
    assert daemon.rows("SELECT status FROM runs WHERE id = ?", done["run"]) == [("completed",)]


async def test_the_same_idempotency_key_makes_one_run(home, write, daemon_of, client):
    trigger = json.loads((home / "triggers/auto-process-deal.json").read_text())
    write(home, "triggers/auto-process-deal.json", trigger | {"idempotency": {"key": "$.headers['X-Delivery-Id']", "ttl": "1h"}})
    daemon = await daemon_of(home)

    answers = []
    for _ in range(3):
        async with client.post(f"{daemon.hooks}/deal-created", json=DEAL, headers={"x-delivery-id": "7"}) as answer:
            answers.append((answer.status, (await answer.json())["verdicts"]["auto-process-deal"]))
    await daemon.all_ended()

    assert answers == [(202, "dispatched"), (200, "duplicate"), (200, "duplicate")]
    assert daemon.rows("SELECT count(*) FROM runs") == [(1,)]
