"""The only file that knows watchdog: what the kernel tells of watched folders, gathered for the event loop.

Truth is what a look at the file gives; what comes from here only says where to look, and whether a writer is at work.
"""

from __future__ import annotations

import asyncio
import errno
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import structlog
from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileAttribEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import BaseObserver, ObservedWatch
from watchdog.observers.inotify import InotifyFullEmitter
from watchdog.observers.inotify_c import CallbackId, InotifyEvent, InotifyFD, Mask, WatchCallback, WatchDescriptor

log = structlog.get_logger()

What = Literal["touched", "gone", "made", "written", "closed", "folder", "lost"]
"""`touched`: its times or rights were set. `gone`: deleted or moved away. `made`: opened for the first time. `closed`: also moved here.
`folder`: look at all below. `lost`: look at everything."""

FILE_EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent, FileModifiedEvent, FileAttribEvent, FileClosedEvent, FileDeletedEvent, FileMovedEvent, DirCreatedEvent, DirDeletedEvent, DirMovedEvent,
]  # fmt: skip
"""Not opening and closing without writing: looking at a folder would fill the kernel's queue with news of itself."""

NAME_EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent, FileDeletedEvent, FileMovedEvent, DirCreatedEvent, DirDeletedEvent, DirMovedEvent,
]  # fmt: skip
MEANINGS: dict[type[FileSystemEvent], What] = {
    FileCreatedEvent: "made", FileModifiedEvent: "written", FileClosedEvent: "closed", FileDeletedEvent: "gone",
}  # fmt: skip
YOUNG_S = 2.0  # in a folder younger than this a file may have been closed before the folder was watched
MAX_NEWS = 50_000  # paths waiting for the loop; beyond it, one look at everything is cheaper than the news


class News(NamedTuple):
    """Something was told of a path."""

    what: What
    path: str
    other: str | None = None  # of a rename: the other path


class Watched:
    """One folder that is watched for one receiver."""

    def __init__(self, path: str, receiver: Any) -> None:
        self.path = path
        self.receiver = receiver
        self.observed: ObservedWatch | None = None
        self.handler: _Handler | None = None


@dataclass(slots=True)
class _Mail:
    watched: Watched
    news: News


class Inbox:
    """What watchdog's threads told and the loop has not read: for each path the last of it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, wake: Callable[[], None]) -> None:
        self._loop = loop
        self._wake = wake
        self._lock = threading.Lock()
        self._news: dict[tuple[int, str], _Mail] = {}
        self._closed = False

    def put(self, watched: Watched, *news: News) -> None:
        """Called in watchdog's threads."""
        with self._lock:
            if self._closed:
                return
            waking = not self._news
            for one in news:
                key = (id(watched), one.path)
                before = self._news.pop(key, None)  # the last told comes last
                self._news[key] = _Mail(watched, one if before is None else _joined(before.news, one))
            if len(self._news) > MAX_NEWS:
                everyone = {id(mail.watched): mail.watched for mail in self._news.values()}
                self._news = {(mark, ""): _Mail(each, News("lost", each.path)) for mark, each in everyone.items()}
        if waking:
            self._loop.call_soon_threadsafe(self._wake)

    def take(self, limit: int) -> list[tuple[Watched, News]]:
        """The oldest news. Where there is more, `more` says so."""
        with self._lock:
            keys = [key for key, _ in zip(self._news, range(limit), strict=False)]
            return [(mail.watched, mail.news) for mail in (self._news.pop(key) for key in keys)]

    @property
    def more(self) -> bool:
        return bool(self._news)

    def close(self) -> None:
        with self._lock:
            self._closed = True


def _joined(before: News, after: News) -> News:
    """What the two say together: new times tell nothing of a writer, and where a file came from is not forgotten."""
    return News(before.what if after.what == "touched" else after.what, after.path, after.other or before.other)


