"""What follows from a run's end: its event, decided like any other, and refused where a chain goes too far.

Guarantee: what is returned here is written in the transaction that ends the run, or the run has not ended.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import structlog

from daemon.store.rows import Candidate, FollowUp, Run
from triggers.sources.flow_event import EndedRun, address, run_event

if TYPE_CHECKING:
    from daemon.intake import Intake
    from triggers.event import Event
    from triggers.match import TriggerSet
    from triggers.sources.flow_spec import FlowSettings

log = structlog.get_logger()

REMEMBERED_CHAINS = 10_000  # that still go on; a chain whose count is forgotten is limited by its depth all the same
_FAILED = frozenset({"failed", "timeout"})


class Follower:
    """Composed once, for the worker: a run that has ended → what is to be written with its end."""

    def __init__(
        self, intake: Intake, triggers: Callable[[], TriggerSet], settings: FlowSettings, started: Mapping[str, int]
    ) -> None:
        """`started`: how many runs the chains that still go on have started by now."""
        self._decide = intake.decide
        self._triggers = triggers
        self._settings = settings
        self._started = OrderedDict(started)  # chain → runs that others started, the least recently grown first

    def __call__(self, run: Run) -> tuple[FollowUp, ...]:
        """Nothing, after one look-up, where nobody follows such a run."""
        if self._triggers().listeners("flow", address(run.flow, run.status)) is None:
            return ()
        event = run_event(ended_run(run), max_value_bytes=self._settings.max_value_bytes)
        return (FollowUp(event, [self._limited(event, candidate) for candidate in self._decide(event)]),)

    def _limited(self, event: Event, candidate: Candidate) -> Candidate:
        """The candidate as it is, or refused: its chain is too deep, or has started too many runs."""
        if candidate.run is None:
            return candidate
        chain, depth = event.document["chain"]["id"], event.document["chain"]["depth"]
        number = self._started.get(chain, 0) + 1
        limits = self._settings
        if depth > limits.max_depth:
            said = f"this would be run {depth} in a row of the chain {chain}, and max_depth is {limits.max_depth}"
        elif number > limits.max_runs:
            said = f"the chain {chain} has started {number - 1:,} runs, and max_runs is {limits.max_runs:,}"
        else:
            self._started[chain] = number
            self._started.move_to_end(chain)
            if len(self._started) > REMEMBERED_CHAINS:
                self._started.popitem(last=False)
            return candidate
        return _refused(candidate, f"{said} ([sources.flow])", {"chain": chain, "depth": depth, "started": number - 1})


def ended_run(run: Run) -> EndedRun:
    """A run of the store, as its event tells of it."""
    assert run.finished_at is not None  # it has ended
    return EndedRun(
        run=run.id,
        flow=run.flow,
        status=run.status,
        chain=run.chain or run.event or run.id,
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


def _refused(candidate: Candidate, reason: str, detail: Mapping[str, Any]) -> Candidate:
    verdict = replace(candidate.verdict, verdict="loop_refused", reason=reason, detail=detail)
    log.warning("flow.loop_refused", trigger=verdict.trigger, **detail)
    return replace(candidate, verdict=verdict, run=None, once=None)
