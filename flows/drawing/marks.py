"""What became of each step in a run, as a drawing shows it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from flows.duration import format_duration

if TYPE_CHECKING:
    from flows.attempt import Attempt
    from flows.drawing.form import Box, Group

State = Literal["success", "failed", "skipped", "running", "waiting", "cancelled", "not reached"]
STATES: dict[str, State] = {
    "success": "success",
    "failed": "failed",
    "timeout": "failed",
    "interrupted": "failed",
    "skipped": "skipped",
    "running": "running",
    "cancelled": "cancelled",
}
NUMBERS = re.compile(r"#\d+|\[\d+\]")
WAITS = frozenset({"wait", "approval", "wait_for_event"})
LIVE = frozenset({"running", "waiting", "paused"})


@dataclass(frozen=True, slots=True)
class Mark:
    """`times`: how often it came to an end, or began: of a step in a loop once for each iteration."""

    state: State
    duration_ms: int | None = None  # of all its tries and iterations; None: not known, or nothing
    times: int = 1

    @property
    def text(self) -> str:
        """`1.2s ×3`; the state's word where there is no duration."""
        said = [] if self.duration_ms is None or self.state == "skipped" else [format_duration(self.duration_ms / 1000)]
        if self.times > 1:
            said.append(f"×{self.times}")
        return " ".join(said) or self.state


NOT_REACHED = Mark("not reached")


def marks_of(attempts: Sequence[Attempt], status: str, members: Mapping[str, Box | Group]) -> dict[str, Mark]:
    """By key. `status` is the run's: a step that waits is not recorded before it has ended; a container, while it runs."""
    latest: dict[tuple[str, int], Attempt] = {(one.path, one.number): one for one in attempts}
    by_key: dict[str, list[Attempt]] = {}
    for one in latest.values():
        by_key.setdefault(NUMBERS.sub("", one.path), []).append(one)
    marks = {key: _mark(tries) for key, tries in by_key.items()}
    if status in LIVE:
        for key in _around(by_key) - marks.keys():
            marks[key] = Mark("waiting" if status in {"waiting", "paused"} else "running")
        if status in {"waiting", "paused"}:
            marks |= {key: Mark("waiting") for key, each in members.items() if each.kind in WAITS and key not in marks}
    return marks


def _mark(tries: Sequence[Attempt]) -> Mark:
    known = [one.duration_ms for one in tries if one.duration_ms is not None]
    places = {one.path for one in tries}
    _, last = max(enumerate(tries), key=lambda numbered: (numbered[1].started_at, numbered[0]))
    return Mark(STATES[last.status], sum(known) if known else None, len(places))


def _around(keys: Mapping[str, object]) -> set[str]:
    """The steps around those that are recorded."""
    return {key[: joint.start()] for key in keys for joint in re.finditer(r"[./]", key)}
