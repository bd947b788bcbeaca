"""The story of a run: in the order in which things happened, though durations are whole milliseconds."""

from __future__ import annotations

from daemon.store.rows import Run
from daemon.story import story
from flows.attempt import Attempt


def ended(path: str, started_at: float, duration_ms: int, kind: str = "transform", **more) -> Attempt:
    return Attempt(path, path.rpartition(".")[2], kind, 1, "success", started_at, duration_ms, **more)


def told(*attempts: Attempt, finished_at: float | None = 1010.0) -> list[tuple[str, str | None]]:
    run = Run("run_1", "f", "d", "completed", {}, 999.0, started_at=999.5, finished_at=finished_at, attempts=attempts)
    return [(line["what"], line.get("step")) for line in story(run)[2:]]


def test_a_step_that_began_when_another_had_ended_is_told_behind_it_also_where_rounding_says_otherwise():
    first, second = ended("first", 1000.0, 1), ended("second", 1000.0006, 1)  # 0.6 ms, told as 1

    assert told(first, second) == [
        ("step.started", "first"),
        ("step.success", "first"),
        ("step.started", "second"),
        ("step.success", "second"),
        ("completed", None),
    ]


def test_what_a_container_holds_ends_before_it_and_both_before_what_follows():
    inner, outer = ended("loop.a", 1000.0002, 1), ended("loop", 1000.0001, 1, "loop", container=True)

    assert told(inner, outer, ended("next", 1000.0008, 0)) == [
        ("step.started", "loop"),
        ("step.started", "loop.a"),
        ("step.success", "loop.a"),
        ("step.success", "loop"),
        ("step.started", "next"),
        ("step.success", "next"),
        ("completed", None),
    ]


def test_steps_side_by_side_are_told_as_they_overlapped():
    assert told(ended("long", 1000.0, 50), ended("short", 1000.01, 5))[:4] == [
        ("step.started", "long"),
        ("step.started", "short"),
        ("step.success", "short"),
        ("step.success", "long"),
    ]


def test_nothing_ends_after_its_run_and_times_never_go_back():
    step = ended("a", 1000.1, 1)
    run = Run("run_1", "f", "d", "completed", {}, 999.1, started_at=999.5, finished_at=1000.1004, attempts=(step,))

    times = [line["time"] for line in story(run)]

    assert times == sorted(times)
    assert times[-1] == times[-2]
