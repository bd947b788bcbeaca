"""What an earlier process recorded, as results: so that nothing that is recorded runs again."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from flows.errors import StepError
from flows.references import bodies_of
from flows.results import Result, borrowed, restored

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flows.attempt import Attempt
    from flows.graph import Step

PLACE = re.compile(r"(?s)(?P<container>.*?)(?:#(?P<tries>\d+))?(?P<marks>(?:\[\d+\])*)(?P<joint>[./])(?P<step>[^./]+)\Z")
MARKS = re.compile(r"[./#\[]")
SUBFLOW = re.compile("/")


class Recorded:
    """The attempts of an earlier process by path, each path's in order, with the latest record of each."""

    def __init__(self, attempts: Sequence[Attempt]) -> None:
        by_path: dict[str, dict[int, Attempt]] = {}
        for attempt in attempts:
            by_path.setdefault(attempt.path, {})[attempt.number] = attempt
        self._by_path = {path: [numbered[number] for number in sorted(numbered)] for path, numbered in by_path.items()}
        self._inside = _by_container(self._by_path)
        self._around: set[str] | None = None  # the places around all that is recorded
        self._begun: dict[str, float] | None = (
            None  # what the paths of a sub-flow's steps begin with → when the first of them began
        )

    def __contains__(self, path: str) -> bool:
        return path in self._by_path

    def __bool__(self) -> bool:
        return bool(self._by_path)

    def of(self, path: str) -> list[Attempt]:
        return self._by_path[path]

    def begun_at(self, prefix: str) -> float | None:
        """When the first step of the sub-flow whose steps have this prefix began. None: none is recorded."""
        if self._begun is None:
            self._begun = {}
            for path, tries in self._by_path.items():
                for joint in SUBFLOW.finditer(path):
                    around, began = path[: joint.end()], tries[0].started_at
                    self._begun[around] = min(began, self._begun.get(around, began))
        return self._begun.get(prefix)

    def touches(self, path: str) -> bool:
        """Whether anything is recorded of this step, or of a step inside it."""
        return path in self._by_path or self.reaches_into(path)

    def reaches_into(self, path: str) -> bool:
        if self._around is None:
            self._around = {path[: mark.start()] for path in self._by_path for mark in MARKS.finditer(path)}
        return path in self._around

    def interrupt(self, path: str, *, final: bool) -> Attempt:
        """The last attempt was in flight when the process ended: what is to be recorded of it now."""
        message = "the process ended while it ran"
        interrupted = replace(self._by_path[path][-1], status="interrupted", error=message, code="INTERRUPTED", final=final)
        self._by_path[path][-1] = interrupted
        return interrupted

    def in_flight(self) -> list[str]:
        """Where the last try has no end, and nobody said that it was interrupted."""
        return [path for path, tries in self._by_path.items() if tries[-1].status == "running"]

    def inside(self, step: Step, path: str) -> dict[str, Result]:
        """The results of the steps in a container's bodies, as those behind it see them: of the last iteration, of the last try."""
        results: dict[str, Result] = {}
        failures = sum(attempt.status in {"failed", "timeout"} and not attempt.final for attempt in self._by_path[path])
        children = self._inside.get((path, failures + 1))
        if children is None:
            return results
        steps = {child.id: child for body in bodies_of(step.prepared) for child in body.steps}
        for child in children:
            child_step = steps.get(child.step)
            if child_step is None:
                continue
            results.update(self.inside(child_step, child.path))
            results[child.step] = restored(self._by_path[child.path])
        return _with_fallbacks(results, steps)


def _with_fallbacks(results: dict[str, Result], steps: Mapping[str, Step]) -> dict[str, Result]:
    """A step whose fallback stood in shows the fallback's output."""
    for name, step in steps.items():
        if step.fallback in results and results.get(name, {}).get("status") in {"failed", "timeout"}:
            results[name] = borrowed(results[name], results[step.fallback])
    return results


def _by_container(by_path: Mapping[str, Sequence[Attempt]]) -> dict[tuple[str, int], list[Attempt]]:
    """(container's path, which try of it) → the last attempts of its steps, in the order of its iterations."""
    found: dict[tuple[str, int], list[tuple[list[int], Attempt]]] = {}
    for path, attempts in by_path.items():
        place = PLACE.match(path)
        if place is None or place["joint"] == "/":  # a sub-flow's steps are seen through its output alone
            continue
        order = [int(mark) for mark in re.findall(r"\d+", place["marks"])]
        found.setdefault((place["container"], int(place["tries"] or 1)), []).append((order, attempts[-1]))
    return {key: [attempt for _, attempt in sorted(inside, key=_order)] for key, inside in found.items()}


def _order(entry: tuple[list[int], Attempt]) -> list[int]:
    return entry[0]


def rebuilt_error(attempt: Attempt) -> StepError:
    """The error that an attempt ended with, as far as its record tells."""
    timed_out = attempt.status == "timeout"
    kept = attempt.response if isinstance(attempt.response, dict) else {}
    status, retry_after_s = kept.get("status"), kept.get("retryAfterS")
    return StepError(
        attempt.error or "failed",
        code=attempt.code or "UNEXPECTED",
        status=status if isinstance(status, int) else None,
        retry_after_s=retry_after_s if isinstance(retry_after_s, (int, float)) else None,
        output=attempt.output,
        timed_out=timed_out,
    )


NOTHING_RECORDED = Recorded(())
"""Of runs that begin, which are nearly all: to make one anew takes a microsecond."""
