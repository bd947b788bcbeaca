"""A run in the workflow specification's words: its `ExecutionMetrics`, beside our own `_metrics`. Pure.

Instants are milliseconds since the epoch and durations milliseconds, as it has them. What is not known is None, and never 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from daemon import metrics

if TYPE_CHECKING:
    from daemon.store.rows import Run
    from flows.attempt import Attempt

NODE_STATUS = {"success": "completed", "timeout": "failed"}  # its words for two of ours; the others are the same


def shown(run: Run) -> dict[str, Any]:
    """`status` is one of its three words once the run has ended; before that one of ours: queued, running, waiting, paused."""
    ours = metrics.result(run)
    counted = ours["_metrics"]
    return {
        "workflowId": run.flow,
        "executionId": run.id,
        "startTime": _milliseconds(run.started_at),
        "endTime": _milliseconds(run.finished_at),
        "totalDuration": counted["totalDurationMs"],
        "nodeExecutions": _nodes(run, counted["steps"]),
        "totalTokens": _total(counted["inputTokens"], counted["outputTokens"]),
        "inputTokens": counted["inputTokens"],
        "outputTokens": counted["outputTokens"],
        "totalCost": counted["totalEstimatedCostUsd"],
        "status": run.status,
        "successRate": counted["successRate"],
        "parallelizationRatio": counted["parallelizationRatio"],
        "cacheHitRate": counted["cacheHitRate"],
        "output": run.output,
        "error": run.error,
        "errorCode": run.code,
        "_metrics": counted,
    }


def _nodes(run: Run, counted: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One entry for each node that was come to, in the order of their beginnings; what is inside another stands under its path."""
    return [_node(path, tries, counted[path]) for path, tries in metrics.by_step(run.attempts).items()]


def _node(path: str, tries: Sequence[Attempt], counted: Mapping[str, Any]) -> dict[str, Any]:
    first, last = tries[0], tries[-1]
    began = None if last.status == "skipped" else first.started_at
    ended = None if began is None or last.duration_ms is None else last.started_at + last.duration_ms / 1000
    tokens = {name: counted.get(name) for name in ("inputTokens", "outputTokens")}
    return {
        "nodeId": path,
        "type": last.kind,
        "status": NODE_STATUS.get(last.status, last.status),
        "startTime": _milliseconds(began),
        "endTime": _milliseconds(ended),
        "duration": counted["durationMs"],
        "attempts": counted["attempts"],
        "totalTokens": _total(*tokens.values()),
        **tokens,
        "output": last.output,
        "error": last.error,
        "errorCode": last.code,
    }


def _total(*parts: int | None) -> int | None:
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
