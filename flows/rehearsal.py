"""A run in which some steps do not run: others' answers stand in for them, or it stops at one of them."""

from __future__ import annotations

import copy
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from inspect import isawaitable, iscoroutinefunction
from typing import TYPE_CHECKING, Any

from flows.dry_run import resolve_step
from flows.errors import FlowsError
from flows.executor import World, execute
from flows.references import all_steps
from flows.selector import MISSING
from flows.step import Ended, Output, Scope
from flows.value import compile_value

if TYPE_CHECKING:
    from flows.attempt import Attempt
    from flows.flow import Flow
    from flows.graph import Graph, Step
    from flows.step import StepKind

_SETTLED = frozenset({"success", "skipped"})


@dataclass(frozen=True, slots=True)
class Plan:
    """What is not as in a run."""

    answers: Mapping[str, Any] = field(default_factory=dict)  # a step's id, or its path in the run → its output; it does not run
    mock_effects: bool = False  # steps that touch the world give an example, or what they would have been given
    stop_after: str | None = None  # the id of the step that is the last
    dry: bool = False  # the last step is looked at and not run


@dataclass(slots=True)
class Rehearsed:
    """How it came out."""

    ended: Ended | None = None  # None: it stopped where it was told to
    resolved: dict[str, Any] | None = None  # the step it stopped at, where that was only to be looked at


class Stopped(BaseException):
    """It is where it was told to stop. No step may take it for its own failure, so it is no Exception."""


def steps_of(graph: Graph) -> dict[str, Step]:
    """Every step at every depth by its id."""
    return {step.id: step for step in all_steps(graph)}


async def rehearse(
    flow: Flow, inputs: Mapping[str, Any], plan: Plan, *, run_id: str, world: World, told: Callable[[Attempt], None]
) -> Rehearsed:
    """Execute with stand-ins. `told` hears of every attempt, in order; nothing is recorded. A cancel reaches all steps."""
    rehearsed, steps = Rehearsed(), steps_of(flow.graph)
    last = steps.get(plan.stop_after or "")
    stopping = {last.id, last.fallback} if last is not None else set()
    stopped = False

    def note(attempt: Attempt) -> None:
        nonlocal stopped
        told(attempt)
        if attempt.step not in stopping or "/" in attempt.path:
            return
        gone_on = attempt.status in {"failed", "timeout"} and attempt.final and steps[attempt.step].on_error == "continue"
        if attempt.status in _SETTLED or gone_on:
            stopped = True
            raise Stopped

    async def look(step: Step, names: Mapping[str, Any]) -> None:
        nonlocal stopped
        rehearsed.resolved, stopped = await resolve_step(step, names), True
        raise Stopped

    sections = _sections(flow)

    def find_flow(key: str) -> Flow:
        found = world.find_flow(key)
        sections.update(_sections(found))
        return found

    kinds: dict[str, Any] = {name: _StandIn(kind, plan, sections, steps, look) for name, kind in world.kinds.items()}
    stage = World(kinds, find_flow, world.secret, world.env, world.clock, wait=world.wait)
    try:
        rehearsed.ended = await execute(flow, inputs, run_id=run_id, world=stage, record=note)
    except BaseException:  # Stopped, or a group of it with what it cancelled
        if not stopped:
            raise
    return rehearsed


class _StandIn:
    """A kind of step that may give another's answer. It suspends where the kind does, and where a step is to be looked at."""

    def __init__(
        self,
        kind: StepKind,
        plan: Plan,
        sections: Mapping[int, Any],
        steps: Mapping[str, Step],
        look: Callable[[Step, Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        self.name, self.section, self.Settings, self.Spec = kind.name, kind.section, kind.Settings, kind.Spec
        self.effects, self.container, self.waits = kind.effects, kind.container, getattr(kind, "waits", False)
        self.prepare, self.close = kind.prepare, kind.close
        self._kind, self._plan, self._sections, self._steps, self._look = kind, plan, sections, steps, look
        suspends = kind.effects or kind.container or iscoroutinefunction(kind.run) or plan.dry
        self.run = self._in_time if suspends else self._at_once

    def _at_once(self, prepared: Any, scope: Scope) -> Any:
        answer = self._answer(scope)
        return self._kind.run(prepared, scope) if answer is None else answer

    async def _in_time(self, prepared: Any, scope: Scope) -> Any:
        name = _step_in(scope.path)
        if self._plan.dry and name == self._plan.stop_after and "/" not in scope.path:
            await self._look(self._steps[name], scope.names)
        answer = self._answer(scope)
        if answer is not None:
            return answer
        if self._plan.mock_effects and (self._kind.effects or self.waits):
            return await self._example(prepared, scope)
        given = self._kind.run(prepared, scope)
        return await given if isawaitable(given) else given

    def _answer(self, scope: Scope) -> Output | None:
        for key in (scope.path, _step_in(scope.path)):
            if key in self._plan.answers:
                return Output(copy.deepcopy(self._plan.answers[key]))
        return None

    async def _example(self, prepared: Any, scope: Scope) -> Output:
        """What the kind has as an example; else its section, with the values that it would have been given."""
        example = getattr(self._kind, "example", None)
        if example is not None and (found := await example(prepared, scope)) is not None:
            return Output(found, {"_mock": True})
        filled = _filled(self._sections.get(id(prepared)), scope.names)
        filled = copy.deepcopy(filled)  # what is shown of a `while` goes on growing
        return Output({"_mock": True, **filled}, {"_mock": True})


def _sections(flow: Flow) -> dict[int, Any]:
    """The sections as they are written, by what was made of them: two flows may have steps of one id. Those of its sub-flows too."""
    pending, seen = [flow], {id(flow)}
    for each in pending:  # grows while it is gone through: the pinned ones are not asked of find_flow
        new = [called for called in each.pinned.values() if id(called) not in seen]
        seen.update(map(id, new))
        pending += new
    steps = [step for each in pending for step in all_steps(each.graph)]
    return {id(step.prepared): step.section[1] for step in steps if step.section is not None}


def _step_in(path: str) -> str:
    return re.split(r"[./]", path)[-1]


def _filled(written: Any, names: Mapping[str, Any]) -> dict[str, Any]:
    """The section with its values; as it is written where that is no matter of values."""
    if not isinstance(written, dict):
        return {}
    try:
        made = compile_value(written, lenient=True).make(names)
    except FlowsError:
        return written
    return {} if made is MISSING else made
