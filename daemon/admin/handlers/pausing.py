"""Runs held back and let go: one, a flow's, all."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from daemon.admin.route import Answer, Asked, Body, Reply, Route
from daemon.admin.schema import FLAG, TEXT, record, ref, said, words
from daemon.operations.given import MAX_REASON

SCHEMAS = {
    "Paused": record(
        "What is held back, or is not any more.",
        {
            "what": words(("run", "flow", "all")),
            "name": said(TEXT, "the run, the flow's key, or *"),
            "paused": FLAG,
            "changed": said(FLAG, "false: it was so already"),
        },
    ),
}


class Pause(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reason: str | None = Field(default=None, max_length=MAX_REASON, description="is shown beside it")


async def pause_run(asked: Asked) -> Reply:
    return Reply(await asked.operations.pause_run(asked.key, asked.body.reason))


async def resume_run(asked: Asked) -> Reply:
    return Reply(await asked.operations.resume_run(asked.key))


async def pause_flow(asked: Asked) -> Reply:
    return Reply(await asked.operations.pause_flow(asked.key, asked.body.reason))


async def resume_flow(asked: Asked) -> Reply:
    return Reply(await asked.operations.resume_flow(asked.key))


async def pause_all(asked: Asked) -> Reply:
    return Reply(await asked.operations.pause_all(asked.body.reason))


async def resume_all(asked: Asked) -> Reply:
    return Reply(await asked.operations.resume_all())


WHY = Body("Why.", model=Pause, required=False, example={"reason": "the CRM is down"})
HELD = {200: Answer("from now on no step of it begins", ref("Paused"))}
FREE = {200: Answer("it goes on", ref("Paused"))}
OF_RUN = ("NOT_FOUND", "AMBIGUOUS", "CONFLICT", "STORE", "UNREACHABLE", "UNAVAILABLE")
OF_FLOW = ("NOT_FOUND", "UNREACHABLE", "UNAVAILABLE")
OF_ALL = ("UNREACHABLE", "UNAVAILABLE")

ROUTES = (
    Route("POST", "/v1/runs/{run}/pause", "hold a run back", pause_run, HELD, body=WHY, refuses=OF_RUN),
    Route("POST", "/v1/runs/{run}/resume", "let a run go on", resume_run, FREE, refuses=OF_RUN),
    Route("POST", "/v1/flows/{key}/pause", "hold a flow's runs back", pause_flow, HELD, body=WHY, refuses=OF_FLOW),
    Route("POST", "/v1/flows/{key}/resume", "let a flow's runs go on", resume_flow, FREE, refuses=OF_FLOW),
    Route("POST", "/v1/pause", "hold all runs back", pause_all, HELD, body=WHY, refuses=OF_ALL),
    Route("POST", "/v1/resume", "let runs go on, but those held back by themselves", resume_all, FREE, refuses=OF_ALL),
)
