"""Flows: a run that ended becomes an event, and starts what follows it.

Nothing is watched: the worker tells of each end, and the event, its verdicts and the runs that follow are written in the
transaction that ends the run. So no end is lost or followed twice, whatever happens to the process.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from triggers.by_hand import ByHand
from triggers.source import Model
from triggers.sources.flow_event import address, end_by_hand
from triggers.sources.flow_spec import FlowSettings, FlowTriggerSpec, prepare
from triggers.sources.handed_in import HandedIn


class FlowSource(HandedIn):
    """All flow triggers. Found by flow and status alone: a run that nobody follows costs one look-up."""

    type: ClassVar[str] = "flow"
    Spec: ClassVar[Model] = FlowTriggerSpec
    Settings: ClassVar[Model] = FlowSettings

    @staticmethod
    def prepare(section: Mapping[str, Any], *, key: str) -> FlowTriggerSpec:  # noqa: ARG004 - the seam's; the section says it all
        return prepare(section)

    @staticmethod
    def addresses(key: str, spec: FlowTriggerSpec) -> tuple[str, ...]:  # noqa: ARG004 - as above
        return tuple(address(flow, status) for flow in spec.flow for status in spec.on)

    @staticmethod
    def by_hand(key: str, spec: FlowTriggerSpec, given: Mapping[str, Any], *, now: datetime) -> ByHand:  # noqa: ARG004 - as above
        return end_by_hand(spec, given, now)
