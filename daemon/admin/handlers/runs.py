"""Runs: listed, shown, cancelled."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from daemon.admin.handlers.flows import MAX_WAIT_S
from daemon.admin.parameter import PAGE, SCANNED, Moment, Parameter, Seconds, Several, Word
from daemon.admin.route import NEXT, Answer, Asked, Body, Reply, Route, paged
from daemon.admin.schema import (
    ANYTHING,
    CHAIN,
    DEPTH,
    FLAG,
    INSTANT,
    NUMBER,
    OBJECT,
    TEXT,
    WHOLE,
    by_name,
    listed,
    maybe,
    record,
    ref,
    said,
    words,
)
from daemon.operations.given import MAX_REASON
from daemon.operations.retrying import MAX_RETRIED, Wanted
from daemon.store.rows import RunStatus
from flows.attempt import AttemptStatus

STATUSES = get_args(RunStatus)
CAME_FROM = {
    "flow": said(TEXT, "the flow's key"),
    "trigger": said(maybe(TEXT), "the trigger that started it; null: by hand"),
    "event": said(maybe(TEXT), "the event that started it; null: by hand"),
    "chain": CHAIN,
    "depth": DEPTH,
    "retryOf": said(maybe(TEXT), "the run that this one does again"),
    "createdAt": INSTANT,
    "startedAt": maybe(INSTANT),
    "finishedAt": maybe(INSTANT),
    "error": maybe(TEXT),
}
SCHEMAS = {
    "RunListed": record("A run, in short.", {"run": TEXT, "status": words(STATUSES), **CAME_FROM}),
    "Run": record(
        "A run, its steps and what it used.",
        {
            "run": TEXT,
            "status": words(STATUSES),
            **CAME_FROM,
            "errorCode": maybe(TEXT),
            "notBefore": said(maybe(INSTANT), "queued, and due then"),
            "startBy": said(maybe(INSTANT), "still queued then, it ends with EXPIRED"),
            "finishBy": said(maybe(INSTANT), "still going on then, it ends with RUN_TIMEOUT; null: not begun, or no limit"),
            "cancelAskedAt": said(maybe(INSTANT), "when somebody wanted it to stop"),
            "cancelReason": maybe(TEXT),
            "flowDigest": said(TEXT, "the version of the flow that it pins"),
            "steps": by_name(ref("Step"), "by their paths: each[0].fetch"),
            "inputs": OBJECT,
            "output": ANYTHING,
            "_metrics": ref("Metrics"),
            "_stepTimings": by_name(maybe(WHOLE), "each step's milliseconds; null: it has not ended"),
        },
        optional={
            "waits": listed(ref("Wait"), "what its steps wait for now"),
            "retries": listed(TEXT, "the runs that did it again, the newest first"),
            "paused": said(maybe(TEXT), "since when it is held back, and why; null: it is not"),
        },
    ),
    "Step": record(
        "A step, after its last try so far.",
        {
            "status": words(get_args(AttemptStatus)),
            "output": ANYTHING,
            "error": maybe(TEXT),
            "errorCode": maybe(TEXT),
            "durationMs": said(maybe(WHOLE), "of all tries, without the waits between them"),
            "attempts": said(WHOLE, "how many tries; 0: it was skipped"),
        },
        optional={"copied": said(FLAG, "true: taken over from the run that this one does again, and not done here")},
    ),
    "Metrics": record(
        "What the run used; null is what is not known.",
        {
            "totalDurationMs": maybe(WHOLE),
            "totalEstimatedCost": maybe(TEXT),
            "totalEstimatedCostUsd": maybe(NUMBER),
            "costStatus": words(("none", "unknown", "partial", "exact")),
            "wastedCostUsd": maybe(NUMBER),
            "parallelizationRatio": maybe(NUMBER),
            "cacheHitRate": maybe(NUMBER),
            "successRate": maybe(NUMBER),
            "inputTokens": maybe(WHOLE),
            "outputTokens": maybe(WHOLE),
            "steps": by_name(ref("StepMetrics")),
        },
    ),
    "StepMetrics": record(
        "What one step used; tokens and money only where it is metered.",
        {"durationMs": maybe(WHOLE), "attempts": WHOLE},
        optional={
            "costLabel": TEXT,
            "inputTokens": maybe(WHOLE),
            "outputTokens": maybe(WHOLE),
            "estimatedCost": maybe(TEXT),
            "calls": maybe(WHOLE),
            "models": listed(TEXT),
            "source": said(maybe(TEXT), "who counted"),
        },
    ),
    "RunStory": record(
        "What happened in a run so far.",
        {"run": TEXT, "status": words(STATUSES), "lines": listed(ref("StoryLine"), "in the order of time")},
    ),
    "StoryLine": record(
        "One line: `what` is queued, started, step.started, stdout, stderr, step.<its end>, or the run's end.",
        {"time": INSTANT, "what": TEXT},
        optional={
            "flow": TEXT,
            "trigger": maybe(TEXT),
            "event": maybe(TEXT),
            "retryOf": TEXT,
            "step": said(TEXT, "its path"),
            "attempt": said(WHOLE, "which try"),
            "kind": said(TEXT, "of the step"),
            "number": said(WHOLE, "of the line in its stream"),
            "text": said(TEXT, "what the command said"),
            "durationMs": maybe(WHOLE),
            "error": maybe(TEXT),
            "errorCode": maybe(TEXT),
        },
    ),
    "Cancelled": record(
        "What became of the wish to stop it.",
        {
            "run": TEXT,
            "cancelled": said(FLAG, "it ends as cancelled, whatever becomes of the process; false: it had ended"),
            "already": said(FLAG, "it was to stop before; `askedAt` and `reason` are of then"),
            "status": words(STATUSES),
            "askedAt": maybe(INSTANT),
            "reason": maybe(TEXT),
        },
    ),
    "CancelledRuns": record(
        "What became of the wish to stop them.",
        {
            "found": said(WHOLE, "how many had not ended"),
            "cancelled": said(WHOLE, "how many of these were not to stop before"),
            "runs": listed(TEXT, "their ids, at most 1,000"),
        },
    ),
}

SCHEMAS |= {
    "Retried": record(
        "The new run that does another one again.",
        {
            "run": said(TEXT, "the new one"),
            "retryOf": TEXT,
            "from": said(TEXT, "start, failed, or the id of a step"),
            "definition": words(("pinned", "current")),
            "flowDigest": TEXT,
            "copied": said(WHOLE, "how many steps are taken over"),
        },
    ),
    "RetriedRuns": record(
        "Runs that are done again.",
        {
            "found": listed(TEXT, "those that fit and were not done again before"),
            "retried": listed(ref("Retried")),
            "refused": listed(record("One that could not be.", {"run": TEXT, "problem": TEXT})),
        },
    ),
}


class Cancel(BaseModel):
    """Why a run is to stop."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reason: str | None = Field(default=None, max_length=MAX_REASON, description="kept and shown with the run")


