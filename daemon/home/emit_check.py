"""What flows give and wait for, and triggers hear and have: what is said of one side that the other does not know. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flows.errors import Problem
from flows.flow import Flow
from flows.suggest import did_you_mean
from triggers.trigger import Trigger


def unheard_events(flows: Mapping[str, Flow], triggers: Iterable[Trigger]) -> list[tuple[str, Problem]]:
    """A warning for each event with a literal name that no trigger hears and no flow waits for."""
    heard = awaited_events(flows) | {name for trigger in triggers if trigger.type == "event" for name in trigger.spec.name}
    return [
        (key, Problem(place, f"no trigger hears the event «{name}»", did_you_mean(name, _names(heard)), warning=True))
        for key, flow in flows.items()
        for name, place in flow.events
        if name is not None and name not in heard and None not in heard
    ]


def absent_hooks(flows: Mapping[str, Flow], triggers: Iterable[Trigger]) -> list[tuple[str, Problem]]:
    """A warning for each hook that a flow waits for and no trigger has: a request to it is a 404."""
    awaiting = [(key, one) for key, flow in flows.items() for one in flow.awaits if one[0] == "webhook"]
    if not awaiting:
        return []
    paths = {trigger.spec.path for trigger in triggers if trigger.type == "webhook"}
    hint = 'a trigger with this path, and "enabled": false where nothing is to be started'
    return [
        (key, Problem(place, f"no trigger has the hook «{path}»", did_you_mean(path, paths) or hint, warning=True))
        for key, (_, path, place) in awaiting
        if path is not None and path not in paths
    ]


def awaited_events(flows: Mapping[str, Flow]) -> set[str | None]:
    """The names of the events that steps of these flows wait for. None is in it where one is made at run."""
    return {name for flow in flows.values() for source, name, _ in flow.awaits if source == "event"}


def never_given(trigger: Trigger, flows: Mapping[str, Flow]) -> list[str]:
    """The names that an event trigger hears and no flow gives. Where a flow makes names at run, that cannot be told."""
    given = {name for flow in flows.values() for name, _ in flow.events}
    return [] if None in given else [name for name in trigger.spec.name if name not in given]


def _names(names: Iterable[str | None]) -> list[str]:
    return [name for name in names if name is not None]
