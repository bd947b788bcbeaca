"""The versions of flows and triggers that runs pin: kept before they are in force."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Protocol

from daemon.home.definitions import Definitions
from daemon.home.pins import subflow_digests
from daemon.store.rows import Versioned
from flows.flow import Flow


class VersionStore(Protocol):
    """What this needs of the store."""

    async def save_definitions(
        self, noun: str, items: Iterable[tuple[Versioned, Path | None]], subflows: Mapping[str, Mapping[str, str]] = ...
    ) -> None: ...


async def keep_versions(store: VersionStore, definitions: Definitions, before: Definitions | None = None) -> None:
    """On return no run can pin a version of this set that is not on disk. What was in force `before` is there already."""
    flows = [flow for key, flow in definitions.flows.items() if before is None or before.flows.get(key) is not flow]
    triggers = [one for one in definitions.triggers if before is None or before.trigger(one.key) is not one]
    await keep_flows(store, flows)
    await store.save_definitions("trigger", [(trigger, None) for trigger in triggers])


async def keep_flows(store: VersionStore, flows: Collection[Flow]) -> None:
    pins = {flow.digest: subflow_digests(flow) for flow in flows if flow.pinned}
    await store.save_definitions("flow", [(flow, flow.folder) for flow in flows], pins)


def digests_of(definitions: Definitions) -> frozenset[str]:
    """The versions that a run may pin from now on, sub-flows included: each is itself a flow of the set."""
    return frozenset((*(flow.digest for flow in definitions.flows.values()), *(one.digest for one in definitions.triggers)))
