"""A flow with what follows its main steps: `onFailure`, `onCancel` and `finally`, whatever became of them."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import TYPE_CHECKING

from flows.control import CANCELLED, Control, Ending, is_cut
from flows.errors import StepError
from flows.step import Ended
from flows.view import Failure

if TYPE_CHECKING:
    from flows.execution import Execution
    from flows.graph import Graph, Handlers

FOLLOWS = {"failed": "onFailure", "cancelled": "onCancel"}


async def run_whole(execution: Execution, control: Control) -> Ended:
    """A whole run: its main steps until they have ended, in whatever way, and then its handlers. See there for a cancel.

    CancelledError is raised where the run is left to another process, and where it has no handlers. Afterwards nothing runs.
    """
    ended, ending = await _main(execution, control)
    handlers = execution.graph.handlers
    if handlers is not None and _following(handlers, ending):
        cleaning = Handling(execution, control, ending, keeps=control.ending is None)
        ended = await cleaning.run(handlers, ended)
        if cleaning.asked:
            _heard()
        if cleaning.asked or control.cancelled is not None:
            ended = _cancelled(control).over(ended)
    return ended


async def run_inner(execution: Execution, control: Control) -> Ended:
    """The same for a sub-flow, whose end is a matter of the step that called it: a cancel is raised when it has cleaned up.

    Where it failed, or its `finally` did, the execution's failure says how.
    """
    handlers = execution.graph.handlers
    assert handlers is not None  # else nothing follows
    cancel: BaseException | None = None
    try:
        ended = await execution.run()
        ending = _ending_of(execution, ended)
    except BaseException as error:
        if not (isinstance(error, asyncio.CancelledError) or is_cut(error)) or control.leaving():
            raise
        cancel, ending = error, _cancelled(control)
        ended = ending.over(Ended("cancelled", execution.results))
    cleaning = Handling(execution, control, ending)
    ended = await cleaning.run(handlers, ended)
    if cancel is not None:
        raise cancel
    if cleaning.asked:
        raise asyncio.CancelledError
    return ended


async def _main(execution: Execution, control: Control) -> tuple[Ended, Ending]:
    """What was kept of an earlier process stands: its records are gone through once more, for what handlers see of them."""
    kept = control.ending
    execution.closed = kept is not None or control.cancelled is not None
    try:
        ended = await execution.run(control.limit(execution.own_limit(), execution.now()))
    except asyncio.CancelledError:
        if control.leaving() or execution.graph.handlers is None:
            raise
        _heard()
        ended = Ended("cancelled", execution.results)
    except BaseException as error:
        if not is_cut(error):
            raise
        ended = Ended("cancelled", execution.results)
    execution.closed = False
    if kept is not None:
        return kept.over(ended), kept
    if ended.status == "cancelled" or control.cancelled is not None:
        ending = _cancelled(control)
        return ending.over(ended), ending
    return ended, _ending_of(execution, ended)


def _heard() -> None:
    """The cancel of this task has been acted on: from now on it is a task like any other."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()


def _cancelled(control: Control) -> Ending:
    return Ending("cancelled", None, control.cancelled or CANCELLED, "CANCELLED")


def _ending_of(execution: Execution, ended: Ended) -> Ending:
    step = None if execution.failure is None else execution.failure.step
    return Ending(ended.status, step, ended.error, ended.code)


def _following(handlers: Handlers, ending: Ending) -> list[tuple[str, Graph]]:
    """What follows an ending, in order."""
    names = {FOLLOWS.get(ending.status), "finally"}
    return [(name, graph) for name, graph in handlers.named().items() if name in names]


class Handling:
    """The handlers of one flow under way. They have a task of their own: a cancel leaves them time to end, and no more."""

    def __init__(self, execution: Execution, control: Control, ending: Ending, *, keeps: bool = False) -> None:
        self._execution = execution
        self._control = control
        self._ending = ending
        self._keeps = keeps  # how the main steps ended is to be made durable first
        self._timer: asyncio.Timeout | None = None
        self._failed: Failure | None = None  # a step of `finally`
        self.asked = False  # a cancel came while they ran

    async def run(self, handlers: Handlers, ended: Ended) -> Ended:
        """What became of the whole: a `finally` that fails fails what had completed, and nothing else changes anything."""
        work = asyncio.get_running_loop().create_task(self._all(handlers), name="handlers")
        while not work.done():
            try:
                await asyncio.wait((work,))
            except asyncio.CancelledError:
                if self._control.leaving():
                    work.cancel()
                    await _gone(work)
                    raise
                self.asked = True
                self._hurry()
        work.result()  # raises CancelledError where the loop itself is being closed
        if self._failed is None or ended.status != "completed":
            return ended
        self._execution.failure = Failure(None, StepError(f"finally: {self._failed}", code=self._failed.error.code))
        return Ended("failed", ended.steps, None, str(self._execution.failure), self._failed.error.code)

    async def _all(self, handlers: Handlers) -> None:
        if self._keeps:
            await self._control.keep(self._ending)
        left_s = self._left_s()
        bounded = (
            nullcontext() if left_s is None else self._execution.rest.clock_runs()
        )  # not left to wait: its time is ours alone
        try:
            async with asyncio.timeout(left_s) as self._timer:
                with bounded:
                    for name, graph in _following(handlers, self._ending):
                        handler = self._execution.handler(name, graph, self._ending.names)
                        await handler.run()
                        if name == "finally":
                            self._failed = handler.failure
        except TimeoutError:
            if self._timer is None or not self._timer.expired():
                raise
            self._failed = Failure(None, StepError("there was no more time for it", code="RUN_TIMEOUT"))

    def _left_s(self) -> float | None:
        """None: as long as it takes."""
        control = self._control
        if self._ending.status == "cancelled" or control.cancelled is not None or self.asked:
            return control.cleanup_s
        return None if control.finish_by is None else max(control.finish_by - self._execution.now(), control.cleanup_s)

    def _hurry(self) -> None:
        if self._timer is None:  # it has not begun: then it sees by itself that there is little time
            return
        ends = asyncio.get_running_loop().time() + self._control.cleanup_s
        if not self._timer.expired() and (self._timer.when() or ends) >= ends:
            self._timer.reschedule(ends)


async def _gone(task: asyncio.Task[None]) -> None:
    """Wait until a cancelled task is gone, also when asked again."""
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError:
            continue
