"""An event that a person makes: a part of a document, filled up to what the trigger's own source would have made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flows.errors import Problem
from flows.suggest import did_you_mean, shown
from triggers.event import Event, document_head
from triggers.ids import new_id
from triggers.redaction import REDACTED, looks_secret
from triggers.sources import source_class
from triggers.trigger import Trigger

FIELDS = (
    *("id", "type", "source", "subject", "time", "trigger", "chain"),
    *(
        "body",
        "bodyType",
        "cloudEvent",
        "headers",
        "query",
        "params",
        "method",
        "path",
        "remote",
        "auth",
        "file",
        "files",
        "flow",
    ),
)
"""What stands at the top of event documents."""

_FILLED = ("trigger", "chain", "file", "flow", "cloudEvent")  # objects of which a person gives as much as matters
_OF_THE_SOURCE = ("method", "path")  # its by_hand() has brought them into their form
_TEXT_OBJECTS = ("headers", "query", "params")
_TEXTS = ("id", "type", "source", "subject", "time", "bodyType", "method", "path", "remote")


@dataclass(frozen=True, slots=True)
class ByHand:
    """What a source makes of a part of a document."""

    document: dict[str, Any]  # its own document, of which what was given takes the place
    withheld: str | None = None  # why the source would not have told the trigger of it: a method it does not take, …


def check_event(event: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with a part of a document. A field that is not known is refused where a known one is near."""
    problems = []
    for name, value in event.items():
        if name not in FIELDS:
            near = did_you_mean(name, FIELDS)
            if near:
                problems.append(Problem((name,), f"{name:.60} is not known here", near, of_key=True))
        elif name in _FILLED and not isinstance(value, dict):
            problems.append(Problem((name,), f"{name} is {shown(value)}, and must be an object"))
        elif name == "trigger" and "scheduledTime" in value and read_instant(value["scheduledTime"]) is None:
            said = f"scheduledTime is {shown(value['scheduledTime'])}, and must be an instant"
            problems.append(Problem(("trigger", "scheduledTime"), said, "like 2026-11-23T08:00:00Z"))
        elif name in _TEXT_OBJECTS:
            problems += _text_problems(name, value)
        elif name in _TEXTS and value is not None and not isinstance(value, str):
            problems.append(Problem((name,), f"{name} is {shown(value)}, and must be text"))
    return problems


def manual_event(trigger: Trigger, given: Mapping[str, Any], *, now: float) -> Event:
    """The event that matching takes for this trigger alone. `given` has passed check_event(). Raises DefinitionError."""
    given = as_events_have_it(given)
    made = source_class(trigger.type).by_hand(trigger.key, trigger.spec, given, now=datetime.fromtimestamp(now, UTC))
    document = {**made.document, **{name: value for name, value in given.items() if name not in _OF_THE_SOURCE}}
    for name in _FILLED:
        if name in made.document and name in given:
            document[name] = {**made.document[name], **given[name]}
    document["trigger"] |= {"key": trigger.key, "type": trigger.type}
    if "file" in document and "files" not in given:
        document["files"] = [document["file"]]
    withheld = {} if made.withheld is None else {trigger.key: ("filter_false", made.withheld)}
    # A CloudEvent's id is its sender's: the row's is ours.
    return Event(made.document["id"], "manual", trigger.key, now, document, subject=document["subject"], withheld=withheld)


def read_instant(text: Any) -> datetime | None:
    """An ISO 8601 instant, UTC where it has no offset. None: it is none."""
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def head(type_: str, source: str, kind: str, now: datetime, *, subject: str | None = None) -> dict[str, Any]:
    """How every event document begins; one made by hand begins a chain of its own."""
    event_id, at = new_id("evt"), now.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
    begins = document_head(event_id=event_id, type_=type_, source=source, time=at, subject=subject)
    return {**begins, "trigger": {"type": kind, "firedAt": at}, "chain": {"id": event_id, "depth": 0}}


def as_events_have_it(given: Mapping[str, Any]) -> dict[str, Any]:
    """Names of headers in lower case, values as text, and no secrets: a filter sees no more of them in a real event."""
    made = dict(given)
    for name in _TEXT_OBJECTS:
        if name in made:
            made[name] = {
                (key.lower() if name == "headers" else key): REDACTED if name != "params" and looks_secret(key) else _texts(value)
                for key, value in made[name].items()
            }
    return made


def _texts(value: Any) -> Any:
    return [_text(each) for each in value] if isinstance(value, list) else _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _text_problems(name: str, value: Any) -> list[Problem]:
    if not isinstance(value, dict):
        return [Problem((name,), f"{name} is {shown(value)}, and must be an object")]
    return [
        Problem((name, key), f"{key:.60} is {shown(inner)}, and must be text")
        for key, inner in value.items()
        if not (isinstance(inner, (str, int, float)) or (name == "query" and _is_texts(inner)))
    ]


def _is_texts(value: Any) -> bool:
    """What a name that repeats in a query is."""
    return isinstance(value, list) and all(isinstance(each, (str, int, float)) for each in value)
