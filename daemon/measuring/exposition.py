"""The text of /metrics: every number of Measures under its name. Imported at the first scrape."""

from __future__ import annotations

import platform
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from daemon.measuring.counters import BUCKETS_S, LABELS, OTHER, Durations
from daemon.measuring.measures import Measures
from daemon.upkeep import OVERDUE_S


class Exposition:
    """One registry of ours: the library's own is for the whole process, and would keep what tests made before."""

    def __init__(self, measures: Measures) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(Ours(measures))
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        return generate_latest(self._registry)


class Ours(Collector):
    """Asked at each scrape. Names: docs/operations.md has the table, and a test keeps it."""

    def __init__(self, measures: Measures) -> None:
        self._measures = measures

    def collect(self) -> Iterator[Metric]:
        yield from self._what_came()
        yield from self._what_ran()
        yield from self._store()
        yield from self._definitions()
        yield from self._listeners()
        yield from self._sources()

    def _what_came(self) -> Iterable[Metric]:
        counters = self._measures.counters
        yield _counted("camshaft_events", "Events that were made durable.", "source", counters.events)
        yield _counted_twice(
            "camshaft_verdicts", "What became of events for triggers.", ("trigger", "verdict"), counters.verdicts
        )

    def _what_ran(self) -> Iterable[Metric]:
        measures, counters = self._measures, self._measures.counters
        yield _counted_twice("camshaft_runs", "Runs that have ended.", ("flow", "status"), counters.runs)
        durations = HistogramMetricFamily(
            "camshaft_run_duration_seconds",
            "From a run's first step to its end; the time it was queued is not in it.",
            labels=["flow"],
        )
        for flow, each in counters.durations.items():
            durations.add_metric([flow], _buckets(each), each.sum_s)
        yield durations
        yield _counted_twice("camshaft_attempts", "Tries of steps that have ended.", ("kind", "status"), counters.attempts)
        yield GaugeMetricFamily("camshaft_runs_queued", "Runs that wait for a worker.", measures.queued())
        yield GaugeMetricFamily("camshaft_runs_running", "Runs that go on now.", measures.running())

    def _store(self) -> Iterable[Metric]:
        store = self._measures.store
        commits, operations, failures = store.tally()
        yield CounterMetricFamily("camshaft_store_commits", "Transactions that were committed.", commits)
        yield CounterMetricFamily(
            "camshaft_store_operations", "Operations made durable; by commits: how many shared one.", operations
        )
        yield CounterMetricFamily("camshaft_store_commit_failures", "Transactions that failed.", failures)
        yield GaugeMetricFamily("camshaft_store_failing", "1 while nothing can be made durable.", int(store.failing))

    def _definitions(self) -> Iterable[Metric]:
        measures = self._measures
        definitions = GaugeMetricFamily("camshaft_definitions", "Definitions in force.", labels=["noun"])
        definitions.add_metric(["trigger"], measures.triggers())
        definitions.add_metric(["flow"], measures.flows())
        yield definitions
        yield GaugeMetricFamily("camshaft_definition_problems", "What is wrong or doubtful in the home.", measures.problems())
        yield _counted(
            "camshaft_reloads", "Times the home was read again, by what came of it.", "result", measures.counters.reloads
        )
        build = InfoMetricFamily("camshaft_build", "Which versions these are.")
        build.add_metric([], {"version": measures.version, "python": platform.python_version(), "sqlite": sqlite3.sqlite_version})
        yield build

    def _listeners(self) -> Iterable[Metric]:
        answers, connections = self._measures.sources.traffic()
        by_class = {f"{digit}xx": number for digit, number in enumerate(answers) if digit}
        yield _counted("camshaft_http_requests", "Answers of the public listener.", "class", by_class)
        yield GaugeMetricFamily("camshaft_http_connections", "Open connections of the public listener.", connections)
        yield GaugeMetricFamily("camshaft_stream_listeners", "Who listens to the stream.", self._measures.listeners())
        yield GaugeMetricFamily(
            "camshaft_loop_lag_seconds",
            "How late the event loop was, at worst, since the last scrape.",
            self._measures.lag.taken(),
        )

    def _sources(self) -> Iterable[Metric]:
        sources = self._measures.sources
        due = GaugeMetricFamily(
            "camshaft_schedule_next_due_timestamp_seconds", "The next slot of a schedule; the first 200.", labels=["trigger"]
        )
        for trigger, at in sorted(sources.next_due().items())[:LABELS]:
            due.add_metric([trigger], at.timestamp())
        yield due
        overdue = len(sources.overdue(OVERDUE_S))
        yield GaugeMetricFamily("camshaft_schedules_overdue", "Schedules whose slot should have been dealt with.", overdue)
        watched = GaugeMetricFamily("camshaft_file_watch_files", "Files that are known to a watch.", labels=["trigger"])
        for trigger, number in _capped(sources.watched()).items():
            watched.add_metric([trigger], number)
        yield watched


def _counted(name: str, said: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, said, labels=[label])
    for value, number in list(counts.items()):
        family.add_metric([value], number)
    return family


def _counted_twice(name: str, said: str, labels: tuple[str, str], counts: Mapping[str, Mapping[str, int]]) -> Metric:
    family = CounterMetricFamily(name, said, labels=labels)
    for value, inner in list(counts.items()):
        for word, number in list(inner.items()):
            family.add_metric([value, word], number)
    return family


def _buckets(durations: Durations) -> list[tuple[str, float]]:
    """As Prometheus has them: each with what is in the smaller ones."""
    ends = [*map(str, BUCKETS_S), "+Inf"]
    return list(zip(ends, accumulate(durations.buckets), strict=True))


def _capped(counts: Mapping[str, int]) -> dict[str, int]:
    """So many by themselves, and the rest together."""
    ordered = sorted(counts.items())
    kept = dict(ordered[:LABELS])
    if len(ordered) > LABELS:
        kept[OTHER] = sum(number for _, number in ordered[LABELS:])
    return kept
