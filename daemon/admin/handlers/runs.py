"""Runs: listed, shown, cancelled."""

from __future__ import annotations

from typing import get_args

from daemon.admin.handlers.flows import MAX_WAIT_S
from daemon.admin.parameter import PAGE, SCANNED, Parameter, Seconds, Several, Word
from daemon.admin.route import NEXT, Answer, Asked, Reply, Route, paged
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
from daemon.store.rows import RunStatus
from flows.attempt import AttemptStatus

STATUSES = get_args(RunStatus)
CAME_FROM = {
    "flow": said(TEXT, "the flow's key"),
    "trigger": said(maybe(TEXT), "the trigger that started it; null: by hand"),
    "event": said(maybe(TEXT), "the event that started it; null: by hand"),
    "chain": CHAIN,
    "depth": DEPTH,
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
            "flowDigest": said(TEXT, "the version of the flow that it pins"),
            "steps": by_name(ref("Step"), "by their paths: each[0].fetch"),
            "inputs": OBJECT,
            "output": ANYTHING,
            "_metrics": ref("Metrics"),
            "_stepTimings": by_name(maybe(WHOLE), "each step's milliseconds; null: it has not ended"),
        },
        optional={"waits": listed(ref("Wait"), "what its steps wait for now")},
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
    "Cancelled": record("What became of the wish to stop it.", {"run": TEXT, "cancelled": said(FLAG, "false: it had ended")}),
}


async def list_runs(asked: Asked) -> Reply:
    return paged(asked, await asked.operations.list_runs(**asked.query))


async def show_run(asked: Asked) -> Reply:
    return Reply(await asked.operations.show_waiting(asked.key, wait_s=asked.query["wait"]))


async def show_story(asked: Asked) -> Reply:
    return Reply(await asked.operations.run_story(asked.key))


async def cancel_run(asked: Asked) -> Reply:
    return Reply(await asked.operations.cancel_run(asked.key))


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
            *PAGE,
        ),
        refuses=("STORE",),
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
        {200: Answer("it is told to stop, or had ended", ref("Cancelled"))},
        refuses=("NOT_FOUND", "AMBIGUOUS", "STORE", "UNREACHABLE"),
    ),
)
