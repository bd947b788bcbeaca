"""One step under way: its attempts one after the other, and what is recorded of each."""

from __future__ import annotations

import asyncio
import re
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from flows.attempt import Attempt, AttemptStatus
from flows.depth import MAX_OUTPUT_DEPTH, MAX_STORED_DEPTH, MAX_WRITTEN, deeper_than, larger_than
from flows.errors import StepError
from flows.expression import Expression
from flows.results import Result, as_step_error, failed, milliseconds, succeeded, why_missing
from flows.script.question import answer
from flows.step import Output, Scope
from flows.waiting import Place, Resolution, Wait

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
    from pathlib import Path

    from flows.graph import Graph, Requirement, Step
    from flows.step import Ended, StepKind
    from flows.world import Run

TRIES = re.compile(r"#\d+")


class Trial:
    """A step from its first attempt to its last. `number` is that of the attempt under way or next."""

    __slots__ = (
        "failed_at", "failures", "find_flow", "first_at", "folder", "inside", "is_last", "kind", "merges", "names", "number", "path", "record", "run",
        "run_body", "show", "started_at", "step", "stopped",
    )  # fmt: skip

    def __init__(self, run: Run, step: Step, path: str, names: dict[str, Any], folder: Path) -> None:
        self.run = run
        self.step = step
        self.path = path
        self.names = names
        self.folder = folder
        self.run_body: Callable[..., Coroutine[Any, Any, Ended]] | None = (
            None  # a container's: RunBody once it is given the trial
        )
        self.show: Callable[[Any], None] | None = None
        self.merges = False  # its `data` is put together of what several steps gave, and may double
        self.find_flow = run.world.find_flow
        self.is_last: Callable[[], bool] | None = None  # asked when it has succeeded: does nothing of its run follow?
        self.stopped = _goes_on  # asked before each attempt: the cancel may still be on its way
        self.record: Awaitable[None] | None = None  # of the failure that was noted last
        self.inside: list[dict[str, Result]] = []  # of each body of the attempt under way or last, in the order of their starts
        self.kind = run.world.kinds[step.kind]
        self.number = 1
        self.failures = 0  # attempts that failed or timed out; what a crash interrupted uses up no retry
        self.first_at = self.started_at = self.failed_at = run.world.clock()

    def resume_after(self, attempts: Sequence[Attempt]) -> None:
        """Go on where an earlier process stopped."""
        self.number = attempts[-1].number + 1
        self.failures = sum(attempt.status in {"failed", "timeout"} for attempt in attempts)
        self.first_at = attempts[0].started_at
        self.failed_at = attempts[-1].started_at + (attempts[-1].duration_ms or 0) / 1000

    def again(self, error: StepError) -> bool:
        return self.step.retry.again(error, self.failures)

    def call(self) -> Output | StepError:
        """One attempt of a plain step, recorded."""
        self.started_at = self.run.world.clock()
        try:
            self._require()
            output = self.kind.run(self.step.prepared, self._scope())
        except Exception as error:  # noqa: BLE001 - a step is a stranger's code: what it raises becomes an attempt
            return self._failed(error)
        if not isinstance(output, Output):  # a plain function that gives an awaitable is a mistake of its kind
            return self._failed(self._no_output(output))
        if deeper_than(output.value, MAX_OUTPUT_DEPTH):
            return self._failed(_too_deep(output, MAX_OUTPUT_DEPTH))
        self.note("success", output)
        return output

    def why_not(self) -> str | None:
        """The code of a step that its own condition skips; None: it runs. Raises what the condition raises."""
        step = self.step
        if isinstance(step.when, Expression) and not step.when.test(self.names):
            return "IF_FALSE"
        return "UNLESS_TRUE" if isinstance(step.unless, Expression) and step.unless.test(self.names) else None

    async def ask(self) -> str | StepError | None:
        """The same where the JavaScript engine has to be asked; an error where it cannot tell."""
        step = self.step
        try:
            if step.when is not None and not await answer(step.when, self.names):
                return "IF_FALSE"
            return "UNLESS_TRUE" if step.unless is not None and await answer(step.unless, self.names) else None
        except Exception as error:  # noqa: BLE001 - whatever a condition raises is this step's failure
            refused = self.refuse(error)
            await self.run.saved(self.record)
            return refused

    def refuse(self, error: Exception) -> StepError:
        """Its own condition could not be evaluated: that counts as an attempt."""
        return self._failed(as_step_error(error, self.names["steps"], retryable=False))

    def skip(self, code: str) -> None:
        """Record that it is not run, and why."""
        step, kind = self.step, self.kind
        self.run.note(
            Attempt(
                self.path,
                step.id,
                step.kind,
                self.number,
                "skipped",
                self.started_at,
                duration_ms=0,
                code=code,
                track=step.track,
                cost_label=step.cost_label,
                effects=kind.effects,
                container=kind.container,
            )
        )

    async def attempts(self, error: StepError | None = None) -> Output | StepError:
        """All attempts that are left, recorded; with an error, its retry waits first. On return the last one is on disk."""
        while True:
            if error is not None:
                await self._pause(error)
                await self.run.rest.gate(counted=not self.kind.container)
            if self.stopped():
                raise asyncio.CancelledError
            given = await self._attempt()
            if isinstance(given, Output):
                await self.run.saved(self.note("success", given))
                return given
            error = given
            if not self.again(error):
                await self.run.saved(self.record)  # what goes on after it must find it recorded
                return error
            self.number += 1

    async def _attempt(self) -> Output | StepError:
        self.started_at = self.run.world.clock()
        self.inside = []
        if self.kind.effects:
            begun = self.note("running")
            if self.step.on_interrupted == "fail":  # else a crash could hide that it was in flight, and it would run again
                await self.run.saved(begun)
        try:
            self._require()
            return await self._within_timeout()
        except asyncio.CancelledError:
            if _cancelling() or self.stopped():
                self.note("cancelled")
                raise
            return self._failed(StepError("something that the step waited for was cancelled", code="UNEXPECTED"))
        except Exception as error:  # noqa: BLE001 - a step is a stranger's code: what it raises becomes an attempt
            return self._failed(error)

    async def _within_timeout(self) -> Output:
        timeout_s = self.step.timeout_s
        if timeout_s is None or self.step.kind in self.run.world.waiting:  # there the wait itself has the limit: see wait()
            return await self._run()
        inner = self.run.rest.clock_runs() if self.kind.container else nullcontext()
        try:
            async with asyncio.timeout(timeout_s) as limit:
                with inner:
                    return await self._run()
        except TimeoutError:
            if not limit.expired():
                raise
            raise self._timed_out() from None

    def link(self, due: float | None, by: str | None) -> str | None:
        """Scope.link."""
        return self.run.world.link(Place(self.run.id, self.path, self.number), due, by)

    def _timed_out(self) -> StepError:
        assert self.step.timeout_s is not None  # else nothing times out
        message = f"took longer than its timeout of {milliseconds(self.step.timeout_s)} ms"
        return StepError(message, code="TIMEOUT", timed_out=True)

    async def wait(self, wait: Wait) -> Resolution:
        """Scope.wait. The attempt's time counts from when the wait began, however often the run was left since."""
        timeout_s = self.step.timeout_s
        if timeout_s is not None:
            wait = replace(wait, limit=self.started_at + timeout_s)
        with self.run.rest.waits(counted=not self.kind.container):
            ended = await self.run.world.wait(Place(self.run.id, self.path, self.number), wait)
        self.started_at = min(self.started_at, ended.since)
        if self.number == 1:
            self.first_at = self.started_at
        if ended.how == "limit":
            raise self._timed_out()
        return ended

    async def _run(self) -> Output:
        given = self.kind.run(self.step.prepared, self._scope())
        output = await given if isawaitable(given) else given
        if not isinstance(output, Output):
            raise self._no_output(output)
        limit = MAX_STORED_DEPTH if self.kind.container else MAX_OUTPUT_DEPTH  # a container's has those of its steps inside
        if deeper_than(output.value, limit):
            raise _too_deep(output, limit)
        if self.kind.container and self.run.nests(self.path) and larger_than([output.value, output.response], MAX_WRITTEN):
            raise _too_large()
        return output

    def _no_output(self, given: object) -> TypeError:
        return TypeError(f"the step kind «{self.step.kind}» gave {type(given).__name__}, not an Output")

    async def _pause(self, error: StepError) -> None:
        delay_s = self.step.retry.of(error).delay_s(self.failures, retry_after_s=error.retry_after_s)
        passed_s = max(0.0, self.run.world.clock() - self.failed_at)  # much, where an earlier process saw it fail
        try:
            await asyncio.sleep(max(0.0, delay_s - passed_s))
        except asyncio.CancelledError:
            self.started_at = self.run.world.clock()
            self.note("cancelled")
            raise

    def _failed(self, raised: Exception) -> StepError:
        error = as_step_error(raised, self.names["steps"]).kept()
        self.failures += 1
        self.failed_at = self.run.world.clock()
        final = self.step.fallback is None and not self.again(error)
        self.record = self.note("timeout" if error.timed_out else "failed", error=error, final=final)
        return error

    def note(
        self, status: AttemptStatus, output: Output | None = None, *, error: StepError | None = None, final: bool = True
    ) -> Awaitable[None] | None:
        """Record the attempt under way."""
        step, kind = self.step, self.kind
        duration_ms = None if status == "running" else milliseconds(self.run.world.clock() - self.started_at)
        value = response = usage = message = code = None
        if output is not None:
            value, response, usage = output.value, output.response, output.usage
        elif error is not None:
            value, message, code, usage = error.output, str(error), error.code, error.usage
            response = _for_retries(error)
        return self.run.note(
            Attempt(
                self.path,
                step.id,
                step.kind,
                self.number,
                status,
                self.started_at,
                duration_ms,
                value,
                response,
                message,
                code,
                usage,
                step.track,
                step.cost_label,
                final,
                kind.effects,
                kind.container,
                last=status == "success" and self.is_last is not None and self.is_last(),
            )
        )

    def result(self, given: Output | StepError) -> Result:
        """What $.steps shows after the last attempt."""
        duration_ms = milliseconds(self.run.world.clock() - self.first_at)
        if isinstance(given, Output):
            return succeeded(given, duration_ms=duration_ms, attempts=self.number, retries=self.failures)
        return failed(given, duration_ms=duration_ms, attempts=self.number, retries=max(0, self.failures - 1))

    def _scope(self) -> Scope:
        world, path = self.run.world, self.path
        scope = Scope(
            self.names,
            self.run.id,
            path,
            self.number,
            f"{self.run.id}:{TRIES.sub('', path) if '#' in path else path}",  # a retried loop does the same work again
            self.folder,
            no_body if self.run_body is None else partial(self.run_body, self),
            self.find_flow,
            world.secret,
            world.emit,
            self.wait,
            self.link,
        )
        if self.show is not None:
            scope.show = self.show
        return scope

    def _require(self) -> None:
        if self.merges and larger_than(self.names["data"], MAX_WRITTEN):
            said = f"what it is given by several nodes is more than {MAX_WRITTEN:,} values together"
            raise StepError(said, code="MERGE_LIMIT", retryable=False)
        for required in self.step.requires:
            self._require_one(required)

    def _require_one(self, required: Requirement) -> None:
        found = required.miss(self.names)
        if found is None:
            return
        why = why_missing(required.text, self.names["steps"])
        raise StepError(f"requires {required.text}, which is {found}{why}", code="REQUIRES_MISSING", retryable=False)


