"""Flows: list, show and execute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daemon import shapes
from daemon.errors import Conflict, NotFound
from daemon.operations.changes import Changes
from daemon.operations.given import Started
from daemon.operations.runs import Runs
from flows.flow import Flow
from flows.suggest import did_you_mean
from triggers.event import Cause

REMEMBERED_S = 86_400.0  # an Idempotency-Key: callers that retry for longer than a day are none


class Flows(Changes, Runs):
    """What can be asked of flows."""

    __slots__ = ()

    def list_flows(self) -> list[dict[str, Any]]:
        flows = self.definitions.current.flows
        return [{**shapes.flow_listed(flows[key], self._starts(key)), "paused": self._paused(key)} for key in sorted(flows)]

    def _paused(self, key: str) -> bool:
        """Its runs are held back, by themselves or with all others."""
        return self.live is not None and self.live.pauses.of("", key) is not None

    def show_flow(self, key: str) -> dict[str, Any]:
        return shapes.flow_shown(self.flow(key), self._starts(key))

    def flow(self, key: str) -> Flow:
        """Raises NotFound."""
        flows = self.definitions.current.flows
        if key not in flows:
            raise NotFound(f"there is no flow «{key}»", did_you_mean(key, flows) or "camshaft flow list")
        return flows[key]

    async def execute_flow(
        self, key: str, inputs: Mapping[str, Any], *, wait_s: float = 0, finish_within: float | None = None
    ) -> dict[str, Any]:
        """Queue a run and, up to `wait_s`, wait for its end. Answers the run as `run show` does."""
        live = self._live()
        if key not in self.definitions.current.flows:
            await self._look_again()
        run = await live.start(self.flow(key), inputs, finish_within=finish_within)
        return await self.show_run(run, wait_s=wait_s)

    async def trigger_workflow(self, key: str, inputs: Mapping[str, Any], *, once: str | None) -> str:
        """Queue a run; its id, when it is on disk. `once`: the caller's name for this request, under which a second one starts
        nothing and is given the first one's run. Raises Conflict where it came with other inputs then.
        """
        live = self._live()
        if key not in self.definitions.current.flows:
            await self._look_again()
        flow = self.flow(key)
        if once is None:
            return await live.start(flow, inputs)
        started = await live.start_once(flow, inputs, Cause(f"workflow:{key}", once, REMEMBERED_S))
        if started.duplicate:
            await self._compare(started, once)
        return started.run

    async def _compare(self, started: Started, once: str) -> None:
        """Of another version of the flow the inputs may differ by its defaults: that is no other request."""
        earlier = None if self.store is None else await self.store.run(started.run)
        if earlier is not None and earlier.flow_digest == started.asked.flow_digest and earlier.inputs != started.asked.inputs:
            said = f"the Idempotency-Key «{once}» came with other inputs before, and started {started.run}"
            raise Conflict(said, "give each request a key of its own")

    def _starts(self, flow: str) -> list[str]:
        return sorted(trigger.key for trigger in self.definitions.current.triggers if trigger.flow == flow)
