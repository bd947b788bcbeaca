"""What runs inside a step: an iteration of a loop, a branch, a sub-flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flows.errors import StepError
from flows.step import OF_THE_STEP
from flows.view import View
from flows.whole import run_inner
from flows.world import bodies_around

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flows.execution import Execution
    from flows.flow import Flow
    from flows.graph import Graph
    from flows.step import Ended
    from flows.trial import Trial

MAX_DEPTH = 16  # sub-flows inside sub-flows: a flow that calls itself ends here


async def run_body(
    around: Execution,
    trial: Trial,
    body: Graph,
    *,
    mark: str = "",
    loop: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Any] | None = None,
    subflows: Mapping[str, Flow] | None = None,
    data: Any = OF_THE_STEP,
) -> Ended:
    """RunBody for one step. A retried container is another place for its steps: they are run again."""
    view = around.view
    pinned = around.subflows if subflows is None else subflows
    place = f"{trial.path}#{trial.failures + 1}{mark}" if trial.failures else f"{trial.path}{mark}"
    if inputs is not None:
        if around.depth == MAX_DEPTH:
            message = f"flows call each other more than {MAX_DEPTH} deep"
            raise StepError(message, code="FLOW_DEPTH", retryable=False)
        seen = View(inputs, {}, {}, view.env, inputs)
        execution = around.inner(body, seen, f"{place}/", subflows=pinned, depth=around.depth + 1)
    else:
        given = trial.names["data"] if data is OF_THE_STEP else data
        steps = view.steps if loop is None else view.steps.copy()
        seen = View(view.inputs, steps, {**view.loop, **(loop or {})}, view.env, given, view.ending)
        execution = around.inner(body, seen, f"{place}.", subflows=pinned, depth=around.depth)
        trial.inside.append(execution.results)
    trial.run.deepest = max(trial.run.deepest, bodies_around(trial.path) + 1)
    ended = await (execution.run() if body.handlers is None else run_inner(execution, around.control))
    if execution.failure is not None:
        raise execution.failure.from_outside(ended.steps if inputs is not None else None)
    return ended
