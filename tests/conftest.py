"""The databases that the store's suites run over: SQLite files, and PostgreSQL from a wheel or wherever a variable says.

CAMSHAFT_TEST_POSTGRESQL names a server of one's own: postgresql://USER:PASSWORD@HOST:PORT/DATABASE. Each test makes a schema in
it and drops that again. Without the variable a server is started by the first test that asks, and serves all of the run.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from daemon.location import PostgresqlUrl
from tests.postgresql_server import Server, Unusable, fresh_schema

OWN = "CAMSHAFT_TEST_POSTGRESQL"


def pytest_configure():
    """A shell has what it puts in the background ignore SIGINT, and so would every command that a test interrupts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _shared_folder(config) -> Path:
    """Where the run's server is: the same for the workers of pytest-xdist and for what started them."""
    base = config._tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        base = base.parent
    digest = hashlib.sha256(str(base).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"camshaft-postgresql-{digest}"  # short: a Unix socket stands in it


@pytest.fixture(scope="session")
def postgresql_server(pytestconfig) -> str:
    """The URL of a server that is there for the whole run."""
    if os.environ.get(OWN):
        return os.environ[OWN]
    folder = _shared_folder(pytestconfig)
    told = folder.with_suffix(".json")
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            server = Server(folder)
            try:
                server.make()
                server.start()
            except Unusable as error:
                told.write_text(json.dumps({"unusable": str(error)}))
            else:
                pid = server.leave()
                _end_with_the_run(pid, folder)
                told.write_text(json.dumps({"url": server.url, "pid": pid}))
    said = json.loads(told.read_text())
    if "unusable" in said:
        pytest.skip(f"no PostgreSQL: {said['unusable']}. Name a server: {OWN}=postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
    return said["url"]


@pytest.fixture(scope="module")
def own_postgresql() -> Iterator[Server]:
    """A server that is this file's alone, so that it can be stopped: made, and not started. In a folder that its user may enter."""
    server = Server(Path(tempfile.gettempdir()) / f"camshaft-{uuid.uuid4().hex[:8]}")
    try:
        server.make()
    except Unusable as error:
        pytest.skip(f"no PostgreSQL of its own to stop: {error}")
    yield server
    server.remove()


def _end_with_the_run(pid, folder):
    """A run that is killed stops nothing itself: a shell waits for its end, and takes the server and its folder with it."""
    run = os.getppid() if os.environ.get("PYTEST_XDIST_WORKER") else os.getpid()
    script = 'while kill -0 "$1" && kill -0 "$2"; do sleep 1; done; kill -INT "$2" && sleep 3; rm -rf "$3" "$3.json" "$3.lock"'
    waiting = subprocess.Popen(
        ["sh", "-c", script, "sh", str(run), str(pid), str(folder)], stderr=subprocess.DEVNULL, start_new_session=True
    )
    waiting.returncode = 0  # nobody waits for it


def pytest_unconfigure(config):
    """Stop the run's server: here and not in a fixture, for the workers end at different times."""
    if os.environ.get("PYTEST_XDIST_WORKER") or not hasattr(config, "_tmp_path_factory"):
        return
    folder = _shared_folder(config)
    told = folder.with_suffix(".json")
    if told.exists():
        pid = json.loads(told.read_text()).get("pid")
        with suppress(ProcessLookupError):
            while pid:  # until it is gone
                os.kill(pid, signal.SIGINT)
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
                time.sleep(0.02)
        told.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_suffix(".lock").unlink(missing_ok=True)


@pytest.fixture
def postgresql(postgresql_server):
    """The URL of a schema that is this test's alone."""
    with fresh_schema(postgresql_server) as url:
        yield url


@pytest.fixture
def users_postgresql(postgresql_server):
    """The URL of another schema: a user's own tables, where a daemon's store may be in the same server."""
    with fresh_schema(postgresql_server) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request, tmp_path):
    """Where a store may be, on each database in turn."""
    if request.param == "sqlite":
        return tmp_path / "state" / "camshaft.db"
    return PostgresqlUrl(request.getfixturevalue("postgresql"))


@pytest.fixture(autouse=True)
def _logs_as_they_were():
    """A command that a test has run in this process set up logs: the next test captures lines as if it had not."""
    yield
    structlog = sys.modules.get("structlog")
    if structlog is None or not structlog.is_configured():
        return
    structlog.reset_defaults()
    for module in list(sys.modules.values()):
        log = getattr(module, "__dict__", {}).get("log")
        if isinstance(log, structlog._config.BoundLoggerLazyProxy):
            log.__dict__.pop("bind", None)  # where it keeps what it was set up with


@pytest.fixture
def write():
    """Write a definition into a home: write(home, "triggers/a.json", {...})."""

    def write_file(home: Path, name: str, definition) -> Path:
        file = home / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(definition if isinstance(definition, str) else json.dumps(definition))
        return file

    return write_file
