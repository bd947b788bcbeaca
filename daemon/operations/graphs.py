"""Graphs: a flow drawn, and what became of its steps in a run."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.errors import NotFound
from daemon.operations.flows import Flows
from flows.dialects import load_flow
from flows.errors import DefinitionError
from flows.flow import Flow

if TYPE_CHECKING:
    from daemon.store.rows import Run

FORMATS = ("text", "svg", "mermaid")  # as flows.drawing has them, which is loaded when somebody asks


class Graphs(Flows):
    """What can be drawn."""

    __slots__ = ()

    async def draw_flow(self, key: str, form: str, *, run: str | None = None) -> dict[str, Any]:
        """The flow in one of FORMATS; with a run the version that it pins, and the states of its steps. Raises NotFound, Ambiguous."""
        if run is None:
            return _drawn(key, None, form, await asyncio.to_thread(_draw, self.flow(key), form, None))
        found = await self._run(run)
        if found.flow != key:
            raise NotFound(f"there is no run «{run}» of «{key}»", f"{found.id} is one of «{found.flow}»")
        flow = await self._version(found.flow, found.flow_digest)
        return _drawn(key, found.id, form, await asyncio.to_thread(_draw, flow, form, found))

    async def _version(self, key: str, digest: str) -> Flow:
        """The flow as it was then, with its sub-flows as they were. Raises NotFound where it is lost, or does not load any more."""
        current = self.definitions.current.flows.get(key)
        if current is not None and current.digest == digest:
            return current
        kept = await self.store.definition(digest) if self.store is not None else None
        if kept is None:
            raise NotFound(f"version {digest[:12]} of flow «{key}» is not kept any more", "draw the flow without --run")
        try:
            flow = await asyncio.to_thread(load_flow, kept.definition, key=kept.key, folder=Path(kept.folder), kinds=self.kinds)
        except DefinitionError as error:
            said = f"version {digest[:12]} of flow «{key}» does not load any more: {error.problems[0]}"
            raise NotFound(said, "draw the flow without --run") from error
        return replace(flow, pinned={name: await self._version(name, inner) for name, inner in (kept.subflows or {}).items()})


def _draw(flow: Flow, form: str, run: Run | None) -> str:
    drawing = import_module("flows.drawing")  # in this thread: only who asks waits for it
    if run is None:
        return str(drawing.draw(flow, form))
    return str(drawing.draw_run(flow, form, run.attempts, run.status, f"{run.id} {run.status}"))


def _drawn(key: str, run: str | None, form: str, text: str) -> dict[str, Any]:
    return {"flow": key, "run": run, "format": form, "text": text}