class CancelRuns(Cancel):
    """Which runs are to stop."""

    flow: str | None = Field(default=None, description="those of this flow")
    trigger: str | None = Field(default=None, description="those that this trigger started")
    all_: bool = Field(default=False, alias="all", description="all; without it flow or trigger is needed")


class Retry(BaseModel):
    """How a run is to be done again."""

    model_config = ConfigDict(extra="forbid", strict=True)

    from_: str | None = Field(default=None, alias="from", min_length=1, description="start, failed, or a step's id")
    definition: Literal["pinned", "current"] | None = Field(
        default=None, description="the version of the flow; current from the start, else pinned"
    )
    inputs: dict[str, Any] = Field(default={}, description="in the place of the run's own of these names")

    @property
    def wanted(self) -> Wanted:
        return Wanted(self.from_, self.definition, self.inputs)


class RetryRuns(Retry):
    """Which runs are to be done again."""

    flow: str | None = Field(default=None, description="those of this flow")
    trigger: str | None = Field(default=None, description="those that this trigger started")
    status: list[Literal["completed", "failed", "cancelled"]] = Field(default=["failed"], description="that ended so")
    since: str | None = Field(default=None, description="queued then or later: an instant, or so long ago")
    until: str | None = Field(default=None, description="queued before")
    limit: int = Field(default=100, ge=1, le=MAX_RETRIED, description="at most so many, the newest")
    dry_run: bool = Field(default=False, alias="dryRun", description="only say which")


async def list_runs(asked: Asked) -> Reply:
    return paged(asked, await asked.operations.list_runs(**asked.query))


async def show_run(asked: Asked) -> Reply:
    return Reply(await asked.operations.show_waiting(asked.key, wait_s=asked.query["wait"]))


