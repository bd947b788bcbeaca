"""Attempts become a run's result: its steps, `_metrics`, `_stepTimings` and totals. Pure.

What the ratios mean: durations of a step are the sum of its tries, without the waits between them. A container (a loop, a
parallel, a sub-flow) lasts as long as the steps inside it, so sums leave containers out. What is not known is None.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from daemon.store.rows import Run
    from flows.attempt import Attempt

NANO = 1_000_000_000
_JOINT = re.compile(r"[\[/.#]")  # what follows a container's path in the path of a step inside it
# Codes of tries that failed while their command was made or before it could start: no model can have been asked.
BEGAN_NOTHING = frozenset(
    {
        *("REQUIRES_MISSING", "PATH_MISSING", "TEMPLATE_MISSING", "TEMPLATE_VALUE", "TEMPLATE_LIMIT", "VALUE_TYPE"),
        *("UNSAFE_INTERPOLATION", "TEXT_ENCODING", "NUL_CHARACTER"),
        *("BINARY_MISSING", "CWD_NOT_FOUND", "START_FAILED", "COMMAND_TOO_LONG"),
    }
)
_UNSUCCESSFUL = frozenset({"failed", "timeout", "cancelled", "interrupted"})


def result(run: Run) -> dict[str, Any]:
    """What `flow execute -o json` prints. Steps inside a loop or a sub-flow stand under their path: `each[0].fetch`."""
    steps = by_step(run.attempts)
    return {
        "run": run.id,
        "status": run.status,
        "steps": {path: _step(tries) for path, tries in steps.items()},
        "inputs": run.inputs,
        "output": run.output,
        "error": run.error,
        "_metrics": _metrics(run, steps),
    }


def step_timings(run: Run) -> dict[str, int | None]:
    """`_stepTimings`: each step's milliseconds, but of those taken over. None: it has not ended."""
    return {path: _duration(tries) for path, tries in by_step(run.attempts).items() if not tries[-1].copied}


def money(nano_usd: int | None) -> str | None:
    """`$1.24`, `$0.037`: cents from a dollar up, below it two significant digits and at least cents. None: not known."""
    if nano_usd is None:
        return None
    amount = Decimal(nano_usd) / NANO
    places = 2 if amount == 0 or abs(amount) >= 1 else min(9, max(2, 1 - amount.adjusted()))
    rounded = amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    if rounded == rounded.quantize(Decimal("0.01")):
        rounded = rounded.quantize(Decimal("0.01"))
    return f"-${-rounded:,f}" if rounded < 0 else f"${rounded:,f}"


def by_step(attempts: Sequence[Attempt]) -> dict[str, list[Attempt]]:
    """Step path → its tries in order. A try that was recorded twice, at its start and its end, counts once."""
    latest: dict[tuple[str, int], Attempt] = {}
    for attempt in attempts:
        latest[attempt.path, attempt.number] = attempt
    steps: dict[str, list[Attempt]] = {}
    for attempt in latest.values():
        steps.setdefault(attempt.path, []).append(attempt)
    for tries in steps.values():
        tries.sort(key=lambda attempt: attempt.number)
    return {path: steps[path] for path in _outside_first(steps)}


def _outside_first(paths: Iterable[str]) -> list[str]:
    """The paths as they come, but a container before what it holds: it ends, and is recorded, after it."""
    known = {path: place for place, path in enumerate(paths)}
    begins = dict(known)
    for path, place in known.items():
        for end in _JOINT.finditer(path):
            outer = path[: end.start()]
            if outer in begins:
                begins[outer] = min(begins[outer], place)
    return sorted(known, key=lambda path: (begins[path], len(path)))


def _step(tries: Sequence[Attempt]) -> dict[str, Any]:
    last = tries[-1]
    return {
        "status": last.status,
        "output": last.output,
        "error": last.error,
        "errorCode": last.code,
        "durationMs": _duration(tries),
        "attempts": _tried(tries),
        **({"copied": True} if last.copied else {}),
    }


def _tried(tries: Iterable[Attempt]) -> int:
    return sum(attempt.status != "skipped" for attempt in tries)


def _duration(tries: Iterable[Attempt]) -> int | None:
    known = [attempt.duration_ms for attempt in tries if attempt.duration_ms is not None]
    return sum(known) if known else None


