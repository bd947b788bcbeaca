"""How far runs may start each other: no chain grows beyond its limits, whatever starts its runs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from daemon.store.rows import Candidate
    from triggers.event import Event
    from triggers.sources.flow_spec import FlowSettings

log = structlog.get_logger()

REMEMBERED_CHAINS = 10_000  # that still go on; a chain whose count is forgotten is limited by its depth all the same


class ChainLimits:
    """Composed once: the candidates of an event that a run has caused → the same, or refused."""

    def __init__(self, settings: FlowSettings, started: Mapping[str, int]) -> None:
        """`started`: how many runs the chains that still go on have started by now."""
        self._settings = settings
        self._started = OrderedDict(started)  # chain → runs that others started, the least recently grown first

    def admit(self, event: Event, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Each candidate as it is, or refused: its chain is too deep, or has started too many runs."""
        return [self._limited(event, candidate) for candidate in candidates]

    def begin_round(self, chain: str) -> None:
        """A continuous workflow goes on in this chain: what each round starts is counted by itself, or it would end some day."""
        self._started.pop(chain, None)

    def take_back(self, event: Event, candidates: Sequence[Candidate]) -> None:
        """What was admitted comes to nothing: its runs do not count."""
        chain = event.document["chain"]["id"]
        if chain in self._started:
            self._started[chain] -= sum(candidate.run is not None for candidate in candidates)

    def _limited(self, event: Event, candidate: Candidate) -> Candidate:
        if candidate.run is None:
            return candidate
        chain, depth = event.document["chain"]["id"], event.document["chain"]["depth"]
        number = self._started.get(chain, 0) + 1
        limits = self._settings
        if depth > limits.max_depth:
            said = f"this would be run {depth} in a row of the chain {chain}, and max_depth is {limits.max_depth}"
        elif number > limits.max_runs:
            said = f"the chain {chain} has started {number - 1:,} runs, and max_runs is {limits.max_runs:,}"
        else:
            self._started[chain] = number
            self._started.move_to_end(chain)
            if len(self._started) > REMEMBERED_CHAINS:
                self._started.popitem(last=False)
            return candidate
        return _refused(candidate, f"{said} ([sources.flow])", {"chain": chain, "depth": depth, "started": number - 1})


def _refused(candidate: Candidate, reason: str, detail: Mapping[str, Any]) -> Candidate:
    verdict = replace(candidate.verdict, verdict="loop_refused", reason=reason, detail=detail)
    log.warning("flow.loop_refused", trigger=verdict.trigger, **detail)
    return replace(candidate, verdict=verdict, run=None, once=None)
