"""The stream of a real daemon, and the commands that follow it: nothing missed, nothing twice, over restarts too."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

SLOW = {
    "key": "slow",
    "steps": [
        {"id": "first", "type": "transform", "transform": {"expression": "1"}},
        {
            "id": "wait",
            "type": "bash",
            "bash": {"command": "echo hello; echo oops >&2; touch ../begun; while ! test -e ../go; do sleep 0.02; done"},
        },
        {"id": "last", "type": "transform", "transform": {"expression": "2"}},
    ],
}
FAILING = {"key": "failing", "steps": [{"id": "no", "type": "bash", "bash": {"command": "echo why; exit 3"}}]}
MANY = {
    "key": "many",
    "steps": [
        {
            "id": "each",
            "type": "loop",
            "loop": {
                "over": "Array.from({length: 1500}, (_, i) => i)",
                "steps": [{"id": "one", "type": "transform", "transform": {"expression": "1"}}],
            },
        }
    ],
}
YES, NO = {"source": "email", "company": "Acme", "email": "a@b.c"}, {"source": "web"}


@pytest.fixture
def home(home, write):
    for flow in (SLOW, FAILING):
        write(home, f"flows/{flow['key']}.json", flow)
    return home


class Listening:
    """An open stream, read message by message."""

    def __init__(self, response) -> None:
        self.response = response
        self.last = ""

    async def next(self) -> tuple[str, dict]:
        fields = {}
        async with asyncio.timeout(30):
            while True:
                line = (await self.response.content.readline()).decode()
                assert line, "the stream has ended"
                if line != "\n":
                    name, _, value = line.rstrip("\n").partition(":")
                    fields[name] = value.removeprefix(" ")
                elif "event" in fields:
                    self.last = fields.get("id", self.last)
                    return fields["event"], json.loads(fields["data"])
                else:
                    fields = {}


def listen(client, daemon, query="", **headers):
    token = (daemon.home / "state/admin.token").read_text().strip()
    return client.get(f"{daemon.admin}/v1/stream{query}", headers={"Authorization": f"Bearer {token}", **headers})


async def post(client, daemon, body):
    async with client.post(f"{daemon.hooks}/deal-created", json=body) as answer:
        return (await answer.json())["event"]


async def test_an_event_is_told_when_it_is_on_disk_and_then_its_run_from_beginning_to_end(daemon, client):
    async with listen(client, daemon) as response:
        stream = Listening(response)
        opened = await stream.next()
        event = await post(client, daemon, YES)
        told = [await stream.next()]
        kept = daemon.rows("SELECT id FROM events WHERE id = ?", event)
        told += [await stream.next() for _ in range(5)]
        ended = daemon.rows("SELECT status FROM runs WHERE event = ?", event)

    assert opened == ("open", {"listening": True})
    assert [(kind, facts.get("status") or facts.get("verdict")) for kind, facts in told] == [
        ("event", None),
        ("verdict", "dispatched"),
        ("run", "queued"),
        ("run", "running"),
        ("step", "success"),
        ("run", "completed"),
    ]
    assert {facts["chain"] for _, facts in told} == {event}
    assert kept == [(event,)]
    assert ended == [("completed",)]


async def test_what_follows_from_a_run_is_told_with_the_chain_it_belongs_to(daemon_of, home, client, write):
    follower = {"trigger": {"type": "flow", "flow": "deal-process"}, "flow": "failing"}
    write(home, "triggers/after.json", follower)
    daemon = await daemon_of(home)
    async with listen(client, daemon, "?kinds=event,verdict,run") as response:
        stream = Listening(response)
        await stream.next()
        event = await post(client, daemon, YES)
        told = [(await stream.next()) for _ in range(10)]

    assert {facts["chain"] for _, facts in told} == {event}
    assert [facts["source"] for kind, facts in told if kind == "event"] == ["webhook", "flow"]
    assert [(facts["flow"], facts["status"]) for kind, facts in told if kind == "run" and facts["flow"] == "failing"] == [
        ("failing", "queued"),
        ("failing", "running"),
        ("failing", "failed"),
    ]


async def test_who_comes_back_in_a_burst_misses_nothing_and_hears_nothing_twice(daemon, client):
    async with listen(client, daemon, "?kinds=event") as response:
        stream = Listening(response)
        await stream.next()
        sent = [asyncio.create_task(post(client, daemon, NO)) for _ in range(100)]
        heard = [(await stream.next())[1]["event"] for _ in range(10)]
    posted = await asyncio.gather(*sent)
    async with listen(client, daemon, "?kinds=event", **{"Last-Event-ID": stream.last}) as response:
        again = Listening(response)
        heard += [(await again.next())[1]["event"] for _ in range(90)]

    assert sorted(heard) == sorted(posted)


async def test_a_client_that_does_not_read_is_dropped_with_a_reason_and_the_daemon_goes_on(daemon, client, write, run):
    write(daemon.home, "flows/many.json", MANY)
    with socket.socket(socket.AF_UNIX) as stuck:
        stuck.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(stuck, str(daemon.home / "state/admin.sock"))
        await loop.sock_sendall(stuck, b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200 OK" in await loop.sock_recv(stuck, 1000)
        for _ in range(3):
            done = await asyncio.to_thread(run, "flow", "execute", "many", home=daemon.home)
            assert done.returncode == 0, done.stderr

        read = b""
        async with asyncio.timeout(30):
            while b"event: end" not in read[-500:]:
                read += await loop.sock_recv(stuck, 1 << 20)

    assert b'{"reason":"slow"}' in read[-500:]
    assert read.count(b"event: step") < 4500
    assert await post(client, daemon, NO)


async def test_watchers_that_have_gone_leave_their_places_before_anything_is_sent_to_them(daemon, client):
    watching = [await listen(client, daemon, "?run=run_none") for _ in range(99)]
    async with listen(client, daemon, "?run=run_none") as last, asyncio.timeout(5):  # a third of a heartbeat
        for answer in watching:
            answer.close()
        while (again := await listen(client, daemon, "?run=run_none")).status == 503:
            again.close()
        again.close()

    assert {answer.status for answer in [*watching, last, again]} == {200}


async def test_a_daemon_that_stops_says_so_and_does_not_wait_for_listeners(daemon, client):
    async with listen(client, daemon) as response:
        stream = Listening(response)
        await stream.next()

        stopping = asyncio.create_task(daemon.stop())
        end = await stream.next()
        status = await stopping

    assert end == ("end", {"reason": "stopping"})
    assert status == 0


# -- the commands


async def lines_of(process):
    async with asyncio.timeout(30):
        while line := (await process.stdout.readline()).decode():
            yield line.rstrip("\n")


@pytest.fixture
async def command(home):
    """Start a command that goes on; whatever is left of it at the end is killed."""
    started = []

    async def start(*arguments):
        pipe = asyncio.subprocess.PIPE
        words = (str(Path(sys.executable).with_name("camshaft")), *arguments, "--home", str(home))
        started.append(await asyncio.create_subprocess_exec(*words, stdout=pipe, stderr=pipe))
        return started[-1]

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.communicate()
        process._transport.close()


def detached(run, home, flow):
    done = run("flow", "execute", flow, "--detach", home=home)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


async def test_watch_tells_steps_as_they_begin_and_end_and_then_the_run(daemon, run, command):
    run_id = detached(run, daemon.home, "slow")
    watching = await command("run", "watch", run_id, "--exit-status", "-o", "jsonl")
    told = []
    async for line in lines_of(watching):
        told.append(json.loads(line))
        if (told[-1].get("step"), told[-1]["status"]) == ("wait", "running"):
            (daemon.home.parent / "home/go").touch()
    status = await watching.wait()

    assert [(one.get("step"), one["status"]) for one in told] == [
        ("first", "success"),
        ("wait", "running"),
        ("wait", "success"),
        ("last", "success"),
        (None, "completed"),
    ]
    assert told[-1]["run"] == run_id
    assert status == 0


async def test_watch_survives_a_restart_of_the_daemon(daemon, daemon_of, run, command):
    run_id = detached(run, daemon.home, "slow")
    watching = await command("run", "watch", run_id, "--exit-status", "-o", "jsonl")
    async for line in lines_of(watching):
        if json.loads(line).get("step") == "wait":
            break
    await daemon.kill()
    await daemon_of(daemon.home)
    (daemon.home / "go").touch()
    told = [json.loads(line) async for line in lines_of(watching)]
    status = await watching.wait()

    assert told[-1]["status"] == "completed"
    assert ("last", "success") in [(one.get("step"), one["status"]) for one in told]
    assert status == 0


@pytest.mark.parametrize(("flow", "status"), [("deal-process", 0), ("failing", 7)])
async def test_watch_of_a_run_that_has_ended_shows_it_and_exits_with_its_status(daemon, run, flow, status):
    run("flow", "execute", flow, "-i", "companyName=Acme", home=daemon.home)
    (run_id,) = (row[0] for row in daemon.rows("SELECT id FROM runs"))

    with_status = await asyncio.to_thread(run, "run", "watch", run_id, "--exit-status", home=daemon.home)
    without = await asyncio.to_thread(run, "run", "watch", run_id, home=daemon.home)

    assert (with_status.returncode, without.returncode) == (status, 0)
    assert run_id in with_status.stdout
    assert with_status.stderr == ""  # no progress where there is no terminal


async def test_a_watcher_that_is_interrupted_lets_the_run_go_on(daemon, run, command):
    run_id = detached(run, daemon.home, "slow")
    watching = await command("run", "watch", run_id)
    told = []
    async for line in lines_of(watching):
        told.append(line)
        if line.split()[:2] == ["wait", "running"]:
            break
    watching.send_signal(signal.SIGINT)
    status = await watching.wait()
    shown = await asyncio.to_thread(run, "run", "list", "--status", "running", home=daemon.home)

    assert status == 130, told
    assert run_id in shown.stdout


async def test_logs_follow_a_run_to_its_end_with_what_its_commands_said(daemon, run, command):
    run_id = detached(run, daemon.home, "slow")
    following = await command("run", "logs", run_id, "-f", "-o", "jsonl")
    told = []
    async for line in lines_of(following):
        told.append(json.loads(line))
        if (told[-1]["what"], told[-1].get("step")) == ("step.started", "wait"):
            (daemon.home / "go").touch()

    assert [(line["what"], line.get("step"), line.get("text")) for line in told] == [
        ("queued", None, None),
        ("started", None, None),
        ("step.started", "first", None),
        ("step.success", "first", None),
        ("step.started", "wait", None),
        ("stdout", "wait", "hello"),
        ("stderr", "wait", "oops"),
        ("step.success", "wait", None),
        ("step.started", "last", None),
        ("step.success", "last", None),
        ("completed", None, None),
    ]
    assert [line["time"] for line in told] == sorted(line["time"] for line in told)


async def test_logs_of_a_failed_run_say_why_also_without_a_daemon(daemon, run):
    run("flow", "execute", "failing", home=daemon.home)
    (run_id,) = (row[0] for row in daemon.rows("SELECT id FROM runs"))
    with_daemon = await asyncio.to_thread(run, "run", "logs", run_id, home=daemon.home)
    await daemon.stop()

    without = await asyncio.to_thread(run, "run", "logs", run_id, home=daemon.home)

    assert with_daemon.stdout == without.stdout
    assert "no  stdout  why" in without.stdout
    assert "EXIT_STATUS" in without.stdout.splitlines()[-1]


async def test_cancel_ends_a_run_and_says_where_there_was_nothing_to_stop(daemon, run):
    run_id = detached(run, daemon.home, "slow")
    await daemon.until("SELECT 1 FROM runs WHERE status = 'running'")

    stopped = await asyncio.to_thread(run, "run", "cancel", run_id, "--wait", home=daemon.home)
    again = await asyncio.to_thread(run, "run", "cancel", run_id, home=daemon.home)

    assert (stopped.returncode, stopped.stdout) == (0, f"{run_id} is cancelled\n")
    assert (again.returncode, again.stdout) == (0, f"{run_id} was not stopped: it is cancelled\n")
    assert daemon.rows("SELECT status FROM runs") == [("cancelled",)]


async def test_events_are_followed_without_a_gap_and_none_twice_over_a_restart(daemon, daemon_of, client, command):
    before = [await post(client, daemon, NO) for _ in range(3)]
    following = await command("event", "list", "--follow", "-n", "2", "--verdict", "filter_false", "-o", "jsonl")
    heard = lines_of(following)
    told = [json.loads(await anext(heard))["event"] for _ in range(2)]
    sent = await asyncio.gather(*(post(client, daemon, NO) for _ in range(20)))
    await post(client, daemon, YES)  # another verdict
    told += [json.loads(await anext(heard))["event"] for _ in range(20)]
    await daemon.stop()
    daemon = await daemon_of(daemon.home)
    late = [await post(client, daemon, NO) for _ in range(3)]  # perhaps before the command is back
    told += [json.loads(await anext(heard))["event"] for _ in range(3)]

    assert told[:2] == before[1:]
    assert sorted(told[2:22]) == sorted(sent)
    assert told[22:] == late


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("jsonl", ['{"address":"/deal-created","source":"webhook"}']),
        ("table", ["ADDRESS                   SOURCE", "/deal-created             webhook"]),
    ],
)
async def test_events_are_followed_with_the_fields_that_are_asked_for(daemon, client, command, form, expected):
    await post(client, daemon, NO)
    following = await command("event", "list", "--follow", "--fields", "address,source", "-o", form)
    heard = lines_of(following)
    listed = [await anext(heard) for _ in expected]
    await post(client, daemon, NO)
    come = await anext(heard)

    assert listed == expected
    assert come == expected[-1]


@pytest.mark.parametrize("arguments", [("event", "list", "--follow"), ("run", "cancel", "run_0")])
def test_without_a_daemon_there_is_nothing_to_follow(home, run, arguments):
    done = run(*arguments, home=home)

    assert done.returncode == 5
    assert "no daemon runs for this home" in done.stderr


async def test_a_run_that_waits_for_a_daemon_is_not_watched_without_one(daemon, run):
    run_id = detached(run, daemon.home, "slow")
    await daemon.until("SELECT 1 FROM runs WHERE status = 'running'")
    await daemon.kill()

    watched = await asyncio.to_thread(run, "run", "watch", run_id, home=daemon.home)
    followed = await asyncio.to_thread(run, "run", "logs", run_id, "-f", home=daemon.home)

    assert (watched.returncode, followed.returncode) == (5, 5)
    assert "step" not in watched.stdout
    assert "first" in followed.stdout  # what is known is shown
