"""A run's result and metrics: the specification's names and forms, and null for what is not known."""

from __future__ import annotations

import pytest

from daemon.metrics import money, result, step_timings
from daemon.store.rows import Run
from flows.attempt import Attempt
from flows.usage import Usage


def attempt(path: str, status: str = "success", number: int = 1, **more) -> Attempt:
    more.setdefault("duration_ms", 100)
    return Attempt(path, path.rpartition(".")[2], more.pop("kind", "bash"), number, status, 0.0, **more)


def run(*attempts: Attempt, took_s: float = 0.2, **more) -> Run:
    values = {"status": "completed", "started_at": 100.0, "finished_at": 100.0 + took_s, **more}
    return Run("run_1", "f", "d", inputs={}, created_at=99.0, attempts=attempts, **values)


def metrics(*attempts: Attempt, **more):
    return result(run(*attempts, **more))["_metrics"]


@pytest.mark.parametrize(
    ("nano_usd", "text"),
    [
        (37_000_000, "$0.037"),
        (1_240_000_000, "$1.24"),
        (0, "$0.00"),
        (500_000_000, "$0.50"),
        (120_000_000, "$0.12"),
        (36_800_000, "$0.037"),
        (421_300, "$0.00042"),
        (1, "$0.000000001"),
        (996_000_000, "$1.00"),
        (999_999_999, "$1.00"),
        (1_005_000_000, "$1.01"),
        (1_234_567_890_000_000, "$1,234,567.89"),
        (None, None),
    ],
)
def test_money_is_written_as_the_specification_writes_it(nano_usd, text):
    assert money(nano_usd) == text


def test_a_result_has_the_fields_that_tools_rely_on():
    said = result(run(attempt("load", output={"a": 1}), output={"a": 1}))

    assert list(said) == ["run", "status", "steps", "inputs", "output", "error", "_metrics"]
    assert said["steps"] == {
        "load": {"status": "success", "output": {"a": 1}, "error": None, "errorCode": None, "durationMs": 100, "attempts": 1}
    }


def test_metrics_of_steps_without_models_have_durations_and_no_tokens():
    said = metrics(attempt("load"))

    assert said["steps"] == {"load": {"durationMs": 100, "attempts": 1}}
    assert (said["totalDurationMs"], said["totalEstimatedCost"], said["costStatus"]) == (200, None, "none")
    assert (said["inputTokens"], said["wastedCostUsd"]) == (None, None)


def test_the_specifications_example_comes_out():
    usage = Usage(8234, 3421, 37_000_000, ("m",), 1, "proxy")

    said = metrics(attempt("runAnalysis", duration_ms=12_000, usage=usage, track=True, cost_label="company-analysis"), took_s=12)

    assert said["steps"]["runAnalysis"] == {
        "durationMs": 12_000,
        "attempts": 1,
        "costLabel": "company-analysis",
        "inputTokens": 8234,
        "outputTokens": 3421,
        "estimatedCost": "$0.037",
        "calls": 1,
        "models": ["m"],
        "source": "proxy",
    }
    assert (said["totalEstimatedCost"], said["totalEstimatedCostUsd"], said["costStatus"]) == ("$0.037", 0.037, "exact")


def test_what_is_tracked_and_not_known_is_null_and_never_zero():
    said = metrics(attempt("ask", track=True))

    step = said["steps"]["ask"]
    assert (step["inputTokens"], step["outputTokens"], step["estimatedCost"], step["calls"]) == (None, None, None, None)
    assert (said["totalEstimatedCost"], said["totalEstimatedCostUsd"], said["costStatus"]) == (None, None, "unknown")


def test_a_cost_of_which_a_part_is_not_known_says_so():
    said = metrics(attempt("a", usage=Usage(1, 1, 1_240_000_000)), attempt("b", track=True))

    assert (said["totalEstimatedCost"], said["costStatus"]) == ("$1.24", "partial")


def test_a_known_cost_of_nothing_is_exact():
    said = metrics(attempt("a", usage=Usage(1, 1, 0)))

    assert (said["totalEstimatedCost"], said["costStatus"]) == ("$0.00", "exact")


def test_a_step_that_was_not_run_makes_no_cost_unknown():
    said = metrics(attempt("a", usage=Usage(1, 1, 5)), attempt("b", "skipped", track=True, duration_ms=0))

    assert said["costStatus"] == "exact"


def test_a_step_that_lacked_what_it_requires_asked_no_model_and_makes_no_cost_unknown():
    lacked = attempt("b", "failed", track=True, cost_label="x", code="REQUIRES_MISSING", error="requires $.input.n")

    alone, beside = metrics(lacked), metrics(attempt("a", usage=Usage(1, 1, 5)), lacked)

    assert (alone["costStatus"], alone["wastedCostUsd"], alone["steps"]["b"]) == (
        "none",
        None,
        {"durationMs": 100, "attempts": 1, "costLabel": "x"},
    )
    assert (beside["costStatus"], beside["wastedCostUsd"]) == ("exact", 0)


