"""Triggers: listed, shown, added, removed."""

from __future__ import annotations

from daemon.admin.parameter import Flag, Parameter
from daemon.admin.route import Answer, Asked, Body, Reply, Route
from daemon.admin.schema import FLAG, INSTANT, OBJECT, TEXT, listed, maybe, record, ref, said

LISTED = {
    "key": TEXT,
    "type": said(TEXT, "what it fires on: webhook, schedule, file-watch, flow"),
    "flow": said(TEXT, "the flow it starts"),
    "enabled": FLAG,
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


async def list_triggers(asked: Asked) -> Reply:
    return Reply(asked.operations.list_triggers())


async def add_trigger(asked: Asked) -> Reply:
    overwrite = asked.query["replace"]
    return Reply(await asked.operations.add_trigger(asked.body, key=asked.query.get("key", ""), overwrite=overwrite), 201)


async def show_trigger(asked: Asked) -> Reply:
    return Reply(asked.operations.show_trigger(asked.key))


async def remove_trigger(asked: Asked) -> Reply:
    return Reply(await asked.operations.remove_trigger(asked.key))


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
)