class Notifier:
    """inotify by watchdog. All methods block: call them in a thread."""

    def __init__(self, inbox: Inbox, on_overflow: Callable[[], None]) -> None:
        """Raises OSError where this process may have no inotify instance. `on_overflow` is called in a thread of watchdog's."""
        self._inbox = inbox
        self.limited = False  # True: the kernel's limit of watches was met, some folder is not watched
        self.failed = False  # True: nothing is told any more
        self._on_overflow = on_overflow
        self._descriptor = _Descriptor(on_overflow, self._on_limit, self._on_failure)
        self._observer = _Observer(self._descriptor)
        self._users: dict[ObservedWatch, int] = {}

    def start(self) -> None:
        self._descriptor.start()
        self._observer.start()

    def stop(self) -> None:
        self._inbox.close()
        self._observer.stop()
        self._observer.join()

    def watch(self, path: str, receiver: Any, *, recursive: bool, names: Callable[[News], bool] | None = None) -> Watched:
        """Watch a folder. Raises OSError where that cannot be. Folders below that come later are watched as they come.

        `names`: only the coming and going of names is told, and of that only what it is true for.
        """
        watched = Watched(path, receiver)
        watched.handler = _Handler(watched, self._inbox, names)
        kinds = FILE_EVENTS if names is None else NAME_EVENTS
        watched.observed = self._observer.schedule(watched.handler, path, recursive=recursive, event_filter=kinds)
        self._users[watched.observed] = self._users.get(watched.observed, 0) + 1
        return watched

    def unwatch(self, watched: Watched) -> None:
        observed, handler = watched.observed, watched.handler
        if observed is None or handler is None:
            return
        watched.observed = None
        self._users[observed] -= 1
        if self._users[observed]:
            self._observer.remove_handler_for_watch(handler, observed)
        else:
            del self._users[observed]
            self._observer.unschedule(observed)

    def is_alive(self, watched: Watched) -> bool:
        """False: the folder is gone, and watchdog has stopped listening to it."""
        return watched.observed is not None and self._observer.listens_to(watched.observed)

    def _on_limit(self) -> None:
        self.limited = True

    def _on_failure(self) -> None:
        self.failed = True
        self._on_overflow()


class _Descriptor(InotifyFD):
    """One inotify instance of our own, that also tells what watchdog keeps to itself."""

    def __init__(self, on_overflow: Callable[[], None], on_limit: Callable[[], None], on_failure: Callable[[], None]) -> None:
        super().__init__()
        self._on_overflow = on_overflow
        self._on_limit = on_limit
        self._on_failure = on_failure

    def run(self) -> None:
        try:
            super().run()
        except Exception:
            log.exception("file_watch.reader_failed")  # watchdog's code; without this thread nothing is told any more
            self._on_failure()

    def handle_event(self, event: InotifyEvent) -> None:
        super().handle_event(event)
        if event.is_queue_overflow:
            self._on_overflow()

    def _add_callback(self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId) -> WatchDescriptor:
        """Watchdog's own warns when folders are made so quickly that it comes upon one twice, and takes a forbidden one as watched."""
        try:
            watch = self._get_or_create_watch(path, mask)
        except OSError as error:
            if error.errno == errno.ENOSPC:  # for a folder deep in the tree watchdog goes on without a word
                self._on_limit()
            raise
        if watch.wd == -1:
            self._watch_for_wd.pop(watch.wd, None)
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fsdecode(path))
        watch.callbacks[id_] = callback
        return watch.wd


class _Observer(BaseObserver):
    def __init__(self, descriptor: _Descriptor) -> None:
        super().__init__(InotifyFullEmitter, inotify_fd=descriptor)
        self._descriptor = descriptor

    def listens_to(self, observed: ObservedWatch) -> bool:
        emitter = self._emitter_for_watch.get(observed)
        return emitter is not None and emitter.is_alive() and emitter.should_keep_running()

    def on_thread_stop(self) -> None:
        super().on_thread_stop()
        self._descriptor.stop()
        self._descriptor.join()


class _Handler(FileSystemEventHandler):
    """Puts watchdog's events into the words of News."""

    def __init__(self, watched: Watched, inbox: Inbox, only: Callable[[News], bool] | None) -> None:
        self._watched = watched
        self._inbox = inbox
        self._only = only
        self._young: dict[str, float] = {}  # folder → monotonic seconds at which it was made

    def dispatch(self, event: FileSystemEvent) -> None:
        news = [one for one in self._news(event) if self._only is None or self._only(one)]
        if news:
            self._inbox.put(self._watched, *news)

    def _news(self, event: FileSystemEvent) -> list[News]:
        source, target = os.fsdecode(event.src_path), os.fsdecode(event.dest_path)
        if event.is_directory:
            if isinstance(event, DirCreatedEvent):
                self._remember(source)
            return [News("folder", path) for path in (source, target) if path]
        if isinstance(event, FileMovedEvent):  # without a source or a target the other end is outside
            gone = [News("gone", source, target or None)] if source else []
            return [*gone, News("closed", target, source or None)] if target else gone
        if isinstance(event, FileCreatedEvent) and self._is_young(os.path.dirname(source)):  # noqa: PTH120 - text is ten times faster
            return [News("closed", source)]
        return [News(MEANINGS.get(type(event), "touched"), source)]

    def _remember(self, folder: str) -> None:
        now = time.monotonic()
        if len(self._young) > 1000:
            self._young = {path: made for path, made in self._young.items() if now - made < YOUNG_S}
        self._young[folder] = now

    def _is_young(self, folder: str) -> bool:
        made = self._young.get(folder)
        return made is not None and time.monotonic() - made < YOUNG_S
