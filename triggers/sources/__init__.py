"""SOURCES: the kinds of triggers. A new one is a file here and a line below."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

SOURCES: dict[str, str] = {  # type → module:class, imported on first use: a home without schedules never loads APScheduler
    "webhook": "triggers.sources.webhook:WebhookSource",
    "schedule": "triggers.sources.schedule:ScheduleSource",
    "file-watch": "triggers.sources.file_watch:FileWatchSource",
    "flow": "triggers.sources.flow:FlowSource",
    "event": "triggers.sources.event:EventSource",
}


@cache
def source_class(kind: str) -> Any:
    """The class of a type in SOURCES: a triggers.source.Source with `prepare(section, *, key)`, `addresses(key, spec)` and `by_hand(key, spec, given, *, now)`."""
    module, _, name = SOURCES[kind].partition(":")
    return getattr(import_module(module), name)