def _metrics(run: Run, steps: dict[str, list[Attempt]]) -> dict[str, Any]:
    tries = [attempt for each in steps.values() for attempt in each if not attempt.copied]  # else they were counted twice
    wall_ms = None if (took_s := run.took_s) is None else round(took_s * 1000)
    busy_ms = sum(attempt.duration_ms or 0 for attempt in tries if not attempt.container)
    ran = [each[-1] for each in steps.values() if each[-1].status not in {"skipped", "running"} and not each[-1].copied]
    metered = _metered(tries)
    cost, cost_status = _cost(metered)
    return {
        "totalDurationMs": wall_ms,
        "totalEstimatedCost": money(cost),
        "totalEstimatedCostUsd": _usd(cost),
        "costStatus": cost_status,
        "wastedCostUsd": _usd(_wasted(metered, steps)),
        "parallelizationRatio": round(busy_ms / wall_ms, 2) if wall_ms else None,
        "cacheHitRate": None,  # no step has a cache yet
        "successRate": round(sum(last.status == "success" for last in ran) / len(ran), 4) if ran else None,
        "inputTokens": _sum(attempt.usage.input_tokens for attempt in metered if attempt.usage is not None),
        "outputTokens": _sum(attempt.usage.output_tokens for attempt in metered if attempt.usage is not None),
        "steps": {path: _step_metrics(each) for path, each in steps.items()},
    }


def _step_metrics(tries: Sequence[Attempt]) -> dict[str, Any]:
    """Duration and tries for every step; tokens and money for one that is metered, None where they are not known.

    What was taken over from another run was used there: here it is nothing.
    """
    tries = [attempt for attempt in tries if not attempt.copied]
    said: dict[str, Any] = {"durationMs": _duration(tries), "attempts": _tried(tries)}
    label = next((attempt.cost_label for attempt in tries if attempt.cost_label is not None), None)
    if label is not None:
        said["costLabel"] = label
    metered = _metered(tries)
    if not metered:
        return said
    usages = [attempt.usage for attempt in metered if attempt.usage is not None]
    cost, _ = _cost(metered)
    return said | {
        "inputTokens": _sum(usage.input_tokens for usage in usages),
        "outputTokens": _sum(usage.output_tokens for usage in usages),
        "estimatedCost": money(cost),
        "calls": sum(usage.calls for usage in usages) if usages else None,
        "models": list(dict.fromkeys(model for usage in usages for model in usage.models)),
        "source": next((usage.source for usage in usages if usage.source is not None), None),
    }


def _metered(tries: Iterable[Attempt]) -> list[Attempt]:
    """The tries whose use of models is asked for or known. A container's is that of its children.

    One that was skipped, or that failed before anything was started, used nothing: that is known, and leaves no cost unknown.
    """
    return [
        attempt
        for attempt in tries
        if (attempt.usage is not None or (attempt.track and attempt.code not in BEGAN_NOTHING))
        and not attempt.container
        and attempt.status != "skipped"
    ]


def _cost(metered: Sequence[Attempt]) -> tuple[int | None, str]:
    """The sum of what is known, and how far it can be trusted: none (nothing is metered), unknown, partial, exact."""
    if not metered:
        return None, "none"
    known = [
        attempt.usage.cost_nano_usd
        for attempt in metered
        if attempt.usage is not None and attempt.usage.cost_nano_usd is not None
    ]
    if not known:
        return None, "unknown"
    return sum(known), "exact" if len(known) == len(metered) else "partial"


def _wasted(metered: Sequence[Attempt], steps: dict[str, list[Attempt]]) -> int | None:
    """The cost of tries that gave nothing: they failed, or what they stand in (a branch, a sub-flow) failed in the end."""
    if not metered:
        return None
    failed = [path for path, tries in steps.items() if tries[-1].container and tries[-1].status in _UNSUCCESSFUL]
    wasted = [
        attempt for attempt in metered if attempt.status in _UNSUCCESSFUL or any(_inside(attempt.path, path) for path in failed)
    ]
    return _cost(wasted)[0] if wasted else 0


def _inside(path: str, container: str) -> bool:
    return len(path) > len(container) and path.startswith(container) and _JOINT.match(path, len(container)) is not None


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _usd(nano_usd: int | None) -> float | None:
    return None if nano_usd is None else nano_usd / NANO
