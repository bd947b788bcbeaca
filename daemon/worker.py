"""The worker: takes a run that is due, executes it, writes how it ended.

Guarantees: a recorded step never runs again. What was in flight when the process died runs again, with the same idempotency
key. A run that this process is told to leave (a shutdown) is left as it stands, for the next process to go on with.
"""

from __future__ import annotations

import asyncio
import time
import types
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, cast

import structlog

from daemon.dispatch import Job
from daemon.endings import Endings
from daemon.ends import Shutdown, cancelled, defect, has_begun, interrupted, tell, unbegun
from daemon.home.flow_versions import FlowVersions, read_patiently
from daemon.measuring.counters import Counters
from daemon.recorder import Recorder
from daemon.shapes import instant
from daemon.store.rows import LIVE, Follows, Run, RunStatus, Version
from daemon.stream import Stream
from daemon.told import run_told
from daemon.waiting.resting import AtRest
from daemon.waiting.waits import Waits
from flows.attempt import Attempt
from flows.control import CLEANUP_S
from flows.executor import World, execute
from flows.flow import Flow
from flows.step import Ended

log = structlog.get_logger()

LEAVE_S = 0.2  # a run that only waits for so long is left: what it waits for may come at once, and its place is wanted


class RunStore(Protocol):
    """What the worker needs of the store."""

    def claim_fresh(self, run_id: str) -> Run | None: ...
    async def claim(self, run_id: str) -> Run | None: ...
    def record(self, run_id: str, attempts: list[Attempt], *, starts_run_at: float | None = None) -> asyncio.Future[None]: ...
    def finish(
        self,
        run: Run,
        attempts: list[Attempt],
        told: Callable[[BaseException | None], Any],
        follow_ups: Sequence[Follows],
        then: Callable[[Sequence[Run]], None],
    ) -> None: ...
    def save_ending(self, run_id: str, ending: Mapping[str, Any]) -> asyncio.Future[None]: ...
    async def definition(self, digest: str) -> Version | None: ...


