"""Schedules: a due time becomes an event, once, also after a crash, an outage or a clock that was changed.

Guarantee: what is due next is on disk, and moves on in the same transaction that takes a slot in. A slot the daemon saw is
never lost: where nothing can be made durable it is handed in again until it is. A slot it did not see is caught up on as the
trigger says. Each slot that is not fired has a verdict with its reason.

APScheduler only waits; which slot comes when is triggers.cron's to say, and what becomes of it triggers.slots'.
"""

from __future__ import annotations

import asyncio
import logging
import time as clocks
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import structlog

from triggers.by_hand import ByHand
from triggers.slots import TICK, Armed, Schedule, Slot, plan, turn
from triggers.source import Emit, Model, SourceError, State, Unavailable
from triggers.sources.schedule_event import slot_by_hand, slot_event
from triggers.sources.schedule_spec import ScheduleSettings, Spec, prepare
from triggers.trigger import Trigger

if TYPE_CHECKING:
    from apscheduler.schedulers.asyncio import AsyncIOScheduler

__all__ = ["ScheduleSource", "Spec"]

log = structlog.get_logger()

JUMP = timedelta(minutes=5)  # a clock not looked at for so long stood still or was set: what lies between was not watched
BACK = timedelta(minutes=1)  # a clock that goes back further was wrong before: what is due is looked at anew
WAITING_LOOK_S = 1.0  # a run's end is told by run_ended(); this is for when it is not
MAX_RETRY_S = 60.0
OVERSLEPT_S = 1.0  # how late APScheduler's waking may be before we wake by ourselves
FRESH_AT_ONCE = 20  # schedules that are armed in one turn of the loop: 2 ms, most of it their lines in the log
AT_ONCE = 500  # triggers whose slots are handed in side by side, for the store to commit together


