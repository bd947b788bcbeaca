"""Work that goes on for as long as the daemon does: a defect in it is told, and it begins anew."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger()

AGAIN_S = 5.0  # a defect that comes at once each time is told twelve times a minute


def steadily(part: str, work: Callable[[], Awaitable[None]], *, again_s: float = AGAIN_S) -> asyncio.Task[None]:
    """A task that does it until it is cancelled. Without this an error that nobody thought of ends the part without a word."""
    return asyncio.create_task(_for_ever(part, work, again_s), name=part)


async def _for_ever(part: str, work: Callable[[], Awaitable[None]], again_s: float) -> None:
    while True:
        try:
            await work()
        except Exception:
            log.exception("service.part_failed", part=part)
        await asyncio.sleep(again_s)
