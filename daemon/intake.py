"""The one door: match → check inputs → store → wake. Every event of every source comes in here.

Guarantee: when accept() returns, the event, a verdict for each candidate trigger and the queued runs are on disk, in one
transaction. When it raises Unavailable, none of them is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import structlog

from daemon.dispatch import Job
from daemon.jobs import job_of
from daemon.measuring.counters import Counters
from daemon.shapes import instant
from daemon.store.rows import Candidate, Follows, Run
from daemon.stream import Stream
from daemon.told import decided, event_told, run_told
from flows.flow import Flow
from triggers.event import Cause, Event
from triggers.ids import new_id
from triggers.match import Match, TriggerSet, match
from triggers.source import Accepted, Unavailable
from triggers.verdict import Verdict

log = structlog.get_logger()

AT_A_TIME = 32  # events of a batch that are decided in one go: some 20 to 50 µs each

Then = Callable[[Sequence[Run]], None]
"""Told of the runs that were queued, once they are on disk."""


class Rules(Protocol):
    """The definitions in force: the triggers' index and the flows by key."""

    @property
    def set(self) -> TriggerSet: ...
    @property
    def flows(self) -> Mapping[str, Flow]: ...


class EventStore(Protocol):
    """What intake needs of the store."""

    token: str

    def accept(self, event: Event, candidates: Sequence[Candidate], then: Then) -> Awaitable[Accepted]: ...

    def accept_all(self, events: Sequence[tuple[Event, Sequence[Candidate], Then]]) -> Awaitable[Sequence[Accepted]]: ...


