"""Words that are part of a primary key: PostgreSQL's indexes end at 2,700 bytes, so a longer one is stored as its digest."""

from __future__ import annotations

import hashlib
from typing import Any

from daemon.store.codec import decode, encode, plain

LONGEST = 500  # characters, and so at most 2,000 bytes
BEGINNING = 100  # characters of a long one that are kept, for who looks into the table
MARK = "…sha256:"


def key_word(text: str) -> str:
    """The word as it stands in a key."""
    stored = plain(text) or ""
    if len(stored) <= LONGEST:
        return stored
    return f"{stored[:BEGINNING]}{MARK}{hashlib.sha256(stored.encode()).hexdigest()}"


def state_row(source: str, key: str, value: Any) -> tuple[Any, ...]:
    """In the order of statements.SAVE_STATE. A long key (a file's path may have 4,096 bytes) is kept beside its value."""
    word = key_word(key)
    if value is not None and MARK in word:
        value = {"key": plain(key), "value": value}
    return (source, word, None if value is None else encode(value))


def state_from(word: str, text: str) -> tuple[str, Any]:
    """The key and the value of what state_row() made."""
    value = decode(text)
    if MARK in word and type(value) is dict and value.keys() == {"key", "value"} and key_word(value["key"]) == word:
        return value["key"], value["value"]
    return word, value
