"""Triggers tried out: tested, fired, explained."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from daemon.admin.handlers.events import JUDGED
from daemon.admin.handlers.flows import MAX_WAIT_S
from daemon.admin.parameter import Parameter, Whole
from daemon.admin.route import Answer, Asked, Body, Reply, Route
from daemon.admin.schema import FLAG, INSTANT, OBJECT, TEXT, WHOLE, listed, maybe, record, ref, said, words
from daemon.operations.explained import MOST_EXPLAINED
from triggers.verdict import VERDICTS

TRIED = {
    "fires": said(FLAG, "whether a run would be queued"),
    "verdict": words(VERDICTS),
    "reason": TEXT,
    "detail": maybe(OBJECT),
    "inputs": said(maybe(OBJECT), "mapped and fitted to the flow; null: it does not fire"),
}
SCHEMAS = {
    "Tried": record("What an event would mean to a trigger.", {"trigger": TEXT, "enabled": FLAG, **TRIED}),
    "Tested": record(
        "What came of triggers' own tests.",
        {
            "passed": WHOLE,
            "failed": WHOLE,
            "results": listed(
                record(
                    "One test.",
                    {
                        "trigger": TEXT,
                        "test": TEXT,
                        "passed": FLAG,
                        "differences": listed(TEXT, "what is not as expected"),
                        **TRIED,
                    },
                )
            ),
            "untested": listed(TEXT, "keys of triggers without tests"),
        },
    ),
    "HandedIn": record(
        "An event that a person made, and what became of it.",
        {
            "event": TEXT,
            "verdicts": listed(record("", JUDGED | {"explanation": TEXT})),
            "runs": listed(TEXT, "the runs that were queued"),
            "ended": listed(ref("Run"), "the same, where their end was waited for"),
        },
    ),
    "TriggerExplained": record(
        "Why a trigger fired lately, or did not.",
        {
            "trigger": TEXT,
            "waitsFor": said(maybe(TEXT), "null: it is not in force"),
            "next": listed(INSTANT, "of a schedule: its next three slots"),
            "inTheWay": listed(TEXT, "what keeps it from firing now"),
            "events": listed(
                record(
                    "An event for which it was a candidate.",
                    {
                        "event": TEXT,
                        "time": INSTANT,
                        "verdict": words(VERDICTS),
                        "explanation": TEXT,
                        "run": maybe(TEXT),
                        "changedSince": said(FLAG, "true: its definition was another one then"),
                    },
                )
            ),
        },
    ),
}


class Tests(BaseModel):
    """Which triggers are tested."""

    model_config = ConfigDict(extra="forbid", strict=True)

    triggers: list[str] = Field(default=[], description="their keys; none: all that have tests")


class Made(BaseModel):
    """An event that is made by hand."""

    model_config = ConfigDict(extra="forbid", strict=True)

    event: dict[str, Any] = Field(default={}, description="the part of the event's document that matters")


class Fired(Made):
    """The same, and whether its run is waited for."""

    wait: bool | Annotated[float, Field(ge=0, le=MAX_WAIT_S)] = Field(
        default=False, description="answer at the run's end: true, or at most so many seconds"
    )


async def test_triggers(asked: Asked) -> Reply:
    return Reply(asked.operations.test_triggers(asked.body.triggers))


async def test_trigger(asked: Asked) -> Reply:
    return Reply(asked.operations.test_trigger(asked.key, asked.body.event))


async def fire_trigger(asked: Asked) -> Reply:
    fired: Fired = asked.body
    wait_s = MAX_WAIT_S * fired.wait if isinstance(fired.wait, bool) else fired.wait
    return Reply(await asked.operations.fire_trigger(asked.key, fired.event, wait_s=wait_s))


async def explain_trigger(asked: Asked) -> Reply:
    return Reply(await asked.operations.explain_trigger(asked.key, last=asked.query["last"]))


EXAMPLE = {"event": {"body": {"source": "email"}}}
ROUTES = (
    Route(
        "POST",
        "/v1/tests",
        "run the tests of triggers' definitions; nothing is stored or started",
        test_triggers,
        {200: Answer("what came of each", ref("Tested"))},
        body=Body("Which triggers.", model=Tests, required=False, example={"triggers": ["auto-process-deal"]}),
        refuses=("NOT_FOUND", "DEFINITION"),
    ),
    Route(
        "POST",
        "/v1/triggers/{key}/test",
        "what would become of an event; nothing is stored or started",
        test_trigger,
        {200: Answer("the verdict and the inputs", ref("Tried"))},
        body=Body("The event.", model=Made, required=False, example=EXAMPLE),
        refuses=("NOT_FOUND", "DEFINITION"),
    ),
    Route(
        "POST",
        "/v1/triggers/{key}/fire",
        "make an event for one trigger; with `wait` answer at its run's end",
        fire_trigger,
        {200: Answer("what became of it", ref("HandedIn"))},
        body=Body("The event, and whether to wait.", model=Fired, required=False, example=EXAMPLE | {"wait": 30}),
        refuses=("NOT_FOUND", "DEFINITION", "STORE", "UNAVAILABLE", "UNREACHABLE"),
    ),
    Route(
        "GET",
        "/v1/triggers/{key}/explain",
        "why a trigger fired lately, or did not, and what is in its way",
        explain_trigger,
        {200: Answer("the last events, and what is in its way", ref("TriggerExplained"))},
        query=(Parameter("last", "how many events", Whole(1, MOST_EXPLAINED), default=10),),
        refuses=("NOT_FOUND", "STORE"),
    ),
)
