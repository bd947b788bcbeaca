"""What is done now and then: old rows pruned, leases renewed, runs of killed processes rescued, overdue schedules told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import structlog

from daemon.store.rows import Due
from triggers.source import Unavailable

log = structlog.get_logger()

EVERY_S = 300.0
FORGET_S = 3600.0
RESCUE_S = 20.0  # a lease is three times as long
OVERDUE_S = 120.0  # a slot that has not been dealt with for so long is reported


class KeptStore(Protocol):
    """What upkeep needs of the store."""

    async def prune(self, *, age_days: float | None, rows: int | None, now: float) -> int: ...
    async def rescue(self, now: float) -> list[Due]: ...
    def renew(self) -> Awaitable[None]: ...
    async def forget_versions(self, in_force: Callable[[], Collection[str]]) -> int: ...


async def keep_pruned(
    store: KeptStore, *, age_days: float | None, rows: int | None, clock: Callable[[], float] = time.time
) -> None:
    """Prune until cancelled, every five minutes; what cannot be done now is done next time."""
    while True:
        try:
            pruned = await store.prune(age_days=age_days, rows=rows, now=clock())
        except Unavailable as error:
            log.warning("upkeep.postponed", reason=str(error))
        else:
            if pruned:
                log.info("upkeep.pruned", rows=pruned)
        await asyncio.sleep(EVERY_S)


async def keep_forgetting(store: KeptStore, in_force: Callable[[], Collection[str]]) -> None:
    """Forget old versions of definitions until cancelled, every hour."""
    while True:
        try:
            gone = await store.forget_versions(in_force)
        except Unavailable as error:
            log.warning("upkeep.postponed", reason=str(error))
        else:
            if gone:
                log.info("upkeep.forgot_versions", versions=gone)
        await asyncio.sleep(FORGET_S)


async def watch_overdue(overdue: Callable[[float], Mapping[str, datetime]], *, by_s: float = OVERDUE_S) -> None:
    """Say, until cancelled, which schedules should have fired and did not: an active schedule must not be dead without a word."""
    while True:
        await asyncio.sleep(OVERDUE_S)
        for trigger, due in overdue(by_s).items():
            log.warning("schedule.overdue", trigger=trigger, due=due.isoformat())


async def keep_rescuing(
    store: KeptStore,
    put: Callable[[Sequence[Due]], Awaitable[None]],
    *,
    clock: Callable[[], float] = time.time,
    every_s: float = RESCUE_S,
) -> None:
    """Take over, until cancelled, what a killed process left, and hand it on."""
    while True:
        await asyncio.sleep(every_s)
        try:
            due = await store.rescue(clock())
        except Unavailable:
            continue  # the store says so itself
        if due:
            log.info("run.rescued", runs=[found.run for found in due])
            await put(due)


async def keep_leased(store: KeptStore, *, every_s: float) -> None:
    """Renew this process's leases until cancelled."""
    while True:
        await asyncio.sleep(every_s)
        try:
            await store.renew()
        except Unavailable as error:
            log.warning("lease.not_renewed", reason=str(error))
