"""The one table of routes: each noun's, in the order of the documents, and the document that is made from it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from daemon.admin import openapi, refusal
from daemon.admin.handlers import (
    approvals,
    events,
    flows,
    pausing,
    process,
    runs,
    schemas,
    stream,
    trials,
    triggers,
    versions,
    workflows,
)
from daemon.admin.route import Answer, Asked, Reply, Route
from daemon.admin.schema import OBJECT, Schema


async def describe(_: Asked) -> Reply:
    return Reply(document())


ROUTES: tuple[Route, ...] = (
    *process.ROUTES,
    *triggers.ROUTES,
    *trials.ROUTES,
    *flows.ROUTES,
    *versions.ROUTES,
    *runs.ROUTES,
    *approvals.ROUTES,
    *pausing.ROUTES,
    *workflows.ROUTES,
    *events.ROUTES,
    *stream.ROUTES,
    *schemas.ROUTES,
    Route("GET", "/v1/openapi.json", "this API as an OpenAPI 3.1 document", describe, {200: Answer("the document", OBJECT)}),
)

SCHEMAS: Mapping[str, Schema] = {
    name: schema
    for part in (refusal, process, triggers, trials, flows, runs, approvals, pausing, events, stream, versions, workflows)
    for name, schema in part.SCHEMAS.items()
}


@cache
def document() -> dict[str, Any]:
    return openapi.document(ROUTES, SCHEMAS)
