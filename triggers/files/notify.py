"""The only file that knows watchdog: what the kernel tells of watched folders, gathered for the event loop.

Truth is what a look at the file gives; what comes from here only says where to look, and whether a writer is at work. Of
watchdog this takes the reader of inotify; its observers lose track of folders that are moved about quickly, and hold back
each file that is moved out for half a second.
"""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import structlog
from watchdog.observers.inotify_c import CallbackId, InotifyConstants, InotifyEvent, InotifyFD, Mask, WatchDescriptor
from watchdog.observers.inotify_c import WatchCallback as Listener

log = structlog.get_logger()

What = Literal["touched", "gone", "made", "written", "closed", "folder", "lost"]
"""`touched`: its times or rights were set. `gone`: deleted or moved away. `made`: opened for the first time. `closed`: also moved here.
`folder`: look at all below. `lost`: look at everything."""

NAMES = (
    InotifyConstants.IN_CREATE
    | InotifyConstants.IN_DELETE
    | InotifyConstants.IN_MOVE
    | InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_MOVE_SELF
)
CONTENTS = InotifyConstants.IN_MODIFY | InotifyConstants.IN_CLOSE_WRITE | InotifyConstants.IN_ATTRIB
"""Not opening and closing without writing: looking at a folder would fill the kernel's queue with news of itself."""

HOW = InotifyConstants.IN_ONLYDIR | InotifyConstants.IN_DONT_FOLLOW | InotifyConstants.IN_MASK_ADD
"""MASK_ADD: the kernel has one watch for each folder, and who asks for less would take from who asked for more."""

MEANINGS: tuple[tuple[int, What], ...] = (
    (InotifyConstants.IN_CREATE, "made"),
    (InotifyConstants.IN_MODIFY, "written"),
    (InotifyConstants.IN_CLOSE_WRITE, "closed"),
    (InotifyConstants.IN_MOVED_TO, "closed"),
    (InotifyConstants.IN_DELETE | InotifyConstants.IN_MOVED_FROM, "gone"),
    (InotifyConstants.IN_ATTRIB, "touched"),
)
SELF = InotifyConstants.IN_DELETE_SELF | InotifyConstants.IN_MOVE_SELF | InotifyConstants.IN_UNMOUNT
MAX_NEWS = 50_000  # paths waiting for the loop; beyond it, one look at everything is cheaper than the news
MAX_MOVES = 1000  # renames whose second half has not come: it is not coming


class News(NamedTuple):
    """Something was told of a path."""

    what: What
    path: str
    other: str | None = None  # of a rename: the other path


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
    """inotify. All methods block: call them in a thread."""

    def __init__(self, inbox: Inbox, on_overflow: Callable[[], None]) -> None:
        """Raises OSError where this process may have no inotify instance. `on_overflow` is called in the reader's thread."""
        self._inbox = inbox
        self.limited = False  # True: the kernel's limit of watches was met, some folder is not watched
        self.failed = False  # True: nothing is told any more
        self._on_overflow = on_overflow
        self._descriptor = _Descriptor(on_overflow, self._on_failure)

    def start(self) -> None:
        self._descriptor.start()

    def stop(self) -> None:
        self._inbox.close()
        self._descriptor.stop()
        self._descriptor.join()

    def watch(self, path: str, receiver: Any, *, recursive: bool, names: Callable[[News], bool] | None = None) -> Watched:
        """Watch a folder. Raises OSError where that cannot be. Folders below that come later are watched as they come.

        `names`: only the coming and going of names is told, and of that only what it is true for.
        """
        watched = Watched(
            path, receiver, self._descriptor, self._inbox, recursive=recursive, names=names, on_limit=self._on_limit
        )
        watched.begin()
        return watched

    def unwatch(self, watched: Watched) -> None:
        watched.end()

    def _on_limit(self) -> None:
        self.limited = True

    def _on_failure(self) -> None:
        self.failed = True
        self._on_overflow()


