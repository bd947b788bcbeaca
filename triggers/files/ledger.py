"""What was seen of each file: makes a start-up a delta, a rename a move and one save one event.

Rows of the source's State: `<trigger>:<path>` → one file, `<trigger>:` → the trigger's own (Marker).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from triggers.files.names import restored, stored


class Version(NamedTuple):
    """One state of a file, as the file system tells it."""

    inode: int
    size: int  # bytes
    mtime_ns: int
    ctime_ns: int  # not compared: a chmod is no change. It tells one coming of the same file from the next

    @classmethod
    def of(cls, stat: os.stat_result) -> Version:
        return cls(stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)

    def holds(self, other: Version) -> bool:
        """Whether nothing was written between the two: one file, size and mtime the same."""
        return self[:3] == other[:3]


class Entry(NamedTuple):
    """A file as it was when it last was settled."""

    version: Version
    sha256: str | None  # hex; None: too large, not readable, or not read yet


Changes = Mapping[str, Entry | None]
"""Path → what is known of it from now on; None: it is gone."""


@dataclass(frozen=True, slots=True)
class Marker:
    """What is remembered of a trigger as a whole."""

    since: float  # seconds since the epoch: files older than this were there before the trigger was
    scope: str  # which files were meant then
    complete: bool = False  # all that was there before the trigger has been recorded
    removed: float | None = None  # when the trigger's definition went away; None: it is there
    mounts: Mapping[str, str] = field(default_factory=dict)  # watched path → the file system it was on


class Ledger:
    """All that is known of one trigger's files."""

    def __init__(self, trigger: str) -> None:
        self.trigger = trigger
        self.marker: Marker | None = None  # None: the trigger was never watched
        self.entries: dict[str, Entry] = {}
        self._by_inode: dict[int, str] = {}

    def was(self, inode: int) -> tuple[str, Entry] | None:
        """Where the file with this inode last was, and what it was. Threads may ask."""
        path = self._by_inode.get(inode)
        entry = self.entries.get(path) if path is not None else None
        return (path, entry) if path is not None and entry is not None and entry.version.inode == inode else None

    def apply(self, changes: Changes) -> None:
        for path, entry in changes.items():
            if entry is None:
                self.entries.pop(path, None)
            else:
                self.entries[path] = entry
        for path, entry in changes.items():
            if entry is not None:
                self._by_inode[entry.version.inode] = path
        if len(self._by_inode) > 2 * len(self.entries) + 1000:  # inodes of files that are gone stay until it pays to look
            self._by_inode = {entry.version.inode: path for path, entry in self.entries.items()}

    def rows(self, changes: Changes) -> dict[str, Any]:
        """The changes as the State has them."""
        head = _head(self.trigger)
        return {head + stored(path): None if entry is None else _row(entry) for path, entry in changes.items()}

    def marked(self, **changes: Any) -> dict[str, Any]:
        """Change the marker; gives its row."""
        assert self.marker is not None
        self.marker = replace(self.marker, **changes)
        return {_head(self.trigger): asdict(self.marker)}

    def forgotten(self) -> list[str]:
        """The keys of all rows, to be deleted."""
        head = _head(self.trigger)
        return [head, *(head + stored(path) for path in self.entries)]


def ledgers(rows: Mapping[str, Any]) -> dict[str, Ledger]:
    """All ledgers of a State. A row that cannot be read is left out: its file is then one not seen before."""
    found: dict[str, Ledger] = {}
    for key, row in rows.items():
        head, _, path = key.partition(":")
        trigger = unquote(head)
        ledger = found.get(trigger)
        if ledger is None:
            ledger = found[trigger] = Ledger(trigger)
        if not path:
            ledger.marker = _marker(row)
            continue
        entry = _entry(row)
        if entry is not None:
            ledger.apply({restored(path): entry})
    return found


def batches(changes: Changes, size: int) -> Iterable[Changes]:
    """The same changes in parts of at most `size`."""
    items = list(changes.items())
    return (dict(items[at : at + size]) for at in range(0, len(items), size))


def _head(trigger: str) -> str:
    return f"{quote(trigger, safe='')}:"


def _row(entry: Entry) -> dict[str, Any]:
    return {**entry.version._asdict(), "sha256": entry.sha256}


def _entry(row: Any) -> Entry | None:
    try:
        version = Version(int(row["inode"]), int(row["size"]), int(row["mtime_ns"]), int(row["ctime_ns"]))
        return Entry(version, row["sha256"])
    except (KeyError, TypeError, ValueError):
        return None


def _marker(row: Any) -> Marker | None:
    try:
        return Marker(**row)
    except TypeError:
        return None
