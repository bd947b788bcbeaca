"""The file-watch source: a file that came, changed, moved or went is one event for each trigger that means it.

Nothing depends on being told in time: what the kernel tells only says where to look, and a look compares with a ledger. So a
file that changed while the daemon was down, while the kernel's queue ran over or on a network mount is found by the same
comparison, at the latest by the next look at the whole folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import structlog

from triggers.by_hand import ByHand
from triggers.files.by_hand import file_by_hand
from triggers.files.handover import Handover
from triggers.files.ledger import batches, ledgers
from triggers.files.notify import Inbox, News, Notifier
from triggers.files.root import Gate, Root
from triggers.files.settling import Place
from triggers.files.spec import FileWatchSpec, Section, prepare
from triggers.files.spec import Settings as FileWatchSettings
from triggers.files.surveyor import Surveyor, Wanted
from triggers.files.watching import Watcher, Watching
from triggers.source import Emit, Model, State
from triggers.trigger import Trigger

log = structlog.get_logger()

NEWS_AT_ONCE = 500  # paths taken in before the loop may do something else: about 4 ms


class FileWatchSource:
    """One event for each version of a file and each trigger; address is the trigger's key."""

    type: ClassVar[str] = "file-watch"
    Spec: ClassVar[Model] = Section
    Settings: ClassVar[Model] = FileWatchSettings

    def __init__(self, settings: FileWatchSettings, *, state: State, home: Path, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._state = state
        self._home = home.absolute()
        self._clock = clock
        self._wanted: Wanted = {}
        self._watching: Watching | None = None  # None: not open
        self._inbox: Inbox | None = None
        self._handover: Handover | None = None

    @staticmethod
    def prepare(section: Mapping[str, Any], *, key: str) -> FileWatchSpec:  # noqa: ARG004 - every source is asked like this
        """Raises DefinitionError; places are relative to the section."""
        return prepare(section)

    @staticmethod
    def addresses(key: str, spec: FileWatchSpec) -> tuple[str, ...]:  # noqa: ARG004 - as above
        """A file's event is made for one trigger, and found by its key."""
        return (key,)

    @staticmethod
    def by_hand(key: str, spec: FileWatchSpec, given: Mapping[str, Any], *, now: datetime) -> ByHand:
        return file_by_hand(key, spec, given, now)

    def update(self, triggers: Sequence[Trigger]) -> None:
        """Watches follow in a moment; files that come from now on are events all the same. A disabled trigger has its verdicts."""
        now, before = self._clock(), self._wanted
        self._wanted = {
            trigger.key: before[trigger.key]
            if trigger.key in before and before[trigger.key][0] == trigger.spec
            else (trigger.spec, now)
            for trigger in triggers
        }
        if self._watching is not None:
            self._watching.something_to_survey.set()

    def watched(self) -> dict[str, int]:
        """Triggers, and how many files are known to each."""
        watching = self._watching
        return {} if watching is None else {key: len(watcher.ledger.entries) for key, watcher in watching.watchers.items()}

    @asynccontextmanager
    async def open(self, emit: Emit) -> AsyncGenerator[None]:
        """Load the ledger and listen. What has changed since the last time is found by `run`.

        On leaving, files that have settled have been handed in; those that have not are found again at the next start.
        """
        watching = self._watching = Watching(self._settings, self._state, self._home, self._clock)
        self._handover = Handover(watching, emit)
        try:
            watching.ledgers = await watching.in_thread(ledgers, await self._state.load())
            await self._forget(watching)
            self._inbox = Inbox(watching.loop, self._read_news)
            watching.notifier = await watching.in_thread(self._notifier, watching, self._inbox)
            yield
        finally:
            await self._close(watching, self._handover)

    async def run(self) -> None:
        """Work until cancelled."""
        assert self._watching is not None
        assert self._handover is not None
        async with asyncio.TaskGroup() as group:
            group.create_task(Surveyor(self._watching, lambda: self._wanted).run(), name="file-watch surveyor")
            group.create_task(self._handover.run(), name="file-watch handover")

    def rescan(self) -> None:
        """Look at everything: something may have been missed."""
        if self._watching is None:
            return
        for watcher in self._watching.watchers.values():
            for root in watcher.roots:
                self._watching.ask(root, root.path)

    async def _close(self, watching: Watching, handover: Handover) -> None:
        watching.stopped.set()
        if watching.notifier is not None:
            await asyncio.to_thread(watching.notifier.stop)  # ours may both hang in a file system that does
        self._read_news()
        watching.settling.put_back(watching.loop.time())
        left = len(watching.settling)
        while left > 0:  # each at most once: one that cannot be handed in now is handed in by the next process
            left -= await handover.hand_over() or left
        self._watching = self._inbox = self._handover = None
        watching.close_threads()

    def _notifier(self, watching: Watching, inbox: Inbox) -> Notifier | None:
        """In a thread. None: this process may not use inotify, and looks instead."""

        def overflowed() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to look
                watching.loop.call_soon_threadsafe(self._overflowed)

        try:
            notifier = Notifier(inbox, overflowed)
        except OSError as error:
            hint = "raise fs.inotify.max_user_instances with sysctl"
            log.warning("file_watch.fell_back_to_polling", reason=error.strerror or str(error), hint=hint)
            return None
        notifier.start()
        return notifier

    def _overflowed(self) -> None:
        log.warning("file_watch.queue_overflowed", hint="looking at everything; fs.inotify.max_queued_events is the limit")
        self.rescan()

    async def _forget(self, watching: Watching) -> None:
        """Delete the rows of triggers that have been away for long."""
        horizon = self._clock() - self._settings.forget_after_s
        for key, ledger in list(watching.ledgers.items()):
            removed = ledger.marker.removed if ledger.marker is not None else 0.0
            if key in self._wanted or removed is None or removed > horizon:
                continue
            for batch in batches(ledger.forgotten(), 1000):
                await self._state.save(dict.fromkeys(batch))
            del watching.ledgers[key]

    # what the kernel tells

    def _read_news(self) -> None:
        """On the loop, when the inbox has something."""
        watching, inbox = self._watching, self._inbox
        if watching is None or inbox is None:
            return
        for watched, news in inbox.take(NEWS_AT_ONCE):
            receiver = watched.receiver
            if isinstance(receiver, Gate):
                watching.ask(receiver.root, receiver.root.path)
            elif receiver.watched is watched:
                self._told(watching, receiver, news)
        if inbox.more:
            watching.loop.call_soon(self._read_news)

    def _told(self, watching: Watching, root: Root, news: News) -> None:
        watcher = watching.watchers.get(root.trigger)
        path = root.named(news.path)
        if watcher is None or path is None:
            return
        if news.what == "lost":
            watching.ask(root, root.path)
        elif news.what == "folder":
            if path == root.path or root.area.enters(path):
                watching.ask(root, path)
        elif root.area.wants(path):
            self._file_told(watching, watcher, root, path, news)
        elif news.what in {"made", "closed"} and os.path.islink(news.path):  # noqa: PTH114 - for each event
            watching.ask(root, os.path.dirname(path))  # noqa: PTH120 - files beside it may lead through it

    def _file_told(self, watching: Watching, watcher: Watcher, root: Root, path: str, news: News) -> None:
        patience_s = max(watcher.settle_s, self._settings.open_settle_s)
        known = watching.settling.get(Place(watcher.key, path))
        writing = news.what == "written" or (news.what == "touched" and known is not None and known.writing)
        waiting = watching.wait(watcher, path, patience_s if writing else watcher.settle_s)
        if news.what == "touched":
            return
        waiting.writing = writing
        waiting.fresh = news.what == "made"
        waiting.moved_to = root.named(news.other) if news.what == "gone" and news.other is not None else None
