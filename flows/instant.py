"""Instants as definitions and values write them: ISO 8601 with an offset, and nothing that could mean two things."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from flows.errors import DefinitionError
from flows.suggest import shown

HINT = "write for example 2026-12-01T09:00:00+01:00 or 2026-12-01T08:00:00Z"
_FORM = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(Z|z|[+-][0-9]{2}:?[0-9]{2})?"
)


def parse_instant(text: Any) -> float:
    """Seconds since the epoch. Raises DefinitionError with an empty path: also where no offset says whose clock is meant."""
    if not isinstance(text, str):
        raise _refused(f"an instant is text, not {shown(text)}")
    form = _FORM.fullmatch(text.strip())
    if form is None:
        raise _refused(f"«{text:.60}» is no instant")
    if form[1] is None:
        raise _refused(f"«{text:.60}» does not say whose clock is meant")
    try:
        return datetime.fromisoformat(text.strip().replace(" ", "T").upper()).timestamp()
    except (ValueError, OverflowError):
        raise _refused(f"«{text:.60}» is no instant") from None


def write_instant(seconds: float) -> str:
    """`2026-12-01T08:00:00Z`, with milliseconds where there are some."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{moment.microsecond // 1000:03d}Z" if moment.microsecond else "Z")


def _refused(problem: str) -> DefinitionError:
    return DefinitionError.at((), problem, HINT, code="INSTANT")
