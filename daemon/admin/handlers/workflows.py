"""Workflows: flows of either form, started and looked at in the workflow specification's words."""

from __future__ import annotations

from daemon.admin.handlers.runs import STATUSES
from daemon.admin.parameter import Parameter, Token
from daemon.admin.route import Answer, Asked, Body, Reply, Route
from daemon.admin.schema import ANYTHING, NUMBER, OBJECT, TEXT, WHOLE, listed, maybe, record, ref, said, words
from daemon.errors import BadRequest
from flows.suggest import shown

IDEMPOTENCY_KEY = "Idempotency-Key"
MAX_KEY = 255  # characters
INSTANT_MS = said(maybe(WHOLE), "milliseconds since the epoch")
TOKENS = {name: maybe(WHOLE) for name in ("totalTokens", "inputTokens", "outputTokens")}
ENDED = {"error": maybe(TEXT), "errorCode": maybe(TEXT)}

SCHEMAS = {
    "ExecutionStarted": record("A run that is on disk, and is queued.", {"executionId": said(TEXT, "the run's id")}),
    "Execution": record(
        "A run in the workflow specification's words; null is what is not known.",
        {
            "workflowId": said(TEXT, "the flow's key"),
            "executionId": said(TEXT, "the run's id"),
            "startTime": INSTANT_MS,
            "endTime": INSTANT_MS,
            "totalDuration": said(maybe(WHOLE), "milliseconds"),
            "nodeExecutions": listed(ref("NodeExecution"), "in the order of their beginnings"),
            **TOKENS,
            "totalCost": said(maybe(NUMBER), "in US dollars"),
            "status": words(STATUSES, "completed, failed or cancelled once it has ended"),
            "successRate": maybe(NUMBER),
            "parallelizationRatio": maybe(NUMBER),
            "cacheHitRate": maybe(NUMBER),
            "output": ANYTHING,
            **ENDED,
            "_metrics": ref("Metrics"),
        },
    ),
    "NodeExecution": record(
        "A node that a run has come to, after its last try so far.",
        {
            "nodeId": said(TEXT, "its id; of one that is inside another its path: each[0].fetch"),
            "type": TEXT,
            "status": words(("running", "completed", "failed", "skipped", "cancelled", "interrupted")),
            "startTime": INSTANT_MS,
            "endTime": INSTANT_MS,
            "duration": said(maybe(WHOLE), "milliseconds of all tries, without the waits between them"),
            "attempts": said(WHOLE, "how many tries; 0: it was skipped"),
            **TOKENS,
            "output": ANYTHING,
            **ENDED,
        },
    ),
}


async def trigger_workflow(asked: Asked) -> Reply:
    inputs = {} if asked.body is None else asked.body
    if not isinstance(inputs, dict):
        raise BadRequest(f"the body is the run's inputs, an object, and not {shown(inputs)}")
    run = await asked.operations.trigger_workflow(asked.path["id"], inputs, once=asked.headers.get(IDEMPOTENCY_KEY))
    return Reply({"executionId": run})


async def show_execution(asked: Asked) -> Reply:
    return Reply(await asked.operations.show_execution(asked.path["id"], asked.path["executionId"]))


ROUTES = (
    Route(
        "POST",
        "/api/workflows/{id}/trigger",
        "start a run with the body as its inputs, and answer when it is on disk",
        trigger_workflow,
        {200: Answer("the run is queued", ref("ExecutionStarted"), example={"executionId": "run_01kb4n8v3e9q2t7x5c1w0d6hzr"})},
        headers=(
            Parameter(
                IDEMPOTENCY_KEY,
                "the caller's name for this request: for a day a second one of this name starts nothing and is answered with the first one's run",
                Token(MAX_KEY),
            ),
        ),
        body=Body("The run's inputs by their names.", schema=OBJECT, required=False, example={"customer": "Ada"}),
        refuses=("NOT_FOUND", "CONFLICT", "DEFINITION", "STORE", "UNAVAILABLE", "UNREACHABLE"),
    ),
    Route(
        "GET",
        "/api/workflows/{id}/executions/{executionId}",
        "one run of a workflow",
        show_execution,
        {200: Answer("the run", ref("Execution"))},
        refuses=("NOT_FOUND", "AMBIGUOUS", "STORE"),
    ),
)
