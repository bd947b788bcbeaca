"""How a run ends that does not come to its own end (cancelled, expired, a defect), and the line that tells of an end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from daemon.shapes import instant
from flows.control import CANCELLED
from flows.step import Ended

if TYPE_CHECKING:
    from daemon.store.rows import Run
    from flows.attempt import Attempt

log = structlog.get_logger()


@dataclass(slots=True)
class Shutdown:
    """The end of this process, as runs see it. Who must end before it is over, and does not, is left to the next process."""

    begun: bool = False  # SIGTERM came: runs may go on to their ends for a while
    over: bool = False  # that while is over

    def takes(self, run: Run) -> bool:
        """Whether a cancel of the run's task comes from this, and not from somebody who wants the run to stop."""
        return self.over or (self.begun and run.cancel_asked is None)


def cancelled(run: Run) -> Ended:
    return Ended("cancelled", {}, error=run.cancel_reason or CANCELLED, code="CANCELLED")


def has_begun(run: Run) -> bool:
    """Some process has worked on it. What it took over from another run is no beginning."""
    return run.started_at is not None or any(not attempt.copied for attempt in run.attempts)


def unbegun(run: Run, now: float) -> Ended | None:
    """Why a run is not to begin: somebody wants it to stop, or it should have begun before. None: it may, or it has begun."""
    if has_begun(run):
        return None
    if run.cancel_asked is not None:
        return cancelled(run)
    if run.start_by is not None and run.start_by <= now:
        return Ended("cancelled", {}, error=f"it had not started by {instant(run.start_by)}", code="EXPIRED")
    return None


def interrupted(attempts: Iterable[Attempt]) -> list[Attempt]:
    """What an earlier process had in flight, and nobody does again, as it is to be recorded."""
    latest: dict[tuple[str, int], Attempt] = {}
    for attempt in attempts:
        latest[attempt.path, attempt.number] = attempt
    said = {"status": "interrupted", "error": "the process ended while it ran", "code": "INTERRUPTED", "final": False}
    return [replace(attempt, **said) for attempt in latest.values() if attempt.status == "running"]  # type: ignore[arg-type]


def defect(run: Run, error: Exception) -> Ended:
    log.error("run.defect", run_id=run.id, flow=run.flow, exc_info=error)
    return Ended("failed", {}, error=f"a defect of camshaft: {type(error).__name__}: {error}", code="INTERNAL")


def tell(run: Run) -> None:
    """The one line that tells a run's whole story. What went wrong may quote what a stranger sent: its words are in the store."""
    duration_ms = None if (took_s := run.took_s) is None else round(took_s * 1000)
    say = log.info if run.status == "completed" else log.warning
    story = {"run_id": run.id, "flow": run.flow, "trigger": run.trigger, "event_id": run.event, "duration_ms": duration_ms}
    if run.error is not None:
        story |= {"code": run.code, "step": _failed_step(run)}
    say(f"run.{run.status}", **story)


def _failed_step(run: Run) -> str | None:
    return next((attempt.path for attempt in reversed(run.attempts) if attempt.status in {"failed", "timeout"}), None)