class Worker:
    """Executes runs. `live` and `by_trigger` say what goes on now; `ended` tells who waits for a run."""

    def __init__(
        self,
        store: RunStore,
        world: World,
        flows: Callable[[], Mapping[str, Flow]],
        *,
        stream: Stream | None = None,
        counters: Counters | None = None,
        waits: Waits | None = None,
        at_rest: AtRest | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`waits`, `at_rest`: what runs wait for, and where those are that only wait; None: a run is never left for a wait."""
        self._store = store
        self._world = world
        self._flows = FlowVersions(store, flows, world)
        self._waits = waits
        self._at_rest = AtRest() if at_rest is None else at_rest  # an empty one is false
        self._stream = stream or Stream()
        self._counters = counters or Counters()
        self._clock = clock
        self._wishes: dict[str, tuple[float, str | None]] = {}  # of runs that are being claimed: that they stop
        self._recorders: dict[str, Recorder] = {}
        self.endings = Endings()
        self.by_trigger: Counter[str] = Counter()  # runs not yet ended, queued ones included
        self.run_ended: Callable[[str], None] = lambda _trigger: None  # told when a trigger's run has ended
        self.follow: Callable[[Run], Sequence[Follows]] = lambda _run: ()  # what is to be written with a run's end
        self.followed: Callable[[Sequence[Follows], Sequence[Run]], None] = lambda *_: None  # told of what an end has queued
        self.cleanup_s = CLEANUP_S  # for the handlers of a run that was cancelled, or is out of time
        self._shutdown = Shutdown()

    # -- what others ask ----------------------------------------------------------------------------------------------

    def queued(self, trigger: str | None) -> None:
        """A run of this trigger was queued."""
        if trigger is not None:
            self.by_trigger[trigger] += 1

    def running(self, run_id: str) -> bool:
        """The run is being executed by this process now."""
        return run_id in self._recorders

    def under_way(self) -> tuple[str, ...]:
        """The runs being executed now."""
        return tuple(self._recorders)

    def executing(self, run_id: str) -> Run:
        """A run that is being executed by this process now. Raises KeyError."""
        return self._recorders[run_id].of

    def so_far(self, run: Run) -> Run:
        """A run as it stands in the store, with what this process knows and has not written yet."""
        recorder = self._recorders.get(run.id)
        if run.status not in LIVE:
            return run
        if recorder is None:
            status = self._at_rest.status(run.id)
            return run if status is None else replace(run, status=cast("RunStatus", status))
        return replace(run, status="running", started_at=recorder.started_at, attempts=tuple(recorder.attempts))

    def flow_of(self, run: Run) -> Flow | None:
        """The version of the flow that a run was executed with, where it is at hand: it is when the run ends."""
        return self._flows.at_hand(run)

    async def version_of(self, run: Run) -> Flow | str:
        """The version that a run pins; or the sentence why it cannot be had."""
        return self._flows.current(run) or await self._flows.of(run)

    def give_up(self, run: Run, ended: Ended | None = None) -> None:
        """End a claimed run that nobody works on: as cancelled, where nothing else is said. What was in flight was interrupted."""
        recorder = self._recorder(run)
        for attempt in interrupted(run.attempts):
            recorder(attempt)
        self._finish(run, ended or cancelled(run), recorder)

    def wish(self, run_id: str, at: float, reason: str | None, *, claimed: bool) -> bool:
        """Somebody wants a run to stop, and that is on disk. True: it is under way here, and its task is to be cancelled.

        `claimed`: it has been handed out to us; where it has not begun yet it will see that.
        """
        recorder = self._recorders.get(run_id)
        if recorder is not None:
            recorder.wish(at, reason)
        elif claimed:
            self._wishes[run_id] = (at, reason)
        return recorder is not None

    def drain(self) -> None:
        """From now on what only waits is left for the next process. The rest may go on to its end, and be told to stop."""
        self._shutdown.begun = True
        for recorder in tuple(self._recorders.values()):
            if recorder.resting:
                self._leave(recorder)

    def leave(self) -> None:
        """The time to end is over: from now on whatever is cancelled is left, also what somebody wanted to stop."""
        self._shutdown.over = True
        self.drain()

    # -- the line -----------------------------------------------------------------------------------------------------

    def handle(self, job: Job) -> Awaitable[None] | None:
        """The dispatch's handler: at once where nothing can suspend, as a coroutine otherwise."""
        run = self._store.claim_fresh(job.run)
        if run is None:
            return self._resume(job)
        if run.start_by is not None and self._is_not_to_begin(run):
            return None
        if self._at_rest.holds_back(run):
            return None
        flow = self._flows.current(run)
        if flow is None:
            return self._work_on_version(run)
        if run.finish_within is None and self._flows.is_plain(flow):
            return self._work_at_once(run, flow)
        return self.execute(run, flow)

    async def _resume(self, job: Job) -> None:
        run = await read_patiently(lambda: self._store.claim(job.run))
        wish = self._wishes.pop(job.run, None)
        if run is not None and wish is not None:
            run.cancel_asked, run.cancel_reason = wish
        if run is None:
            log.info("run.not_ours", run_id=job.run, epoch=job.epoch)
            return
        if self._is_not_to_begin(run) or self._at_rest.holds_back(run):
            return
        if has_begun(run):
            log.info("run.resumed", run_id=run.id, flow=run.flow, attempts=len(run.attempts))
        flow = self._flows.current(run)
        await (self._work_on_version(run) if flow is None else self.execute(run, flow))

    def _is_not_to_begin(self, run: Run) -> bool:
        """True: it was cancelled or has expired before it began, and has ended so."""
        why = unbegun(run, self._clock())
        if why is not None:
            self.give_up(run, why)
        return why is not None

    def look_at_pauses(self) -> None:
        """What is held back has changed: what goes on now begins nothing more, or goes on, and what was put aside is due."""
        for recorder in tuple(self._recorders.values()):
            held = recorder.of.cancel_asked is None and self._at_rest.paused(recorder.of.id, recorder.of.flow)
            (recorder.gate.hold if held else recorder.gate.release)()
        self._at_rest.wake_free()

    async def _work_on_version(self, run: Run) -> None:
        """The run pins a version that is no longer the current one."""
        flow = await self._flows.of(run)
        if isinstance(flow, Flow):
            await self.execute(run, flow)
        else:
            recorder = self._begin(run)
            self._finish(run, Ended("failed", {}, error=flow, code="DEFINITION_LOST"), recorder)

    def _work_at_once(self, run: Run, flow: Flow) -> Awaitable[None] | None:
        """A graph of plain steps ends in this very call, unless it takes long: then the rest of it becomes a task."""
        recorder = self._begin(run)
        work = execute(flow, run.inputs, run_id=run.id, world=self._world, record=recorder, rest=recorder.gate)
        try:
            turn = work.send(None)
        except StopIteration as stop:
            self._finish(run, stop.value, recorder)
            return None
        except Exception as error:  # noqa: BLE001 - a defect of ours must end this run and not the daemon
            self._finish(run, defect(run, error), recorder)
            return None
        return self._see_through(run, recorder, _rest(work, turn))

    async def execute(self, run: Run, flow: Flow) -> None:
        """Execute a run that is ours, go on with it where it stands, and submit how it ended."""
        recorder = self._begin(run)
        control = recorder.take_control(self.cleanup_s)
        recorder.deadline = control.deadline(flow.graph.timeout_s)  # days at rest count
        await self._see_through(run, recorder, self._execute(run, flow, recorder))

    async def _execute(self, run: Run, flow: Flow, recorder: Recorder) -> Ended:
        """That it has begun is on disk where its time runs, and before anything is done that its handlers are to clean up."""
        if recorder.deadline is not None or flow.graph.handlers is not None:
            begun = recorder.begin()
            if begun is not None and flow.graph.handlers is not None:
                await asyncio.shield(begun)
        return await execute(
            flow,
            run.inputs,
            run_id=run.id,
            world=self._world,
            record=recorder,
            recorded=run.attempts,
            control=recorder.control,
            rest=recorder.gate,
        )

    async def _see_through(self, run: Run, recorder: Recorder, work: Awaitable[Ended]) -> None:
        """Await the execution, and finish the run however it ends."""
        recorder.task = asyncio.current_task()
        if self._waits is not None:
            recorder.gate.heed(partial(self._rests, recorder))
        try:
            ended = await work
        except asyncio.CancelledError:
            if recorder.is_left():
                self._left(run, recorder)
                return
            ended = cancelled(run)
        except Exception as error:  # noqa: BLE001 - a defect of ours must end this run and not the daemon
            ended = defect(run, error)
        self._finish(run, ended, recorder)

    def _rests(self, recorder: Recorder, resting: bool) -> None:  # noqa: FBT001 - the executor's word
        """All that is under way of a run waits, or something of it works again."""
        recorder.rests(resting, LEAVE_S, self._leave)
        if resting and self._shutdown.begun:
            self._leave(recorder)

    def _leave(self, recorder: Recorder) -> None:
        """Stop working on a run that only waits: what it waits for is kept elsewhere, and wakes it."""
        assert self._waits is not None  # else nobody says that it rests
        if recorder.of.cancel_asked is not None:
            return  # it cleans up, and has little time
        if recorder.task is None or not (self._shutdown.begun or recorder.gate.held or self._waits.long_enough(recorder.of.id)):
            return
        recorder.leaving = True
        recorder.task.cancel()

    def _left(self, run: Run, recorder: Recorder) -> None:
        self._let_go(recorder)
        recorder.rests(False, 0, self._leave)
        if recorder.waiting:
            recorder.write()
        if not recorder.leaving or self._waits is None:
            log.info("run.left", run_id=run.id, flow=run.flow)
            return
        self._at_rest.left(run, "paused" if recorder.gate.held else "waiting")
        if recorder.deadline is not None:
            self._waits.alarm(run.id, recorder.deadline)
        until = {} if run.status == "paused" else {"until": instant(self._waits.next_end(run.id))}
        log.info("run.paused" if run.status == "paused" else "run.waiting", run_id=run.id, flow=run.flow, **until)
        if self._stream.tell is not None:
            self._stream.tell("run", run_told(run))
        if not self._waits.holds(run.id):  # it was answered in this very moment; where it is held back, that is stronger
            self._at_rest.wake(run.id)

    def _begin(self, run: Run) -> Recorder:
        if run.started_at is None:
            run.started_at = self._clock()
        if self._stream.tell is not None:
            self._stream.tell("run", run_told(run, "running"))
        return self._recorder(run)

    def _recorder(self, run: Run) -> Recorder:
        more = (self._stream, self._counters.attempts, self._waits)
        recorder = self._recorders[run.id] = Recorder(self._store, run, self._shutdown, *more)
        return recorder

    def _let_go(self, recorder: Recorder) -> None:
        del self._recorders[recorder.of.id]
        recorder.let_go()

    def _finish(self, run: Run, ended: Ended, recorder: Recorder) -> None:
        """Submit how it ended; the store holds on to it until it is on disk."""
        self._let_go(recorder)
        if self._waits is not None:
            for attempt in self._waits.given_up(run.id):
                recorder(attempt)
            self._waits.ended(run.id)
            self._at_rest.ended(run.id)
        if run.cancel_asked is not None and ended.status != "cancelled":  # it came to its end before it heard of it
            ended = cancelled(run)
        run.status = cast("RunStatus", ended.status)
        run.finished_at = self._clock()
        run.output, run.error, run.code = ended.output, ended.error, ended.code
        run.attempts = recorder.attempts
        self.endings.begin(run.id)
        follow_ups = self._follow(run)
        self._store.finish(run, recorder.rest(), partial(self._finished, run), follow_ups, partial(self.followed, follow_ups))

    def _follow(self, run: Run) -> Sequence[Follows]:
        try:
            return self.follow(run)
        except Exception:
            log.exception("run.not_followed", run_id=run.id, flow=run.flow)
            return ()

    def _finished(self, run: Run, error: BaseException | None) -> None:
        self._forget(run)
        self.endings.finish(run, error)
        if error is not None:
            log.error("run.not_recorded", run_id=run.id, flow=run.flow, error=str(error))
            return
        self._counters.run(run)
        if self._stream.tell is not None:
            self._stream.tell("run", run_told(run))
        tell(run)

    def _forget(self, run: Run) -> None:
        if run.trigger is None:
            return
        self.by_trigger[run.trigger] -= 1
        if self.by_trigger[run.trigger] <= 0:
            del self.by_trigger[run.trigger]
        self.run_ended(run.trigger)


@types.coroutine
def _rest(work: Coroutine[Any, Any, Ended], turn: Any) -> Generator[Any, Any, Ended]:
    """What is left of a coroutine that gave the loop its turn for the first time, with what it gave."""
    yield turn
    ended: Ended = yield from work
    return ended