@pytest.mark.parametrize("code", ["UNSAFE_INTERPOLATION", "BINARY_MISSING", "TEMPLATE_MISSING"])
def test_a_try_that_failed_before_anything_was_started_makes_no_cost_unknown(code):
    refused = attempt("a", "failed", 1, track=True, code=code, error="no", final=False)

    alone, again = metrics(refused), metrics(refused, attempt("a", "success", 2, track=True, usage=Usage(1, 1, 5)))

    assert (alone["costStatus"], alone["wastedCostUsd"], again["costStatus"]) == ("none", None, "exact")


def test_a_try_whose_command_ran_and_told_nothing_leaves_the_cost_unknown():
    assert metrics(attempt("a", "failed", track=True, code="EXIT_STATUS", error="no"))["costStatus"] == "unknown"


def test_tries_of_one_step_are_added_up():
    tries = (
        attempt("a", "failed", 1, usage=Usage(10, 1, 1_000_000_000), final=False, error="no", code="EXIT_STATUS"),
        attempt("a", "success", 2, usage=Usage(20, 2, 2_000_000_000), output="x"),
    )

    said = result(run(*tries))

    assert said["steps"]["a"] == {
        "status": "success",
        "output": "x",
        "error": None,
        "errorCode": None,
        "durationMs": 200,
        "attempts": 2,
    }
    step = said["_metrics"]["steps"]["a"]
    assert (step["inputTokens"], step["outputTokens"], step["estimatedCost"], step["attempts"]) == (30, 3, "$3.00", 2)
    assert said["_metrics"]["wastedCostUsd"] == 1.0


def test_a_try_that_was_recorded_at_its_start_and_at_its_end_counts_once():
    said = result(run(attempt("a", "running", duration_ms=None), attempt("a", "success", duration_ms=70)))

    assert said["steps"]["a"]["durationMs"] == 70
    assert said["steps"]["a"]["attempts"] == 1


def test_a_skipped_step_was_tried_no_time():
    said = result(run(attempt("a", "skipped", duration_ms=0, code="IF_FALSE")))

    assert (said["steps"]["a"]["attempts"], said["steps"]["a"]["errorCode"]) == (0, "IF_FALSE")
    assert said["_metrics"]["successRate"] is None


def test_a_branch_that_failed_wasted_what_its_good_steps_cost():
    cost = Usage(1, 1, 1_000_000_000)

    said = metrics(
        attempt("research", "failed", container=True, kind="parallel"),
        attempt("research[0].load", usage=cost),
        attempt("research[1].ask", "failed", usage=cost),
        attempt("researcher", usage=cost),
    )

    assert (said["totalEstimatedCostUsd"], said["wastedCostUsd"]) == (3.0, 2.0)


def test_a_waste_that_is_not_known_is_null():
    said = metrics(attempt("a", "failed", track=True))

    assert said["wastedCostUsd"] is None


def test_the_ratio_of_parallel_work_leaves_containers_out():
    said = metrics(
        attempt("both", duration_ms=200, container=True),
        attempt("both[0].a", duration_ms=200),
        attempt("both[1].b", duration_ms=200),
    )

    assert said["parallelizationRatio"] == 2.0


def test_ratios_of_nothing_are_null():
    said = metrics(took_s=0)

    assert (said["parallelizationRatio"], said["successRate"], said["cacheHitRate"]) == (None, None, None)


def test_the_share_of_success_counts_steps_that_ran():
    said = metrics(attempt("a"), attempt("b", "failed"), attempt("c", "skipped"), attempt("d"), attempt("e"))

    assert said["successRate"] == 0.75


def test_a_run_that_goes_on_has_no_total_yet():
    said = metrics(attempt("a", "running", duration_ms=None), finished_at=None, status="running")

    assert (said["totalDurationMs"], said["steps"]["a"]["durationMs"]) == (None, None)


def test_step_timings_are_milliseconds_by_step():
    assert step_timings(run(attempt("step1", duration_ms=1234), attempt("each[0].fetch", duration_ms=5))) == {
        "step1": 1234,
        "each[0].fetch": 5,
    }


def test_a_container_stands_before_what_it_holds():
    paths = ("load", "each[0].fetch", "each[0].in/a", "each[0].in", "each[1].fetch", "each", "eachone")

    said = result(run(*(attempt(path) for path in paths)))

    assert list(said["steps"]) == ["load", "each", "each[0].fetch", "each[0].in", "each[0].in/a", "each[1].fetch", "eachone"]


def test_what_was_taken_over_from_another_run_is_shown_and_counted_nowhere():
    used = Usage(calls=1, input_tokens=100, output_tokens=10, cost_nano_usd=1_000_000)
    copied = attempt("ask", usage=used, track=True, cost_label="ask", copied=True, output=1)
    own = attempt("tell", usage=used, track=True)

    said = result(run(copied, own))
    counted = said["_metrics"]

    assert (said["steps"]["ask"]["output"], said["steps"]["ask"]["copied"], "copied" in said["steps"]["tell"]) == (1, True, False)
    assert (counted["inputTokens"], counted["totalEstimatedCost"], counted["successRate"]) == (100, "$0.0010", 1.0)
    assert counted["steps"]["ask"] == {"durationMs": None, "attempts": 0}
    assert counted["parallelizationRatio"] == 0.5
    assert step_timings(run(copied, own)) == {"tell": 100}
