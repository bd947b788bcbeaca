"""The home: its folders and their modes, its daemon, the addresses it is to listen at, its database."""

from __future__ import annotations

import errno
import os
import socket
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from daemon.config import Address, Config
from daemon.doctor.finding import Finding, ok, problem, warning
from daemon.holder import held_by
from daemon.location import PostgresqlUrl
from daemon.store.compiled import HEAD
from daemon.store.errors import StoreUnusable

AS_THE_DAEMON = "run as the daemon's user"
AHEAD_S = 60.0  # how much later than now the newest event may be: clocks are set


def folders(config: Config) -> Iterator[Finding]:
    home, state = config.home, config.state
    if not os.access(home, os.R_OK | os.X_OK):
        yield problem("home.readable", f"this user may not read {home}", AS_THE_DAEMON)
        return
    yield ok("home.readable", f"the home is {home}")
    if not state.exists():
        writable = os.access(home, os.W_OK)
        yield (
            ok("state.folder", f"{state} is made at the first start")
            if writable
            else problem("state.folder", f"this user may not make {state}", AS_THE_DAEMON)
        )
        return
    if not os.access(state, os.W_OK | os.X_OK):
        yield problem("state.folder", f"this user may not write to {state}", AS_THE_DAEMON)
    yield from _kept_from_others(state, warning)
    yield from _kept_from_others(state / "admin.token", problem)
    if isinstance(config.database, Path):
        yield from _kept_from_others(config.database, warning)


def _entered(folder: Path) -> bool:
    """Whether this user sees what is in it; True also where it is not there yet."""
    return not folder.exists() or os.access(folder, os.R_OK | os.X_OK)


def _kept_from_others(file: Path, level: Callable[[str, str, str | None], Finding]) -> Iterator[Finding]:
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
    except OSError:
        return
    if mode & 0o077:
        yield level("state.modes", f"others may read {file} (mode {mode:04o})", f"chmod go= {file}")
    else:
        yield ok("state.modes", f"{file} is its owner's alone")


def process(config: Config, status: dict[str, Any] | None) -> Iterator[Finding]:
    """`status`: what the daemon says; None: none answers."""
    if not _entered(config.state):
        yield problem("daemon.answers", f"this user may not see whether a daemon runs for {config.home}", AS_THE_DAEMON)
        return
    holder = held_by(config.state / "lock")
    if status is not None:
        yield ok("daemon.answers", f"the daemon {status['version']} answers (process {status['pid']})")
        if status["storeFailing"]:
            yield problem("daemon.store", "the daemon can make nothing durable right now", "its log says why")
        return
    if holder is not None:
        hint = "its log says why; a daemon that hangs is killed and started anew: nothing is lost"
        yield problem("daemon.answers", f"process {holder} holds this home and does not answer", hint)
        return
    yield ok("daemon.answers", "no daemon runs for this home")
    for name, address in (("listen", config.http.listen), ("admin", config.http.admin)):
        if address is not None:
            yield _free(name, address)


def _free(name: str, address: Address) -> Finding:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address.host, address.port))
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        said = "another program listens there" if taken else str(error.strerror)
        return problem("ports", f"[http] {name} = {address}: {said}", "stop it, or take another port")
    return ok("ports", f"[http] {name} = {address} is free")


def database(config: Config) -> Iterator[Finding]:
    """Read only: nothing is made, migrated or repaired."""
    if isinstance(config.database, PostgresqlUrl):
        yield from _asked(config.database)
        return
    file = config.database
    if not _entered(file.parent):
        return  # told of the folder
    if file.exists() and not os.access(file, os.R_OK | os.W_OK):
        yield problem("database", f"this user may not read and write {file}", AS_THE_DAEMON)
        return
    if not file.exists():
        yield ok("database", f"{file} is made at the first start")
        return
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)) as connection:
            yield from _looked_at(connection, file)
    except sqlite3.Error as error:
        yield problem("database", f"{file}: {error}", "put back a backup")


def _looked_at(connection: sqlite3.Connection, file: Path) -> Iterator[Finding]:
    said = [str(row[0]) for row in connection.execute("PRAGMA quick_check(5)")]
    if said != ["ok"]:
        yield problem("database", f"{file} is damaged: {'; '.join(said)[:300]}", "put back a backup")
        return
    size = sum(path.stat().st_size for path in (file, file.with_name(f"{file.name}-wal")) if path.exists())
    yield ok("database", f"{file} is sound ({size / 1024**2:.1f} MiB)")
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    yield from _compared(str(row[0]) if row is not None else "none")
    newest = connection.execute("SELECT max(time) FROM (SELECT time FROM events ORDER BY id DESC LIMIT 1)").fetchone()[0]
    if newest is not None and newest / 1e6 > time.time() + AHEAD_S:
        ahead_s = newest / 1e6 - time.time()
        yield warning("clock.jumped", f"the newest event is {ahead_s:.0f} s ahead of the clock", "the clock went back")


def _asked(server: PostgresqlUrl) -> Iterator[Finding]:
    """The same of a PostgreSQL server: whether it lets us in, and which schema it has."""
    from daemon.store.postgresql.looking import look  # psycopg: only where [store] url names a server

    try:
        major, found = look(server)
    except StoreUnusable as error:
        yield problem("database", str(error), error.hint)
        return
    yield ok("database", f"{server} answers (PostgreSQL {major})")
    if found is not None:
        yield from _compared(found)


def _compared(found: str) -> Iterator[Finding]:
    if found > HEAD:
        yield problem("database.version", f"its schema is {found}, and this camshaft knows {HEAD}", "upgrade camshaft")
    elif found < HEAD:
        yield ok("database.version", f"its schema is {found}; the next start brings it to {HEAD}, after a backup")
