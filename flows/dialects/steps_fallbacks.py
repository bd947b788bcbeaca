"""What follows the failures of the steps of one list: their tries, and the step that stands in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from flows.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flows.dialects.steps import Lowering
    from flows.dialects.steps_edges import Draft
    from flows.dialects.steps_spec import OnErrorSpec
    from flows.graph import Place


def with_fallbacks(lowering: Lowering, drafts: Sequence[Draft]) -> list[Draft]:
    """Each step with what follows its failures: its own onError, else the flow's default."""
    known = {draft.step.id: draft for draft in drafts}
    done = []
    for draft in drafts:
        rule = draft.on_error or lowering.default
        if rule is None:
            done.append(draft)
            continue
        place = (*draft.step.place, "onError")
        fallback = _fallback(lowering, draft, rule, known, place)
        if draft.on_error is not None and rule.strategy == "retry" and not rule.retries:
            lowering.warn(place, "without retries the step is tried once", 'add "retries": 3')
        on_error: Literal["fail", "continue"] = "continue" if rule.strategy == "continue" else "fail"
        step = replace(draft.step, retry=rule.policy(), fallback=fallback, on_error=on_error)
        done.append(replace(draft, step=step))
    callers: dict[str, list[str]] = {}
    for draft in done:
        if draft.step.fallback is not None:
            callers.setdefault(draft.step.fallback, []).append(draft.step.id)
    for name, calling in callers.items():
        _check_stand_in(lowering, next(draft for draft in done if draft.step.id == name), calling)
    return done


def _fallback(lowering: Lowering, draft: Draft, rule: OnErrorSpec, known: Mapping[str, Draft], place: Place) -> str | None:
    """The id of the step that stands in. A default names it for the steps of its list, and for itself there is none."""
    wanted = rule.fallback_step_id
    if rule.strategy != "fallback":
        return None
    if wanted is None:
        if draft.on_error is not None:
            lowering.warn(place, "a fallback without fallbackStepId is the same as fail", 'add "fallbackStepId"')
        return None
    if wanted in known and wanted != draft.step.id:
        return wanted
    place = (*place, "fallbackStepId")
    if draft.on_error is not None and wanted in known:
        lowering.refuse(place, "a step cannot stand in for itself", code="GRAPH_STEP")
    elif draft.on_error is not None:
        lowering.refuse(place, f"there is no step «{wanted}» in this list", did_you_mean(wanted, known), code="GRAPH_STEP")
    return None


def _check_stand_in(lowering: Lowering, draft: Draft, callers: Sequence[str]) -> None:
    """A step that stands in for others runs when it is called: it cannot wait for anything else."""
    for number, need in enumerate(draft.needs or ()):
        if need not in callers:
            place = (*draft.step.place, "needs", number)
            lowering.refuse(
                place, f"«{draft.step.id}» runs when «{callers[0]}» failed, and waits for nothing else", "take it out"
            )
