"""What happens, counted: plain numbers that the hot path adds to and /metrics reads. Labels are bounded, whatever comes."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daemon.store.rows import Candidate, Run

LABELS = 200  # keys of triggers, and of flows, that are counted by themselves; those that come later are `other` together
OTHER = "other"
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)

Counts = dict[str, int]


class Durations:
    """A histogram: how many fell into each bucket (the last one is without an end), and their sum."""

    __slots__ = ("buckets", "sum_s")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BUCKETS_S) + 1)
        self.sum_s = 0.0

    def add(self, seconds: float) -> None:
        self.buckets[bisect_left(BUCKETS_S, seconds)] += 1
        self.sum_s += seconds


class Counters:
    """Of one process, from its start. What is durable is counted when it is."""

    def __init__(self) -> None:
        self.events: Counts = defaultdict(int)  # source →
        self.verdicts: dict[str, Counts] = {}  # trigger → verdict →
        self.runs: dict[str, Counts] = {}  # flow → status →
        self.durations: dict[str, Durations] = {}  # flow →
        self.attempts: dict[str, Counts] = defaultdict(lambda: defaultdict(int))  # kind of step → status →
        self.reloads: Counts = defaultdict(int)  # ok, refused, failed →
        self.last_reload: tuple[float, str] | None = None  # when (seconds since the epoch), and what came of it

    def event(self, source: str, candidates: Iterable[Candidate], queued: Collection[Run]) -> None:
        """One event is on disk, with these verdicts. A candidate whose run was not queued is a duplicate."""
        self.events[source] += 1
        for candidate in candidates:
            verdict = candidate.verdict
            counts = self.verdicts.get(verdict.trigger)
            if counts is None:
                counts = _kept(self.verdicts, verdict.trigger)
            twice = candidate.run is not None and candidate.run not in queued
            counts["duplicate" if twice else verdict.verdict] += 1

    def reload(self, result: str) -> None:
        """The home was read again, or could not be."""
        self.reloads[result] += 1
        self.last_reload = (time.time(), result)

    def run(self, run: Run) -> None:
        """One run has ended, and that is on disk."""
        counts = self.runs.get(run.flow)
        if counts is None:
            counts = _kept(self.runs, run.flow)
        counts[run.status] += 1
        if (took_s := run.took_s) is not None:
            durations = self.durations.get(run.flow)
            if durations is None:
                label = run.flow if len(self.durations) < LABELS else OTHER
                durations = self.durations.setdefault(label, Durations())
            durations.add(took_s)


def _kept(by_key: dict[str, Counts], key: str) -> Counts:
    """The counts of a key that has none yet."""
    label = key if len(by_key) < LABELS else OTHER
    return by_key.setdefault(label, defaultdict(int))
