"""One run's records on their way to the store, and to who listens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Any, Protocol

from daemon.ends import Shutdown, cancelled
from daemon.measuring.counters import Counts
from daemon.store.rows import Run
from daemon.stream import Stream
from daemon.told import step_told
from daemon.waiting.waits import Waits
from flows.attempt import Attempt
from flows.control import Control, Ending
from flows.rest import Rest

BEGUN_S = 0.25  # a step that takes longer than this is worth a flush of its own, to be seen after a crash


class Records(Protocol):
    """What a recorder needs of the store."""

    def record(self, run_id: str, attempts: list[Attempt], *, starts_run_at: float | None = None) -> asyncio.Future[None]: ...
    def save_ending(self, run_id: str, ending: Mapping[str, Any]) -> asyncio.Future[None]: ...


class Recorder:
    """One run's records on their way to the store.

    Those of pure steps wait for the next effectful one, or for the end. That an effectful step has begun waits for its end, and
    no longer than BEGUN_S: so that a quick step costs one flush. Who must have that on disk before awaits what it is given.
    """

    def __init__(
        self,
        store: Records,
        run: Run,
        shutdown: Shutdown,
        stream: Stream,
        ended: Mapping[str, Counts],
        waits: Waits | None = None,
    ) -> None:
        self._store = store
        self._shutdown = shutdown
        self._waits = waits
        self._stream = stream
        self._ended = ended  # kind → status → how many
        self.of = run
        self._run = run.id
        self.started_at = run.started_at
        self._told_running = run.status == "running"
        self.attempts: list[Attempt] = list(run.attempts)
        self.waiting: list[Attempt] = []
        self._timer: asyncio.TimerHandle | None = None
        self.task: asyncio.Task[Any] | None = None  # that works on the run
        self.control: Control | None = None  # of the execution, where it has one
        self.deadline: float | None = None  # seconds since the epoch: the run's time is over then
        self.gate = Rest()
        self.resting = False  # all that is under way of it waits
        self.leaving = False  # it is being left for that: whoever goes on with it finds it as it stands
        self._rest_timer: asyncio.TimerHandle | None = None

    def wish(self, at: float, reason: str | None) -> None:
        """Somebody wants the run to stop: whatever it was being left for."""
        self.of.cancel_asked, self.of.cancel_reason = at, reason
        if self.control is not None:
            self.control.cancelled = cancelled(self.of).error
        self.leaving = False
        self.gate.release()  # what is held back may clean up

    def is_left(self) -> bool:
        """Whether a cancel of its task means that another process goes on with the run."""
        return self.leaving or self._shutdown.takes(self.of)

    def take_control(self, cleanup_s: float) -> Control:
        """What is known of the run from outside, for who executes it."""
        run = self.of
        self.control = Control(
            started_at=run.started_at,
            finish_by=run.finish_by,
            cancelled=None if run.cancel_asked is None else cancelled(run).error,
            ending=None if run.ending is None else Ending.from_json(run.ending),
            leaving=self.is_left,
            keep=self.keep,
            cleanup_s=cleanup_s,
        )
        return self.control

    def begin(self) -> asyncio.Future[None] | None:
        """Write that the run has begun. None: that is written."""
        return None if self._told_running else self.write()

    async def keep(self, ending: Ending) -> None:
        """Control.keep: what the main steps did is on disk before how they ended is."""
        self.write()
        self.of.ending = ending.as_json()
        await self._store.save_ending(self._run, self.of.ending)

    def rests(self, resting: bool, after_s: float, leave: Callable[[Recorder], None]) -> None:  # noqa: FBT001 - the executor's word
        """Have the run left when it has rested for so long."""
        self.resting = resting
        if self._rest_timer is not None:
            self._rest_timer.cancel()
            self._rest_timer = None
        if resting:
            self._rest_timer = asyncio.get_running_loop().call_later(after_s, leave, self)

    def __call__(self, attempt: Attempt) -> Awaitable[None] | None:
        if attempt.status == "cancelled" and self.is_left():
            return None  # it stays recorded as running: the next process goes on with it
        self.attempts.append(attempt)
        if self._waits is not None and attempt.status != "running":
            self._waits.over(self._run, attempt)
        self.waiting.append(attempt)
        if attempt.status != "running":
            self._ended[attempt.kind][attempt.status] += 1
        if self._stream.tell is not None:
            self._stream.tell("step", step_told(self.of, attempt))
        if not attempt.effects or attempt.last:
            return None
        if attempt.status != "running":
            return self.write()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(BEGUN_S, self.write)
        return _Begun(self)

    def let_go(self) -> None:
        """Nobody executes the run any more. What leads back here is cut: else all that it held would wait for the collector."""
        self.task = self.control = self.gate.tell = None

    def rest(self) -> list[Attempt]:
        """What is not written yet, for who writes it with the run's end."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self.waiting = self.waiting, []
        return _latest(waiting)

    def write(self) -> asyncio.Future[None]:
        """Hand over what waits. Done when it is on disk."""
        waiting = self.rest()
        starts_at = None if self._told_running else self.started_at
        self._told_running = True
        written = self._store.record(self._run, waiting, starts_run_at=starts_at)
        written.add_done_callback(heard)
        return written


class _Begun:
    """The record that a step has begun: written at once when somebody waits for it."""

    __slots__ = ("_recorder",)

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def __await__(self) -> Generator[Any, None, None]:
        return self._recorder.write().__await__()


def _latest(attempts: list[Attempt]) -> list[Attempt]:
    """Without the beginnings of those whose end is there as well: one row is written, not two."""
    if len(attempts) < 2:
        return attempts
    ended = {(attempt.path, attempt.number) for attempt in attempts if attempt.status != "running"}
    return [attempt for attempt in attempts if attempt.status != "running" or (attempt.path, attempt.number) not in ended]


def heard(future: asyncio.Future[None]) -> None:
    """Take note of a record's failure: the run's end meets the same one, and tells."""
    if not future.cancelled():
        future.exception()