class ScheduleSource:
    """All schedule triggers. One timer wakes it for the earliest slot; nothing runs for a trigger that is not due."""

    type: ClassVar[str] = "schedule"
    Spec: ClassVar[Model] = Spec
    Settings: ClassVar[Model] = ScheduleSettings

    def __init__(
        self,
        settings: ScheduleSettings,
        *,
        state: State,
        running: Callable[[str], int],  # a trigger's key → its runs that have not ended, queued ones included
        clock: Callable[[], float] = clocks.time,
    ) -> None:
        self._settings = settings
        self._state = state
        self._running = running
        self._clock = clock
        self._coming: Sequence[Trigger] | None = None  # what update() was given, until the next look
        self._triggers: dict[str, Trigger] = {}
        self._rows: dict[str, Any] = {}  # our memory as it is on disk
        self._armed: dict[str, Armed] = {}  # the same, read: enabled triggers only
        self._unsaved: set[str] = set()  # keys whose row is behind `_armed`
        self._anew = True  # the clock may have been wrong when what is due was computed
        self._looked_at: datetime | None = None
        self._watched_from = datetime.max.replace(tzinfo=UTC)
        self._failures = 0  # looks in a row at which the store could not take everything
        self._retry_s = 0.0
        self._woken = asyncio.Event()
        self._moves_by = clocks.monotonic()  # when it will have got on: the last time it did, or the next time it looks
        self._emit: Emit | None = None
        self._scheduler: AsyncIOScheduler | None = None

    @staticmethod
    def prepare(section: Mapping[str, Any], *, key: str) -> Schedule:  # noqa: ARG004 - the seam's; the section says it all
        return prepare(section)

    @staticmethod
    def addresses(key: str, spec: Schedule) -> tuple[str, ...]:  # noqa: ARG004 - the seam's; a slot is for one trigger
        return (key,)

    @staticmethod
    def by_hand(key: str, spec: Schedule, given: Mapping[str, Any], *, now: datetime) -> ByHand:
        return slot_by_hand(key, spec, given, now)

    def update(self, triggers: Sequence[Trigger]) -> None:
        """A new schedule, and one whose cron or zone has changed, counts from now on; one that is switched off forgets."""
        self._coming = triggers
        self._woken.set()

    def run_ended(self, trigger: str) -> None:
        """A run of this trigger has ended: a slot may have waited for that."""
        if trigger in self._armed and self._armed[trigger].waiting:
            self._woken.set()

    def stalled_s(self) -> float:
        """For how long it should have moved on and has not, whatever the clock says. A store that takes nothing stalls nobody."""
        return max(0.0, clocks.monotonic() - self._moves_by)

    def overdue(self, by_s: float) -> dict[str, datetime]:
        """Triggers whose next slot should have been dealt with this long ago, and that slot. A healthy source has none."""
        limit = self._now() - timedelta(seconds=by_s)
        return {key: armed.due for key, armed in self._armed.items() if self._ready(key, armed) < limit}

    def next_due(self) -> dict[str, datetime]:
        """Enabled triggers and the next slot that nothing was decided about."""
        return {key: armed.due for key, armed in self._armed.items()}

    @asynccontextmanager
    async def open(self, emit: Emit) -> AsyncIterator[None]:
        # APScheduler costs 75 ms: it is needed where slots are waited for, not where definitions are checked
        from apscheduler.schedulers.asyncio import AsyncIOScheduler

        logging.getLogger("apscheduler").setLevel(logging.WARNING)  # it tells of each waking otherwise
        now = self._now()
        try:
            self._rows = await self._state.load()
            self._look_at_clock(now)
            self._emit = emit
            await self._reconcile(now)
        except Unavailable as error:
            raise SourceError(f"schedules: the due times cannot be read and kept: {error}") from error
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._scheduler.start()
        try:
            yield
        finally:
            self._scheduler.shutdown(wait=False)
            await asyncio.sleep(0)  # APScheduler stops its timer in the loop's next turn
            self._scheduler, self._emit = None, None

    async def run(self) -> None:
        """Look, wait for what comes next, look again."""
        while True:
            self._woken.clear()
            await self.fire_due(self._now())
            pause_s = self._pause_s(self._now())
            self._wake_in(pause_s)
            self._moves_by = clocks.monotonic() + pause_s
            with suppress(TimeoutError):  # APScheduler waits by the wall clock: where that was set back it would sleep on
                async with asyncio.timeout(pause_s + OVERSLEPT_S):  # wait_for of Python 3.11 may lose a cancellation
                    await self._woken.wait()
            self._moves_by = clocks.monotonic()

    async def fire_due(self, now: datetime) -> None:
        """Deal with everything whose turn has come by `now`. What the store cannot take is left for the next time."""
        self._retry_s = 0.0
        try:
            self._look_at_clock(now)
            await self._reconcile(now)
            keys = [key for _, key in sorted((armed.due, key) for key, armed in self._armed.items() if self._has_turn(key, now))]
            for start in range(0, len(keys), AT_ONCE):
                async with asyncio.TaskGroup() as group:
                    for key in keys[start : start + AT_ONCE]:
                        group.create_task(self._deal_with(key, now), name=f"schedule {key}")
        except Unavailable as error:
            self._hold(error)
        self._failures = self._failures + 1 if self._retry_s else 0
        self._looked_at = max(now, self._now())  # a store that is slow is no clock that stood still

    def _look_at_clock(self, now: datetime) -> None:
        """Notice the start, a computer that slept, a clock that was set: which slots were missed hangs on it."""
        before, self._looked_at = self._looked_at, now
        forward = before is None or now - before > JUMP
        back = before is not None and before - now > BACK
        if forward:
            self._watched_from = now - timedelta(seconds=self._settings.grace_s)
        if back:
            self._watched_from = min(self._watched_from, now)
            self._anew = True
        if before is not None and (forward or back):
            log.warning("schedule.clock_jumped", before=before.isoformat(), after=now.isoformat())

    async def _reconcile(self, now: datetime) -> None:
        """Make what is armed fit the triggers. Afterwards every enabled trigger has a due time on disk, and no other has one."""
        if self._coming is None and not (self._anew and self._triggers):
            return
        coming = list(self._triggers.values()) if self._coming is None else self._coming
        rows: dict[str, Any] = {}
        armed: dict[str, Armed] = {}
        fresh = 0
        for trigger in coming:
            if self._stays(trigger):
                armed[trigger.key], rows[trigger.key] = self._armed[trigger.key], self._rows[trigger.key]
            elif trigger.enabled:
                fresh += 1
                if fresh % FRESH_AT_ONCE == 0:
                    await asyncio.sleep(0)
                armed[trigger.key] = self._arm(trigger, now)
                rows[trigger.key] = armed[trigger.key].to_json(trigger.spec.cron)
            elif trigger.key in self._rows:
                await self._retire(trigger, now)
        changes = {key: row for key, row in rows.items() if row != self._rows.get(key)}
        changes |= dict.fromkeys(self._rows.keys() - rows.keys())
        if changes:
            await self._state.save(changes)
        self._triggers = {trigger.key: trigger for trigger in coming}
        self._rows, self._armed = rows, armed
        self._unsaved.clear()
        self._anew = False
        self._coming = None if self._coming is coming else self._coming

    def _stays(self, trigger: Trigger) -> bool:
        """Nothing about it has changed, and what is on disk says so."""
        key = trigger.key
        same = key in self._armed and self._triggers.get(key) is trigger
        return same and not self._anew and key not in self._unsaved and key in self._rows

    def _arm(self, trigger: Trigger, now: datetime) -> Armed:
        cron = trigger.spec.cron
        row = self._rows.get(trigger.key)
        if trigger.key in self._unsaved:
            row = self._armed[trigger.key].to_json(self._triggers[trigger.key].spec.cron)
        armed = Armed.from_json(row, cron)
        if armed is not None and not self._anew:
            return armed
        due = cron.next(now)
        why = "no due time was kept" if row is None else "cron or timezone changed"
        if armed is not None:
            kept = cron.next(armed.due - TICK)  # another time than was kept only where the zone's rules have changed
            due, why = min((kept, "the zone's rules changed"), (due, "the clock went back"))
            if due == armed.due:
                return armed
        log.info("schedule.armed", trigger=trigger.key, due=due.isoformat(), why=why)
        return Armed(due) if armed is None else replace(armed, due=due)

    async def _retire(self, trigger: Trigger, now: datetime) -> None:
        """A trigger is switched off: slots that still wait are told of, and nothing is remembered."""
        armed = self._armed.get(trigger.key) or Armed.from_json(self._rows[trigger.key], trigger.spec.cron)
        for at in armed.waiting if armed else ():
            withheld = ("disabled", "the trigger was switched off while this slot waited for a run to end")
            await self._tell(trigger, Slot(at, at), now, withheld, None)
        log.info("schedule.disarmed", trigger=trigger.key)

    async def _deal_with(self, key: str, now: datetime) -> None:
        """Fire what waits and may, then what is due, in order. Stops where the store stops."""
        self._moves_by = clocks.monotonic()
        try:
            trigger = self._triggers[key]
            await self._release(trigger, now)
            for slot in plan(trigger.spec, key, self._armed[key].due, now=now, watched_from=self._watched_from):
                await self._take(trigger, slot, now)
            if key in self._unsaved:
                await self._save(key)
        except Unavailable as error:
            self._hold(error)

    async def _release(self, trigger: Trigger, now: datetime) -> None:
        """Fire slots that wait, as far as overlap lets them."""
        key = trigger.key
        while (armed := self._armed[key]).waiting and (trigger.spec.overlap == "allow" or not self._running(key)):
            at, *rest = armed.waiting
            await self._hand_in(trigger, Slot(at, armed.due), now, None, replace(armed, last=at, waiting=tuple(rest)))

    async def _take(self, trigger: Trigger, slot: Slot, now: datetime) -> None:
        """One slot's turn has come: fire it, let it wait, or leave it out."""
        armed = self._armed[trigger.key]
        passed = replace(armed, due=slot.following)
        withheld: tuple[str, str] | None = slot.withheld
        if withheld is None:
            waiting = len(armed.waiting)
            what, why = turn(trigger.spec, slot, running=self._running(trigger.key), waiting=waiting)
            if what == "wait":
                self._armed[trigger.key] = replace(passed, waiting=(*armed.waiting, slot.at))
                self._unsaved.add(trigger.key)  # with the next event, or before this look is over
                return
            withheld = ("overlap_skipped", why or "") if what == "skip" else None
        await self._hand_in(trigger, slot, now, withheld, passed if withheld else replace(passed, last=slot.at))

    async def _hand_in(self, trigger: Trigger, slot: Slot, now: datetime, withheld: tuple[str, str] | None, armed: Armed) -> None:
        """Returns when the event and what is due next are on disk. Raises Unavailable; then nothing has moved."""
        row = armed.to_json(trigger.spec.cron)
        await self._tell(trigger, slot, now, withheld, row)
        self._armed[trigger.key], self._rows[trigger.key] = armed, row
        self._unsaved.discard(trigger.key)

    async def _tell(self, trigger: Trigger, slot: Slot, now: datetime, withheld: tuple[str, str] | None, row: Any) -> None:
        assert self._emit is not None
        before = self._armed.get(trigger.key)
        last = before.last if before else None
        state = {trigger.key: row}
        await self._emit(slot_event(trigger.key, trigger.spec, slot, now=now, last=last, withheld=withheld, state=state))
        self._moves_by = clocks.monotonic()

    async def _save(self, key: str) -> None:
        row = self._armed[key].to_json(self._triggers[key].spec.cron)
        await self._state.save({key: row})
        self._rows[key] = row
        self._unsaved.discard(key)

    def _hold(self, error: Unavailable) -> None:
        """The store takes nothing now: come back later, each time a little later."""
        retry_s = min(MAX_RETRY_S, max(1, error.retry_after_s) * 2.0 ** min(self._failures, 10))
        if not self._retry_s:
            log.warning("schedule.held", reason=str(error), retry_s=retry_s)
        self._retry_s = max(self._retry_s, retry_s)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _ready(self, key: str, armed: Armed) -> datetime:
        spec: Schedule = self._triggers[key].spec
        return spec.ready(key, armed.due)

    def _has_turn(self, key: str, now: datetime) -> bool:
        armed = self._armed[key]
        return bool(armed.waiting) or key in self._unsaved or (armed.due <= now and self._ready(key, armed) <= now)

    def _pause_s(self, now: datetime) -> float:
        """How long there is nothing to do, as far as is known."""
        if self._retry_s:
            return self._retry_s
        pause_s = self._settings.wake_s
        for key, armed in self._armed.items():
            comes = armed.due if armed.due > now else self._ready(key, armed)  # jitter is asked for only once it matters
            pause_s = min(pause_s, (comes - now).total_seconds(), WAITING_LOOK_S if armed.waiting else pause_s)
        return max(0.0, pause_s)

    def _wake_in(self, pause_s: float) -> None:
        assert self._scheduler is not None
        self._scheduler.add_job(
            self._ring,
            "date",
            run_date=datetime.now(UTC) + timedelta(seconds=pause_s),  # APScheduler's own clock, which may not be ours
            id="wake",
            replace_existing=True,
            misfire_grace_time=None,  # late is never too late: what is due is compared with the clock
        )

    async def _ring(self) -> None:
        self._woken.set()
