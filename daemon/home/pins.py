"""What a flow's version is: its definition, and the versions of the sub-flows that it names. A run takes all of it along."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from flows.document import digest
from flows.flow import Flow


def pinned(flows: Mapping[str, Flow], before: Mapping[str, Flow]) -> dict[str, Flow]:
    """The flows, each with the sub-flows that its steps name, and the digest of all that. `before` are taken where equal.

    The flows end: none is its own sub-flow, and none names one that is not there. One that has its sub-flows keeps them.
    """
    done: dict[str, Flow] = {}
    for start in flows:
        pending = [start]
        while pending:
            key = pending[-1]
            flow = flows[key]
            waiting = [name for name in flow.subflows if name not in done] if not flow.pinned and key not in done else []
            if waiting:
                pending += waiting
                continue
            pending.pop()
            if key not in done:
                done[key] = _same(
                    flow if flow.pinned else pin(flow, {name: done[name] for name in flow.subflows}), before.get(key)
                )
    return {key: done[key] for key in flows}


def pin(flow: Flow, subflows: Mapping[str, Flow]) -> Flow:
    """The flow with these sub-flows, as a version of its own."""
    if not subflows:
        return flow
    return replace(flow, pinned=subflows, digest=digest([flow.digest, {key: one.digest for key, one in subflows.items()}]))


def subflow_digests(flow: Flow) -> dict[str, str]:
    """What is kept beside the definition, so that the version can be put together again."""
    return {key: one.digest for key, one in flow.pinned.items()}


def _same(flow: Flow, before: Flow | None) -> Flow:
    """The object that is in force, where it is the same version in the same place."""
    return before if before is not None and before.digest == flow.digest and before.folder == flow.folder else flow