class Watched(Listener):
    """One folder, perhaps with all below it, that is watched for one receiver. Told of in the reader's thread."""

    def __init__(
        self,
        path: str,
        receiver: Any,
        descriptor: _Descriptor,
        inbox: Inbox,
        *,
        recursive: bool,
        names: Callable[[News], bool] | None,
        on_limit: Callable[[], None],
    ) -> None:
        self.path = path
        self.receiver = receiver
        self.alive = True  # False: the folder itself is gone or was moved away
        self._descriptor = descriptor
        self._inbox = inbox
        self._recursive = recursive
        self._only = names
        self._mask = Mask((NAMES if names else NAMES | CONTENTS) | HOW)
        self._on_limit = on_limit
        self._lock = threading.Lock()
        self._folders: dict[WatchDescriptor, str] = {}
        self._moves: dict[int, str] = {}  # cookie of a rename → from where

    def begin(self) -> None:
        """Raises OSError where the folder itself cannot be watched; one below that cannot be is left out."""
        with self._lock:
            self._add(self.path)
            self._grow(self.path)

    def end(self) -> None:
        with self._lock:
            self.alive = False
            self._drop(list(self._folders))

    def on_event(self, event: InotifyEvent) -> None:
        with self._lock:
            folder = self._folders.get(event.wd)
            news = self._news(event, folder) if folder is not None and self.alive else []
        news = [one for one in news if self._only is None or self._only(one)]
        if news:
            self._inbox.put(self, *news)

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        with self._lock:
            self._folders.pop(wd, None)

    def on_queue_overflow(self) -> None:
        """Folders may have come, gone and moved without a word: begin anew."""
        with self._lock:
            before, self._folders = self._folders, {}
            try:
                self._add(self.path)
            except OSError:
                self.alive = False
            self._grow(self.path)
            self._drop([wd for wd in before if wd not in self._folders])
        self._inbox.put(self, News("lost", self.path))

    def _news(self, event: InotifyEvent, folder: str) -> list[News]:
        mask = event.mask
        if not event.name:
            if mask & SELF and folder == self.path:
                self.alive = False
            return [News("folder", folder)]
        path = os.path.join(folder, os.fsdecode(event.name))  # noqa: PTH118 - for each event: a Path costs ten times as much
        other = self._other(event, path)
        if mask & InotifyConstants.IN_ISDIR:
            self._follow(mask, path)
            return [] if mask & CONTENTS and not mask & InotifyConstants.IN_ATTRIB else [News("folder", path)]
        news = [News(next((what for bits, what in MEANINGS if mask & bits), "touched"), path, other)]
        return [News("gone", other, path), *news] if other is not None else news

    def _other(self, event: InotifyEvent, path: str) -> str | None:
        """Of the second half of a rename: from where."""
        if event.mask & InotifyConstants.IN_MOVED_FROM:
            if len(self._moves) >= MAX_MOVES:
                self._moves.clear()
            self._moves[event.cookie] = path
        return self._moves.pop(event.cookie, None) if event.mask & InotifyConstants.IN_MOVED_TO else None

    def _follow(self, mask: int, path: str) -> None:
        """Watch what is below now. What was below a folder that went away is not, or it would be told of by its old name."""
        if not self._recursive:
            return
        if mask & InotifyConstants.IN_MOVED_FROM:
            below = path + "/"
            self._drop([wd for wd, folder in self._folders.items() if folder == path or folder.startswith(below)])
        elif not mask & InotifyConstants.IN_DELETE and self._try_add(path):
            self._grow(path)

    def _grow(self, path: str) -> None:
        """Watch all folders below. Each is watched before it is read: what comes later is told, what was there is read."""
        waiting = [path] if self._recursive else []
        while waiting:
            try:
                with os.scandir(waiting.pop()) as entries:
                    folders = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
            except OSError:
                continue  # gone again, or not for us: a look at everything says so
            waiting += [folder for folder in folders if self._try_add(folder)]

    def _add(self, folder: str) -> None:
        self._folders[self._descriptor.add_callback(os.fsencode(folder), self._mask, self, CallbackId(id(self)))] = folder

    def _try_add(self, folder: str) -> bool:
        try:
            self._add(folder)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                self._on_limit()
            return False
        return True

    def _drop(self, watches: list[WatchDescriptor]) -> None:
        for wd in watches:
            self._folders.pop(wd, None)
        self._descriptor.remove_callbacks([(wd, CallbackId(id(self))) for wd in watches])


class _Descriptor(InotifyFD):
    """watchdog's reader of one inotify instance, that also tells when it fails."""

    def __init__(self, on_overflow: Callable[[], None], on_failure: Callable[[], None]) -> None:
        super().__init__()
        self._on_overflow = on_overflow
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

    def _add_callback(self, path: bytes, mask: Mask, callback: Listener, id_: CallbackId) -> WatchDescriptor:
        """Watchdog's own warns about a folder that is come upon twice, and takes a forbidden one as watched."""
        watch = self._get_or_create_watch(path, mask)
        if watch.wd == -1:
            self._watch_for_wd.pop(watch.wd, None)
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fsdecode(path))
        watch.callbacks[id_] = callback
        return watch.wd

    def _remove_callback(self, wd: WatchDescriptor, id_: CallbackId) -> None:
        """Watchdog's own warns where the kernel was quicker."""
        watch = self._watch_for_wd.get(wd)
        if watch is not None and id_ in watch.callbacks:
            super()._remove_callback(wd, id_)
