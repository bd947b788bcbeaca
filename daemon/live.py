"""What only a running daemon can do for people: start a run by hand, wait for it, cancel it, say how it is."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.cancelling import Canceller
from daemon.dispatch import Dispatch, Job
from daemon.jobs import job_of
from daemon.measuring.counters import Counters
from daemon.operations.given import Started
from daemon.shapes import instant
from daemon.sources import Sources
from daemon.store import Store
from daemon.store.rows import Run
from daemon.stream import Stream
from daemon.told import run_told
from daemon.upkeep import OVERDUE_S
from daemon.waiting.approvals import Approvals
from daemon.waiting.pauses import Pauses
from daemon.waiting.resting import AtRest
from daemon.worker import Worker
from flows.attempt import Attempt
from flows.errors import DefinitionError, Problem
from flows.flow import Flow
from triggers.event import Cause, Event
from triggers.ids import new_id
from triggers.source import Accepted

NEXT = 5  # schedules that are told of


@dataclass(frozen=True, slots=True)
class LiveDaemon:
    """operations.Live over the daemon's parts."""

    store: Store
    dispatch: Dispatch
    worker: Worker
    take: Callable[[Event], Awaitable[Accepted]]
    handed_in: Callable[[str, Mapping[str, Any]], Event | None]  # a hook's path, what the request holds → its event
    started_at: float  # of the monotonic clock: a clock that is set makes nobody older
    version: str
    stream: Stream = field(default_factory=Stream)
    sources: Sources | None = None
    counters: Counters = field(default_factory=Counters)
    at_rest: AtRest = field(default_factory=AtRest)
    asked: Approvals | None = None
    put: Callable[[list[Job]], None] | None = None  # in the place of the dispatch's own
    held: Pauses | None = None
    listeners: dict[str, str] = field(default_factory=dict)  # what listens where; filled as they are bound
    state: Path | None = None  # the folder that is written to
    since: float = field(default_factory=time.time)  # by the wall's clock

    async def start(self, flow: Flow, inputs: Mapping[str, Any], *, finish_within: float | None = None) -> str:
        run = queued_run(flow, inputs, owner=self.store.token, finish_within=finish_within)
        await self.store.enqueue(run, self._queued)
        return run.id

    async def start_once(self, flow: Flow, inputs: Mapping[str, Any], cause: Cause) -> Started:
        run = queued_run(flow, inputs, owner=self.store.token)
        earlier = await self.store.enqueue(run, self._queued, cause)
        return Started(earlier or run.id, run, duplicate=earlier is not None)

    async def version_of(self, run: Run) -> Flow | str:
        return await self.worker.version_of(run)

    async def start_again(self, run: Run, attempts: Sequence[Attempt]) -> None:
        run.owner = self.store.token
        await self.store.enqueue(run, self._queued, attempts=attempts)

    def _queued(self, runs: Sequence[Run]) -> None:
        """A run is on disk, and is put to a worker: also where its person was told 503 before that was known."""
        for run in runs:
            if self.stream.tell is not None:
                self.stream.tell("run", run_told(run))
            self.worker.queued(run.trigger)
            (self.put or self.dispatch.put)([job_of(run)])

    async def accept(self, event: Event) -> Accepted:
        return await self.take(event)

    def request(self, path: str, given: Mapping[str, Any]) -> Event | None:
        return self.handed_in(path, given)

    async def ended(self, run: str, timeout_s: float) -> bool:
        under_way = self.dispatch.has([run]) or self.worker.running(run) or run in self.worker.endings or run in self.at_rest
        if not under_way:
            return True
        try:
            async with asyncio.timeout(timeout_s):
                await self.worker.endings.of(run)
        except TimeoutError:
            return False
        return True

    def so_far(self, run: Run) -> Run:
        return self.worker.so_far(run)

    async def cancel(self, runs: Sequence[str], reason: str | None = None) -> list[str]:
        return await Canceller(self.store, self.dispatch, self.worker, self.at_rest).cancel(runs, reason)

    @property
    def approvals(self) -> Approvals:
        assert self.asked is not None  # a daemon has them
        return self.asked

    @property
    def pauses(self) -> Pauses:
        assert self.held is not None  # a daemon has them
        return self.held

    def status(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "pid": os.getpid(),
            "startedAt": instant(self.since),
            "uptimeS": round(time.monotonic() - self.started_at, 1),
            "listeners": dict(self.listeners),
            "queued": self.dispatch.depth(),
            "running": len(self.worker.under_way()),
            "atRest": len(self.at_rest),
            "paused": [] if self.held is None else sorted(self.held.all()),
            "storeFailing": self.store.failing,
            "lastReload": self._last_reload(),
            "disk": self._disk(),
            **self._of_sources(),
        }

    def _last_reload(self) -> dict[str, Any] | None:
        last = self.counters.last_reload
        return None if last is None else {"at": instant(last[0]), "result": last[1]}

    def _disk(self) -> dict[str, Any] | None:
        if self.state is None:
            return None
        found = os.statvfs(self.state)
        return {"folder": str(self.state), "freeBytes": found.f_bavail * found.f_frsize}

    def _of_sources(self) -> dict[str, Any]:
        if self.sources is None:
            return {}
        due = sorted((at, trigger) for trigger, at in self.sources.next_due().items())
        return {
            "sources": self.sources.listed(),
            "next": [{"trigger": trigger, "at": instant(at.timestamp())} for at, trigger in due[:NEXT]],
            "overdue": sorted(self.sources.overdue(OVERDUE_S)),
        }


def queued_run(flow: Flow, inputs: Mapping[str, Any], *, owner: str | None, finish_within: float | None = None) -> Run:
    """A run that a person starts; `finish_within`: seconds that it may take. Raises DefinitionError where the flow refuses the inputs."""
    values, problems = flow.inputs.coerce(dict(inputs))
    if problems:
        raise DefinitionError(*(Problem(("inputs",), problem, code="INPUT_INVALID") for problem in problems))
    run_id = new_id("run")
    return Run(
        id=run_id,
        flow=flow.key,
        flow_digest=flow.digest,
        status="queued",
        inputs=values,
        created_at=time.time(),
        owner=owner,
        chain=run_id,
        finish_within=finish_within,
    )
