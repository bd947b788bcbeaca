"""Flows: list, show and execute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daemon import shapes
from daemon.errors import NotFound
from daemon.operations.changes import Changes
from daemon.operations.runs import Runs
from flows.flow import Flow
from flows.suggest import did_you_mean


class Flows(Changes, Runs):
    """What can be asked of flows."""

    __slots__ = ()

    def list_flows(self) -> list[dict[str, Any]]:
        flows = self.definitions.current.flows
        return [shapes.flow_listed(flows[key], self._starts(key)) for key in sorted(flows)]

    def show_flow(self, key: str) -> dict[str, Any]:
        return shapes.flow_shown(self.flow(key), self._starts(key))

    def flow(self, key: str) -> Flow:
        """Raises NotFound."""
        flows = self.definitions.current.flows
        if key not in flows:
            raise NotFound(f"there is no flow «{key}»", did_you_mean(key, flows))
        return flows[key]

    async def execute_flow(self, key: str, inputs: Mapping[str, Any], *, wait_s: float = 0) -> dict[str, Any]:
        """Queue a run and, up to `wait_s`, wait for its end. Answers the run as `run show` does."""
        live = self._live()
        if key not in self.definitions.current.flows:
            await self._look_again()
        run = await live.start(self.flow(key), inputs)
        return await self.show_run(run, wait_s=wait_s)

    def _starts(self, flow: str) -> list[str]:
        return sorted(trigger.key for trigger in self.definitions.current.triggers if trigger.flow == flow)
