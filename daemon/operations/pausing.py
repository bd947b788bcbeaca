"""Runs held back: one, a flow's, or all; and let go again."""

from __future__ import annotations

from typing import Any

from daemon.errors import Conflict
from daemon.operations.flows import Flows
from daemon.operations.given import checked_reason
from daemon.store.rows import LIVE
from daemon.waiting.pauses import ALL, Pauses, flow_key, run_key


class Pausing(Flows):
    """What can be held back. What is under way goes on to the end of its steps; nothing new begins."""

    __slots__ = ()

    async def pause_run(self, run: str, reason: str | None = None) -> dict[str, Any]:
        """Raises NotFound, and Conflict where it has ended."""
        found = await self._run(run)
        if found.status not in LIVE:
            raise Conflict(f"the run {found.id} has ended: it is {found.status}")
        return await self._pause(run_key(found.id), "run", found.id, reason)

    async def resume_run(self, run: str) -> dict[str, Any]:
        found = await self._run(run)
        told = await self._resume(run_key(found.id), "run", found.id)
        still = self._pauses().of(found.id, found.flow)
        if still is not None and not told["changed"]:
            raise Conflict(f"the run {found.id} is not held back by itself", f"camshaft flow resume {found.flow}, or --all")
        return told

    async def pause_flow(self, key: str, reason: str | None = None) -> dict[str, Any]:
        return await self._pause(flow_key(self.flow(key).key), "flow", key, reason)

    async def resume_flow(self, key: str) -> dict[str, Any]:
        """A flow that is not there any more may still be held back."""
        if self._pauses().get(flow_key(key)) is None:
            self.flow(key)
        return await self._resume(flow_key(key), "flow", key)

    async def pause_all(self, reason: str | None = None) -> dict[str, Any]:
        return await self._pause(ALL, "all", ALL, reason)

    async def resume_all(self) -> dict[str, Any]:
        return await self._resume(ALL, "all", ALL)

    def _pauses(self) -> Pauses:
        return self._live().pauses

    async def _pause(self, key: str, what: str, name: str, reason: str | None) -> dict[str, Any]:
        return _shown(what, name, paused=True, changed=await self._pauses().pause(key, checked_reason(reason)))

    async def _resume(self, key: str, what: str, name: str) -> dict[str, Any]:
        return _shown(what, name, paused=False, changed=await self._pauses().resume(key))


def _shown(what: str, name: str, *, paused: bool, changed: bool) -> dict[str, Any]:
    return {"what": what, "name": name, "paused": paused, "changed": changed}
