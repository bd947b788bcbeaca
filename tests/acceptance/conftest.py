"""The installed command as a real process: start it, talk to it, kill it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from tests.acceptance.asking import Asking
from tests.acceptance.database import ON_POSTGRESQL, URL, rows

CAMSHAFT = Path(sys.executable).parent / "camshaft"
PATIENCE_S = 60.0  # a guard, not a measure: two cores and other tests


def camshaft(*arguments, home=None, stdin=None, env=None, timeout=PATIENCE_S):
    """One command, to its end."""
    command = [str(CAMSHAFT), *map(str, arguments), *(["--home", str(home)] if home else [])]
    environment = {**os.environ, "NO_COLOR": "1", **(env or {})}
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout, env=environment, check=False)


def camshaft_json(*arguments, home=None, stdin=None):
    """One command with -o json, which must succeed: its data."""
    done = camshaft(*arguments, "-o", "json", home=home, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def children(process: int) -> list[int]:
    """The processes that it has started and that still run."""
    listed = Path(f"/proc/{process}/task/{process}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


class Daemon:
    """`camshaft serve` on a home, as a process of its own."""

    def __init__(self, home: Path, *flags: str, env=None, program=(str(CAMSHAFT),)) -> None:
        self.home = home
        self.flags = flags
        self.program = program
        self.env = {**os.environ, **(env or {})}
        self.log = home.parent / f"{home.name}.log"
        self.process: asyncio.subprocess.Process
        self.hooks = self.admin = ""
        self._left: list[int] = []

    async def start(self) -> Daemon:
        command = [
            *self.program,
            "serve",
            "--home",
            str(self.home),
            *([] if "--listen" in self.flags else ["--listen", "127.0.0.1:0"]),
            *([] if "--admin" in self.flags else ["--admin", "127.0.0.1:0"]),
            *self.flags,
        ]
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=log, env=self.env)
        async with asyncio.timeout(PATIENCE_S):
            for _ in range(2):
                name, _, url = (await self.process.stdout.readline()).decode().strip().partition(" ")
                assert url, self.log.read_text()
                setattr(self, name, url)
        return self

    async def kill(self) -> None:
        """`kill -9`: what its steps have started goes on, as it would anywhere."""
        self._left += children(self.process.pid)
        self.process.kill()
        await self.process.wait()

    def clear(self) -> None:
        """End what a killed daemon's steps have left running."""
        for child in self._left:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child, signal.SIGKILL)

    async def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE_S):
            return await self.process.wait()

    def rows(self, query: str, *values):
        """Straight from the database, as a stranger would look."""
        return rows(self.home, query, *values)

    async def until(self, query: str, *values) -> list:
        """Wait until a query finds something."""
        async with asyncio.timeout(PATIENCE_S):
            while not (rows := self.rows(query, *values)):
                await asyncio.sleep(0.02)
        return rows

    async def all_ended(self) -> None:
        """Wait until no run is under way."""
        await self.until(
            "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM runs WHERE status IN ('queued', 'running', 'waiting', 'paused'))"
        )


@pytest.fixture(autouse=True)
def _store(request, monkeypatch):
    """Every command of the test has its store where CAMSHAFT_TEST_STORE says."""
    if ON_POSTGRESQL:
        monkeypatch.setenv(URL, request.getfixturevalue("postgresql"))


@pytest.fixture
def run():
    """run("trigger", "list", home=…) → the finished process."""
    return camshaft


@pytest.fixture
def run_json():
    """The same with -o json, which must succeed → its data."""
    return camshaft_json


@pytest.fixture
def home(tmp_path, write):
    """A home with the specification's webhook trigger and a flow of one step."""
    folder = tmp_path / "home"
    write(folder, "camshaft.toml", "")
    write(
        folder,
        "triggers/auto-process-deal.json",
        {
            "key": "auto-process-deal",
            "trigger": {"type": "webhook", "path": "/deal-created", "filter": "$.body.source === 'email'"},
            "flow": "deal-process",
            "inputMapping": {"companyName": "$.body.company", "founderEmail": "$.body.email"},
        },
    )
    write(
        folder,
        "flows/deal-process.json",
        {
            "key": "deal-process",
            "inputs": {"companyName": {"type": "string"}, "founderEmail": {"type": "string", "required": False}},
            "steps": [{"id": "greet", "type": "transform", "transform": {"expression": "'Hello ' + $.input.companyName"}}],
        },
    )
    return folder


@pytest.fixture
def home_of(tmp_path, write):
    """home_of({file: definition, …}): a home whose webhook `/start` starts the flow «first»."""

    def make(files: dict[str, dict], toml: str = "") -> Path:
        home = tmp_path / "home"
        write(home, "camshaft.toml", toml)
        write(home, "triggers/start.json", {"trigger": {"type": "webhook", "path": "/start"}, "flow": "first"})
        for name, definition in files.items():
            write(home, name, definition)
        return home

    return make


@pytest.fixture
def start(client):
    """start(daemon, body): post to `/start` → the event's id, and the run's."""

    async def post(daemon, body=None) -> tuple[str, str]:
        async with client.post(f"{daemon.hooks}/start", json=body or {"n": 1}) as answer:
            assert answer.status == 202
            said = await answer.json()
        return said["event"], said["runs"][0]

    return post


@pytest.fixture
async def daemon_of():
    """Start daemons; whatever is left of them at the end is killed."""
    started = []

    async def start(home: Path, *flags: str, **more) -> Daemon:
        daemon = Daemon(home, *flags, **more)
        started.append(daemon)
        return await daemon.start()

    yield start
    for daemon in started:
        if daemon.process.returncode is None:
            await daemon.kill()
        daemon.clear()
        transport = daemon.process._transport
        transport.close()


@pytest.fixture
async def daemon(home, daemon_of):
    return await daemon_of(home)


@pytest.fixture
async def client():
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def fill():
    """fill(folder): take all the room that a file system has left."""

    def fill_up(folder: Path) -> None:
        with (folder / "fill").open("wb", buffering=0) as taken:
            for size in (65536, 4096, 1):
                try:
                    while taken.write(b"x" * size):
                        pass
                except OSError:
                    continue

    return fill_up


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own that can be full."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"mounting is refused: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
async def asking(daemon, client):
    """The `daemon`, to be asked."""
    return Asking(daemon, client)


@pytest.fixture
def started(daemon_of, client):
    """started(home) → a daemon of its own, to be asked."""

    async def start(home, *flags, **more):
        return Asking(await daemon_of(home, *flags, **more), client)

    return start
