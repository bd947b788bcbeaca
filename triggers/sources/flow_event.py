"""The end of a run as an Event, with the document that filters and mappings read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from triggers.by_hand import ByHand, head
from triggers.event import Event, document_head
from triggers.ids import new_id
from triggers.sources.flow_spec import FlowTriggerSpec

MAX_ERROR_CHARACTERS = 4096  # an error may quote a command's whole output
MAX_OMITTED = 100  # names of fields that were left out


@dataclass(frozen=True, slots=True)
class EndedRun:
    """What an event tells of a run that has ended. Instants are seconds since the epoch."""

    run: str  # run_…
    flow: str  # the flow's key
    status: str  # completed | failed | cancelled
    chain: str  # the chain it belongs to
    depth: int  # how many runs of the chain came before it
    trigger: str | None  # None: started by hand
    event: str | None
    inputs: Any
    outputs: Any  # what the flow gave; None where it did not come to its end
    error: str | None
    code: str | None
    failed_step: str | None  # the path of the step that failed
    started_at: float | None
    finished_at: float


def address(flow: str, status: str) -> str:
    """What triggers that follow such a run are found by."""
    return f"{flow}:{status}"


def run_event(ended: EndedRun, *, max_value_bytes: int) -> Event:
    """The event one deeper in the run's chain."""
    event_id, at = new_id("evt"), instant(ended.finished_at)
    head = document_head(event_id=event_id, type_=f"flow.{ended.status}", source=f"flow:{ended.flow}", time=at, subject=ended.run)
    document = {
        **head,
        "trigger": {"type": "flow", "firedAt": at},  # match.py adds the key for a trigger that asks for it
        "chain": {"id": ended.chain, "depth": ended.depth + 1},
        "flow": flow_document(ended, max_value_bytes=max_value_bytes),
    }
    return Event(event_id, "flow", address(ended.flow, ended.status), ended.finished_at, document, subject=ended.run)


def flow_document(ended: EndedRun, *, max_value_bytes: int) -> dict[str, Any]:
    """`$.flow`. What is left out of it for its size is named in `omitted`, and is in the run all the same."""
    omitted: list[str] = []
    error = ended.error
    if error is not None and len(error) > MAX_ERROR_CHARACTERS:
        error = error[:MAX_ERROR_CHARACTERS]
        omitted.append("error")
    took = None if ended.started_at is None else max(0, round((ended.finished_at - ended.started_at) * 1000))
    return {
        "key": ended.flow,
        "status": ended.status,
        "run": ended.run,
        "trigger": ended.trigger,
        "event": ended.event,
        "inputs": _fitting(ended.inputs, "inputs", max_value_bytes, omitted),
        "outputs": _fitting(ended.outputs, "outputs", max_value_bytes, omitted),
        "error": error,
        "errorCode": ended.code,
        "failedStep": ended.failed_step,
        "startedAt": None if ended.started_at is None else instant(ended.started_at),
        "finishedAt": instant(ended.finished_at),
        "durationMs": took,
        "omitted": omitted[:MAX_OMITTED],
    }


def end_by_hand(spec: FlowTriggerSpec, given: Mapping[str, Any], now: datetime) -> ByHand:
    """A run that need not be there: of the first flow, with the first end that the trigger follows; with an error it failed."""
    flow = given.get("flow", {})
    failed = any(flow.get(name) for name in ("error", "errorCode", "failedStep"))
    key, status = str(flow.get("key") or spec.flow[0]), str(flow.get("status") or ("failed" if failed else spec.on[0]))
    document = head(f"flow.{status}", f"flow:{key}", "flow", now)
    ended = EndedRun(
        run="", flow=key, status=status, chain="", depth=0, trigger=None, event=None, inputs={}, outputs=None,
        error=None, code=None, failed_step=None, started_at=None, finished_at=now.timestamp(),
    )  # fmt: skip
    document["flow"] = {**flow_document(ended, max_value_bytes=2**20), "run": None}
    if key in spec.flow and status in spec.on:
        return ByHand(document)
    return ByHand(
        document, f"it follows runs of {', '.join(spec.flow)} that are {' or '.join(spec.on)}; this is «{key}», {status}"
    )


def instant(seconds: float) -> str:
    """`2026-11-23T09:00:00.125Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _fitting(value: Any, name: str, max_bytes: int, omitted: list[str]) -> Any:
    """The value; where it is too large, of an object the smallest fields that fit together, of anything else null."""
    if _size_bytes(value) <= max_bytes:
        return value
    if not isinstance(value, dict):
        omitted.append(name)
        return None
    sizes = {key: _size_bytes(key) + _size_bytes(inner) + 2 for key, inner in value.items()}
    kept: set[str] = set()
    left: float = max_bytes - 2  # braces; above, a colon and a comma each
    for key in sorted(sizes, key=sizes.__getitem__):
        left -= sizes[key]
        if left < 0:
            break
        kept.add(key)
    omitted += [f"{name}.{key:.200}" for key in value if key not in kept]
    return {key: inner for key, inner in value.items() if key in kept}


def _size_bytes(value: Any) -> float:
    """Of its JSON; infinite for what no parser would read back."""
    try:
        return len(orjson.dumps(value))
    except TypeError:  # orjson's JSONEncodeError: a lone surrogate, an integer over 64 bits, or too deep
        try:
            return len(json.dumps(value))
        except (RecursionError, ValueError, TypeError):
            return float("inf")
