"""Flows: listed, shown, executed."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from daemon.admin.parameter import Parameter, Word
from daemon.admin.route import Answer, Asked, Body, Reply, Route
from daemon.admin.schema import FLAG, OBJECT, TEXT, listed, maybe, record, ref, said, words
from daemon.operations.graphs import FORMATS
from daemon.store.rows import LIVE
from triggers.spec import Duration

MAX_WAIT_S = 3600.0  # of one request: whoever waits longer asks again

LISTED = {
    "key": TEXT,
    "name": maybe(TEXT),
    "dialect": TEXT,
    "inputs": listed(TEXT, "the names of those it declares"),
    "triggers": listed(TEXT, "the keys of those that start it"),
}
SCHEMAS = {
    "FlowGraph": record(
        "A flow, drawn.", {"flow": TEXT, "run": maybe(TEXT), "format": words(FORMATS), "text": said(TEXT, "the drawing")}
    ),
    "FlowListed": record("A flow, in short.", LISTED | {"paused": said(FLAG, "its runs are held back")}),
    "Flow": record(
        "A flow and its definition.",
        LISTED
        | {
            "description": maybe(TEXT),
            "declared": listed(OBJECT, "the inputs as they are declared"),
            "stepTypes": said(OBJECT, "how many steps of each kind there are"),
            "engines": said(OBJECT, "what runs the code of each step that has some: expression, javascript, node, python"),
            "needs": said(OBJECT, "programs, secrets, variables, flows that must be there for it to run"),
            "digest": said(TEXT, "names this version"),
            "folder": said(TEXT, "where its relative paths begin"),
            "subflows": listed(TEXT),
            "warnings": listed(TEXT),
            "definition": OBJECT,
        },
    ),
}


class Execute(BaseModel):
    """What a run is started with."""

    model_config = ConfigDict(extra="forbid", strict=True)

    inputs: dict[str, Any] = Field(default={}, description="the run's inputs by their names")
    wait: bool | Annotated[float, Field(ge=0, le=MAX_WAIT_S)] = Field(
        default=False, description="answer at the run's end: true, or at most so many seconds"
    )
    timeout: Annotated[Duration, Field(gt=0)] | None = Field(
        default=None, description="how long the run may take, from its start: 30m"
    )


async def list_flows(asked: Asked) -> Reply:
    return Reply(asked.operations.list_flows())


async def show_flow(asked: Asked) -> Reply:
    return Reply(asked.operations.show_flow(asked.key))


async def execute_flow(asked: Asked) -> Reply:
    execute: Execute = asked.body
    wait_s = MAX_WAIT_S * execute.wait if isinstance(execute.wait, bool) else execute.wait
    run = await asked.operations.execute_flow(asked.key, execute.inputs, wait_s=wait_s, finish_within=execute.timeout)
    return Reply(run, 202 if run["status"] in LIVE else 200)


async def draw_flow(asked: Asked) -> Reply:
    return Reply(await asked.operations.draw_flow(asked.key, asked.query["format"], run=asked.query.get("run")))


ROUTES = (
    Route("GET", "/v1/flows", "all flows", list_flows, {200: Answer("by their keys", listed(ref("FlowListed")))}),
    Route(
        "GET",
        "/v1/flows/{key}",
        "one flow, with its definition",
        show_flow,
        {200: Answer("the flow", ref("Flow"))},
        refuses=("NOT_FOUND",),
    ),
    Route(
        "GET",
        "/v1/flows/{key}/graph",
        "one flow, drawn",
        draw_flow,
        {200: Answer("the drawing", ref("FlowGraph"))},
        query=(
            Parameter("format", "what it is drawn in", Word(FORMATS), default="svg"),
            Parameter(
                "run",
                "a run of it, by a unique beginning of its id: draws the version that it pins, with the states of its steps",
            ),
        ),
        refuses=("NOT_FOUND", "AMBIGUOUS", "STORE"),
    ),
    Route(
        "POST",
        "/v1/flows/{key}/execute",
        "start a run by hand; with `wait` answer at its end",
        execute_flow,
        {200: Answer("the run has ended", ref("Run")), 202: Answer("the run is queued or goes on", ref("Run"))},
        body=Body("Inputs, and whether to wait.", model=Execute, required=False, example={"inputs": {"name": "Ada"}, "wait": 30}),
        refuses=("NOT_FOUND", "DEFINITION", "UNAVAILABLE", "UNREACHABLE"),
    ),
)
