"""What steps emit: an event like any other, in the chain of its run, handed in once.

Guarantee: when a step has what came of its event, the event, its verdicts and the runs that follow are on disk; and whoever
hands it in again, after a crash or a try that ran out of time, is given the same.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import structlog

from flows.emission import Emission, Emitted
from flows.errors import StepError
from triggers.source import Unavailable
from triggers.sources.event_document import Given, emitted_event

if TYPE_CHECKING:
    from daemon.chains.limits import ChainLimits
    from daemon.intake import Intake
    from daemon.store.rows import EventRow, Run
    from triggers.match import TriggerSet

log = structlog.get_logger()

AGAIN_S = 1.0  # after it could not be written: a run's records wait for the disk as well


class Kept(Protocol):
    """What is needed of the store: an event that was kept before."""

    async def event(self, prefix: str) -> EventRow | None: ...


class Emitter:
    """Composed once: the World's `emit`. Waits while nothing can be made durable; the step's own timeout ends that."""

    def __init__(
        self,
        intake: Intake,
        triggers: Callable[[], TriggerSet],
        limits: ChainLimits,
        run_of: Callable[[str], Run],
        kept: Kept,
        *,
        wanted: Callable[[str], bool] = lambda _name: False,
        again_s: float = AGAIN_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`run_of`: a run that is being executed, by its id. `wanted`: whether a run may wait for events of a name."""
        self._wanted = wanted
        self._intake = intake
        self._triggers = triggers
        self._limits = limits
        self._run_of = run_of
        self._kept = kept
        self._again_s = again_s
        self._clock = clock

    async def __call__(self, emission: Emission) -> Emitted:
        """Nothing, after one look-up, where nobody hears such an event."""
        while True:
            try:
                return await self._hand_in(emission)
            except Unavailable as error:
                if self._intake.closed:
                    raise StepError(str(error), code="EVENT_UNAVAILABLE", retry_after_s=error.retry_after_s) from error
                log.warning("event.postponed", run_id=emission.run, step=emission.step, reason=str(error))
                await asyncio.sleep(self._again_s)

    async def _hand_in(self, emission: Emission) -> Emitted:
        """Raises Unavailable."""
        if self._triggers().listeners("event", emission.name) is None and not self._wanted(emission.name):
            return Emitted(None)
        event = emitted_event(self._given(emission), now=self._clock())
        candidates = self._limits.admit(event, self._intake.decide(event))
        try:
            accepted = await self._intake.keep(event, candidates)
        except Unavailable:
            self._limits.take_back(event, candidates)
            raise
        if not accepted.duplicate:
            return Emitted(accepted.event_id, accepted.runs)
        self._limits.take_back(event, candidates)
        return await self._earlier(accepted.event_id)

    def _given(self, emission: Emission) -> Given:
        run = self._run_of(emission.run)
        return Given(
            name=emission.name,
            data=emission.data,
            subject=emission.subject,
            flow=run.flow,
            run=run.id,
            step=emission.step,
            chain=run.chain_id,
            depth=run.depth,
            idempotency_key=emission.idempotency_key,
        )

    async def _earlier(self, event_id: str) -> Emitted:
        """What had come of it."""
        row = await self._kept.event(event_id)
        return Emitted(event_id, tuple(said.run for said in row.verdicts if said.run is not None) if row is not None else ())
