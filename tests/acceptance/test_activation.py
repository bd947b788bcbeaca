"""Sockets that a service manager holds: over restarts under load nobody is refused and nothing is lost."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from tests.acceptance.database import rows

pytestmark = pytest.mark.long

CAMSHAFT = Path(sys.executable).parent / "camshaft"
PATIENCE_S = 30.0
DEAL = {"source": "email", "company": "Acme", "email": "a@b.c"}

# What a service manager does between fork and exec: its sockets become 3, 4, …, and the variables say whose they are.
HAND_OVER = """
import os, sys
count = int(sys.argv[1])
handed = [os.dup2(int(number), 100 + at) for at, number in enumerate(sys.argv[2 : 2 + count])]  # out of the way
for at, number in enumerate(handed):
    os.dup2(number, 3 + at, inheritable=True)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(count)}
os.execv(sys.argv[2 + count], sys.argv[2 + count:])
"""


class Manager:
    """Holds listening sockets, as systemd does, and starts the daemon with them as often as it is asked to."""

    def __init__(self, home, sockets):
        self.home = home
        self.sockets = sockets
        self.log = home.parent / "home.log"
        self.process = None

    async def start(self, *flags, names=None, env=None):
        numbers = [str(one.fileno()) for one in self.sockets]
        command = [sys.executable, "-c", HAND_OVER, str(len(numbers)), *numbers, str(CAMSHAFT), "serve", "--home", str(self.home)]
        environment = {**os.environ, **(env or {}), **({"LISTEN_FDNAMES": names} if names else {})}
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *command, *flags, pass_fds=[one.fileno() for one in self.sockets], env=environment, stdout=subprocess.PIPE, stderr=log
            )  # fmt: skip
        async with asyncio.timeout(PATIENCE_S):
            return (await self.process.stdout.readline()).decode().split()

    async def stop(self):
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_S):
            code = await self.process.wait()
        self.process._transport.close()
        return code


def listening_socket():
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(512)
    return listening


@pytest.fixture
async def managed(home):
    """A home whose webhook socket is held by a manager."""
    with listening_socket() as listening:
        manager = Manager(home, [listening])
        manager.url = f"http://127.0.0.1:{listening.getsockname()[1]}/hooks/deal-created"
        yield manager
        if manager.process is not None and manager.process.returncode is None:
            manager.process.kill()
            await manager.process.wait()
            manager.process._transport.close()


@pytest.mark.slow
@pytest.mark.parametrize("restarts", [6])
async def test_restarts_under_load_refuse_nobody_lose_nothing_and_reset_no_connection(managed, restarts):
    acknowledged, failures = {}, []
    over = asyncio.Event()

    async def client(session, pause_s):
        """One that keeps its connection, and one request after the other."""
        while not over.is_set():
            try:
                async with session.post(managed.url, json=DEAL) as answer:
                    said = await answer.json()
                    if answer.status == 202:
                        acknowledged[said["event"]] = said["runs"][0]
                    else:
                        failures.append((answer.status, said))
            except (aiohttp.ClientError, OSError) as error:  # refused, reset, hung up on: all the same to who sent an event
                failures.append(error)
            await asyncio.sleep(pause_s)

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(PATIENCE_S)) as session:
        await managed.start()
        clients = [asyncio.create_task(client(session, pause_s)) for pause_s in (0, 0, 0, 0.01, 0.05, 0.2, 0.5)]
        for _ in range(restarts):
            before = len(acknowledged)
            async with asyncio.timeout(PATIENCE_S):
                while len(acknowledged) < before + 200:
                    await asyncio.sleep(0.01)
            assert await managed.stop() == 0
            await managed.start()
        over.set()
        await asyncio.gather(*clients)
    await managed.stop()

    assert failures == []
    assert len(acknowledged) >= 200 * restarts
    assert dict(rows(managed.home, "SELECT event, id FROM runs")).items() == acknowledged.items()
    assert rows(managed.home, "SELECT count(*) FROM events") == [(len(acknowledged),)]
    assert "drain_timed_out" not in managed.log.read_text()


async def test_who_connects_while_no_daemon_runs_is_answered_by_the_next_one(managed):
    await managed.start()
    await managed.stop()

    async with aiohttp.ClientSession() as session:
        asked = asyncio.create_task(session.post(managed.url, json=DEAL))
        await asyncio.sleep(0)
        said = await managed.start()
        async with await asked as answer:
            status = answer.status
    await managed.stop()

    assert status == 202
    assert said == ["hooks", managed.url.removesuffix("/deal-created")]


async def test_while_runs_drain_events_are_still_taken_and_the_successor_carries_them_out(managed, write, client):
    command = "touch ../started; while ! test -e ../go; do sleep 0.02; done"
    steps = [{"id": "slow", "type": "bash", "bash": {"command": command, "timeout": 60000}}]
    write(managed.home, "flows/deal-process.json", {"key": "deal-process", "steps": steps})
    await managed.start()

    async def post():
        async with client.post(managed.url, json=DEAL) as answer:
            return answer.status, (await answer.json())["runs"]

    first = await post()
    async with asyncio.timeout(PATIENCE_S):
        while not (managed.home / "started").exists():
            await asyncio.sleep(0.01)
        managed.process.send_signal(signal.SIGTERM)
        while "service.stopping" not in managed.log.read_text():
            await asyncio.sleep(0.01)
    second = await post()
    (managed.home / "go").touch()
    async with asyncio.timeout(PATIENCE_S):
        code = await managed.process.wait()
    managed.process._transport.close()
    before = dict(rows(managed.home, "SELECT id, status FROM runs"))
    await managed.start()
    async with asyncio.timeout(PATIENCE_S):
        while rows(managed.home, "SELECT 1 FROM runs WHERE status != 'completed'"):
            await asyncio.sleep(0.02)
    await managed.stop()

    assert (first[0], second[0], code) == (202, 202, 0)
    assert before == {first[1][0]: "completed", second[1][0]: "queued"}


async def test_the_admin_api_takes_a_socket_by_its_name_and_asks_for_the_token_there(managed, client):
    with listening_socket() as admin:
        managed.sockets.append(admin)
        await managed.start(names="hooks:admin")
        url = f"http://127.0.0.1:{admin.getsockname()[1]}"
        async with client.get(f"{url}/readyz") as ready, client.get(f"{url}/v1/triggers") as refused:
            statuses = ready.status, refused.status
        token = (managed.home / "state" / "admin.token").read_text().strip()
        async with client.get(f"{url}/v1/triggers", headers={"Authorization": f"Bearer {token}"}) as told:
            statuses += (told.status,)
        await managed.stop()

    assert statuses == (200, 401, 200)


async def test_no_step_inherits_the_sockets_or_their_variables(managed, write, client):
    write(managed.home, "camshaft.toml", "[steps.bash]\nenv = ['PATH', 'LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDNAMES']\n")
    steps = [{"id": "look", "type": "bash", "bash": {"command": "env; ls -l /proc/self/fd"}}]
    write(managed.home, "flows/deal-process.json", {"key": "deal-process", "steps": steps})
    await managed.start(names="hooks")
    async with client.post(managed.url, json=DEAL) as answer:
        assert answer.status == 202
    async with asyncio.timeout(PATIENCE_S):
        while not rows(managed.home, "SELECT 1 FROM runs WHERE status = 'completed'"):
            await asyncio.sleep(0.02)
    await managed.stop()

    ((output,),) = rows(managed.home, "SELECT output FROM attempts")
    assert "PATH=" in output
    assert "LISTEN_" not in output
    assert "socket:" not in output


async def test_a_socket_that_is_none_of_ours_stops_the_start_with_a_way_out(managed):
    await managed.start(names="website")
    async with asyncio.timeout(PATIENCE_S):
        code = await managed.process.wait()
    managed.process._transport.close()

    assert code == 1
    assert "website" in managed.log.read_text()
    assert "FileDescriptorName=" in managed.log.read_text()
    assert "Traceback" not in managed.log.read_text()


@pytest.mark.skipif(
    shutil.which("systemd-socket-activate") is None, reason="needs systemd-socket-activate: apt-get install systemd"
)
async def test_systemd_s_own_tool_starts_the_daemon_with_the_first_connection(home, client):
    with listening_socket() as free:
        port = free.getsockname()[1]
    command = ["systemd-socket-activate", "-l", f"127.0.0.1:{port}", "-E", "PATH", str(CAMSHAFT), "serve", "--home", str(home)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while b"Listening on" not in await process.stderr.readline():
                pass
        async with client.post(f"http://127.0.0.1:{port}/hooks/deal-created", json=DEAL) as answer:
            status = answer.status
        process.send_signal(signal.SIGTERM)  # it has become the daemon
        async with asyncio.timeout(PATIENCE_S):
            code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
        process._transport.close()

    assert (status, code) == (202, 0)
