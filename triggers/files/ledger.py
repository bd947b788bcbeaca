"""What was seen of each file: makes a start-up a delta, a rename a move and one save one event.

Rows of the source's State: `<trigger>:<path>` → one file, `<trigger>:` → the trigger's own (Marker).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
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

    @classmethod
    def read(cls, text: str) -> Version:
        """From the text that `packed` made."""
        inode, size, mtime_ns, ctime_ns = text.split(":")
        return cls(int(inode), int(size), int(mtime_ns), int(ctime_ns))

    def holds(self, other: Version) -> bool:
        """Whether nothing was written between the two: one file, size and mtime the same."""
        return self[:3] == other[:3]


class Entry(NamedTuple):
    """A file as it was when it last was settled."""

    version: Version
    sha256: str | None  # hex; None: too large, not readable, or not read yet


def packed(stat: os.stat_result) -> str:
    """A version as text. Of 100,000 files, tuples would make each of the garbage collector's rounds 100 ms; it skips text."""
    return f"{stat.st_ino}:{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ctime_ns}"


class Known:
    """What is known of many files, in little memory: path → `<inode>:<size>:<mtime>:<ctime>:<sha256>`."""

    def __init__(self, texts: dict[str, str] | None = None) -> None:
        self._texts = {} if texts is None else texts

    def __len__(self) -> int:
        return len(self._texts)

    def __contains__(self, path: str) -> bool:
        return path in self._texts

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def get(self, path: str | None) -> Entry | None:
        text = self._texts.get(path) if path is not None else None
        if text is None:
            return None
        version, _, sha256 = text.rpartition(":")
        return Entry(Version.read(version), sha256 or None)

    def put(self, path: str, entry: Entry | None) -> None:
        if entry is None:
            self._texts.pop(path, None)
        else:
            self._texts[path] = f"{':'.join(map(str, entry.version))}:{entry.sha256 or ''}"

    def has(self, path: str, version: str, *, inodes_last: bool) -> bool:
        """Whether the file is known as this packed version; `inodes_last`: see look()."""
        text = self._texts.get(path)
        if text is None:
            return False
        head = version.rpartition(":")[0] + ":"
        return text.startswith(head) if inodes_last else text.partition(":")[2].startswith(head.partition(":")[2])

    def copy(self) -> Known:
        """2 ms for 100,000."""
        return Known(self._texts.copy())


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
        self.entries = Known()
        self._by_inode: dict[int, str] = {}

    def was(self, inode: int) -> tuple[str, Entry] | None:
        """Where the file with this inode last was, and what it was. Threads may ask."""
        path = self._by_inode.get(inode)
        entry = self.entries.get(path)
        return (path, entry) if path is not None and entry is not None and entry.version.inode == inode else None

    def apply(self, changes: Changes) -> None:
        for path, entry in changes.items():
            self.entries.put(path, entry)
            if entry is not None:
                self._by_inode[entry.version.inode] = path
        if len(self._by_inode) > 2 * len(self.entries) + 1000:  # inodes of files that are gone stay until it pays to look
            self._by_inode = {inode: path for inode, path in self._by_inode.items() if self.was(inode) is not None}

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


def batches(paths: Iterable[str], size: int) -> Iterator[list[str]]:
    """The paths in parts of at most `size`."""
    rest = iter(paths)
    while batch := list(itertools.islice(rest, size)):
        yield batch


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
