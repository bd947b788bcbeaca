"""Triggers: listed, shown, added, removed, switched on and off, edited."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from daemon.admin.parameter import Flag, Parameter
from daemon.admin.route import Answer, Asked, Body, Reply, Route
from daemon.admin.schema import FLAG, INSTANT, OBJECT, TEXT, listed, maybe, record, ref, said
from daemon.operations.given import MAX_REASON

LISTED = {
    "key": TEXT,
    "type": said(TEXT, "what it fires on: webhook, schedule, file-watch, flow"),
    "flow": said(TEXT, "the flow it starts"),
    "enabled": said(FLAG, "as its definition has it"),
    "state": said(TEXT, "enabled, disabled, or: suspended until … (reason)"),
    "suspended": said(maybe(ref("Suspension")), "an operator's switch; null: it is not suspended"),
    "next": listed(INSTANT, "of a schedule: its next three slots"),
}
TRIED = {
    "description": maybe(TEXT),
    "file": said(maybe(TEXT), "where it is defined"),
}
ADVICE = {"url": said(TEXT, "of a webhook: where it is sent to"), "curl": said(TEXT, "of a webhook: a line that fires it")}

SCHEMAS = {
    "TriggerListed": record("A trigger, in short.", LISTED),
    "TriggerAdded": record("A trigger that was put in force, and how it is tried.", LISTED | TRIED, optional=ADVICE),
    "Trigger": record(
        "A trigger, its definition, and how it is tried.",
        LISTED | TRIED | {"digest": said(TEXT, "names this version"), "definition": said(OBJECT, "as it is written")},
        optional=ADVICE,
    ),
    "Suspension": record(
        "An operator's switch: events are recorded and fire nothing.",
        {"since": INSTANT, "until": said(maybe(INSTANT), "null: until it is enabled"), "reason": maybe(TEXT)},
    ),
    "TriggerSource": record(
        "A trigger's definition as it stands in its file.",
        {"key": TEXT, "file": TEXT, "text": TEXT, "sha256": said(TEXT, "of the text in UTF-8: goes with its replacement")},
    ),
    "TriggerRemoved": record("A trigger that is gone.", {"key": TEXT, "file": TEXT, "removed": FLAG}),
}

DEFINITION = Body(
    "The trigger's definition, as it would stand in its file.",
    schema=OBJECT,
    example={
        "key": "auto-process-deal",
        "trigger": {"type": "webhook", "path": "/deal-created", "filter": "$.body.source === 'email'"},
        "flow": "deal-process",
        "inputMapping": {"companyName": "$.body.company"},
    },
)


class Suspend(BaseModel):
    """For how long, and why."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)

    duration: str | None = Field(default=None, alias="for", description="30m, 2h, 1d; without it until it is enabled")
    reason: str | None = Field(default=None, max_length=MAX_REASON, description="stands in each verdict")


class Source(BaseModel):
    """Another text for a definition."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str = Field(description="in the language of its file: JSON or YAML")
    sha256: str = Field(description="of the text that it replaces")


async def list_triggers(asked: Asked) -> Reply:
    return Reply(asked.operations.list_triggers())


async def add_trigger(asked: Asked) -> Reply:
    overwrite = asked.query["replace"]
    return Reply(await asked.operations.add_trigger(asked.body, key=asked.query.get("key", ""), overwrite=overwrite), 201)


async def show_trigger(asked: Asked) -> Reply:
    return Reply(asked.operations.show_trigger(asked.key))


async def remove_trigger(asked: Asked) -> Reply:
    return Reply(await asked.operations.remove_trigger(asked.key))


async def enable_trigger(asked: Asked) -> Reply:
    return Reply(await asked.operations.enable_trigger(asked.key))


async def disable_trigger(asked: Asked) -> Reply:
    return Reply(await asked.operations.disable_trigger(asked.key))


async def suspend_trigger(asked: Asked) -> Reply:
    body: Suspend = asked.body
    return Reply(await asked.operations.suspend_trigger(asked.key, duration=body.duration, reason=body.reason))


async def show_source(asked: Asked) -> Reply:
    return Reply(await asked.operations.trigger_source(asked.key))


async def replace_source(asked: Asked) -> Reply:
    body: Source = asked.body
    return Reply(await asked.operations.replace_source(asked.key, body.text, body.sha256))


ROUTES = (
    Route(
        "GET",
        "/v1/triggers",
        "all triggers, with the next times of schedules",
        list_triggers,
        {200: Answer("by their keys", listed(ref("TriggerListed")))},
    ),
    Route(
        "POST",
        "/v1/triggers",
        "add the trigger that the body defines",
        add_trigger,
        {201: Answer("it is in force", ref("TriggerAdded"))},
        query=(
            Parameter("key", "the trigger's key, where the definition names none"),
            Parameter("replace", "put it in the place of the trigger of this key", Flag(), default=False),
        ),
        body=DEFINITION,
        refuses=("CONFLICT", "DEFINITION", "HOME", "UNAVAILABLE"),
    ),
    Route(
        "GET",
        "/v1/triggers/{key}",
        "one trigger, with what is needed to try it",
        show_trigger,
        {200: Answer("the trigger", ref("Trigger"))},
        refuses=("NOT_FOUND",),
    ),
    Route(
        "DELETE",
        "/v1/triggers/{key}",
        "remove a trigger and its file; runs that it started go on",
        remove_trigger,
        {200: Answer("it is gone", ref("TriggerRemoved"))},
        refuses=("NOT_FOUND", "DEFINITION", "HOME", "UNAVAILABLE"),
    ),
    Route(
        "POST",
        "/v1/triggers/{key}/enable",
        "switch a trigger on in its file, and lift its suspension",
        enable_trigger,
        {200: Answer("it is on", ref("TriggerAdded"))},
        refuses=("NOT_FOUND", "CONFLICT", "DEFINITION", "HOME", "UNAVAILABLE"),
    ),
    Route(
        "POST",
        "/v1/triggers/{key}/disable",
        "switch a trigger off in its file, with the smallest edit",
        disable_trigger,
        {200: Answer("it is off", ref("TriggerAdded"))},
        refuses=("NOT_FOUND", "CONFLICT", "DEFINITION", "HOME", "UNAVAILABLE"),
    ),
    Route(
        "POST",
        "/v1/triggers/{key}/suspend",
        "let a trigger fire nothing for a while; its file is not touched",
        suspend_trigger,
        {200: Answer("it is suspended", ref("TriggerAdded"))},
        body=Body("For how long, and why.", model=Suspend, required=False, example={"for": "2h", "reason": "the CRM is down"}),
        refuses=("NOT_FOUND", "UNAVAILABLE"),
    ),
    Route(
        "GET",
        "/v1/triggers/{key}/source",
        "a definition's text, as it stands in its file",
        show_source,
        {200: Answer("the text", ref("TriggerSource"))},
        refuses=("NOT_FOUND", "HOME"),
    ),
    Route(
        "PUT",
        "/v1/triggers/{key}/source",
        "put another text in the place of a definition's",
        replace_source,
        {200: Answer("it is in force", ref("TriggerAdded"))},
        body=Body("The text, and the digest of the one it replaces.", model=Source),
        refuses=("NOT_FOUND", "CONFLICT", "DEFINITION", "HOME", "UNAVAILABLE"),
    ),
)
