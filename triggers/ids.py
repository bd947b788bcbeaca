"""Ids: a prefix, a millisecond and 80 random bits, in text that sorts by time."""

from __future__ import annotations

import os
from threading import Lock
from time import time_ns

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o or u to misread
PAIRS = tuple(first + second for first in ALPHABET for second in ALPHABET)  # ten bits at a time: half the look-ups
POOL_BYTES = 4096  # one call of os.urandom costs more than an id
LETTERS = bytes(ord(ALPHABET[byte & 31]) for byte in range(256))  # a byte of chance → a letter of five bits
CHANCE = 15  # bytes of chance that a millisecond takes: twelve letters, and three to count up from


class Ids:
    """A source of ids, each greater than the one before it, also when the clock stands still or goes back.

    The form is ULID's: ten characters of milliseconds, sixteen of chance. Within a millisecond the last twenty bits count up
    from a random start, so ids are not secrets.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._pool = b""
        self._text = ""  # the pool as letters
        self._used = 0
        self._ms = -1
        self._head = ""  # the 22 characters that ids of one millisecond share
        self._low = 0

    def new(self, prefix: str) -> str:
        """`evt` gives `evt_01kb…`: the prefix, an underscore and 26 characters."""
        now_ms = time_ns() // 1_000_000
        with self._lock:
            if now_ms > self._ms:
                self._begin(now_ms)
            else:
                self._low += 1
                if self._low >> 20:
                    self._begin(self._ms + 1)
            low = self._low
            return f"{prefix}_{self._head}{PAIRS[low >> 10]}{PAIRS[low & 1023]}"

    def _begin(self, ms: int) -> None:
        self._ms = ms
        used = self._used
        if used + CHANCE > len(self._pool):
            self._pool, used = os.urandom(POOL_BYTES), 0
            self._text = self._pool.translate(LETTERS).decode("ascii")
        self._used = used + CHANCE
        pairs = (PAIRS[ms >> 40], PAIRS[ms >> 30 & 1023], PAIRS[ms >> 20 & 1023], PAIRS[ms >> 10 & 1023], PAIRS[ms & 1023])
        self._head = "".join(pairs) + self._text[used : used + 12]
        self._low = int.from_bytes(self._pool[used + 12 : used + CHANCE], "big") & 0x7FFFF  # half, to leave room to count


_ids = Ids()
os.register_at_fork(after_in_child=_ids.__init__)  # type: ignore[misc]  # a child must not go on with its parent's pool
new_id = _ids.new
"""A new id: `new_id("evt")` → `evt_…`. Safe in threads and after a fork."""


def first_id(prefix: str, seconds: float) -> str:
    """No id that was made at this instant (since the epoch) or later sorts before it; to the millisecond."""
    ms = max(0, min(int(seconds * 1000), (1 << 48) - 1))
    return f"{prefix}_{PAIRS[ms >> 40]}{PAIRS[ms >> 30 & 1023]}{PAIRS[ms >> 20 & 1023]}{PAIRS[ms >> 10 & 1023]}{PAIRS[ms & 1023]}"
