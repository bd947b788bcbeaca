"""The daemon under a service manager: a real process, and a socket that listens as systemd's does."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys

import pytest

from tests.acceptance.database import about_the_file

pytestmark = pytest.mark.long

PATIENCE_S = 30.0
LIMIT_S = 1.0  # WATCHDOG_USEC of these tests
DEAL = {"source": "email", "company": "Acme", "email": "a@b.c"}

# The daemon with a way to break it from outside: what a debugger could do to one thread, done by a signal.
BREAKABLE = """
import asyncio, concurrent.futures.thread as pool, signal, sys, time
from concurrent.futures import Future
from daemon.cli import main

def hang_the_loop(*_):
    time.sleep(600)

def hang_the_writer(*_):
    (queue,) = [queue for thread, queue in pool._threads_queues.items() if thread.name.startswith("commit")]
    queue.put(pool._WorkItem(Future(), time.sleep, (600,), {}))

def kill_the_schedules(*_):
    (task,) = [task for task in asyncio.all_tasks() if task.get_name() == "source schedule at work"]
    task.cancel()

for number, broken in ((signal.SIGUSR1, hang_the_loop), (signal.SIGUSR2, hang_the_writer), (signal.SIGURG, kill_the_schedules)):
    signal.signal(number, broken)
sys.exit(main())
"""


class Manager:
    """Hears what the daemon says to its service manager."""

    def __init__(self, folder):
        self.address = str(folder / "notify.sock")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.address)
        self.socket.setblocking(False)

    async def hear(self, within_s=PATIENCE_S):
        async with asyncio.timeout(within_s):
            said = await asyncio.get_running_loop().sock_recv(self.socket, 4096)
        return dict(line.split("=", 1) for line in said.decode().split("\n"))

    async def hears(self, name):
        """Wait for a message that has this name."""
        while name not in (said := await self.hear()):
            pass
        return said

    async def hears_nothing_for(self, quiet_s):
        """Wait until nothing has come for so long: pings would come four times in each limit."""
        try:
            while True:
                await self.hear(quiet_s)
        except TimeoutError:
            return


@pytest.fixture
def manager(tmp_path):
    manager = Manager(tmp_path)
    yield manager
    manager.socket.close()


@pytest.fixture
async def breakable(home, write, manager):
    """A daemon that can be broken, watched by a manager, once it is ready."""
    write(home, "camshaft.toml", "[sources.schedule]\nwake_s = 0.2\n")
    write(home, "triggers/daily.json", {"trigger": {"type": "schedule", "cron": "0 9 * * *"}, "flow": "tick"})
    write(home, "flows/tick.json", {"steps": [{"id": "a", "type": "transform", "transform": {"expression": "1"}}]})
    script = home.parent / "breakable.py"
    script.write_text(BREAKABLE)
    log = home.parent / "home.log"
    environment = {**os.environ, "NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": str(int(LIMIT_S * 1e6))}
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            sys.executable, script, "serve", "--home", home, "--listen", "127.0.0.1:0", stderr=stderr, stdout=subprocess.DEVNULL, env=environment
        )  # fmt: skip
    await manager.hears("READY")
    await manager.hears("WATCHDOG")
    yield process, log
    process.kill()
    await process.wait()
    process._transport.close()


@pytest.mark.parametrize(
    ("how", "part"), [(signal.SIGUSR1, None), (signal.SIGUSR2, "writer"), (signal.SIGURG, "schedules")], ids=["loop", "writer", "schedules"]
)  # fmt: skip
async def test_a_part_that_does_not_answer_any_more_silences_the_watchdog(breakable, manager, how, part):
    process, log = breakable

    process.send_signal(how)
    await manager.hears_nothing_for(3 * LIMIT_S)

    assert process.returncode is None  # it would have stayed like this
    said = [json.loads(line) for line in log.read_text().splitlines()]
    stuck = [line["part"] for line in said if line["event"] == "service.stuck"]
    assert part is None or stuck[-1] == part  # a machine that is very busy may have held up others before


async def test_a_manager_hears_of_the_start_the_pings_and_the_stop_and_no_step_can_speak_for_us(
    home, write, daemon_of, manager, client
):
    write(home, "camshaft.toml", "[steps.bash]\nenv = ['PATH', 'NOTIFY_SOCKET', 'WATCHDOG_USEC']\n")
    steps = [{"id": "env", "type": "bash", "bash": {"command": "env; sleep 0"}}]
    write(home, "flows/deal-process.json", {"key": "deal-process", "steps": steps})
    daemon = await daemon_of(home, env={"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "1000000"})

    ready = await manager.hears("READY")
    await manager.hears("WATCHDOG")
    async with client.post(f"{daemon.hooks}/deal-created", json=DEAL) as answer:
        assert answer.status == 202
    await daemon.all_ended()
    daemon.process.send_signal(signal.SIGTERM)
    stopping = await manager.hears("STOPPING")
    more = await manager.hears("EXTEND_TIMEOUT_USEC")

    assert await daemon.process.wait() == 0
    assert ready == {"READY": "1", "STATUS": f"1 triggers, 1 flows, hooks at {daemon.hooks}"}
    assert stopping["STATUS"] == "stopping; 0 runs may end within 30 s"
    assert int(more["EXTEND_TIMEOUT_USEC"]) > 5_000_000
    ((output,),) = daemon.rows("SELECT output FROM attempts")
    assert "PATH=" in output
    assert "NOTIFY_SOCKET" not in output
    assert "WATCHDOG" not in output


@about_the_file
async def test_a_full_disk_that_is_waited_for_is_alive(home, small_disk, fill, manager, daemon_of, client):
    home = shutil.copytree(home, small_disk / "home")
    daemon = await daemon_of(home, env={"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": str(int(LIMIT_S * 1e6))})
    fill(small_disk)  # so that not even a small row finds room
    async with asyncio.timeout(PATIENCE_S):
        while True:
            async with client.post(f"{daemon.hooks}/deal-created", json={**DEAL, "company": "x" * 20_000}) as answer:
                if answer.status == 503:
                    break
    while True:  # what was said before the disk was full
        try:
            manager.socket.recv(4096)
        except BlockingIOError:
            break

    for _ in range(12):  # three limits
        await manager.hears("WATCHDOG")
    async with client.get(f"{daemon.admin}/readyz") as ready:
        assert ready.status == 503
    assert "service.stuck" not in daemon.log.read_text()
