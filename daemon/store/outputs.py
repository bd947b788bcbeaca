"""Large outputs, in files beside the store: the row keeps a reference, and readers see the value.

Guarantee: a file is on disk before the row that refers to it, and stays until GRACE_S after no row does. What a kill leaves
between the two is a file that nobody refers to; upkeep sweeps it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from daemon.store import compiled as sql
from daemon.store.group import Row, Rows
from daemon.store.hot import Hot

if TYPE_CHECKING:
    from flows.attempt import Attempt

GRACE_S = 3600.0  # a file is younger than its row by a commit, and a commit may wait for a disk
BITE = 100  # files removed under the lock at once: a few milliseconds that a spill may have to wait
LOST = "OUTPUT_LOST"

# The codec writes no space outside of strings, so that no value of a user's has this form. It is JSON all the same.
_REFERENCE = re.compile(r'\{ "\$spilled":"([0-9a-f]{64})","bytes":\d+\}')
_FILE = re.compile(r"(?P<digest>[0-9a-f]{64})\.json(?:\.[0-9a-f]{8}\.tmp)?")


def _columns(hot: Hot) -> tuple[int, ...]:
    return tuple(hot.names.index(name) for name in ("output", "response") if name in hot.names)


_COLUMNS = {hot: _columns(hot) for hot in (sql.RECORD_ATTEMPT, sql.RECORD_PLAIN, sql.FINISH_RUN)}
_RUN = {hot: hot.names.index("id_" if hot is sql.FINISH_RUN else "run") for hot in _COLUMNS}
OUTPUT, RESPONSE = _COLUMNS[sql.RECORD_ATTEMPT]
PLAIN_OUTPUT = _COLUMNS[sql.RECORD_PLAIN][0]


class Candidate(NamedTuple):
    """A file that is old enough to be swept, unless a row refers to it."""

    path: Path
    digest: str


class Outputs:
    """The folder of one home. All methods block: they are for threads."""

    def __init__(self, folder: Path | None, spill_bytes: int | None = None) -> None:
        """`folder` None: there is none, and nothing is spilled. `spill_bytes` None: what was spilled is still read and swept."""
        self._folder = folder
        self.over = sys.maxsize if folder is None or spill_bytes is None else spill_bytes  # in characters of JSON text

    # -- writing ------------------------------------------------------------------------------------------------------

    def spill(self, rows: Rows) -> Rows:
        """The rows with references in place of what is large, whose files are on disk now. Raises OSError."""
        written: list[tuple[Hot, Row]] = []
        with self._locked(fcntl.LOCK_SH):
            for hot, row in rows:
                changed = list(row)
                for column in _COLUMNS.get(hot, ()):
                    text = row[column]
                    if text is not None and len(text) > self.over:
                        digest, changed[column] = self._keep(text)
                        written.append((sql.SAVE_SPILLED, (row[_RUN[hot]], digest)))
                written.append((hot, tuple(changed)))
        return written

    def _keep(self, text: str) -> tuple[str, str]:
        """Returns the digest and the reference."""
        content = text.encode()
        digest = hashlib.sha256(content).hexdigest()
        path = self._path(digest)
        if not path.parent.is_dir():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            _sync_folder(path.parent.parent)
        if _holds(path, content):
            os.utime(path)  # as young as its new row: no sweep may take it
        else:
            _write(path, content)
        _sync_folder(path.parent)
        return digest, f'{{ "$spilled":"{digest}","bytes":{len(content)}}}'

    # -- reading ------------------------------------------------------------------------------------------------------

    def fill(self, rows: Iterable[dict[str, Any]]) -> None:
        """Put the values in the place of the references. What is lost stands as an error in its row, and the column is empty."""
        for row in rows:
            for column in ("output", "response"):
                found = _reference(row.get(column))
                if found is not None:
                    row[column] = self._read(found, row)

    def _read(self, digest: str, row: dict[str, Any]) -> str | None:
        path = self._path(digest)
        try:
            content = path.read_bytes()
        except OSError as error:
            _lose(row, f"{path} cannot be read: {os.strerror(error.errno or 0)}")
            return None
        if hashlib.sha256(content).hexdigest() != digest:
            _lose(row, f"{path} is damaged: its checksum is another")
            return None
        return content.decode()

    # -- sweeping -----------------------------------------------------------------------------------------------------

    def candidates(self, now: float) -> list[Candidate]:
        """Files that were written or used again more than GRACE_S ago. Empty also where there is no folder."""
        try:
            return [found for found in self._files() if _is_old(found.path, now)]
        except OSError:
            return []  # the folder went away meanwhile, or cannot be listed: next time

    def sweep(self, candidates: Iterable[Candidate], referred: frozenset[str], now: float) -> int:
        """Remove the candidates that no row refers to and that nobody has used meanwhile. Returns how many went."""
        doomed = [found.path for found in candidates if found.path.suffix == ".tmp" or found.digest not in referred]
        removed = 0
        for first in range(0, len(doomed), BITE):
            with self._locked(fcntl.LOCK_EX):
                for path in doomed[first : first + BITE]:
                    if _is_old(path, now):
                        path.unlink(missing_ok=True)
                        removed += 1
            time.sleep(0)  # who waits for the lock has it now
        return removed

    def _files(self) -> Iterator[Candidate]:
        if self._folder is None or not self._folder.is_dir():
            return
        for shelf in self._folder.iterdir():
            for path in shelf.iterdir() if shelf.is_dir() else ():
                if (name := _FILE.fullmatch(path.name)) is not None:
                    yield Candidate(path, name["digest"])

    def _path(self, digest: str) -> Path:
        return (self._folder or Path("outputs")) / digest[:2] / f"{digest}.json"

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        """Between those who write and who sweeps, in this process and in others: between a look and an act nothing changes."""
        assert self._folder is not None  # nothing is spilled or swept without one
        if not self._folder.is_dir():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sync_folder(self._folder.parent)
        descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, how)
            yield
        finally:
            os.close(descriptor)


def is_large(row: Row, over: int) -> bool:
    """A row of RECORD_ATTEMPT has something to spill."""
    output, response = row[OUTPUT], row[RESPONSE]
    return (output is not None and len(output) > over) or (response is not None and len(response) > over)


def refers(rows: Iterable[dict[str, Any]]) -> bool:
    """Whether any value stands in a file."""
    return any(_reference(row.get("output")) or _reference(row.get("response")) for row in rows)


def without_files(row: dict[str, Any]) -> dict[str, Any]:
    """A row for a list, which reads no file: it has no output then."""
    return row if _reference(row.get("output")) is None else row | {"output": None}


def as_resumed(attempts: Iterable[Attempt]) -> tuple[Attempt, ...]:
    """A step whose output is lost has failed for whoever goes on from it: it does not run again, and nothing goes on without it."""
    return tuple(
        replace(attempt, status="failed", final=True) if attempt.status == "success" and attempt.code == LOST else attempt
        for attempt in attempts
    )


def _reference(text: str | None) -> str | None:
    """The digest, where the column holds a reference."""
    if text is None or not text.startswith("{ "):
        return None
    found = _REFERENCE.fullmatch(text)
    return None if found is None else found[1]


def _lose(row: dict[str, Any], why: str) -> None:
    said = f"its output is lost: {why}"
    row["error"] = said if row["error"] is None else f"{row['error']}; {said}"
    row["code"] = row["code"] or LOST


def _is_old(path: Path, now: float) -> bool:
    try:
        return path.stat().st_mtime < now - GRACE_S
    except OSError:
        return False  # it has gone


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.stat().st_size == len(content) and path.read_bytes() == content
    except OSError:
        return False


def _write(path: Path, content: bytes) -> None:
    """All of it under its name, or nothing."""
    beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - of a descriptor
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        beside.rename(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
