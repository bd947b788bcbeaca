"""A run in this process, without a daemon: executed to its end, recorded where there is a store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from daemon.store.errors import StoreError
from daemon.store.rows import Run, Version
from daemon.worker import RunStore, Worker
from flows.attempt import Attempt
from flows.control import CLEANUP_S
from flows.executor import World
from flows.flow import Flow

Wish = tuple[float, str | None]
"""Since when somebody wants a run to stop, and why."""


async def execute_once(
    flow: Flow,
    run: Run,
    *,
    world: World,
    store: RunStore | None,
    cleanup_s: float = CLEANUP_S,
    stop: Callable[[], Awaitable[Wish]] | None = None,
) -> Run:
    """Execute a run in this process, without a daemon: recorded where there is a store. Cancelling it cancels the run.

    `stop` returns when somebody else wants it to stop. Returns the run with its end and its attempts, when that is on disk.
    """
    worker = Worker(store or Unrecorded(), world, lambda: {flow.key: flow})
    worker.cleanup_s = cleanup_s
    ended = worker.endings.of(run.id)
    work = asyncio.ensure_future(worker.execute(run, flow))
    watching = None if stop is None else asyncio.ensure_future(_watch(worker, run.id, work, stop))
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        work.cancel()
        await asyncio.wait((work,))
    finally:
        if watching is not None:
            watching.cancel()
    return await ended


async def _watch(worker: Worker, run: str, work: asyncio.Future[None], stop: Callable[[], Awaitable[Wish]]) -> None:
    try:
        at, reason = await stop()
    except StoreError:
        return  # whoever cannot read it goes on: the run's own records tell what is wrong
    if worker.wish(run, at, reason, claimed=False):
        work.cancel()


class Unrecorded:
    """The store of a run that is recorded nowhere."""

    def claim_fresh(self, run_id: str) -> Run | None:  # noqa: ARG002 - there are none
        return None

    async def claim(self, run_id: str) -> Run | None:  # noqa: ARG002 - there are none
        return None

    def record(self, run_id: str, attempts: list[Attempt], *, starts_run_at: float | None = None) -> asyncio.Future[None]:  # noqa: ARG002
        return _done()

    def finish(self, _run: Run, _attempts: list[Attempt], told: Callable[[BaseException | None], Any], *_: Any) -> None:
        asyncio.get_running_loop().call_soon(told, None)

    def save_ending(self, run_id: str, ending: Mapping[str, Any]) -> asyncio.Future[None]:  # noqa: ARG002
        return _done()

    async def definition(self, digest: str) -> Version | None:  # noqa: ARG002
        return None


def _done() -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future
