"""File names as text: every name, also one that is not UTF-8, has a form to show, a form to store and an address."""

from __future__ import annotations

import os
from urllib.parse import quote_from_bytes, unquote_to_bytes

KEPT = "".join(chr(code) for code in range(1, 128) if chr(code) != "%")  # what `stored` leaves as it is


def shown(name: str) -> str:
    """The name for people, JSON and patterns: bytes that are not UTF-8 become U+FFFD. `address` is exact."""
    if name.isascii():
        return name
    try:
        name.encode()
    except UnicodeEncodeError:
        return os.fsencode(name).decode(errors="replace") if _from_disk(name) else name.encode(errors="replace").decode()
    return name


def stored(name: str) -> str:
    """The name as a key: any database takes it as text, `restored` gives it back. Common names stay as they are."""
    if "%" not in name and (name.isascii() or shown(name) == name):
        return name
    return quote_from_bytes(os.fsencode(name), safe=KEPT)


def restored(key: str) -> str:
    """The name that `stored` made the key of."""
    return os.fsdecode(unquote_to_bytes(key)) if "%" in key else key


def address(path: str) -> str:
    """`file:///srv/in/a%20b.pdf`: exact for every name."""
    return "file://" + quote_from_bytes(os.fsencode(path))


def _from_disk(name: str) -> bool:
    """False for a surrogate that no byte of a file name can have made: it came from somebody's JSON."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True
