"""What must not be stored or shown: which names look like secrets, and how a value is cut short for people."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

REDACTED = "[redacted]"
SHOWN_CHARACTERS = 200  # a verdict is read by people; the whole value is in the event

_KEPT_CHARACTERS = 128  # of a name in the cache: headers of 16 KiB would make it 64 MB
_READ_CHARACTERS = 1024  # of a name; a hundred headers that are nothing but names took the loop 0.2 s
_SECRET = re.compile(
    r"authori[sz]ation|passw(or)?d|passphrase|passcode|secret|token|cookie|signature|credential|session[-_]?id|jwt"
    r"|(api|access|private|signing|auth|subscription|functions|master|shared|account|encryption)[-_]?key|^(auth|pwd|pin|otp)$",
    re.IGNORECASE,
)


def looks_secret(name: str) -> bool:
    """True for `Authorization`, `x-api-key`, `password`: values under such a name are never stored or shown."""
    return _known(name) if len(name) <= _KEPT_CHARACTERS else _SECRET.search(name[:_READ_CHARACTERS]) is not None


@lru_cache(maxsize=4096)  # names come from strangers: the cache is bounded, and the usual forty stay in it
def _known(name: str) -> bool:
    return _SECRET.search(name) is not None


def cleaned(value: Any, depth: int = 3) -> Any:
    """A small copy of `value`: secrets redacted, and nothing deeper, longer or wider than a person reads."""
    if isinstance(value, (dict, list)) and depth == 0:
        return "…"
    if isinstance(value, dict):
        return {key: REDACTED if looks_secret(key) else cleaned(item, depth - 1) for key, item in list(value.items())[:20]}
    if isinstance(value, list):
        return [cleaned(item, depth - 1) for item in value[:20]]
    if isinstance(value, str) and len(value) > SHOWN_CHARACTERS:
        return f"{value[:SHOWN_CHARACTERS]}…"
    return value
