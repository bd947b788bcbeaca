"""One thing that was looked at, and how it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`warning`: it works, and may not for long. `problem`: something does not work."""

    check: str  # stable, for tools: clock.synchronised
    level: Level
    what: str
    hint: str | None = None


def ok(check: str, what: str) -> Finding:
    return Finding(check, "ok", what)


def warning(check: str, what: str, hint: str | None = None) -> Finding:
    return Finding(check, "warning", what, hint)


def problem(check: str, what: str, hint: str | None = None) -> Finding:
    return Finding(check, "problem", what, hint)
