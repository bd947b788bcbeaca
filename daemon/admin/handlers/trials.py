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


Wait = bool | Annotated[float, Field(ge=0, le=MAX_WAIT_S)]
WAITS = "answer at the run's end: true, or at most so many seconds"


def wait_s(wait: bool | float) -> float:  # noqa: FBT001 - it is what a body says
    return MAX_WAIT_S * wait if isinstance(wait, bool) else wait


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

    wait: Wait = Field(default=False, description=WAITS)


class Sent(BaseModel):
    """A request that is handed in to a hook. With `type`, `source` or `subject` it is a CloudEvent's."""

    model_config = ConfigDict(extra="forbid", strict=True)

    path: str = Field(description="the hook's path, with or without /hooks")
    method: str = Field(default="", description="what the hook takes, otherwise")
    headers: dict[str, str] = Field(default={})
    query: dict[str, str] = Field(default={})
    body: Any = Field(default=None, description="any JSON")
    type: str | None = Field(default=None, description="`$.type`")
    source: str | None = Field(default=None, description="`$.source`")
    subject: str | None = Field(default=None, description="`$.subject`")
    wait: Wait = Field(default=False, description=WAITS)

    def given(self) -> dict[str, Any]:
        """The part of the event's document that was said."""
        return {name: getattr(self, name) for name in self.model_fields_set - {"path", "wait"}}


async def send_event(asked: Asked) -> Reply:
    sent: Sent = asked.body
    return Reply(await asked.operations.send_event(sent.path, sent.given(), wait_s=wait_s(sent.wait)))


async def test_triggers(asked: Asked) -> Reply:
    return Reply(await asked.operations.test_triggers(asked.body.triggers))


async def test_trigger(asked: Asked) -> Reply:
    return Reply(await asked.operations.test_trigger(asked.key, asked.body.event))


async def fire_trigger(asked: Asked) -> Reply:
    fired: Fired = asked.body
    return Reply(await asked.operations.fire_trigger(asked.key, fired.event, wait_s=wait_s(fired.wait)))


async def explain_trigger(asked: Asked) -> Reply:
    return Reply(await asked.operations.explain_trigger(asked.key, last=asked.query["last"]))


SEND = Route(
    "POST",
    "/v1/events",
    "hand in a request to a hook as the owner: no auth is asked, and the event says so",
    send_event,
    {200: Answer("what became of it", ref("HandedIn"))},
    body=Body("The request, and whether to wait.", model=Sent, example={"path": "/deal-created", "body": {"source": "email"}}),
    refuses=("NOT_FOUND", "DEFINITION", "STORE", "UNAVAILABLE", "UNREACHABLE"),
)
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
    SEND,
)
