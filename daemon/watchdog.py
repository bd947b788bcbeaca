"""Says that the process is alive, as long as each of its parts is: a loop that turns and answers nothing is no service.

Whatever waits for a disk or a database that is away is alive: it asks again, and hears that it is away. What gives no answer at
all within the limit is stuck, and no more is said for it; a service manager that was promised to hear starts it anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

log = structlog.get_logger()

PATIENCE_S = 30.0  # without a service manager: how long a part may owe an answer before the log says so
LOOKS = 4  # in one limit: what is stuck is seen a quarter later at most

Owes = Callable[[], float]
"""For how many seconds a part has owed us an answer; 0: it owes none."""


class Asked:
    """A question that is put again whenever it has been answered: how long the last one has been open."""

    def __init__(self, question: Callable[[], Awaitable[object]]) -> None:
        self._question = question
        self._open: asyncio.Future[object] | None = None
        self._since = 0.0

    def __call__(self) -> float:
        now = asyncio.get_running_loop().time()
        if self._open is not None and not self._open.done():
            return now - self._since
        if self._open is not None and not self._open.cancelled():
            self._open.exception()  # a refusal is an answer too
        self._open, self._since = asyncio.ensure_future(self._question()), now
        return 0.0

    def close(self) -> None:
        if self._open is not None:
            self._open.cancel()


class Progress:
    """Something that counts what it does: for how long it has had work and has not counted on."""

    def __init__(self, count: Callable[[], int | None]) -> None:
        """`count`: what has been done so far; None: there is nothing to do."""
        self._count = count
        self._last: int | None = None
        self._since = 0.0

    def __call__(self) -> float:
        now = asyncio.get_running_loop().time()
        count = self._count()
        if count is None or count != self._last:
            self._last, self._since = count, now
        return now - self._since


async def keep_watch(parts: Mapping[str, Owes], alive: Callable[[], None], *, limit_s: float | None = None) -> None:
    """Call `alive` several times in each limit until cancelled, but not while a part owes an answer for half of it.

    Half: so that the other half is left for the manager to hear of it in time.
    """
    limit_s = PATIENCE_S if limit_s is None else limit_s
    stuck: set[str] = set()
    loop = asyncio.get_running_loop()
    looked_at = loop.time()
    while True:
        if (turned_s := loop.time() - looked_at) > limit_s / 2:
            log.error("service.loop_blocked", for_s=round(turned_s, 3))
        stood_s = max(0.0, turned_s - limit_s / LOOKS)  # the process or its loop stood still, and no part could answer
        looked_at = loop.time()
        owed = {part: max(0.0, owes() - stood_s) for part, owes in parts.items()}
        for part, owed_s in owed.items():
            if owed_s < limit_s / 2:
                if part in stuck:
                    log.info("service.unstuck", part=part)
                stuck.discard(part)
            elif part not in stuck:
                log.error("service.stuck", part=part, owed_s=round(owed_s, 3))
                stuck.add(part)
        if not stuck:
            alive()
        await asyncio.sleep(limit_s / LOOKS)
