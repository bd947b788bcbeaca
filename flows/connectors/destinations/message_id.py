"""The id that a message carries to whoever gets it, so that a repeated attempt is known as one."""

from __future__ import annotations

import hashlib


def message_id(idempotency_key: str) -> str:
    """The same for every attempt of a step, another one for each run; letters, digits and _ alone, as mail and signatures need it."""
    return f"msg_{hashlib.sha256(idempotency_key.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"
