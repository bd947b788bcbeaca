"""The daemon at work: runs are handed out, what is kept stays small, and the manager hears that all is well; at the end, drain."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import structlog

from daemon.dispatch import CLEANUP, RUNS, Dispatch, Job
from daemon.home.flow_versions import read_patiently
from daemon.home.versions import digests_of
from daemon.steady import steadily
from daemon.store.rows import Due
from daemon.upkeep import keep_forgetting, keep_pruned, keep_rescuing, watch_overdue
from daemon.watchdog import Asked, Owes, Progress, keep_watch
from daemon.worker import Worker

if TYPE_CHECKING:
    from daemon.composed import Daemon
    from flows.flow import Flow

log = structlog.get_logger()

SETTLE_S = 5.0  # the ends of runs have at least this long to be written, however much of the drain is left
LOOK_S = 0.5  # how often who waits for that looks whether anything can be written


@asynccontextmanager
async def at_work(daemon: Daemon) -> AsyncIterator[None]:
    """Hand out runs and keep the store small; on leaving, drain."""
    config, dispatch, worker = daemon.config, daemon.dispatch, daemon.worker
    consuming = asyncio.create_task(consume(dispatch, config.worker.concurrency, worker), name="worker")
    daemon.consuming = consuming
    asked = Asked(daemon.store.answers)
    parts: dict[str, Owes] = {"writer": asked, "schedules": daemon.sources.stalled_s, "dispatch": Progress(dispatch.progress)}
    watching = steadily(
        "watchdog", lambda: keep_watch(parts, daemon.notifier.alive, limit_s=daemon.notifier.watchdog_s)
    )  # until the very end: a drain that is stuck is no drain
    retention, store = config.retention, daemon.store
    keeping = [
        steadily("pruning", lambda: keep_pruned(store, age_days=retention.age_days, rows=retention.rows)),
        steadily("forgetting versions", lambda: keep_forgetting(store, lambda: digests_of(daemon.holder.current))),
        steadily("rescue", lambda: keep_rescuing(store, partial(put_rescued, daemon))),
        steadily("overdue watch", lambda: watch_overdue(daemon.sources.overdue)),
    ]
    try:
        yield
    finally:
        # What comes in by a socket that outlives us is still made durable while runs drain: our successor carries it out.
        await daemon.sources.close(but=("webhook",) if daemon.sockets.hooks else ())
        worker.drain()
        for task in keeping:
            task.cancel()
        await _drain(daemon)
        await daemon.sources.close()
        daemon.intake.closed = True
        watching.cancel()
        asked.close()
        await asyncio.wait((*keeping, watching, consuming))
        if (error := consuming.exception()) is not None:
            log.error("worker.failed", exc_info=error)


async def consume(dispatch: Dispatch, concurrency: int, worker: Worker) -> None:
    """Runs, and those that are only to clean up: they have places of their own."""
    async with asyncio.TaskGroup() as group:
        for queue in (RUNS, CLEANUP):
            group.create_task(dispatch.consume(queue, concurrency, worker.handle), name=queue)


async def _drain(daemon: Daemon) -> None:
    """Let runs end for a while, then leave them. A second signal ends the while."""
    drain_s = daemon.config.worker.drain_s
    deadline = time.monotonic() + drain_s
    closing = asyncio.create_task(daemon.dispatch.close(math.inf))
    forced = asyncio.create_task(daemon.force.wait())
    await asyncio.wait((closing, forced), timeout=drain_s, return_when=asyncio.FIRST_COMPLETED)
    forced.cancel()
    if not closing.done():
        if daemon.force.is_set():
            log.warning("service.forced")
        daemon.worker.leave()
        if left := await daemon.dispatch.close(0):
            log.warning("service.left_runs", runs=left)
        await closing
    await _settle(daemon, deadline)


async def _settle(daemon: Daemon, deadline: float) -> None:
    """The ends of runs are written. A disk that takes nothing has until the store is closed: what is not on it recovery finds again."""
    deadline = max(deadline, time.monotonic() + SETTLE_S)
    while not daemon.store.failing and time.monotonic() < deadline:
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await daemon.worker.endings.settled()
                return


async def put_rescued(daemon: Daemon, due: Sequence[Due]) -> None:
    """Runs of a command that was killed, with what they wait for."""
    await read_patiently(daemon.waits.load)
    put_due(daemon, due)


def put_due(daemon: Daemon, due: Sequence[Due]) -> None:
    """Runs that another process left are worked on like any other; those that only wait stay at rest."""
    jobs = []
    for found in due:
        daemon.worker.queued(found.trigger)
        if found.status == "waiting" and daemon.waits.holds(found.run):
            daemon.at_rest.found(found)
            if (over_at := _over_at(found, daemon.holder.current.flows)) is not None:
                daemon.waits.alarm(found.run, over_at)
        else:
            queue = CLEANUP if found.stopping else RUNS
            start_by = found.start_by if found.status == "queued" else None
            jobs.append(Job(found.run, found.epoch, queue, found.priority, found.not_before, start_by))
    daemon.expiry.put(jobs)


def _over_at(found: Due, flows: Mapping[str, Flow]) -> float | None:
    """When the time of a run is over, of which only the row is known. One that is woken too early waits on."""
    if found.started_at is None:
        return None
    flow = flows.get(found.flow)
    timeout_s = (
        0.0 if flow is None else flow.graph.timeout_s
    )  # a flow that is gone: whoever goes on with the run finds its version
    limits = [found.started_at + limit_s for limit_s in (found.finish_within, timeout_s) if limit_s is not None]
    return min(limits, default=None)
