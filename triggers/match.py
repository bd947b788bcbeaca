"""Match: which triggers an event fires, with which inputs, and why the others stay still. Pure.

Candidates are found by source and address. Where many listen at one address, a filter's `path === literal` finds those that can
fire by one look-up, and only these are evaluated. A trigger that its literal rules out is told `filter_false` also where an
earlier part of its filter would have failed: either way it does not fire.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import is_
from types import MappingProxyType
from typing import Any, cast

import orjson

from flows.errors import ExpressionError, SelectorError
from flows.expression import UNDEFINED
from flows.selector import MISSING
from triggers.event import Event
from triggers.explain import Why, filter_failed, redacted, value_text
from triggers.literals import Group, grouped
from triggers.mapping import MappingError
from triggers.sources import source_class
from triggers.suspension import Suspension
from triggers.trigger import Trigger
from triggers.verdict import Verdict, VerdictName

OWN_ROWS = 32  # up to so many that are ruled out alike each have a verdict of their own; more share one


@dataclass(slots=True)  # nothing changes it; each event makes one, and frozen it takes a microsecond more
class Match:
    """What an event means to one candidate. With `inputs` it fires."""

    trigger: Trigger | None  # None: a group, told by one verdict
    verdict: Verdict
    inputs: dict[str, Any] | None = None
    idempotency_key: str | None = None  # None: this event makes its run whatever ran before


# In a mapping's text: the word, or a path that takes in the whole document: "$", $..x, $[…], $.*
_WHOLE = re.compile(r"trigger|\$(?![.\w]|$)|\$$|\$\.[.*]")


class Ready:
    """A trigger with all that can be known before an event comes."""

    __slots__ = ("dispatched", "filter", "key", "make", "off", "suspension", "trigger", "wants_key", "why")

    def __init__(self, trigger: Trigger, suspension: Suspension | None = None) -> None:
        self.trigger = trigger
        self.suspension = suspension
        self.key = trigger.key
        self.filter = trigger.filter
        self.why = None if trigger.filter is None else Why(trigger.key, trigger.filter)
        self.make = unmapped_inputs if trigger.mapping is None else trigger.mapping.make
        self.dispatched = Verdict(trigger.key, "dispatched")
        self.off = _off(trigger, suspension)
        self.wants_key = _reads_its_key(trigger)


@dataclass(frozen=True, slots=True)
class Listeners:
    """All triggers at one address."""

    every: tuple[Ready, ...]
    each: tuple[Ready, ...]  # those that are evaluated one by one
    groups: tuple[Group[Ready], ...]  # those that a literal finds
    off: Mapping[VerdictName, list[Match]]  # what those that are switched off are told, by verdict


class TriggerSet:
    """The triggers in force. Never changed: a reload makes another one."""

    def __init__(
        self,
        triggers: Iterable[Trigger] = (),
        before: TriggerSet | None = None,
        suspended: Mapping[str, Suspension] = MappingProxyType({}),
    ) -> None:
        """`before`: the set that this one follows; what has not changed since is taken from it. `suspended`: by key."""
        self.triggers = tuple(triggers)
        self.by_key: dict[str, Trigger] = {trigger.key: trigger for trigger in self.triggers}
        known: dict[str, Ready] = before.readies if before is not None else {}
        self.readies: dict[str, Ready] = {
            trigger.key: _ready(trigger, known.get(trigger.key), suspended.get(trigger.key)) for trigger in self.triggers
        }
        found: dict[tuple[str, str], list[Ready]] = {}
        for ready in self.readies.values():
            trigger = ready.trigger
            for address in source_class(trigger.type).addresses(trigger.key, trigger.spec):
                found.setdefault((trigger.type, address), []).append(ready)
            found.setdefault(("manual", trigger.key), []).append(ready)  # `trigger fire` names a trigger, not an address
        same: dict[tuple[str, str], Listeners] = before.listening if before is not None else {}
        self.listening: dict[tuple[str, str], Listeners] = {
            place: _listeners(readies, same.get(place)) for place, readies in found.items()
        }

    def __len__(self) -> int:
        return len(self.triggers)

    def pieces(self) -> list[object]:
        """What it is made of, for whoever lets go of it little by little."""
        return [*self.readies.values(), *self.listening.values()]

    def addresses(self, kind: str) -> list[str]:
        """Where triggers of this type listen, in order."""
        return sorted(address for source, address in self.listening if source == kind)

    def candidates(self, kind: str, address: str) -> tuple[Trigger, ...]:
        """Who listens there."""
        listeners = self.listening.get((kind, address))
        return () if listeners is None else tuple(ready.trigger for ready in listeners.every)

    def listeners(self, kind: str, address: str) -> Listeners | None:
        return self.listening.get((kind, address))


def _ready(trigger: Trigger, known: Ready | None, suspension: Suspension | None) -> Ready:
    same = known is not None and known.trigger is trigger and known.suspension == suspension
    return known if known is not None and same else Ready(trigger, suspension)


def _off(trigger: Trigger, suspension: Suspension | None) -> Match | None:
    """What is said of every event where a trigger is switched off; None: it is not."""
    if not trigger.enabled:
        return Match(trigger, Verdict(trigger.key, "disabled", "it is switched off in its definition"))
    if suspension is None:
        return None
    return Match(trigger, Verdict(trigger.key, "suspended", suspension.sentence, suspension.to_json()))


def _listeners(readies: list[Ready], known: Listeners | None = None) -> Listeners:
    if known is not None and len(known.every) == len(readies) and all(map(is_, known.every, readies)):
        return known
    on = [ready for ready in readies if ready.off is None]
    off: dict[VerdictName, list[Match]] = {}
    for ready in readies:
        if ready.off is not None:
            off.setdefault(ready.off.verdict.verdict, []).append(ready.off)
    groups, each = grouped(on, lambda ready: () if ready.trigger.filter is None else ready.trigger.filter.equality)
    return Listeners(tuple(readies), tuple(each), groups, off)


def match(triggers: TriggerSet, event: Event) -> list[Match]:
    """One Match for each candidate, or for a group that was ruled out alike. Empty: nobody listens there."""
    listeners = triggers.listeners(event.source, event.address)
    if listeners is None:
        return []
    names = {"$": event.document}
    if event.failed_auth or event.withheld:
        return _match_barred(listeners, event, names)
    found = [_evaluate(ready, event.document, names) for ready in listeners.each]
    for group in listeners.groups:
        value = group.value(names)
        fitting = group.fitting(value)
        found += [_evaluate(ready, event.document, names) for ready in fitting]
        if len(group.members) - len(fitting) > OWN_ROWS:
            found.append(_ruled_out(group, value, len(group.members) - len(fitting)))
        else:
            found += [_evaluate(ready, event.document, names) for ready in group.members if ready not in fitting]
    for name, matches in listeners.off.items():
        found += _told(name, matches)
    return found


def _match_barred(listeners: Listeners, event: Event, names: dict[str, Any]) -> list[Match]:
    """The same where the source already says no to some: their auth failed, their slot was missed, …"""
    barred = {name: list(matches) for name, matches in listeners.off.items()}
    free = []
    for ready in listeners.every:
        if ready.off is not None:
            continue
        if ready.key in event.failed_auth:
            verdict = Verdict(ready.key, "auth_failed", event.failed_auth[ready.key])
            barred.setdefault("auth_failed", []).append(Match(ready.trigger, verdict))
        elif ready.key in event.withheld:
            name, reason = event.withheld[ready.key]
            verdict = Verdict(ready.key, cast("VerdictName", name), reason)
            barred.setdefault(verdict.verdict, []).append(Match(ready.trigger, verdict))
        else:
            free.append(ready)
    found = [_evaluate(ready, event.document, names) for ready in free]
    for name, matches in barred.items():
        found += _told(name, matches)
    return found


def _evaluate(ready: Ready, document: dict[str, Any], names: Mapping[str, Any]) -> Match:
    """Filter, then mapping."""
    trigger = ready.trigger
    if ready.wants_key:
        document = with_key(document, ready.key)
        names = {"$": document}
    if ready.filter is not None:
        assert ready.why is not None
        try:
            if not ready.filter.test(names):
                return Match(trigger, ready.why.verdict(names))
        except ExpressionError as error:
            return Match(trigger, filter_failed(ready.key, ready.filter, error))
    try:
        inputs = ready.make(document)
        key = None if trigger.idempotency is None else key_text(trigger.idempotency.key.get(document))
    except MappingError as error:
        detail = {"path": list(error.path)}
        return Match(trigger, Verdict(ready.key, "mapping_error", f"inputMapping.{error}", detail))
    except SelectorError as error:
        return Match(trigger, Verdict(ready.key, "mapping_error", f"idempotency.key: {error}"))
    return Match(trigger, ready.dispatched, inputs, key)


def _told(name: VerdictName, matches: list[Match]) -> list[Match]:
    """Each with a row of its own, or all with one."""
    if len(matches) <= OWN_ROWS:
        return matches
    reasons = {match.verdict.reason for match in matches}
    reason = f"{len(matches):,} triggers at this address: {reasons.pop() if len(reasons) == 1 else 'for several reasons'}"
    return [Match(None, Verdict("*", name, reason, {"count": len(matches)}))]


def _ruled_out(group: Group[Ready], value: Any, count: int) -> Match:
    was = "is missing" if value is UNDEFINED else f"was {value_text(group.text, value)}"
    reason = f"{count:,} triggers on this path were ruled out: each wants another value of `{group.text}`, which {was}"
    detail = {"path": group.text, "value": None if value is UNDEFINED else redacted(group.text, value), "count": count}
    return Match(None, Verdict("*", "filter_false", reason, detail))


def unmapped_inputs(document: dict[str, Any]) -> dict[str, Any]:
    """The inputs where a trigger has no mapping: the fields of a body, or of a finished run's outputs, that is an object."""
    flow = document.get("flow")
    given = flow["outputs"] if isinstance(flow, dict) and "outputs" in flow else document.get("body")
    return dict(given) if isinstance(given, dict) else {}


def with_key(document: dict[str, Any], key: str) -> dict[str, Any]:
    """The document as one trigger sees it: one request is one document for all of them, and only `$.trigger.key` differs."""
    return {**document, "trigger": {**(document.get("trigger") or {}), "key": key}}


def _reads_its_key(trigger: Trigger) -> bool:
    """Whether anything in it may look at `$.trigger.key`; once too often costs a copy of one dict, no more."""
    references = () if trigger.filter is None else trigger.filter.references
    if any(place[1:2] in ((), ("trigger",)) for place in references):
        return True
    if trigger.idempotency is not None and _WHOLE.search(trigger.idempotency.key.text):
        return True
    return trigger.mapping is not None and _WHOLE.search(_written(trigger.mapping.source)) is not None


def _written(form: Any) -> str:
    try:
        return orjson.dumps(form).decode()
    except TypeError:  # a lone surrogate, a whole number over 64 bits
        return json.dumps(form)


def key_text(value: Any) -> str | None:
    """An idempotency key as text. None, for what is missing, null or empty: such an event is like no other."""
    if value is MISSING or value is None or value in ("", []):
        return None
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))
