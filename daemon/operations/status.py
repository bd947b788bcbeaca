"""How the home and its daemon are."""

from __future__ import annotations

from typing import Any

from daemon.operations.given import Given
from daemon.shapes import instant


class Status(Given):
    """What can be asked of the whole."""

    __slots__ = ()

    async def status(self) -> dict[str, Any]:
        current, found = self.definitions.current, self.seen.found
        runs, oldest = await self.store.unfinished() if self.store is not None else ({}, None)
        return {
            "home": str(self.home),
            "triggers": len(current.triggers),
            "flows": len(current.flows),
            "problems": [str(problem) for problem in (found or current).problems],
            "upToDate": found is None or not found.refused or self.keep_going,
            "runs": runs,
            "oldestQueuedAt": instant(oldest),
            **(self.live.status() if self.live is not None else {}),
        }
