"""Runs are told to stop: one, or all of a flow, of a trigger, of the home."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daemon.errors import BadRequest
from daemon.operations.given import MAX_LISTED, checked_reason
from daemon.operations.runs import Runs
from daemon.shapes import instant
from daemon.store.rows import LIVE

if TYPE_CHECKING:
    from daemon.store.rows import Run


class Stopping(Runs):
    """What can be asked of runs that go on."""

    __slots__ = ()

    async def cancel_run(self, run: str, *, reason: str | None = None) -> dict[str, Any]:
        """Have a run stop. `cancelled` False: it had ended; `already`: it was to stop before, and for that reason."""
        found = await self._run(run)
        new = await self._live().cancel([found.id], checked_reason(reason))
        after = await self._run(found.id)
        stops = bool(new) or (after.status in LIVE and after.cancel_asked is not None)
        return _told(after) | {"cancelled": stops, "already": stops and not new}

    async def cancel_runs(
        self, *, flow: str | None = None, trigger: str | None = None, all_: bool = False, reason: str | None = None
    ) -> dict[str, Any]:
        """Have all runs stop that have not ended and fit. Raises BadRequest where nothing narrows them and not all are meant."""
        live = self._live()
        if (flow is None and trigger is None) != all_:
            raise BadRequest(
                "say which runs are to stop: those of a flow or a trigger, or all, and not both", "--flow, --trigger, --all"
            )
        found = await self._going(flow, trigger)
        new = await live.cancel(found, checked_reason(reason))
        return {"found": len(found), "cancelled": len(new), "runs": new[:MAX_LISTED]}

    async def _going(self, flow: str | None, trigger: str | None) -> list[str]:
        """The ids of those that have not ended, the newest first. What is queued while we look is not among them."""
        found: list[str] = []
        before = None
        while self.store is not None:
            page = await self.store.runs(status=sorted(LIVE), flow=flow, trigger=trigger, limit=MAX_LISTED, before=before)
            found += [run.id for run in page]
            before = page.next
            if before is None:
                break
        return found


def _told(run: Run) -> dict[str, Any]:
    return {"run": run.id, "status": run.status, "askedAt": instant(run.cancel_asked), "reason": run.cancel_reason}
