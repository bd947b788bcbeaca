"""Runs: list and show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daemon import executions, shapes
from daemon.errors import NotFound
from daemon.operations.given import Given, Listed, limited
from daemon.store.rows import LIVE
from daemon.story import story

if TYPE_CHECKING:
    from daemon.store.rows import Run


class Runs(Given):
    """What can be asked of runs."""

    __slots__ = ()

    async def list_runs(self, **which: Any) -> Listed:
        """The newest first. `flow`, `status` (several), `trigger`, `event`, `chain`, `since`, `until` (seconds since the epoch) and `before`
        narrow it; `limit` is at most MAX_LISTED.
        """
        asked = await self._whole(limited(which, "run_"))
        if self.store is None:
            return Listed([])
        statuses = frozenset(asked.get("status", ()))
        if statuses & LIVE:  # a short run is written as queued and then as ended: that it runs, or rests, is known here first
            asked["status"] = tuple(statuses | LIVE)
        page = await self.store.runs(**asked)
        known = [self._so_far(run) for run in page]
        return Listed([shapes.run_listed(run) for run in known if not statuses or run.status in statuses], page.next)

    async def show_run(self, run: str, *, wait_s: float = 0) -> dict[str, Any]:
        """A run by its id or a unique beginning of it. With `wait_s` its end is waited for. Raises NotFound, Ambiguous."""
        found = await self._run(run)
        if wait_s > 0 and self.live is not None and await self.live.ended(found.id, wait_s):
            found = await self._run(found.id)
        return shapes.run_shown(found) | {"retries": await self._retries(found.id)}

    async def show_execution(self, workflow: str, execution: str) -> dict[str, Any]:
        """A run of this flow in the workflow specification's words. Raises NotFound, also where it is a run of another flow."""
        found = await self._run(execution)
        if found.flow != workflow:
            raise NotFound(f"there is no execution «{execution}» of «{workflow}»", f"{found.id} is one of «{found.flow}»")
        return executions.shown(found)

    async def run_story(self, run: str) -> dict[str, Any]:
        """What happened in a run so far, as lines. Raises as show_run()."""
        found = await self._run(run)
        return {"run": found.id, "status": found.status, "lines": story(found)}

    async def _retries(self, run: str) -> list[str]:
        """The runs that did it again, the newest first."""
        return [] if self.store is None else [again.id for again in await self.store.runs(retry_of=run)]

    async def _run(self, run: str) -> Run:
        found = await self.store.run(run) if self.store is not None and run else None
        if found is None:
            raise NotFound(f"there is no run «{run}»", "camshaft run list")
        return self._so_far(found)

    def _so_far(self, run: Run) -> Run:
        return run if self.live is None else self.live.so_far(run)