async def show_story(asked: Asked) -> Reply:
    return Reply(await asked.operations.run_story(asked.key))


async def cancel_run(asked: Asked) -> Reply:
    return Reply(await asked.operations.cancel_run(asked.key, reason=asked.body.reason))


async def cancel_runs(asked: Asked) -> Reply:
    which: CancelRuns = asked.body
    done = await asked.operations.cancel_runs(flow=which.flow, trigger=which.trigger, all_=which.all_, reason=which.reason)
    return Reply(done)


async def retry_run(asked: Asked) -> Reply:
    return Reply(await asked.operations.retry_run(asked.key, asked.body.wanted), 202)


async def retry_runs(asked: Asked) -> Reply:
    which: RetryRuns = asked.body
    moments = {name: Moment().read(name, written) for name in ("since", "until") if (written := getattr(which, name)) is not None}
    done = await asked.operations.retry_runs(
        flow=which.flow,
        trigger=which.trigger,
        status=which.status,
        limit=which.limit,
        dry=which.dry_run,
        wanted=which.wanted,
        **moments,
    )
    return Reply(done)


ROUTES = (
    Route(
        "GET",
        "/v1/runs",
        "runs, the newest first",
        list_runs,
        {200: Answer("the newest first", listed(ref("RunListed")), headers=NEXT)},
        query=(
            Parameter("flow", "only runs of this flow"),
            Parameter("status", "only runs in one of these states", Several(Word(STATUSES))),
            Parameter("trigger", "only runs that this trigger started"),
            Parameter("event", "only runs that this event started"),
            Parameter("chain", "only runs of this chain"),
            Parameter("retry_of", "only runs that do this one again"),
            *PAGE,
        ),
        refuses=("NOT_FOUND", "AMBIGUOUS", "STORE"),
        description=SCANNED,
    ),
    Route(
        "GET",
        "/v1/runs/{run}",
        "one run with its steps and metrics; `wait` seconds for its end",
        show_run,
        {200: Answer("the run", ref("Run"))},
        query=(Parameter("wait", "how long to wait for its end", Seconds(MAX_WAIT_S), default=0.0),),
        refuses=("NOT_FOUND", "AMBIGUOUS", "STORE"),
    ),
    Route(
        "GET",
        "/v1/runs/{run}/logs",
        "what happened in a run so far, as lines",
        show_story,
        {200: Answer("the lines", ref("RunStory"))},
        refuses=("NOT_FOUND", "AMBIGUOUS", "STORE"),
        description="What a command printed stands here when its try has ended.",
    ),
    Route(
        "POST",
        "/v1/runs/{run}/cancel",
        "stop a run",
        cancel_run,
        {200: Answer("it ends as cancelled, or had ended", ref("Cancelled"))},
        body=Body("Why.", model=Cancel, required=False, example={"reason": "a wrong file"}),
        refuses=("NOT_FOUND", "AMBIGUOUS", "STORE", "UNAVAILABLE", "UNREACHABLE"),
        description="The wish is on disk when this is answered: the run ends as cancelled also if the process dies now.",
    ),
    Route(
        "POST",
        "/v1/runs/{run}/retry",
        "do a run that has ended again, as a new run",
        retry_run,
        {202: Answer("the new run is queued", ref("Retried"))},
        body=Body("From where, and with what.", model=Retry, required=False, example={"from": "failed"}),
        refuses=("NOT_FOUND", "AMBIGUOUS", "CONFLICT", "DEFINITION", "STORE", "UNAVAILABLE", "UNREACHABLE"),
    ),
    Route(
        "POST",
        "/v1/runs/retry",
        "do runs of a flow or a trigger again",
        retry_runs,
        {200: Answer("what became of each", ref("RetriedRuns"))},
        body=Body("Which, and how.", model=RetryRuns, example={"flow": "import", "since": "2h"}),
        refuses=("STORE", "UNAVAILABLE", "UNREACHABLE"),
    ),
    Route(
        "POST",
        "/v1/runs/cancel",
        "stop all runs of a flow, of a trigger, or all",
        cancel_runs,
        {200: Answer("how many", ref("CancelledRuns"))},
        body=Body("Which, and why.", model=CancelRuns, example={"flow": "import", "reason": "a wrong file"}),
        refuses=("STORE", "UNAVAILABLE", "UNREACHABLE"),
    ),
)
