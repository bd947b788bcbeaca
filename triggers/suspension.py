"""A suspension: an operator's switch for one trigger, kept outside of its definition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Suspension:
    """Events are recorded and fire nothing, from `since` to `until`: seconds since the epoch; None: until it is lifted."""

    since: float
    until: float | None = None
    reason: str | None = None

    @classmethod
    def from_json(cls, row: Any) -> Suspension | None:
        """None where the row is not one of ours."""
        if not isinstance(row, Mapping) or not isinstance(row.get("since"), int | float):
            return None
        until, reason = row.get("until"), row.get("reason")
        return cls(row["since"], until if isinstance(until, int | float) else None, reason if isinstance(reason, str) else None)

    def to_json(self) -> dict[str, Any]:
        return {"since": self.since, "until": self.until, "reason": self.reason}

    def over(self, now: float) -> bool:
        return self.until is not None and now >= self.until

    @property
    def sentence(self) -> str:
        """`suspended until 2026-11-28T12:00:00Z (the CRM is down)`."""
        until = "" if self.until is None else f" until {datetime.fromtimestamp(self.until, UTC):%Y-%m-%dT%H:%M:%SZ}"
        return f"suspended{until}" + (f" ({self.reason})" if self.reason else "")
