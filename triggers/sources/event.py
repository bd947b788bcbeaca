"""Events of flows' own: what a step gives with `emit` starts what hears its name.

Nothing is watched: the step's attempt hands the event in, and ends when the event, its verdicts and the runs that follow are on
disk. So no event is lost, and the step that runs again after a crash makes no second one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from triggers.by_hand import ByHand
from triggers.source import Model
from triggers.sources.event_document import given_by_hand
from triggers.sources.event_spec import EventSettings, EventTriggerSpec, prepare
from triggers.sources.handed_in import HandedIn


class EventSource(HandedIn):
    """All event triggers. Found by the event's name alone."""

    type: ClassVar[str] = "event"
    Spec: ClassVar[Model] = EventTriggerSpec
    Settings: ClassVar[Model] = EventSettings

    @staticmethod
    def prepare(section: Mapping[str, Any], *, key: str) -> EventTriggerSpec:  # noqa: ARG004 - the seam's; the section says it all
        return prepare(section)

    @staticmethod
    def addresses(key: str, spec: EventTriggerSpec) -> tuple[str, ...]:  # noqa: ARG004 - as above
        return tuple(spec.name)

    @staticmethod
    def by_hand(key: str, spec: EventTriggerSpec, given: Mapping[str, Any], *, now: datetime) -> ByHand:  # noqa: ARG004 - as above
        return given_by_hand(spec, given, now)
