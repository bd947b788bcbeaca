"""What became of one event for one trigger, and why: a closed list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

VerdictName = Literal[
    "dispatched",  # a run was made
    "no_trigger",  # nothing listens at this address
    "auth_failed",  # the signature or token did not verify
    "disabled",  # the trigger is switched off in its definition
    "suspended",  # an operator, or a run of failures, switched it off
    "filter_false",  # the filter's answer was false
    "filter_error",  # the filter could not be evaluated
    "mapping_error",  # an input's path matched nothing and has no default
    "input_invalid",  # the flow refuses the inputs
    "duplicate",  # this cause, or this idempotency key, has had its run
    "debounced",
    "batched",
    "throttled",
    "rate_limited",
    "overlap_skipped",  # the run of an earlier slot was still going
    "concurrency_skipped",
    "superseded",
    "queue_full",
    "expired",
    "missed",  # the daemon was not running at this time
    "catchup_skipped",  # missed, and the catch-up policy leaves it out
    "budget_blocked",
    "unchanged",  # a file was touched, its content is the same
    "loop_refused",
    "shadow",
]
VERDICTS: tuple[str, ...] = get_args(VerdictName)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One row: an event, a candidate trigger, an answer and its reason."""

    trigger: str  # the trigger's key; "*" for a group of candidates that one index lookup ruled out
    verdict: VerdictName
    reason: str | None = None  # a sentence for people; None: `dispatched` needs none
    detail: Mapping[str, Any] | None = None  # for tools: expression, deciding, values (capped, redacted), count
    run: str | None = None  # run_…, with `dispatched`