class Intake:
    """Composed once; `rules` is asked for each event, so that a reload is seen by the next one and not by this one."""

    def __init__(
        self,
        store: EventStore,
        rules: Callable[[], Rules],
        put: Callable[[list[Job]], None],
        queued: Callable[[str | None], None],
        *,
        stream: Stream | None = None,
        counters: Counters | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._rules = rules
        self._put = put
        self._queued = queued
        self._stream = stream or Stream()
        self._counters = counters or Counters()
        self._clock = clock
        self.closed = False
        self.coming: Callable[[Event], Callable[[], None] | None] = _nobody_waits  # what to do when an event is on disk

    def accept(self, event: Event) -> Awaitable[Accepted]:
        """Decide, make durable, wake. Unavailable is raised where nothing can be written, or the daemon is stopping.

        What is decided is decided in this call, and the event is not needed after it.
        """
        return self.keep(event, self.decide(event))

    __call__ = accept  # an intake is a source's Emit

    def keep(self, event: Event, candidates: list[Candidate]) -> Awaitable[Accepted]:
        """The same for an event that has been decided."""
        if self.closed:
            raise Unavailable("the daemon is stopping")
        return self._store.accept(event, candidates, self._then(event, candidates))

    async def together(self, events: Sequence[Event]) -> Sequence[Accepted]:
        """The same for several events in one transaction. A long batch lets other events through while it is decided."""
        decided = []
        for number, event in enumerate(events, 1):
            candidates = self.decide(event)
            decided.append((event, candidates, self._then(event, candidates)))
            if number % AT_A_TIME == 0:
                await asyncio.sleep(0)
        if self.closed:
            raise Unavailable("the daemon is stopping")
        return await self._store.accept_all(decided)

    def _then(self, event: Event, candidates: list[Candidate]) -> Then:
        told = None if self._stream.tell is None else event_told(event)
        kept = partial(self._kept, event.source, candidates, told)
        came = self.coming(event)
        return kept if came is None else partial(_both, kept, came)

    def decide(self, event: Event) -> list[Candidate]:
        """A verdict for each candidate trigger, and the runs to queue. Nothing is written or told yet."""
        rules = self._rules()
        return _distinct([self._candidate(event, found, rules.flows) for found in match(rules.set, event)])

    def _candidate(self, event: Event, found: Match, flows: Mapping[str, Flow]) -> Candidate:
        trigger = found.trigger
        if trigger is None:  # one row for a group that the index ruled out
            return Candidate(found.verdict)
        if found.inputs is None:
            return Candidate(found.verdict, trigger.digest)
        flow = flows[trigger.flow]  # a home loads only with the flows that its triggers name
        verdict, inputs = fitted(found.verdict, found.inputs, flow)
        if inputs is None:
            return Candidate(verdict, trigger.digest)
        run = self._run(event, flow, inputs, found)
        once = None
        if trigger.idempotency is not None and found.idempotency_key is not None:
            once = Cause(f"idempotency:{trigger.key}", found.idempotency_key, trigger.idempotency.ttl_s)
        return Candidate(found.verdict, trigger.digest, run, once)

    def _run(self, event: Event, flow: Flow, inputs: dict[str, Any], found: Match) -> Run:
        trigger = found.trigger
        chain = event.document.get("chain", {})
        run = Run(
            id=new_id("run"),
            flow=flow.key,
            flow_digest=flow.digest,
            status="queued",
            inputs=inputs,
            created_at=self._clock(),
            event=event.id,
            trigger=trigger.key if trigger else None,
            trigger_digest=trigger.digest if trigger else None,
            priority=trigger.priority if trigger else 5,
            owner=self._store.token,
            chain=chain.get("id", event.id),
            depth=chain.get("depth", 0),
        )
        if trigger is not None and (limits := trigger.timeouts) is not None:
            run.start_by = None if limits.start_s is None else run.created_at + limits.start_s
            run.finish_within = limits.finish_s
        return run

    def followed(self, follow_ups: Sequence[Follows], runs: Sequence[Run]) -> None:
        """The same for what follows from a run's end: it is on disk, and these runs were queued by it."""
        for follow_up in follow_ups:
            if isinstance(follow_up, Run):
                if self._stream.tell is not None:
                    self._stream.tell("run", run_told(follow_up))
                log.info(
                    "run.repeated",
                    run_id=follow_up.id,
                    flow=follow_up.flow,
                    chain=follow_up.chain,
                    due=instant(follow_up.not_before),
                )
                self._wake([follow_up])
                continue
            event = follow_up.event
            told = None if self._stream.tell is None else event_told(event)
            self._kept(event.source, follow_up.candidates, told, [run for run in runs if run.event == event.id])

    def _kept(self, source: str, candidates: Sequence[Candidate], told: Mapping[str, Any] | None, runs: Sequence[Run]) -> None:
        """Count it, tell who listens, and then the dispatch: a run is queued before it runs."""
        self._counters.event(source, candidates, runs)
        if told is not None and (tell := self._stream.tell) is not None:
            for kind, facts in decided(told, candidates, runs):
                tell(kind, facts)
        self._wake(runs)

    def _wake(self, runs: Sequence[Run]) -> None:
        """Tell the dispatch, now that the runs are on disk."""
        if not runs:
            return
        for run in runs:
            self._queued(run.trigger)
        self._put([job_of(run) for run in runs])


def _nobody_waits(_event: Event) -> None:
    return None


def _both(kept: Then, came: Callable[[], None], runs: Sequence[Run]) -> None:
    kept(runs)
    came()


def fitted(verdict: Verdict, inputs: dict[str, Any], flow: Flow) -> tuple[Verdict, dict[str, Any] | None]:
    """The inputs as the flow declares them; or None, and the verdict that says why it refuses them."""
    values, problems = flow.inputs.coerce(inputs)
    if not problems:
        return verdict, values
    return replace(verdict, verdict="input_invalid", reason="; ".join(problems), detail={"inputs": list(problems)}), None


def _distinct(candidates: list[Candidate]) -> list[Candidate]:
    """One row for each name: groups that an index ruled out are called `*`, `*2`, …"""
    groups = 0
    for place, candidate in enumerate(candidates):
        if candidate.verdict.trigger == "*":
            groups += 1
            if groups > 1:
                candidates[place] = replace(candidate, verdict=replace(candidate.verdict, trigger=f"*{groups}"))
    return candidates
