"""What a trigger reads at the top of its events, and no event has: a slip of the pen makes it missing for ever. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from flows.errors import Problem
from flows.suggest import did_you_mean
from triggers.by_hand import FIELDS
from triggers.trigger import Trigger

_TOP = re.compile(r"\A\$\.([A-Za-z_]\w*)")  # how a mapping's path begins
_FILLED = re.compile(r"\{\{\s*(?:q\s+)?\$\.([A-Za-z_]\w*)")  # and one inside of a text
_FILTERS = ("filter", "if", "when")


def unknown_fields(trigger: Trigger) -> Iterator[Problem]:
    """Warnings: a filter that reads such a field never holds, or always does; an input that is mapped from it has no value."""
    if trigger.filter is not None:
        for name in dict.fromkeys(str(place[1]) for place in trigger.filter.references if len(place) > 1 and place[0] == "$"):
            if name not in FIELDS:
                yield _problem(_written(trigger), name, max(trigger.filter.source.find(f"$.{name}"), 0))
    for given, form in trigger.mapping.source.items() if trigger.mapping is not None else ():
        for name in dict.fromkeys(_tops(form)):
            if name not in FIELDS:
                word = "inputMapping" if "inputMapping" in trigger.definition else "inputs"
                yield _problem((word, given), name, 0)


def _tops(form: Any) -> Iterator[str]:
    """What a form of a mapping reads at the top, wherever it stands in it. A path with a default says that it may be missing."""
    if isinstance(form, str):
        yield from (_TOP if form.startswith("$") else _FILLED).findall(form)
    elif isinstance(form, list):
        for each in form:
            yield from _tops(each)
    elif isinstance(form, dict) and form.keys() not in ({"value"}, {"path", "default"}):
        for each in form.values():
            yield from _tops(each)


def _problem(place: tuple[str | int, ...], name: str, offset: int) -> Problem:
    hint = did_you_mean(name, FIELDS) or f"at the top there are {', '.join(FIELDS)}"
    return Problem(place, f"no event has `$.{name:.40}`: it is missing", hint, offset=offset, warning=True)


def _written(trigger: Trigger) -> tuple[str | int, ...]:
    """Where its filter stands."""
    beside = next(((name,) for name in _FILTERS if name in trigger.definition), ("trigger", "filter"))
    return next((("trigger", name) for name in _FILTERS if name in trigger.definition["trigger"]), beside)
