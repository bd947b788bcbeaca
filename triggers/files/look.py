"""Looking at one file: is it there, is it whole, what is in it. Blocks: runs in a thread."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from triggers.files.ledger import Entry, Version

CHUNK_BYTES = 1024 * 1024


class Found(Enum):
    """What a look at a path gave."""

    GONE = "gone"  # no such file, or something there that is no file
    WHOLE = "whole"  # it has held: `version` and `sha256` are of the same content
    WRITING = "writing"  # it changed since the last look, or while it was read
    UNKNOWN = "unknown"  # the file system did not say: neither there nor gone


@dataclass(frozen=True, slots=True)
class Look:
    """The answer, with what is known of the file."""

    found: Found
    version: Version | None = None
    sha256: str | None = None
    old_path: str | None = None  # where the same file was before, and is no more
    linked: bool = False  # it has another name too: who made this one did not write it
    reason: str | None = None  # why UNKNOWN, or why there is no hash where there could be one


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a path."""

    path: str
    seen: Version | None  # at the last look, a settle time ago; None: nothing told of a change for a settle time
    old: Entry | None  # what the ledger has of the path
    was: Callable[[int], tuple[str, Entry] | None]  # what the ledger has of an inode, and where


def state_of(path: str) -> os.stat_result | None:
    """The file at the path, through a symlink; None: there is no file there. Raises OSError where that cannot be said."""
    try:
        found = os.stat(path)  # noqa: PTH116 - for 100,000 files a Path each is half the time
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:  # a symlink to itself is no file
            return None
        raise
    return found if stat.S_ISREG(found.st_mode) else None


def look(question: Question, *, now: float, settle_s: float, hash_max_bytes: int, inodes_last: bool) -> Look:
    """Whether the file has settled, and its content. `inodes_last`: False on file systems that number their files anew."""
    try:
        found = state_of(question.path)
        if found is None:
            return Look(Found.GONE)
        version = Version.of(found)
        linked = found.st_nlink > 1 or os.path.islink(question.path)  # noqa: PTH114 - as above
        if not _held(version, question.seen, now, settle_s):
            return Look(Found.WRITING, version, linked=linked)
        if question.old is not None and _same(question.old.version, version, inodes_last=inodes_last):
            return Look(Found.WHOLE, version, question.old.sha256, linked=linked)
        return replace(_read(question, version, hash_max_bytes), linked=linked)
    except OSError as error:
        return Look(Found.UNKNOWN, reason=error.strerror or type(error).__name__)


def _read(question: Question, version: Version, hash_max_bytes: int) -> Look:
    """A file that is new, changed or moved here: where from, and its content."""
    moved = _moved(question, version)
    if moved is not None and moved[1].sha256 is not None:
        return Look(Found.WHOLE, version, moved[1].sha256, moved[0])
    sha256, reason, changed = _hash(question.path, version, hash_max_bytes)
    return Look(Found.WRITING if changed else Found.WHOLE, version, sha256, moved[0] if moved else None, reason=reason)


def digest(path: str, version: Version, hash_max_bytes: int) -> str | None:
    """The content of this version of the file; None where it is too large, not readable or another version by now."""
    sha256, _, changed = _hash(path, version, hash_max_bytes)
    return None if changed else sha256


def _same(old: Version, new: Version, *, inodes_last: bool) -> bool:
    """Whether it is the version that the ledger has."""
    return old.holds(new) if inodes_last else old[1:3] == new[1:3]


def _held(version: Version, seen: Version | None, now: float, settle_s: float) -> bool:
    """Size and mtime are those of the last look; or nothing told of a change since, and the mtime is old enough too."""
    return version.holds(seen) if seen is not None else version.mtime_ns / 1e9 + settle_s <= now


def _moved(question: Question, version: Version) -> tuple[str, Entry] | None:
    """The old place, where it was this file (an inode alone is soon given to another) and nothing is there any more."""
    was = question.was(version.inode) if question.old is None else None
    if was is None or was[0] == question.path or not was[1].version.holds(version):
        return None
    return was if state_of(was[0]) is None else None


def _hash(path: str, version: Version, hash_max_bytes: int) -> tuple[str | None, str | None, bool]:
    """The sha256, why there is none, and whether the file changed meanwhile. Opens nothing but files: a FIFO would block."""
    if version.size > hash_max_bytes:
        return None, None, False
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError:
        return None, None, True
    except PermissionError as error:
        return None, error.strerror, False
    with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123 - it is a descriptor
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode) or not version.holds(Version.of(before)):
            return None, None, True
        content = hashlib.sha256()
        while chunk := file.read(CHUNK_BYTES):
            content.update(chunk)
        return content.hexdigest(), None, not version.holds(Version.of(os.fstat(descriptor)))
