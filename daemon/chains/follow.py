"""What follows from a run's end: its event, decided like any other, and refused where a chain goes too far.

Guarantee: what is returned here is written in the transaction that ends the run, or the run has not ended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from daemon.store.rows import FollowUp, Run
from triggers.sources.flow_event import EndedRun, address, run_event

if TYPE_CHECKING:
    from daemon.chains.limits import ChainLimits
    from daemon.intake import Intake
    from triggers.match import TriggerSet

_FAILED = frozenset({"failed", "timeout"})


class Follower:
    """Composed once, for the worker: a run that has ended → what is to be written with its end."""

    def __init__(self, intake: Intake, triggers: Callable[[], TriggerSet], limits: ChainLimits, *, max_value_bytes: int) -> None:
        self._decide = intake.decide
        self._triggers = triggers
        self._limits = limits
        self._max_value_bytes = max_value_bytes

    def __call__(self, run: Run) -> tuple[FollowUp, ...]:
        """Nothing, after one look-up, where nobody follows such a run."""
        if self._triggers().listeners("flow", address(run.flow, run.status)) is None:
            return ()
        event = run_event(ended_run(run), max_value_bytes=self._max_value_bytes)
        return (FollowUp(event, self._limits.admit(event, self._decide(event))),)


def ended_run(run: Run) -> EndedRun:
    """A run of the store, as its event tells of it."""
    assert run.finished_at is not None  # it has ended
    return EndedRun(
        run=run.id,
        flow=run.flow,
        status=run.status,
        chain=run.chain_id,
        depth=run.depth,
        trigger=run.trigger,
        event=run.event,
        inputs=run.inputs,
        outputs=run.output,
        error=run.error,
        code=run.code,
        failed_step=_failed_step(run),
        started_at=run.started_at,
        finished_at=run.finished_at,
    )


def _failed_step(run: Run) -> str | None:
    """The step that ended the run: the last that failed; a loop or a sub-flow is recorded after what it holds."""
    if run.status != "failed":
        return None
    return next((attempt.path for attempt in reversed(run.attempts) if attempt.status in _FAILED), None)
