"""Not more requests in a second than an API takes, and none while it has said to wait."""

from __future__ import annotations

import asyncio
from collections import deque


class Pace:
    """Of one key's requests: who asks for a turn waits until there is one."""

    def __init__(self, requests: int, *, period_s: float = 1.0) -> None:
        self._begun: deque[float] = deque(maxlen=requests)  # when the last of them began, or will
        self._period_s = period_s
        self._closed_until = 0.0

    async def turn(self) -> None:
        """Waits until no more than the allowed requests have begun within the period, this one included."""
        now = asyncio.get_running_loop().time()
        full = len(self._begun) == self._begun.maxlen
        at = max(now, self._begun[0] + self._period_s) if full else now
        self._begun.append(at)
        if at > now:
            await asyncio.sleep(at - now)

    def close_for(self, seconds: float) -> None:
        """The API has said so."""
        self._closed_until = max(self._closed_until, asyncio.get_running_loop().time() + seconds)

    @property
    def closed_for_s(self) -> float:
        """Seconds until it may be asked again; 0: now."""
        return max(0.0, self._closed_until - asyncio.get_running_loop().time())
