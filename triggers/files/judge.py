"""What a look at a file means: an event, a touch, or nothing. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from triggers.files.ledger import Changes, Entry, Known, Version
from triggers.files.look import Found, Look
from triggers.files.spec import FileEvent


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened to one file, and what the ledger has to say afterwards."""

    path: str
    event: FileEvent | None  # None: nothing that anybody asked for; the ledger changes all the same
    entry: Entry  # of the file; of one that is gone, the last that was known
    changes: Changes
    old_path: str | None = None
    unchanged: bool = False  # touched: the content is the same

    @property
    def version(self) -> str:
        """The state of the file, told from all others: `<inode>:<size>:<mtime>:<ctime>`, of a deletion with `:gone`."""
        text = ":".join(str(part) for part in self.entry.version)
        return f"{text}:gone" if self.event == "deleted" else text


def judge(path: str, look: Look, known: Known, wanted: frozenset[FileEvent]) -> Happening | None:
    """None: all is as it was. `look` is WHOLE or GONE."""
    old = known.get(path)
    if look.found is Found.GONE:
        return None if old is None else Happening(path, _asked("deleted", wanted), old, {path: None})
    assert look.version is not None
    entry = Entry(look.version, look.sha256)
    if old is None:
        return _new(path, entry, look.old_path, wanted)
    if old.version.holds(entry.version):
        return None
    same_content = old.sha256 is not None and old.sha256 == entry.sha256
    if same_content and _only_inode(old.version, entry.version):
        return Happening(path, None, entry, {path: entry})
    return Happening(path, _asked("modified", wanted), entry, {path: entry}, unchanged=same_content)


def _new(path: str, entry: Entry, old_path: str | None, wanted: frozenset[FileEvent]) -> Happening:
    if old_path is None:
        return Happening(path, _asked("created", wanted), entry, {path: entry})
    return Happening(path, _asked("moved", wanted), entry, {path: entry, old_path: None}, old_path)


def _only_inode(old: Version, new: Version) -> bool:
    """A copy put in place with its times, or a file system that numbers its files anew."""
    return old[1:3] == new[1:3]


def _asked(event: FileEvent, wanted: frozenset[FileEvent]) -> FileEvent | None:
    return event if event in wanted else None
