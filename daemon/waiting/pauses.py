"""What operators hold back: one run, a flow's runs, or all of them. Kept in the store, so that a restart changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from daemon.shapes import instant
from triggers.source import State

log = structlog.get_logger()

PAUSED = "paused"  # the name in the store under which they are kept
ALL = "*"


@dataclass(frozen=True, slots=True)
class Pause:
    """Since when, and why."""

    since: float
    reason: str | None = None

    @property
    def sentence(self) -> str:
        why = f" ({self.reason})" if self.reason else ""
        return f"since {instant(self.since)}{why}"


def run_key(run: str) -> str:
    return f"run:{run}"


def flow_key(flow: str) -> str:
    return f"flow:{flow}"


class Pauses:
    """Composed once. `changed`: told when something is held back, or is not any more; it is on disk then."""

    def __init__(self, memory: State, *, clock: Callable[[], float] = time.time) -> None:
        self._memory = memory
        self._clock = clock
        self._kept: dict[str, Pause] = {}
        self._over: set[str] = set()  # keys of runs that have ended
        self.changed: Callable[[], None] = lambda: None

    async def load(self) -> None:
        for key, row in (await self._memory.load()).items():
            pause = _read(row)
            if pause is not None:
                self._kept[key] = pause

    def of(self, run: str, flow: str) -> Pause | None:
        """What holds a run back: everything, its flow, or itself."""
        if not self._kept:
            return None
        return self._kept.get(ALL) or self._kept.get(flow_key(flow)) or self._kept.get(run_key(run))

    def get(self, key: str) -> Pause | None:
        return self._kept.get(key)

    def all(self) -> Mapping[str, Pause]:
        return self._kept

    async def pause(self, key: str, reason: str | None = None) -> bool:
        """False: it was paused already, and that stays as it is."""
        if key in self._kept:
            return False
        pause = Pause(self._clock(), reason or None)
        await self._save(key, {"since": pause.since, "reason": pause.reason})
        self._kept[key] = pause
        log.info("pause.began", what=key)
        self.changed()
        return True

    async def resume(self, key: str) -> bool:
        """False: it was not paused."""
        if key not in self._kept:
            return False
        await self._save(key, None)
        self._kept.pop(key, None)
        log.info("pause.ended", what=key)
        self.changed()
        return True

    def ended(self, run: str) -> None:
        """A run that has ended is held back no more: its row goes with the next change."""
        if self._kept.pop(run_key(run), None) is not None:
            self._over.add(run_key(run))

    async def _save(self, key: str, row: Any) -> None:
        over = frozenset(self._over)
        await self._memory.save({**dict.fromkeys(over), key: row})
        self._over -= over


def _read(row: Any) -> Pause | None:
    if not isinstance(row, dict) or not isinstance(row.get("since"), int | float):
        return None
    reason = row.get("reason")
    return Pause(float(row["since"]), reason if isinstance(reason, str) else None)
