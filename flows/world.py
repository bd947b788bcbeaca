"""What a run is given from outside, and what all its bodies share."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING

from flows.control import Control
from flows.emission import Emit, unheard
from flows.recovery import NOTHING_RECORDED, Recorded
from flows.rest import Rest
from flows.waiting import LinkTo, WaitFor, no_link, wait_here

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from flows.attempt import Attempt, Record
    from flows.flow import Flow
    from flows.step import StepKind

TURN_S = 0.005  # how long plain steps may run before others on the loop get their turn


@dataclass(frozen=True, slots=True)
class World:
    """All that execute() reaches for. Tests hand in other `kinds` or another `clock`."""

    kinds: Mapping[str, StepKind]
    find_flow: Callable[[str], Flow]  # raises StepError FLOW_NOT_FOUND
    secret: Callable[[str], str]  # raises StepError SECRET_MISSING
    env: Mapping[str, str] = field(default_factory=dict)  # $.env: the names that the config allows
    clock: Callable[[], float] = time.time  # seconds since the epoch, UTC
    emit: Emit = unheard  # hands an event out
    turn_s: float = TURN_S  # math.inf: plain steps never make way, so their order beside others does not hang on the machine
    wait: WaitFor = wait_here  # keeps what an attempt waits for
    link: LinkTo = no_link  # where an attempt that waits can be answered
    plain: frozenset[str] = field(
        init=False, repr=False
    )  # kinds whose steps are run as a call: nothing suspends, nothing is touched
    waiting: frozenset[str] = field(init=False, repr=False)  # kinds whose attempts may wait: their time limit is the wait's

    def __post_init__(self) -> None:
        plain = (
            name for name, kind in self.kinds.items() if not (kind.effects or kind.container or iscoroutinefunction(kind.run))
        )
        object.__setattr__(self, "plain", frozenset(plain))
        waiting = (name for name, kind in self.kinds.items() if getattr(kind, "waits", False))
        object.__setattr__(self, "waiting", frozenset(waiting))


SHALLOW = 3  # bodies inside each other whose results may well be written out eight times

UNCONTROLLED = Control()  # nobody outside wants anything: made once, for each run would take a microsecond


def bodies_around(path: str) -> int:
    return path.count(".") + path.count("/")


class RecordError(BaseException):
    """`record` failed. No step may take it for its own failure, so it is no Exception; execute() raises the cause."""


class Run:
    """One call of execute(): its record, what an earlier process recorded, and whose turn it is."""

    def __init__(
        self,
        run_id: str,
        world: World,
        record: Record,
        recorded: Sequence[Attempt] = (),
        control: Control | None = None,
        rest: Rest | None = None,
    ) -> None:
        self.id = run_id
        self.world = world
        self.control = control or UNCONTROLLED
        self.recorded = Recorded(recorded) if recorded else NOTHING_RECORDED
        self.rest = rest or Rest()
        self.record_failure: Exception | None = None
        self.deepest = 0  # bodies inside bodies that were begun so far
        self._record = record
        self._turn = 0
        self._yield_at = time.monotonic() + world.turn_s

    def begun_at(self, prefix: str) -> float:
        """When the run, or the sub-flow whose steps have this prefix, began: perhaps in another process."""
        began = self.recorded.begun_at(prefix) if prefix else self.control.started_at
        return self.world.clock() if began is None else began

    def note(self, attempt: Attempt) -> Awaitable[None] | None:
        try:
            return self._record(attempt)
        except Exception as error:
            raise self._broken(error) from error

    def nests(self, path: str) -> bool:
        """Whether so many bodies may stand inside the step at this path that what it gives doubles with each."""
        return self.deepest - bodies_around(path) > SHALLOW

    def note_interrupted(self) -> None:
        """The run has ended: what was in flight when its process did, and was not done again, has an end as well."""
        for path in self.recorded.in_flight():
            self.note(self.recorded.interrupt(path, final=False))

    async def saved(self, record: Awaitable[None] | None) -> None:
        """Wait until a record is on disk. A cancel leaves the record alone: others may wait for the same commit."""
        if record is None:
            return
        try:
            await asyncio.shield(record)
        except Exception as error:
            raise self._broken(error) from error

    def _broken(self, error: Exception) -> RecordError:
        self.record_failure = self.record_failure or error
        return RecordError()

    def turn_is_over(self) -> bool:
        return time.monotonic() > self._yield_at

    async def next_turn(self) -> None:
        """Let the others on the loop run. However many bodies of the run make way at one time, they have one turn together."""
        turn = self._turn
        await asyncio.sleep(0)
        if turn == self._turn:  # the first to come back: to those behind it is left what it leaves
            self._turn += 1
            self._yield_at = time.monotonic() + self.world.turn_s
