"""Continuous execution: a run of such a flow that has ended is followed by another, due after a while.

Guarantee: the next run is written in the transaction that ends this one. So a process that is killed between two rounds loses none
and doubles none: what it left is one queued run, which is due when it was due.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import structlog

from daemon.store.rows import Run
from flows.steps.back import goes_back
from triggers.ids import new_id

if TYPE_CHECKING:
    from daemon.chains.limits import ChainLimits
    from daemon.home.definitions import Definitions
    from flows.attempt import Attempt
    from flows.flow import Flow, Repeats

log = structlog.get_logger()


class Rounds:
    """Composed once, for the worker: a run that has ended → the one that follows it in its row, or nothing."""

    def __init__(
        self,
        definitions: Callable[[], Definitions],
        flow_of: Callable[[Run], Flow | None],
        limits: ChainLimits,
        owner: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`flow_of`: the version that a run was executed with. The next round takes the one that is in force."""
        self._definitions = definitions
        self._flow_of = flow_of
        self._limits = limits
        self._owner = owner
        self._clock = clock

    def __call__(self, run: Run) -> tuple[Run, ...]:
        flow = self._flow_of(run)
        if flow is None or flow.repeats is None:
            return ()
        why = _why_not(flow.repeats, run) or self._why_not_now(run)
        if why is None:
            return self._next(run, flow.repeats)
        log.info("run.not_repeated", run_id=run.id, flow=run.flow, reason=why)
        return ()

    def _why_not_now(self, run: Run) -> str | None:
        """What has changed meanwhile: in the home, or by an operator's switch."""
        definitions = self._definitions()
        flow = definitions.flows.get(run.flow)
        if flow is None:
            return "the flow is not there any more"
        if flow.repeats is None:
            return "the flow is not continuous any more"
        trigger = None if run.trigger is None else definitions.trigger(run.trigger)
        if run.trigger is None:
            return None
        if trigger is None or trigger.flow != run.flow:
            return "the trigger that started it is not there any more"
        if not trigger.enabled or run.trigger in definitions.suspended:
            return "the trigger that started it is switched off"
        return None

    def _next(self, run: Run, repeats: Repeats) -> tuple[Run, ...]:
        definitions = self._definitions()
        flow = definitions.flows[run.flow]
        assert flow.repeats is not None  # _why_not_now() saw to it
        inputs, problems = flow.inputs.coerce(_handed_on(repeats, run))
        if problems:  # not quoted: they may hold what a stranger sent
            log.info("run.not_repeated", run_id=run.id, flow=run.flow, reason="the flow refuses the inputs of the next round")
            return ()
        now = self._clock()
        self._limits.begin_round(run.chain_id)
        trigger = None if run.trigger is None else definitions.trigger(run.trigger)
        following = Run(
            id=new_id("run"),
            flow=flow.key,
            flow_digest=flow.digest,
            status="queued",
            inputs=inputs,
            created_at=now,
            trigger=run.trigger,
            trigger_digest=None if trigger is None else trigger.digest,
            priority=run.priority,
            owner=self._owner,
            chain=run.chain_id,
            depth=max(1, run.depth),  # not deeper from round to round: it is meant to have no end
            not_before=(run.finished_at or now) + flow.repeats.delay_s,
            finish_within=run.finish_within,
        )
        return (following,)


def _why_not(repeats: Repeats, run: Run) -> str | None:
    """What the run itself says. None: it goes on."""
    if run.retry_of is not None:
        return "it does an earlier round again"
    if run.status == "cancelled":
        return "it was cancelled"
    if run.status == "failed" and not repeats.after_failure:
        return "it failed"
    if repeats.loop is not None:
        last = _of_loop(repeats.loop, run)
        if last is None or last.status != "success":
            return f"it did not come to «{repeats.loop}»"
        if not goes_back(last.response):
            return f"the condition of «{repeats.loop}» was false"
    return None


def _of_loop(name: str, run: Run) -> Attempt | None:
    return next((attempt for attempt in reversed(run.attempts) if attempt.path == name), None)


def _handed_on(repeats: Repeats, run: Run) -> Mapping[str, Any]:
    """The inputs of this run, and over them the fields of what the loop node hands back, where that is an object."""
    last = None if repeats.loop is None else _of_loop(repeats.loop, run)
    given = None if last is None else last.output
    return {**run.inputs, **given} if isinstance(given, dict) else dict(run.inputs)
