"""From a file that something happened to, to an event: wait until it holds, look, judge, hand in, remember."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable

import structlog

from triggers.files.document import file_event
from triggers.files.judge import Happening, judge
from triggers.files.look import Found, Look, Question, look
from triggers.files.names import shown
from triggers.files.settling import Place
from triggers.files.watching import Watcher, Watching
from triggers.source import Emit, Unavailable

log = structlog.get_logger()

WAVE = 256  # files that are looked at in one go
AT_ONCE = 64  # events handed in at once: they share the store's commits
MAX_PAUSE_S = 60.0  # between two tries to hand in the same event, or to look at a file that cannot be looked at


class Handover:
    """Hands in each event once. The ledger changes in the event's own transaction, and in memory after it."""

    def __init__(self, watching: Watching, emit: Emit) -> None:
        self._watching = watching
        self._emit = emit
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._coming: Counter[str] = Counter()  # trigger → new files of this wave

    async def run(self) -> None:
        """Work until cancelled. Sleeps until the next file is due."""
        watching = self._watching
        while True:
            watching.something_due.clear()
            deadline = watching.settling.next_deadline()
            if deadline is None or deadline > watching.loop.time():
                await until(watching.something_due, watching.loop, deadline)
            else:
                await self.hand_over()
                watching.something_to_survey.set()  # there is room for more

    async def hand_over(self) -> int:
        """Deal with files that are due: at most a wave of them. Gives how many that were."""
        watching = self._watching
        due = [(place, watching.watchers.get(place.trigger)) for place in watching.settling.due(watching.loop.time(), WAVE)]
        asked = [(place, watcher) for place, watcher in due if watcher is not None]
        for place, watcher in due:
            if watcher is None:
                watching.settling.done(place)
        looks = await watching.in_thread(self._look, asked)
        answers = [(place, watcher, found) for (place, watcher), found in zip(asked, looks, strict=True)]
        answers.sort(key=lambda answer: answer[2].found is Found.GONE)  # what came takes what went with it: a move
        self._coming.clear()
        happenings = [meant for answer in answers if (meant := self._meaning(*answer)) is not None]
        await self._remember([item for item in happenings if item[1].event is None])
        async with asyncio.TaskGroup() as group:
            for watcher, happening in happenings:
                if happening.event is not None:
                    group.create_task(self._hand_in(watcher, happening), name=f"file-watch {watcher.key}")
        return len(due)

    def _look(self, asked: Iterable[tuple[Place, Watcher]]) -> list[Look]:
        """In a thread."""
        now, cap = self._watching.clock(), self._watching.settings.hash_max_bytes
        return [
            look(self._question(place, watcher), now=now, settle_s=watcher.settle_s, hash_max_bytes=cap,
                 inodes_last=watcher.trusts_inodes(place.path))
            for place, watcher in asked
        ]  # fmt: skip

    def _question(self, place: Place, watcher: Watcher) -> Question:
        waiting = self._watching.settling.get(place)
        return Question(place.path, waiting.seen if waiting else None, watcher.ledger.entries.get(place.path), watcher.ledger.was)

    def _meaning(self, place: Place, watcher: Watcher, found: Look) -> tuple[Watcher, Happening] | None:
        """What has happened, or None: nothing, or not yet."""
        settling = self._watching.settling
        waiting = settling.get(place)
        if waiting is None or not waiting.busy:
            return None  # it went with a move, or its trigger is gone
        pause_s = self._pause_s(place, watcher, found)
        if pause_s is not None:
            settling.saw(place, found.version)
            settling.again(place, self._watching.loop.time() + pause_s)
            return None
        happening = judge(place.path, found, watcher.ledger.entries, watcher.spec.events)
        if happening is None or self._is_too_many(watcher, happening):
            settling.done(place)
            return None
        if happening.old_path is not None:
            self._take_along(Place(place.trigger, happening.old_path))
        if found.reason is not None:
            log.warning("file_watch.unreadable", trigger=watcher.key, path=shown(place.path), reason=found.reason)
        return watcher, happening

    def _take_along(self, old: Place) -> None:
        """The place a file was moved from has been dealt with."""
        waiting = self._watching.settling.get(old)
        if waiting is not None and not waiting.told:
            self._watching.settling.done(old)

    def _pause_s(self, place: Place, watcher: Watcher, found: Look) -> float | None:
        """How long to wait before the next look; None: this look counts."""
        waiting = self._watching.settling.get(place)
        assert waiting is not None
        patience_s = max(watcher.settle_s, self._watching.settings.open_settle_s)
        if found.found is Found.UNKNOWN:
            waiting.tries += 1
            log.warning("file_watch.not_looked_at", trigger=watcher.key, path=shown(place.path), reason=found.reason)
            return min(MAX_PAUSE_S, 2.0**waiting.tries)
        if found.found is Found.WRITING:
            return patience_s if waiting.writing else max(watcher.settle_s, 0.01)
        if found.found is Found.GONE:
            return self._pause_of_move(place, watcher)
        if waiting.fresh and not found.linked and found.version is not None and found.version.size == 0:
            waiting.fresh = False  # `command > file` makes the file long before it writes to it
            return max(0.0, patience_s - watcher.settle_s)
        return None

    def _pause_of_move(self, place: Place, watcher: Watcher) -> float | None:
        """A file that is gone from here may be waiting elsewhere: then that one decides."""
        settling = self._watching.settling
        waiting, old = settling.get(place), watcher.ledger.entries.get(place.path)
        if old is None or waiting is None:
            return None
        elsewhere = waiting.moved_to or settling.path_of(place.trigger, old.version.inode)
        there = settling.get(Place(place.trigger, elsewhere)) if elsewhere and elsewhere != place.path else None
        if there is None or watcher.ledger.entries.get(elsewhere) is not None:
            return None
        return max(0.01, there.deadline - self._watching.loop.time() + 0.01)

    def _is_too_many(self, watcher: Watcher, happening: Happening) -> bool:
        """Whether the file is beyond what may be known of one trigger."""
        entries, limit = watcher.ledger.entries, self._watching.settings.max_files
        if happening.path in entries or happening.old_path is not None:
            return False
        self._coming[watcher.key] += 1
        if len(entries) + self._coming[watcher.key] <= limit:
            return False
        too_many(watcher, limit)
        return True

    async def _remember(self, happenings: list[tuple[Watcher, Happening]]) -> None:
        """What nobody asked to be told of is in the ledger all the same."""
        rows: dict[str, object] = {}
        for watcher, happening in happenings:
            rows |= watcher.ledger.rows(happening.changes)
        if not rows:
            return
        try:
            await self._watching.state.save(rows)
        except Unavailable as unavailable:
            for watcher, happening in happenings:
                self._later(watcher, happening, unavailable)
            return
        for watcher, happening in happenings:
            self._finish(watcher, happening)

    async def _hand_in(self, watcher: Watcher, happening: Happening) -> None:
        async with self._at_once:
            rows = watcher.ledger.rows(happening.changes)
            try:
                accepted = await self._emit(file_event(happening, watcher.key, rows, self._watching.clock()))
                if accepted.duplicate:  # its cause is known, so its rows may not have been saved with it
                    await self._watching.state.save(rows)
            except Unavailable as unavailable:
                self._later(watcher, happening, unavailable)
            else:
                self._finish(watcher, happening)

    def _finish(self, watcher: Watcher, happening: Happening) -> None:
        watcher.ledger.apply(happening.changes)
        self._watching.settling.done(Place(watcher.key, happening.path))

    def _later(self, watcher: Watcher, happening: Happening, unavailable: Unavailable) -> None:
        """Nothing is lost: the ledger has not changed, so the file is looked at again, also by the next process."""
        place = Place(watcher.key, happening.path)
        waiting = self._watching.settling.get(place)
        if waiting is None:
            return
        waiting.tries += 1
        if waiting.tries == 1:
            log.warning("file_watch.delayed", trigger=watcher.key, path=shown(place.path), reason=str(unavailable))
        pause_s = min(MAX_PAUSE_S, max(0.05, unavailable.retry_after_s) * 2.0 ** (waiting.tries - 1))
        self._watching.settling.again(place, self._watching.loop.time() + pause_s)
        if happening.old_path is not None:
            self._watching.wait(watcher, happening.old_path, pause_s).moved_to = happening.path


def too_many(watcher: Watcher, limit: int) -> None:
    """Say it once: a line for each file would be a flood."""
    if not watcher.full:
        hint = "narrow `include` or raise max_files in [sources.file_watch]"
        log.error("file_watch.too_many_files", trigger=watcher.key, limit=limit, hint=hint)
    watcher.full = True


async def until(event: asyncio.Event, loop: asyncio.AbstractEventLoop, deadline: float | None) -> None:
    """Until the event is set or the deadline has come. The event is set in both cases."""
    timer = loop.call_at(deadline, event.set) if deadline is not None else None
    try:
        await event.wait()
    finally:
        if timer is not None:
            timer.cancel()
