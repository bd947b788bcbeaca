"""Durations as definitions write them: `500ms`, `30s`, `1h30m`, `2d`."""

from __future__ import annotations

import re
from typing import Any

from flows.errors import DefinitionError
from flows.suggest import shown

MAX_DURATION_S = 10 * 365 * 86400.0  # ten years: longer ones are typing errors, and clocks add them without overflow

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_ORDER = ("w", "d", "h", "m", "s", "ms")  # how the parts of a sum are written: `1h30m`, never `30m1h`
_PART = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)(ms|[smhdw])", re.ASCII)
_HINT = "write for example 500ms, 30s, 5m, 2h, 1d, 1w or 1h30m"


def parse_duration(text: Any) -> float:
    """Seconds, 0 to MAX_DURATION_S. Raises DefinitionError with an empty path."""
    if not isinstance(text, str):
        if isinstance(text, (int, float)) and not isinstance(text, bool):
            raise _refused(f"the number {shown(text)} does not say of what", f'write "{shown(text)}s" or "{shown(text)}ms"')
        raise _refused("a duration is text", _HINT)
    parts = _parts(text)
    total_s = sum(float(amount) * _UNITS_S[unit] for amount, unit in parts)
    if total_s > MAX_DURATION_S:
        raise _refused(f"«{text}» is longer than ten years", None)
    return total_s


def _parts(text: str) -> list[tuple[str, str]]:
    if text.strip().startswith("-"):
        raise _refused(f"the duration «{text}» is negative", _HINT)
    if re.fullmatch(r"[0-9.]+", text):
        raise _refused(f"the duration «{text}» has no unit", f'write "{text}s" or "{text}ms"')
    at, found = 0, []
    while at < len(text):
        part = _PART.match(text, at)
        if not part:
            raise _refused(f"«{text:.40}» is no duration", _HINT, offset=at)
        found.append((part[1], part[2]))
        at = part.end()
    if not found:
        raise _refused("the duration is empty", _HINT)
    places = [_ORDER.index(unit) for _, unit in found]
    if places != sorted(set(places)):
        raise _refused(f"«{text:.40}» is no duration", "units go from large to small, each once: 1h30m")
    return found


def _refused(problem: str, hint: str | None, offset: int | None = None) -> DefinitionError:
    return DefinitionError.at((), problem, hint, code="DURATION", offset=offset)


def format_duration(seconds: float) -> str:
    """Short, for people: `0ms`, `850ms`, `12.3s`, `5m`, `1h 30m`, `2d 4h`. The two largest units, cut, not rounded up."""
    if seconds < 0:
        return f"-{format_duration(-seconds)}"
    if seconds < 1:
        return f"{int(seconds * 1000 + 1e-6)}ms"
    if seconds < 60:
        return f"{int(seconds * 10 + 1e-6) / 10:g}s"
    left = int(seconds)
    said = []
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, int(_UNITS_S[unit]))
        if count:
            said.append(f"{count}{unit}")
        if said and (len(said) == 2 or not count):
            break
    return " ".join(said)
