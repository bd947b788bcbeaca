"""Names of events that flows give and triggers hear: what is said of one side that the other does not know. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flows.errors import Problem
from flows.flow import Flow
from flows.suggest import did_you_mean
from triggers.trigger import Trigger


def unheard_events(flows: Mapping[str, Flow], triggers: Iterable[Trigger]) -> list[tuple[str, Problem]]:
    """A warning for each event with a literal name that no trigger hears."""
    heard = {name for trigger in triggers if trigger.type == "event" for name in trigger.spec.name}
    return [
        (key, Problem(place, f"no trigger hears the event «{name}»", did_you_mean(name, heard), warning=True))
        for key, flow in flows.items()
        for name, place in flow.events
        if name is not None and name not in heard
    ]


def never_given(trigger: Trigger, flows: Mapping[str, Flow]) -> list[str]:
    """The names that an event trigger hears and no flow gives. Where a flow makes names at run, that cannot be told."""
    given = {name for flow in flows.values() for name, _ in flow.events}
    return [] if None in given else [name for name in trigger.spec.name if name not in given]
