"""`schedule next`: the next times of a cron text as tools read them, one by one or line by line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flows.errors import DefinitionError
from triggers.cron import parse_cron

MAX_TIMES = 10_000  # a week of minutes: more in one answer is a typing error
EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9900, 1, 1, tzinfo=UTC)
FRACTION = re.compile(r"(?<=:[0-9]{2})([.,][0-9]{6})[0-9]+")  # what follows the microseconds
FAR = datetime.max.replace(tzinfo=UTC)


def next_times(expr: str, tz: str | None, start: str | None, n: int, *, now: datetime | None = None) -> list[str]:
    """The `n` instants strictly after `start`, as `2026-11-23T09:00:00Z`; fewer where the calendar ends before.

    `tz` None: UTC. `start`: an ISO 8601 instant, UTC where it has no offset; None: now. Raises DefinitionError.
    """
    cron = parse_cron(expr, timezone=tz)
    if not 1 <= n <= MAX_TIMES:
        raise DefinitionError.at(("n",), "that many times cannot be given", f"1 to {MAX_TIMES}")
    after = (now or datetime.now(UTC)) if start is None else parse_instant(start)
    return [text_of(instant) for instant in cron.between(after, FAR, n)]


def text_of(instant: datetime) -> str:
    """`2026-11-23T09:00:00Z`: how instants stand in JSON. The instant is UTC and on a whole second."""
    return instant.replace(tzinfo=None, microsecond=0).isoformat() + "Z"


def parse_instant(text: str) -> datetime:
    """ISO 8601 with any offset; without one it is UTC. Raises DefinitionError with path ("start",)."""
    hint = "an ISO 8601 instant is needed, such as 2026-11-23T09:00:00Z"
    try:
        instant = datetime.fromisoformat(FRACTION.sub(r"\1", text[:100].strip()))
        instant = instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise DefinitionError.at(("start",), f"{text[:100]!r} is no instant", hint) from None
    if not EARLIEST <= instant <= LATEST:
        raise DefinitionError.at(("start",), f"{text[:100]!r} is too far away", "the years 1900 to 9899 are known")
    return instant


def report(line: Any, *, now: datetime | None = None) -> dict[str, Any]:
    """The answer to one line of `--batch`, `{"id", "expr", "tz", "start", "n"}` with `expr` needed. Never raises."""
    if not isinstance(line, Mapping):
        return {"id": None, "ok": False, "error": "a line is an object with id, expr, tz, start and n"}
    wrong = _mistyped(line)
    if wrong:
        return {"id": line.get("id"), "ok": False, "error": wrong}
    n = line.get("n")
    try:
        times = next_times(line["expr"], line.get("tz"), line.get("start"), 1 if n is None else n, now=now)
    except DefinitionError as error:
        return {"id": line.get("id"), "ok": False, "error": "; ".join(str(problem) for problem in error.problems)}
    return {"id": line.get("id"), "ok": True, "times": times}


def _mistyped(line: Mapping[str, Any]) -> str | None:
    if line.get("expr") is None:
        return "expr is missing"
    for name in ("expr", "tz", "start"):
        if not isinstance(line.get(name), str | None):
            return f"{name} must be a text"
    n = line.get("n")
    if isinstance(n, bool) or not isinstance(n, int | None):
        return "n must be a whole number"
    return None
