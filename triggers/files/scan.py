"""Looking at a whole folder, and what differs from the ledger. Blocks: runs in a thread."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from triggers.files.ledger import Known, packed
from triggers.files.look import state_of
from triggers.files.patterns import Patterns


@dataclass(slots=True)
class Scan:
    """What is there below `start`."""

    start: str
    files: dict[str, str] = field(default_factory=dict)  # path → packed version
    unreadable: dict[str, str] = field(default_factory=dict)  # path → why; what is below is neither there nor gone
    present: bool = True  # False: there is nothing at `start`
    empty: bool = True  # nothing at all is in it
    cut: bool = False  # there are more files than may be known, or the scan was told to stop: what is missing is not gone


@dataclass(frozen=True, slots=True)
class Area:
    """One watched path and which files of it are meant."""

    path: str  # absolute, as people call it; may be a symlink
    patterns: Patterns
    recursive: bool

    def wants(self, path: str) -> bool:
        """Whether this file is meant. A file that is named itself is."""
        if path == self.path:
            return True
        relative = self._relative(path)
        return relative is not None and (self.recursive or "/" not in relative) and self.patterns.wants(relative)

    def enters(self, folder: str) -> bool:
        """Whether there can be files that are meant in this folder."""
        relative = self._relative(folder)
        return relative is not None and self.recursive and not self.patterns.prunes(relative)

    def _relative(self, path: str) -> str | None:
        return path[len(self.path) :].lstrip("/") if path.startswith(self.path.rstrip("/") + "/") else None


def scan(area: Area, start: str, *, max_files: int, stopped: Callable[[], bool]) -> Scan:
    """All files that are meant at or below `start`. Symlinked folders below it are not entered: no loops."""
    found = Scan(start)
    try:
        whole = None if os.path.isdir(start) else state_of(start)  # noqa: PTH112 - the whole module works on text for speed
    except OSError as error:
        found.unreadable[start] = error.strerror or type(error).__name__
        return found
    if not os.path.isdir(start):  # noqa: PTH112
        found.present = whole is not None
        if whole is not None and area.wants(start):
            found.files[start], found.empty = packed(whole), False
        return found
    waiting = [start]
    while waiting:
        if stopped() or len(found.files) > max_files:
            found.cut = True
            break
        waiting += _folder(area, waiting.pop(), found)
    return found


def _folder(area: Area, folder: str, found: Scan) -> list[str]:
    """Take in one folder's files; gives the folders in it that are to be entered."""
    deeper: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                found.empty = False
                if entry.is_dir(follow_symlinks=False):
                    if area.enters(entry.path):
                        deeper.append(entry.path)
                elif area.wants(entry.path):
                    _file(entry, found)
    except FileNotFoundError:
        found.present = found.present and folder != found.start
    except OSError as error:
        found.unreadable[folder] = error.strerror or type(error).__name__
    return deeper


def _file(entry: os.DirEntry[str], found: Scan) -> None:
    try:
        if entry.is_file():
            found.files[entry.path] = packed(entry.stat())
    except FileNotFoundError:
        return
    except OSError as error:
        found.unreadable[entry.path] = error.strerror or type(error).__name__


def differences(seen: Scan, known: Known, *, inodes_last: bool) -> Iterator[tuple[str, str | None]]:
    """Paths that are not as the ledger has them, with the packed version that is there now; None: nothing is."""
    for path, version in seen.files.items():
        if not known.has(path, version, inodes_last=inodes_last):
            yield path, version
    if seen.cut:
        return
    below = seen.start.rstrip("/") + "/"
    hidden = [folder.rstrip("/") + "/" for folder in seen.unreadable]
    for path in known:
        if path in seen.files or path in seen.unreadable or not (path == seen.start or path.startswith(below)):
            continue
        if not any(path.startswith(folder) for folder in hidden):
            yield path, None
