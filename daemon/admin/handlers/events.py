"""Events: listed, shown, explained."""

from __future__ import annotations

from daemon.admin.parameter import PAGE, SCANNED, Parameter, Several, Word
from daemon.admin.route import NEXT, Answer, Asked, Reply, Route, paged
from daemon.admin.schema import ANYTHING, CHAIN, DEPTH, INSTANT, OBJECT, TEXT, listed, maybe, record, ref, said, words
from triggers.verdict import VERDICTS

LISTED = {
    "event": TEXT,
    "source": said(TEXT, "what it came by: webhook, schedule, file-watch, …"),
    "address": said(TEXT, "where it came in: a hook's path, a trigger's key"),
    "time": INSTANT,
    "subject": maybe(TEXT),
    "chain": maybe(CHAIN),
    "depth": maybe(DEPTH),
}
JUDGED = {
    "trigger": said(TEXT, "its key; * for several that an index ruled out at once"),
    "verdict": words(VERDICTS),
    "run": said(maybe(TEXT), "the run that was queued"),
    "detail": maybe(OBJECT),
}
WAITS = listed(record("", {"run": TEXT, "step": TEXT}), "runs that had waited for it, and went on")
SCHEMAS = {
    "EventListed": record("An event, in short.", LISTED),
    "Event": record(
        "An event as filters saw it, and what became of it for each candidate trigger.",
        LISTED | {"document": ANYTHING, "verdicts": listed(ref("Verdict")), "waits": WAITS},
    ),
    "Verdict": record("What became of the event for one trigger.", JUDGED | {"reason": maybe(TEXT)}),
    "EventExplained": record(
        "One sentence for each candidate trigger.",
        LISTED | {"explanations": listed(record("", JUDGED | {"explanation": TEXT})), "waits": WAITS},
    ),
}


async def list_events(asked: Asked) -> Reply:
    return paged(asked, await asked.operations.list_events(**asked.query))


async def show_event(asked: Asked) -> Reply:
    return Reply(await asked.operations.show_event(asked.key))


async def explain_event(asked: Asked) -> Reply:
    return Reply(await asked.operations.explain_event(asked.key))


ROUTES = (
    Route(
        "GET",
        "/v1/events",
        "events, the newest first",
        list_events,
        {200: Answer("the newest first", listed(ref("EventListed")), headers=NEXT)},
        query=(
            Parameter("source", "only events that came by this source"),
            Parameter("address", "only events that came in here: a hook's path, a trigger's key"),
            Parameter("subject", "only events about this: a file's path, a slot"),
            Parameter("trigger", "only events for which this trigger was a candidate"),
            Parameter("verdict", "only events with one of these verdicts", Several(Word(VERDICTS))),
            Parameter("chain", "only events of this chain"),
            *PAGE,
        ),
        refuses=("NOT_FOUND", "AMBIGUOUS", "STORE"),
        description=SCANNED,
    ),
    Route(
        "GET",
        "/v1/events/{event}",
        "one event with its verdicts",
        show_event,
        {200: Answer("the event", ref("Event"))},
        refuses=("NOT_FOUND", "AMBIGUOUS", "STORE"),
    ),
    Route(
        "GET",
        "/v1/events/{event}/explain",
        "why each candidate fired, or why it did not",
        explain_event,
        {200: Answer("the sentences", ref("EventExplained"))},
        refuses=("NOT_FOUND", "AMBIGUOUS", "STORE"),
    ),
)
