"""Rows and definitions as the JSON that commands print and the admin API answers: one form for both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from daemon import metrics
from flows import summary
from flows.errors import Problem, dotted
from flows.instant import write_instant

if TYPE_CHECKING:
    from daemon.store.rows import EventRow, Run, VerdictRow
    from flows.flow import Flow

# What a verdict means where its row gives no reason of its own.
MEANINGS = {
    "dispatched": "a run was queued",
    "no_trigger": "nothing listens at this address",
    "auth_failed": "the request's signature or token did not verify",
    "disabled": "the trigger is switched off in its definition",
    "suspended": "the trigger is suspended",
    "filter_false": "the filter's answer was false",
    "filter_error": "the filter could not be evaluated",
    "mapping_error": "an input could not be mapped",
    "input_invalid": "the flow refuses the inputs",
    "duplicate": "this cause has had its run",
    "overlap_skipped": "the run of an earlier slot was still going",
    "missed": "the daemon was not running at this time",
    "catchup_skipped": "it was missed, and the catch-up policy leaves it out",
    "unchanged": "the file was touched, its content is the same",
    "loop_refused": "its chain is too deep, or has started too many runs",
}


def instant(seconds: float | None) -> str | None:
    """Seconds since the epoch as `2026-11-23T09:00:00.125Z`."""
    return None if seconds is None else write_instant(seconds)


def problem_shown(problem: Problem) -> dict[str, Any]:
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "path": dotted(problem.path),
        "problem": problem.problem,
        "hint": problem.hint,
    }


def run_listed(run: Run) -> dict[str, Any]:
    return {
        "run": run.id,
        "flow": run.flow,
        "status": run.status,
        "trigger": run.trigger,
        "event": run.event,
        "chain": run.chain,
        "depth": run.depth,
        "retryOf": run.retry_of,
        "createdAt": instant(run.created_at),
        "startedAt": instant(run.started_at),
        "finishedAt": instant(run.finished_at),
        "error": run.error,
    }


def run_shown(run: Run) -> dict[str, Any]:
    """The result of `flow execute`, and where the run came from."""
    came = run_listed(run)
    return {
        name: came[name]
        for name in ("event", "trigger", "flow", "chain", "depth", "retryOf", "createdAt", "startedAt", "finishedAt")
    } | {
        "flowDigest": run.flow_digest,
        "errorCode": run.code,
        "notBefore": instant(run.not_before),
        "startBy": instant(run.start_by),
        "finishBy": instant(run.finish_by),
        "cancelAskedAt": instant(run.cancel_asked),
        "cancelReason": run.cancel_reason,
        **metrics.result(run),
        "_stepTimings": metrics.step_timings(run),
    }


def event_listed(event: EventRow) -> dict[str, Any]:
    return {
        "event": event.id,
        "source": event.source,
        "address": event.address,
        "time": instant(event.time),
        "subject": event.subject,
        "chain": event.chain,
        "depth": event.depth,
    }


def event_shown(event: EventRow) -> dict[str, Any]:
    """The event as filters saw it, and what became of it for each candidate."""
    return {
        **event_listed(event),
        "document": event.document,
        "verdicts": [
            {"trigger": row.trigger, "verdict": row.verdict, "reason": row.reason, "run": row.run, "detail": row.detail}
            for row in event.verdicts
        ],
    }


def event_explained(event: EventRow) -> dict[str, Any]:
    """One sentence for each candidate: why it fired, or why it did not."""
    lines = [
        {"trigger": row.trigger, "verdict": row.verdict, "explanation": sentence(row), "run": row.run, "detail": row.detail}
        for row in event.verdicts
    ]
    return {**event_listed(event), "explanations": lines}


def sentence(row: VerdictRow) -> str:
    said = row.reason or MEANINGS.get(row.verdict) or row.verdict.replace("_", " ")
    return f"{said}: {row.run}" if row.run and row.run not in said else said


def flow_listed(flow: Flow, triggers: Sequence[str]) -> dict[str, Any]:
    return {
        "key": flow.key,
        "name": flow.name,
        "dialect": flow.dialect,
        "inputs": list(flow.inputs.declared),
        "triggers": list(triggers),
    }


def flow_shown(flow: Flow, triggers: Sequence[str]) -> dict[str, Any]:
    return flow_listed(flow, triggers) | {
        "description": flow.description,
        "declared": summary.declared_inputs(flow),
        "stepTypes": summary.step_types(flow),
        "engines": summary.engines(flow),
        "needs": summary.needs(flow),
        "digest": flow.digest,
        "folder": str(flow.folder),
        "subflows": list(flow.subflows),
        "warnings": [str(warning) for warning in flow.warnings],
        "definition": flow.definition,
    }
