"""Which version of a flow a run is executed with: the one in force where it pins that, else the one that was kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeVar

import structlog

from daemon.store.errors import StoreError
from daemon.store.rows import Run, Version
from flows.dialects import load_flow
from flows.errors import DefinitionError
from flows.executor import World
from flows.flow import Flow
from flows.graph import Graph
from flows.retry import ONCE

log = structlog.get_logger()

Read = TypeVar("Read")

READ_AGAIN_S = 1.0
KEPT_VERSIONS = 256  # flows of earlier versions, loaded for runs that pin them


class VersionStore(Protocol):
    """What is needed of the store."""

    async def definition(self, digest: str) -> Version | None: ...


class FlowVersions:
    """Composed once, for the worker."""

    def __init__(self, store: VersionStore, flows: Callable[[], Mapping[str, Flow]], world: World) -> None:
        """`flows`: those in force, asked each time."""
        self._store = store
        self._flows = flows
        self._kinds, self._plain_kinds = world.kinds, world.plain
        self._plain: dict[str, bool] = {}  # digest → nothing in it suspends
        self._versions: dict[str, Flow] = {}

    def current(self, run: Run) -> Flow | None:
        """The version in force, where the run pins that."""
        flow = self._flows().get(run.flow)
        return flow if flow is not None and flow.digest == run.flow_digest else None

    def at_hand(self, run: Run) -> Flow | None:
        """The version that a run was executed with a moment ago."""
        return self.current(run) or self._versions.get(run.flow_digest)

    def is_plain(self, flow: Flow) -> bool:
        """Nothing in the flow can suspend, but to give others their turn: it needs no task."""
        plain = self._plain.get(flow.digest)
        if plain is None:
            if len(self._plain) >= KEPT_VERSIONS:
                self._plain.clear()
            plain = self._plain[flow.digest] = is_plain(flow.graph, self._plain_kinds)
        return plain

    async def of(self, run: Run) -> Flow | str:
        """The version that the run pins; or the sentence why it cannot be had."""
        if (known := self._versions.get(run.flow_digest)) is not None:
            return known
        try:
            return await self._version(run.flow, run.flow_digest)
        except DefinitionError as error:
            return error.problems[0].problem

    async def _version(self, key: str, digest: str) -> Flow:
        """One version with the sub-flows it was loaded with. Raises DefinitionError with one sentence."""
        current = self._flows().get(key)
        if current is not None and current.digest == digest:
            return current
        if digest in self._versions:
            return self._versions[digest]
        kept = await read_patiently(lambda: self._store.definition(digest))
        if kept is None:
            raise DefinitionError.at((), f"version {digest[:12]} of flow «{key}» is not in the store")
        try:
            flow = load_flow(kept.definition, key=kept.key, folder=Path(kept.folder), kinds=self._kinds)
        except DefinitionError as error:
            raise DefinitionError.at((), f"version {digest[:12]} of flow «{key}» does not load any more: {error}") from error
        subflows = {name: await self._version(name, inner) for name, inner in (kept.subflows or {}).items()}
        if len(self._versions) >= KEPT_VERSIONS:
            self._versions.pop(next(iter(self._versions)))
        self._versions[digest] = replace(flow, digest=digest, pinned=subflows)
        return self._versions[digest]


async def read_patiently(read: Callable[[], Awaitable[Read]]) -> Read:
    """A database that cannot be read now (locked, out of descriptors) is asked again: the run is due all the same."""
    while True:
        try:
            return await read()
        except StoreError as error:
            log.warning("run.postponed", reason=str(error))
            await asyncio.sleep(READ_AGAIN_S)


def is_plain(graph: Graph, plain: frozenset[str]) -> bool:
    """Whether a run of this graph is a call: only plain kinds of steps, no waits between tries, and nothing that follows."""
    limited = graph.timeout_s is not None or graph.handlers is not None
    return not limited and all(step.kind in plain and step.retry == ONCE for step in graph.steps)
