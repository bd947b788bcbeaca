"""What the store raises, in one tree.

StoreError
├── StoreUnusable   the database cannot be opened: corrupt, newer than this program, no permission. With a hint
├── HomeInUse       another daemon holds this home, or serves this database
├── Ambiguous       an id's prefix fits several rows
├── Rejected        the database refused one operation: a key that is there, a value it cannot hold
├── Adrift          an SQLite file lost what stands beside it, and is to be opened anew
└── Fenced          a run was written by a process that no longer owns it
"""

from __future__ import annotations


class StoreError(Exception):
    """The root of what the store raises. `hint` is the way out, where one is known."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        self.hint = hint
        super().__init__(message)


class StoreUnusable(StoreError):  # noqa: N818 - a state
    """The database cannot be opened."""


class HomeInUse(StoreError):  # noqa: N818 - a state
    """Another daemon holds this home, or serves this database."""


class Ambiguous(StoreError):  # noqa: N818 - a state
    """An id's prefix fits several rows."""

    def __init__(self, prefix: str, matches: list[str]) -> None:
        self.matches = matches
        super().__init__(f"«{prefix}» is the beginning of several ids: {', '.join(matches)}", "give more of it")


class Rejected(StoreError):  # noqa: N818 - a state
    """The database refused one operation; nothing of it was kept, and others are not concerned."""


class Fenced(StoreError):  # noqa: N818 - a state
    """A run was written by a process that no longer owns it; nothing of that write was kept."""


class Adrift(StoreError):  # noqa: N818 - a state
    """What stood beside an SQLite file is gone, and what it held is in the file: it is to be opened anew."""
