"""Not more requests in a second than an API takes, and none while it has said to wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Pace:
    """Of one key's requests. A request counts until a second after its answer: when it arrived there nobody here knows."""

    def __init__(self, requests: int, *, period_s: float = 1.0) -> None:
        self._free = asyncio.Semaphore(requests)
        self._counting = 0  # requests, made or waiting, whose second is not over
        self._period_s = period_s
        self._closed_until = 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Waits until one more request is allowed; the body makes it."""
        self._counting += 1
        try:
            await self._free.acquire()
        except BaseException:
            self._counting -= 1
            raise
        try:
            yield
        finally:
            asyncio.get_running_loop().call_later(self._period_s, self._over)

    def _over(self) -> None:
        self._counting -= 1
        self._free.release()

    def close_for(self, seconds: float) -> None:
        """The API has said so."""
        self._closed_until = max(self._closed_until, asyncio.get_running_loop().time() + seconds)

    @property
    def closed_for_s(self) -> float:
        """Seconds until it may be asked again; 0: now."""
        return max(0.0, self._closed_until - asyncio.get_running_loop().time())

    @property
    def idle(self) -> bool:
        """Nothing counts: a new one would be as good."""
        return not self._counting and not self.closed_for_s
