"""Counters: bounded labels, and a histogram as Prometheus has it."""

from __future__ import annotations

from collections import defaultdict

from prometheus_client.parser import text_string_to_metric_families

from daemon.measuring.counters import BUCKETS_S, LABELS, OTHER, Counters
from daemon.measuring.exposition import Exposition
from daemon.measuring.measures import Measures
from daemon.store.rows import Candidate, Run
from triggers.verdict import Verdict


def ended(flow: str, seconds: float | None, status: str = "completed") -> Run:
    finished = None if seconds is None else 100.0 + seconds
    return Run("run_a", flow, "0", status, {}, 0.0, started_at=None if seconds is None else 100.0, finished_at=finished)


class Nothing:
    """Parts of a daemon in which nothing happens."""

    failing = False

    def tally(self):
        return 0, 0, 0

    def next_due(self):
        return {}

    def overdue(self, by_s):
        return {}

    def watched(self):
        return {f"watch-{number}": 1 for number in range(LABELS + 5)}

    def traffic(self):
        return (0, 0, 3, 0, 1, 0), 2


def scraped(counters: Counters) -> dict[str, dict[tuple, float]]:
    """Name → labels → value, read as Prometheus reads it."""
    zero = lambda: 0
    text = Exposition(Measures("1.2.3", counters, Nothing(), Nothing(), zero, zero, zero, zero, zero, zero)).text().decode()
    found: dict[str, dict[tuple, float]] = defaultdict(dict)
    for family in text_string_to_metric_families(text):
        assert family.documentation
        for sample in family.samples:
            found[sample.name][tuple(sample.labels.values())] = sample.value
    return found


def test_keys_beyond_the_bound_are_counted_together_and_those_that_have_a_label_keep_it():
    counters = Counters()
    for number in range(LABELS + 50):
        counters.event("webhook", [Candidate(Verdict(f"t{number}", "filter_false"))], [])
        counters.run(ended(f"f{number}", 1.0))
    counters.event("webhook", [Candidate(Verdict("t0", "filter_false"))], [])

    found = scraped(counters)

    assert found["camshaft_events_total"] == {("webhook",): LABELS + 51}
    assert len(found["camshaft_verdicts_total"]) == len(found["camshaft_runs_total"]) == LABELS + 1
    assert found["camshaft_verdicts_total"][OTHER, "filter_false"] == 50
    assert found["camshaft_verdicts_total"]["t0", "filter_false"] == 2
    assert found["camshaft_run_duration_seconds_count"][(OTHER,)] == 50
    assert found["camshaft_file_watch_files"][(OTHER,)] == 5


def test_a_run_that_was_not_queued_is_counted_as_the_duplicate_that_it_is():
    counters = Counters()
    run = ended("greet", None)
    candidate = Candidate(Verdict("hook", "dispatched"), run=run)

    counters.event("webhook", [candidate], [run])
    counters.event("webhook", [candidate], [])

    assert dict(counters.verdicts["hook"]) == {"dispatched": 1, "duplicate": 1}


def test_durations_fall_into_buckets_that_hold_the_smaller_ones_too():
    counters = Counters()
    for seconds in (0.0, 0.005, 0.3, 7.0, 99_999.0, -1.0):
        counters.run(ended("greet", seconds))
    counters.run(ended("greet", None, "cancelled"))

    found = scraped(counters)
    buckets = {labels[1]: value for labels, value in found["camshaft_run_duration_seconds_bucket"].items()}

    assert list(buckets) == [*map(str, BUCKETS_S), "+Inf"]
    assert (buckets["0.005"], buckets["0.5"], buckets["10.0"], buckets["7200.0"], buckets["+Inf"]) == (3, 4, 5, 5, 6)
    assert found["camshaft_run_duration_seconds_count"] == {("greet",): 6}
    assert found["camshaft_runs_total"] == {("greet", "completed"): 6, ("greet", "cancelled"): 1}


def test_labels_of_strangers_are_written_so_that_they_can_be_read():
    counters = Counters()
    counters.run(ended('a "b"\n\\c', 1.0))

    assert ('a "b"\n\\c', "completed") in scraped(counters)["camshaft_runs_total"]
