"""Slots: which due times of a schedule are fired, which are left out and why. Pure: what time it is, is an argument.

A slot is on time when the daemon was there to see it, however long the store then took to take it. A slot that lies before
the daemon began to watch is missed, and the catch-up policy decides. Policies on overlap decide when a slot's turn comes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Literal

from flows.duration import format_duration
from triggers.cron import Cron
from triggers.cron_report import text_of
from triggers.verdict import VerdictName

Overlap = Literal["skip", "queue", "queue_one", "allow"]
CatchupPolicy = Literal["none", "last", "all"]
Turn = Literal["fire", "wait", "skip"]

MAX_SINGLE = 100  # slots left out that are told one by one; what was before them is one event with a count
MAX_CAUGHT_UP = 1000  # runs that one outage may cause
MAX_WAITING = 100  # slots that wait for runs to end: with more, the schedule is faster than its runs for good
MAX_COUNTED = 2_000  # 14 ms; a year of minutes has 525,600, and counting them all would hold up the daemon's start
TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule trigger's section, checked."""

    cron: Cron
    jitter_s: float = 0.0
    overlap: Overlap = "skip"
    catchup: CatchupPolicy = "last"
    window_s: float = 86400.0  # slots missed longer than this before the daemon came back are never fired

    def ready(self, key: str, slot: datetime) -> datetime:
        """When this slot of trigger `key` is fired: at its time, or up to `jitter_s` later, the same after a restart."""
        if not self.jitter_s:
            return slot
        chance = int.from_bytes(hashlib.sha256(f"{key}\n{text_of(slot)}".encode()).digest()[:8], "big") / 2**64
        return slot + timedelta(seconds=chance * self.jitter_s)


@dataclass(frozen=True, slots=True)
class Armed:
    """What is remembered of a schedule, on disk: what comes next and what was."""

    due: datetime  # the next slot that nothing was decided about
    last: datetime | None = None  # the last slot that was handed in to be run
    waiting: tuple[datetime, ...] = ()  # slots that came while a run was going, and will be fired when it has ended

    def to_json(self, cron: Cron) -> dict[str, Any]:
        return {
            "cron": cron.text,
            "timezone": cron.zone.key,
            "due": text_of(self.due),
            "last": text_of(self.last) if self.last else None,
            "waiting": [text_of(slot) for slot in self.waiting],
        }

    @classmethod
    def from_json(cls, value: Any, cron: Cron) -> Armed | None:
        """None: nothing usable is there, or it is of another cron text or zone."""
        if not isinstance(value, Mapping) or (value.get("cron"), value.get("timezone")) != (cron.text, cron.zone.key):
            return None
        try:
            last = value.get("last")
            return cls(_instant(value["due"]), _instant(last) if last else None, tuple(map(_instant, value.get("waiting", ()))))
        except (KeyError, TypeError, ValueError, OverflowError):
            return None


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text).astimezone(UTC)
    if not 1970 <= instant.year <= 9000:
        raise ValueError("no daemon has seen this time")
    return instant


@dataclass(frozen=True, slots=True)
class Slot:
    """One due time whose turn has come, or a row of them that are left out together."""

    at: datetime
    following: datetime  # the slot after it: what is due once this one is dealt with
    late: bool = False  # True: it was missed
    withheld: tuple[VerdictName, str] | None = None  # None: to be fired, as far as time decides
    count: int = 1  # more than 1: this many slots from `first` to `at`; MAX_COUNTED: that many or more
    first: datetime | None = None


def plan(schedule: Schedule, key: str, due: datetime, *, now: datetime, watched_from: datetime) -> Iterator[Slot]:
    """The slots from `due` on whose turn has come by `now`, in order. Those ready before `watched_from` were missed."""
    cron = schedule.cron
    until = watched_from - timedelta(seconds=schedule.jitter_s)
    if due < until:
        yield from _missed(schedule, due, until)
        due = cron.next(until - TICK)
    while schedule.ready(key, due) <= now:
        following = cron.next(due)
        yield Slot(due, following)
        due = following


def _missed(schedule: Schedule, due: datetime, until: datetime) -> Iterator[Slot]:
    # the window goes back from when the daemon was there again, and not from now: a second try must come to the same plan
    cron, window = schedule.cron, until - timedelta(seconds=schedule.window_s)
    most = {"none": 0, "last": 1, "all": MAX_CAUGHT_UP}[schedule.catchup]
    fired = cron.latest(max(due, window), until, most) if most and window < until else []
    left_until = fired[0] if fired else until
    left_out = cron.latest(due, left_until, MAX_SINGLE)
    following = cron.next(until - TICK)
    rest = [*left_out, *fired, following]
    if left_out and due < left_out[0]:
        yield _together(schedule, due, left_out[0], window)
    for slot, after in zip(left_out, rest[1:], strict=False):
        yield Slot(slot, after, late=True, withheld=_left_out(schedule, slot, window))
    for slot, after in zip(fired, rest[len(left_out) + 1 :], strict=True):
        yield Slot(slot, after, late=True)


def _left_out(schedule: Schedule, slot: datetime, window: datetime) -> tuple[VerdictName, str]:
    if schedule.catchup == "none":
        return "missed", f"the daemon was not there at {text_of(slot)}, and catchup is none"
    if slot < window:
        age = format_duration(schedule.window_s)
        return (
            "catchup_skipped",
            f"missed at {text_of(slot)}, which was longer before the daemon came back than catchup's window of {age}",
        )
    if schedule.catchup == "last":
        return "catchup_skipped", f"missed at {text_of(slot)}: a later slot was missed too, and catchup is last"
    return "catchup_skipped", f"missed at {text_of(slot)}: only the last {MAX_CAUGHT_UP} missed slots are caught up on"


def _together(schedule: Schedule, first: datetime, until: datetime, window: datetime) -> Slot:
    """All slots from `first` to before `until` as one."""
    cron = schedule.cron
    slots = _before(cron.all_after(first - TICK), until)
    count = sum(1 for _ in islice(slots, MAX_COUNTED))
    (last,) = cron.latest(first, until, 1)
    verdict, reason = _left_out(schedule, last, window)
    many = f"{MAX_COUNTED} or more" if count == MAX_COUNTED else str(count)
    said = f"{many} slots from {text_of(first)} to {text_of(last)}; the last: {reason}"
    return Slot(last, until, late=True, withheld=(verdict, said), count=count, first=first)


def _before(instants: Iterator[datetime], until: datetime) -> Iterator[datetime]:
    for instant in instants:
        if instant >= until:
            return
        yield instant


def turn(schedule: Schedule, slot: Slot, *, running: int, waiting: int) -> tuple[Turn, str | None]:
    """What to do with a slot that is to be fired, and with `skip` why. `running`: this trigger's runs that have not ended."""
    if schedule.overlap == "allow" or (not running and not waiting):
        return "fire", None
    if slot.late:
        return "wait", None  # catching up means to run them, one after the other, and not to skip all but the first
    if schedule.overlap == "queue" and waiting < MAX_WAITING:
        return "wait", None
    if schedule.overlap == "queue_one" and not waiting:
        return "wait", None
    going = f"{running} run{'s' if running > 1 else ''} of earlier slots had not ended"
    queue = f"{waiting} earlier slot{'s' if waiting > 1 else ''} waited"
    said = " and ".join(([going] if running else []) + ([queue] if waiting else []))
    return "skip", f"at {text_of(slot.at)} {said}, and overlap is {schedule.overlap}"
