"""Signed links: where an approval can be answered by who has the link, and nobody else.

A link says which attempt of which run, until when, and who answers by it. It is a right, not a secret of the home: it opens nothing
but this one question, and only until that is answered.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from daemon.errors import HomeError
from daemon.secret_file import read_secret
from flows.waiting import Place

KEY_BYTES = 32
AFTER_S = 86_400.0  # a link outlives its question so long: who comes late is told so, and not that the link is wrong
NO_END_S = 90 * 86_400.0  # of a question that has no end
MAX_TOKEN = 8_000  # characters


@dataclass(frozen=True, slots=True)
class Right:
    """What a link says, once it is known to be ours."""

    place: Place
    by: str | None  # who answers by it; None: who has it


class Links:
    """Composed once. `base`: how the pages are reached; None: nowhere, and there are no links."""

    def __init__(self, key: bytes, base: Callable[[], str | None], *, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._base = base
        self._clock = clock

    def __call__(self, place: Place, due: float | None, by: str | None) -> str | None:
        base = self._base()
        return None if base is None else f"{base}/approvals/{self.token(place, due, by)}"

    def token(self, place: Place, due: float | None, by: str | None) -> str:
        until = int(self._clock() + NO_END_S if due is None else due + AFTER_S)
        said = json.dumps([place.run, place.path, place.attempt, until, by], separators=(",", ":")).encode()
        return f"{_text(said)}.{_text(self._sign(said))}"

    def read(self, token: str) -> Right | None:
        """None: it is not ours, or too old."""
        if len(token) > MAX_TOKEN or token.count(".") != 1:
            return None
        said, sign = (_bytes(part) for part in token.split("."))
        if said is None or sign is None or not hmac.compare_digest(sign, self._sign(said)):
            return None
        run, path, attempt, until, by = json.loads(said)  # we wrote it
        return Right(Place(run, path, attempt), by) if self._clock() <= until else None

    def _sign(self, said: bytes) -> bytes:
        return hmac.digest(self._key, b"approval:" + said, hashlib.sha256)


def read_key(file: Path) -> bytes:
    """The home's key, made (0600) where there is none. Without it every link that was given is void. Raises HomeError."""
    key = _bytes(read_secret(file, "the key of links", lambda: _text(secrets.token_bytes(KEY_BYTES))))
    if key is None or len(key) < KEY_BYTES:
        raise HomeError(f"{file} holds no usable key", "remove it, and a new one is made: links that were given are void then")
    return key


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes | None:
    """One text stands for one value: no blanks, no other alphabet, no bits left over."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if _text(raw) == text else None
