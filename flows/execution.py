"""One graph under way: what is ready is started, what has settled makes others ready."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from flows.body import run_body
from flows.control import Cut, Limit, is_cut
from flows.errors import StepError
from flows.expression import UNDEFINED
from flows.front import Front
from flows.recovery import rebuilt_error
from flows.results import Result, answer, answered, borrowed, output_of, restored, skipped
from flows.step import Ended, Output
from flows.trial import Trial, may_double
from flows.view import Failure, StandIn, View

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flows.attempt import Attempt
    from flows.flow import Flow
    from flows.graph import Graph, Step
    from flows.world import Run

SKIPPED_ITSELF = frozenset({"IF_FALSE", "UNLESS_TRUE"})


class Execution:
    """Runs one graph once. Everything happens on the loop's thread, so counters need no lock."""

    def __init__(
        self,
        run: Run,
        graph: Graph,
        view: View,
        *,
        subflows: Mapping[str, Flow],
        prefix: str = "",
        depth: int = 0,
        closed: bool = False,
        around: Execution | None = None,
    ) -> None:
        self._run = run
        self.control, self.rest = run.control, run.rest
        self.graph = graph
        self.view = view
        self.closed = closed  # nothing new may start: what is recorded is taken, and what is left of it is cut off
        self._is_cut = False  # something would have started
        self._around = around
        self._abandoned = False
        self._names = view.names()
        self.subflows = subflows  # pinned by the flow whose steps these are
        self._prefix = prefix  # of the paths of its steps: "", "each[3].", "enrich/"
        self.depth = depth  # of sub-flows around it
        self._front = Front(graph)
        self._data: list[Any] = [view.data] * len(graph.steps)  # what each settled step hands on
        self._stand_ins: dict[int, StandIn] = {}  # fallbacks that were called
        self._handing: deque[tuple[int, StandIn]] = deque()  # those that have settled, and are being handed back
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake: asyncio.Future[None] | None = None
        self._broken: BaseException | None = None  # of a task: not a step's failure
        self.failure: Failure | None = None
        self.results: dict[str, Result] = {}  # of its steps, and of those of bodies that share its view

    async def run(self, limit: Limit | None = None) -> Ended:
        """On return every step has settled, or nothing new may start and nothing runs. A cancel reaches all children.

        Without a limit the graph's own timeout counts, from where it began. Raises Cut where it is closed, and not all is recorded.
        """
        limit = limit or self.own_limit()
        if limit is None:
            await self._run_all()
            return self._ended()
        closed, self.closed = self.closed, self.closed or limit.left_s <= 0
        inner = self._run.rest.clock_runs() if self._prefix else nullcontext()  # who resumes a run knows when the whole began
        try:
            async with asyncio.timeout(limit.left_s if limit.left_s > 0 else None) as timer:
                with inner:
                    await self._run_all()
        except Cut:
            if closed:
                raise
            self.failure = Failure(None, limit.error())
        except TimeoutError:
            if not timer.expired():
                raise
            self.failure = Failure(None, limit.error())
        return self._ended()

    def own_limit(self) -> Limit | None:
        if self.graph.timeout_s is None:
            return None
        return Limit.of(self.graph.timeout_s, self._run.begun_at(self._prefix), self.now())

    def now(self) -> float:
        return self._run.world.clock()

    async def _run_all(self) -> None:
        try:
            while self._advance():
                await self._turn()
        except BaseException:
            await self._abandon()
            raise
        if self.is_abandoned():  # what was to start here has not: it is no end, and our own cancel is on its way
            raise asyncio.CancelledError
        if self._is_cut:
            raise Cut

    def _ended(self) -> Ended:
        if self.failure is None:
            try:
                return Ended("completed", self.results, output_of(self.graph, self._names, self.results))
            except StepError as error:
                self.failure = Failure(None, error.kept())
        return Ended("failed", self.results, None, str(self.failure), self.failure.error.code)

    def _advance(self) -> bool:
        """Start what is ready, as long as it is our turn. False: nothing is under way any more."""
        if self._broken is not None:
            raise self._broken
        ready, tasks, run = self._front.ready, self._tasks, self._run
        limit = self.graph.max_concurrent
        while ready and not run.rest.held and (limit is None or len(tasks) < limit):
            self._start(ready.popleft())
            if run.turn_is_over():
                return True
        return bool(tasks) or (run.rest.held and bool(ready))

    async def _turn(self) -> None:
        """Let others run; come back when a task ended, or at once where there is more to start."""
        if self._run.turn_is_over():
            await self._run.next_turn()
            return
        self._wake = asyncio.get_running_loop().create_future()
        if self._run.rest.held and self._front.ready:
            self._run.rest.park(self._wake)
        await self._wake

    async def _abandon(self) -> None:
        """Cancel what runs, once, and wait until it is gone, also when we are asked again: children clean up in peace."""
        self._abandoned = True
        for task in self._tasks:
            task.cancel()
        while self._tasks:
            try:
                await asyncio.wait(self._tasks)
            except asyncio.CancelledError:
                continue

    def _start(self, position: int) -> None:
        graph = self.graph
        step = graph.steps[position]
        stand_in = self._stand_ins.get(position)
        if stand_in is not None:
            if stand_in.begun:
                return
            stand_in.begun = True
        elif self.failure is not None and not self.closed and self._front.is_stopped(position):
            return
        trial = self._trial(position, step, stand_in)
        if self.closed and not self._run.recorded.touches(trial.path):
            self._is_cut = True
            return
        dead = None if stand_in is not None else self._front.why_dead(position)
        if dead is not None:
            self._skip(position, trial, dead)
        elif self._run.recorded and trial.path in self._run.recorded:
            self._resume(position, trial)
        elif step.when is None and step.unless is None:
            self._begin(position, trial)
        else:
            self._ask(position, trial)

    def _trial(self, position: int, step: Step, stand_in: StandIn | None) -> Trial:
        graph, names = self.graph, self._names
        sources = graph.sources[position]
        if sources or stand_in is not None:
            names = names.copy()
            data = self._data[sources[0]] if len(sources) == 1 else self._merged(position)
            names["data"] = names["output"] = data if stand_in is None else stand_in.data
        trial = Trial(self._run, step, self._prefix + step.id, names, graph.folder)
        trial.merges = may_double(graph, sources, self._run.world.kinds)
        if trial.kind.container:
            trial.run_body = partial(run_body, self)
            trial.show = partial(self._show, step.id)
            trial.find_flow = self._find_flow
        elif trial.kind.effects and stand_in is None and not self._prefix and self._leads_nowhere(position):
            trial.is_last = self._is_last
        return trial

    def _merged(self, position: int) -> Any:
        """What a step with several sources is given."""
        if not self.graph.merge:
            return UNDEFINED
        return {f"input_{number}": self._data[source] for number, source in self._front.live_sources(position)}

    def _find_flow(self, key: str) -> Flow:
        """The version that is pinned; where none is (the key was computed), the one that is in force."""
        return self.subflows.get(key) or self._run.world.find_flow(key)

    def _ask(self, position: int, trial: Trial) -> None:
        """Run a step, or skip it: its own condition says."""
        if trial.step.asks:
            self._begin(position, trial, ask=True)
            return
        try:
            code = trial.why_not()
        except Exception as error:  # noqa: BLE001 - whatever an expression raises is this step's failure
            self._after(position, trial, trial.refuse(error))
            return
        if code is None:
            self._begin(position, trial)
        else:
            self._skip(position, trial, code)

    def _begin(self, position: int, trial: Trial, error: StepError | None = None, *, ask: bool = False) -> None:
        """Start its attempts; with an error, its retry waits first; `ask`: its condition is asked of the JavaScript engine first."""
        if self.closed and not (trial.kind.container and self._run.recorded.reaches_into(trial.path)):
            self._is_cut = True
            return
        if error is None and trial.step.kind in self._run.world.plain and not (ask or trial.step.suspends):
            self._after(position, trial, trial.call())
            return
        trial.stopped = self.is_abandoned
        task = asyncio.get_running_loop().create_task(self._work(position, trial, error, ask), name=trial.path)
        self._tasks.add(task)
        if trial.kind.container:
            task.add_done_callback(self._task_ended)
        else:
            self._run.rest.begin()
            task.add_done_callback(self._leaf_ended)

    def is_abandoned(self) -> bool:
        """It, or what it stands in: a cancel takes a turn of the loop for each body on its way, and nothing may start meanwhile."""
        return self._abandoned or (self._around is not None and self._around.is_abandoned())

    async def _work(self, position: int, trial: Trial, error: StepError | None, ask: bool) -> None:  # noqa: FBT001 - private
        said = await trial.ask() if ask else None
        if isinstance(said, str):
            self._skip(position, trial, said)
        else:
            self._after(position, trial, said or await trial.attempts(error))

    def _leaf_ended(self, task: asyncio.Task[None]) -> None:
        self._run.rest.end()
        self._task_ended(task)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if is_cut(error):
            self._is_cut = True
        else:
            self._broken = self._broken or error
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _after(self, position: int, trial: Trial, given: Output | StepError) -> None:
        for results in trial.inside:
            self._put_all(results)
        if isinstance(given, Output):
            self._put(trial.step.id, trial.result(given))
            self._settle(position, given.value, branch=given.branch or answer(given.value), outcome="success")
        elif trial.again(given):
            trial.number += 1
            self._begin(position, trial, given)
        else:
            self._fail(position, trial, given, trial.result(given))

    def _fail(self, position: int, trial: Trial, error: StepError, result: Result) -> None:
        """Its tries are used up: fallback, then what its onError says."""
        self._put(trial.step.id, result)
        if trial.step.fallback is None:
            self._fail_for_good(position, error)
            return
        fallback = self.graph.index[trial.step.fallback]
        stand_in = self._stand_ins.get(fallback)
        if stand_in is None:
            stand_in = self._stand_ins[fallback] = StandIn(trial.names["data"])
            self._front.ready.appendleft(fallback)
        stand_in.callers.append((position, error))
        if stand_in.outcome is not None:
            self._hand_back(fallback, stand_in)

    def _fail_for_good(self, position: int, error: StepError) -> None:
        step = self.graph.steps[position]
        if step.on_error == "continue":
            self._settle(position, UNDEFINED, outcome="failed")
            return
        if self.failure is None:
            self.failure = Failure(*self._first_to_fail(position, error))
        self._front.fail(position)
        self._settle(position, UNDEFINED, live=False, by_failure=True, outcome="failed for good")

    def _first_to_fail(self, position: int, error: StepError) -> tuple[str, StepError]:
        """The step itself; for a fallback, the step it was to stand in for."""
        stand_in = self._stand_ins.get(position)
        if stand_in is not None and stand_in.callers:
            position, error = stand_in.callers[0]
        return self.graph.steps[position].id, error

    def _hand_back_one(self, fallback: int, stand_in: StandIn) -> None:
        """The steps it stood in for stay `failed`, with its output."""
        callers, stand_in.callers = stand_in.callers, []
        for position, error in callers:
            step = self.graph.steps[position]
            if stand_in.outcome in {"success", "failed"}:
                result = borrowed(self.results[step.id], self.results[self.graph.steps[fallback].id])
                self._put(step.id, result)
                self._settle(position, result.get("output", UNDEFINED), outcome="failed")
            else:
                self._fail_for_good(position, error)

    def _skip(self, position: int, trial: Trial, code: str) -> None:
        if trial.path not in self._run.recorded:
            trial.skip(code)
        self._put(trial.step.id, skipped())
        if code in SKIPPED_ITSELF:  # the next steps run, and are given what it was given
            self._settle(position, trial.names["data"], outcome="skipped")
        else:
            self._settle(position, UNDEFINED, live=False, by_failure=code == "SOURCE_FAILED", outcome="skipped")

    def _resume(self, position: int, trial: Trial) -> None:
        """Take what an earlier process recorded of this step, and do only what is left."""
        recorded, step = self._run.recorded, trial.step
        if recorded.of(trial.path)[-1].status == "running":
            self._run.note(recorded.interrupt(trial.path, final=step.on_interrupted == "fail"))
        attempts = recorded.of(trial.path)
        last = attempts[-1]
        trial.resume_after(attempts)
        if last.status == "skipped":
            self._skip(position, trial, last.code or "IF_FALSE")
        elif last.status == "success":
            self._put_all(recorded.inside(step, trial.path))
            self._put(step.id, restored(attempts))
            self._settle(position, last.output, branch=answered(step, last), outcome="success")
        elif self._has_failed(trial, last):
            self._put_all(recorded.inside(step, trial.path))
            self._fail(position, trial, rebuilt_error(last), restored(attempts))
        else:  # what is left of the delay before its next try is waited for
            self._begin(position, trial, rebuilt_error(last) if last.status in {"failed", "timeout"} else None)

    def _has_failed(self, trial: Trial, last: Attempt) -> bool:
        """Whether the record is that of a step whose tries are used up: nothing, or its fallback, follows."""
        if last.status == "interrupted":
            return last.final
        return last.status in {"failed", "timeout"} and (last.final or not trial.again(rebuilt_error(last)))

    def _settle(
        self, position: int, data: Any, *, outcome: str, branch: str | None = None, live: bool = True, by_failure: bool = False
    ) -> None:
        self._data[position] = data
        self._front.settle(position, branch, live=live, by_failure=by_failure)
        stand_in = self._stand_ins.get(position)
        if stand_in is not None:
            stand_in.outcome = outcome
            self._hand_back(position, stand_in)

    def _hand_back(self, fallback: int, stand_in: StandIn) -> None:
        """A fallback has settled: so do the steps it stood in for, and those that one of these stood in for, however many there are."""
        self._handing.append((fallback, stand_in))
        if len(self._handing) > 1:
            return  # the one that began goes on with it
        while self._handing:
            self._hand_back_one(*self._handing[0])
            self._handing.popleft()

    def _put(self, name: str, result: Result) -> None:
        self.view.steps[name] = self.results[name] = result

    def _put_all(self, results: Mapping[str, Result]) -> None:
        self.view.steps.update(results)
        self.results.update(results)

    def _leads_nowhere(self, position: int) -> bool:
        return not (self.graph.targets[position] or self.graph.branches[position])

    def _is_last(self) -> bool:
        """Whether the step that asks, which nothing waits for, is all that is left of the run."""
        return len(self._tasks) == 1 and not self._front.ready

    def _show(self, name: str, output: Any) -> None:
        """Until its own result takes the place: what a step under way has given so far."""
        self.view.steps[name] = {"status": "success", "output": output, "response": output}

    def inner(self, body: Graph, view: View, prefix: str, *, subflows: Mapping[str, Flow], depth: int) -> Execution:
        """The graph inside one of its steps."""
        return Execution(self._run, body, view, subflows=subflows, prefix=prefix, depth=depth, closed=self.closed, around=self)

    def handler(self, name: str, graph: Graph, ending: Mapping[str, Any]) -> Execution:
        """What follows its steps: it sees them, and stands beside them."""
        seen = replace(self.view, ending=ending)
        return Execution(self._run, graph, seen, subflows=self.subflows, prefix=f"{self._prefix}{name}/", depth=self.depth)
