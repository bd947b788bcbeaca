"""What only a running daemon can do for people: start a run by hand, wait for it, cancel it, say how it is."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from daemon.dispatch import Job
from daemon.dispatch.local import LocalDispatch
from daemon.store import Store
from daemon.store.rows import Run
from daemon.stream import Stream
from daemon.told import run_told
from daemon.worker import Worker
from flows.errors import DefinitionError, Problem
from flows.flow import Flow
from triggers.event import Event
from triggers.ids import new_id
from triggers.source import Accepted


@dataclass(frozen=True, slots=True)
class LiveDaemon:
    """operations.Live over the daemon's parts."""

    store: Store
    dispatch: LocalDispatch
    worker: Worker
    take: Callable[[Event], Awaitable[Accepted]]
    handed_in: Callable[[str, Mapping[str, Any]], Event | None]  # a hook's path, what the request holds → its event
    started_at: float  # of the monotonic clock: a clock that is set makes nobody older
    version: str
    stream: Stream = field(default_factory=Stream)

    async def start(self, flow: Flow, inputs: Mapping[str, Any]) -> str:
        run = queued_run(flow, inputs, owner=self.store.token)
        await self.store.enqueue(run, self._queued)
        return run.id

    def _queued(self, runs: Sequence[Run]) -> None:
        """A run is on disk, and is put to a worker: also where its person was told 503 before that was known."""
        for run in runs:
            if self.stream.tell is not None:
                self.stream.tell("run", run_told(run))
            self.worker.queued(None)
            self.dispatch.put([Job(run.id, priority=run.priority)])

    async def accept(self, event: Event) -> Accepted:
        return await self.take(event)

    def request(self, path: str, given: Mapping[str, Any]) -> Event | None:
        return self.handed_in(path, given)

    async def ended(self, run: str, timeout_s: float) -> bool:
        if not (self.dispatch.has([run]) or self.worker.running(run) or self.worker.ending(run)):
            return True
        try:
            await asyncio.wait_for(self.worker.ended(run), timeout_s)
        except TimeoutError:
            return False
        return True

    def so_far(self, run: Run) -> Run:
        return self.worker.so_far(run)

    async def cancel(self, run: str) -> bool:
        if self.dispatch.discard(run):
            claimed = self.store.claim_fresh(run) or await self.store.claim(run)
            if claimed is not None:
                self.worker.give_up(claimed)
                return True
        return self.dispatch.cancel(run)

    def status(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "pid": os.getpid(),
            "uptimeS": round(time.monotonic() - self.started_at, 1),
            "queued": self.dispatch.depth(),
            "running": len(self.worker.under_way()),
            "storeFailing": self.store.failing,
        }


def queued_run(flow: Flow, inputs: Mapping[str, Any], *, owner: str | None) -> Run:
    """A run that a person starts. Raises DefinitionError where the flow refuses the inputs."""
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
    )