def _for_retries(error: StepError) -> dict[str, Any] | None:
    """What retry rules go by beside code and message, also after a crash."""
    said = {"status": error.status, "retryAfterS": error.retry_after_s}
    return {name: value for name, value in said.items() if value is not None} or None


def _too_deep(output: Output, limit: int) -> StepError:
    """It could be neither stored nor shown, and a run that is resumed would go on without it."""
    said = f"its output is nested more than {limit} deep"
    return StepError(said, code="OUTPUT_DEPTH", retryable=False, usage=output.usage)


def _too_large() -> StepError:
    """Where steps hold each other, each shows what is inside twice, as `output` and as `response`."""
    said = f"its output is more than {MAX_WRITTEN:,} values, for what is inside doubles with each step around it"
    hint = "an `output` of the flow that is called, or fewer steps around each other, makes it less"
    return StepError(f"{said}: {hint}", code="OUTPUT_SIZE", retryable=False)


def may_double(graph: Graph, sources: Sequence[int], kinds: Mapping[str, StepKind]) -> bool:
    """Whether a step that is given what these gave may hold one value many times: conditions and ways back hand on what they are given."""
    return graph.merge and len(sources) > 1 and any(kinds[graph.steps[source].kind].container for source in sources)


def _cancelling() -> bool:
    """Whether the task itself is cancelled. It is no local of who catches that: the task keeps the error, and that its frames."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _goes_on() -> bool:
    return False


async def no_body(*_args: object, **_kwargs: object) -> Ended:
    """RunBody of the kinds that said they run no steps."""
    raise StepError("this kind of step is not declared as a container", code="UNEXPECTED", retryable=False)
