"""Instants as people and tools give them: ISO 8601, or so long ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from daemon.errors import BadRequest
from flows.duration import parse_duration
from flows.errors import DefinitionError

LATEST = 253_402_300_799.0  # the last second of the year 9999: no later one can be written
HINT = "an instant such as 2026-11-23T09:00:00Z, or so long ago: 2h"


def read_moment(name: str, text: str, now: float) -> float:
    """Seconds since the epoch of an ISO 8601 instant (UTC where it has no offset), or of a duration before `now`. Raises BadRequest."""
    if re.match(r"[0-9]{4}-", text):
        try:
            moment = datetime.fromisoformat(text)
            seconds = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
            return min(max(0.0, seconds), LATEST)
        except (ValueError, OverflowError):
            raise BadRequest(f"{name} is no instant: «{text[:60]}»", HINT) from None
    try:
        return now - parse_duration(text)
    except DefinitionError as error:
        raise BadRequest(f"{name}: {error.problems[0].problem}", HINT) from None
