"""What the stream tells of an event, a verdict, a run and a step: short, without bodies and outputs, which can be asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from daemon.shapes import instant, run_listed

if TYPE_CHECKING:
    from daemon.store.rows import Candidate, Run
    from flows.attempt import Attempt
    from triggers.event import Event

SAID = 500  # characters of an error or a reason


def event_told(event: Event) -> dict[str, Any]:
    """Of an event that is about to be made durable: `verdicts` and `runs` are put in when it is."""
    chain = event.document.get("chain", {})
    return {
        "event": event.id,
        "source": event.source,
        "address": event.address,
        "time": instant(event.time),
        "subject": event.subject,
        "chain": chain.get("id", event.id),
        "depth": chain.get("depth", 0),
    }


def decided(told: Mapping[str, Any], candidates: Sequence[Candidate], runs: Sequence[Run]) -> list[tuple[str, dict[str, Any]]]:
    """What to tell now that it is durable, in order: the event, its verdicts, its runs. What is not among `runs` was a duplicate."""
    queued = {run.id for run in runs}
    verdicts = [_verdict(told, candidate, queued) for candidate in candidates]
    names = {verdict["trigger"]: verdict["verdict"] for verdict in verdicts}
    event = {**told, "verdicts": names, "runs": [run.id for run in runs]}
    return [
        ("event", event),
        *(("verdict", verdict) for verdict in verdicts),
        *(("run", run_told(run)) for run in runs),
    ]


def _verdict(told: Mapping[str, Any], candidate: Candidate, queued: set[str]) -> dict[str, Any]:
    verdict, run = candidate.verdict, candidate.run
    twice = run is not None and run.id not in queued
    return {
        "event": told["event"],
        "source": told["source"],
        "chain": told["chain"],
        "trigger": verdict.trigger,
        "verdict": "duplicate" if twice else verdict.verdict,
        "reason": None if verdict.reason is None else verdict.reason[:SAID],
        "run": None if run is None or twice else run.id,
        "flow": None if run is None else run.flow,
    }


def run_told(run: Run, status: str | None = None) -> dict[str, Any]:
    """`status`: what it is from now on, where the run does not say it yet."""
    error = None if run.error is None else run.error[:SAID]
    return run_listed(run) | {"status": status or run.status, "error": error, "chain": run.chain}


def step_told(run: Run, attempt: Attempt) -> dict[str, Any]:
    return {
        "run": run.id,
        "flow": run.flow,
        "trigger": run.trigger,
        "chain": run.chain,
        "step": attempt.path,
        "kind": attempt.kind,
        "attempt": attempt.number,
        "status": attempt.status,
        "final": attempt.status != "running" and attempt.final,
        "startedAt": instant(attempt.started_at),
        "durationMs": attempt.duration_ms,
        "error": None if attempt.error is None else attempt.error[:SAID],
        "errorCode": attempt.code,
    }
