"""Watches a home: says when its definitions were touched and have come to rest, by inotify where that tells, by looking elsewhere.

Nothing depends on being told: what is told only says when to look, and a look compares with what was read. A home that tells
nothing (a network mount), a link that leads out of it, and a queue that ran over are found by the look that comes anyway.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from functools import partial
from pathlib import Path

import structlog

from daemon.errors import HomeError
from daemon.home.folders import Identity, Part, Place, folders, roots
from daemon.home.scan import CONFIG, FLOW_FILES, FLOWS, TRIGGERS, Scan, scan
from triggers.files.mounts import is_silent, mount_of
from triggers.files.notify import Inbox, News, Notifier, Watched

log = structlog.get_logger()

SETTLE_S = 0.25  # after the last word of a change: git writes a thousand files with pauses of milliseconds
WRITER_S = 5.0  # the same while a file is open for writing: half of a YAML document may be a definition too
MOST_S = 10.0  # a home that never comes to rest is looked at all the same
GONE_S = 1.0  # a file that is not there for so long was removed: git and some editors remove what they are about to write
ANYWAY_S = 60.0  # a look without a word, where inotify tells
NEWS_AT_ONCE = 1000  # about 2 ms of the loop

Look = Callable[[Collection[Path]], Awaitable[Collection[Path] | None]]
"""Read the home again. Given are files that are gone for good; it gives those that are not there and that it waits for.
None: it could not be done now."""


class HomeWatch:
    """One home. `known` says in a thread whether a scan shows what was read already."""

    def __init__(self, home: Path, *, poll: bool, poll_s: float, known: Callable[[Scan], bool]) -> None:
        self._home = home
        self._poll = poll  # True: never mind inotify
        self._poll_s = poll_s
        self._known = known
        self._told = asyncio.Event()
        self._told_at = 0.0  # monotonic seconds
        self._writing: set[str] = set()  # files that were written to and not closed
        self._loop = asyncio.get_running_loop()
        self._inbox = Inbox(self._loop, self._read_news)
        self._notifier: Notifier | None = None
        self._watched: dict[Place, tuple[Watched, Identity]] = {}
        self._blind = True  # True: something here would change without a word
        self._polled: str | None = None  # why that is so, as it was told
        self._away: str | None = None  # why the home could not be looked at, as it was told

    async def open(self) -> None:
        """On return every change from now on is noticed."""
        await asyncio.to_thread(self._begin)
        await self._look()
        self._tell()  # what changed before that is looked for when it has come to rest

    async def close(self) -> None:
        if self._notifier is not None:
            await asyncio.to_thread(self._notifier.stop)

    async def run(self, look: Look) -> None:
        """Until cancelled, look whenever something has changed."""
        waited_for: dict[Path, float] = {}  # a file that is not there → since when
        again = False
        while True:
            await self._wait(GONE_S if waited_for else self._poll_s if self._blind or again else ANYWAY_S)
            if await self._touched() or waited_for:
                now = self._loop.time()
                missing = await look({file for file, since in waited_for.items() if now - since >= GONE_S})
                waited_for = {file: waited_for.get(file, now) for file in missing or ()}
                again = missing is None

    async def _wait(self, most_s: float) -> None:
        """Return when a change has come to rest, or after this time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(most_s):
                await self._told.wait()
        if self._told.is_set():
            await self._rest()
        self._told.clear()
        self._writing.clear()

    async def _rest(self) -> None:
        """Wait until nothing was told for a while; who tells meanwhile makes it longer, up to MOST_S."""
        until = self._loop.time() + MOST_S
        while (rest_s := min(self._rest_s(), until - self._loop.time())) > 0:  # noqa: ASYNC110 - it is the quiet that is waited for
            await asyncio.sleep(min(rest_s, SETTLE_S))  # who is at work may close the file in a moment

    def _rest_s(self) -> float:
        return self._told_at + (WRITER_S if self._writing else SETTLE_S) - self._loop.time()

    async def _touched(self) -> bool:
        """Whether the home is another than was read. Where nothing tells, it must look the same twice."""
        until = self._loop.time() + MOST_S
        found = await self._look()
        while found is not None and not await asyncio.to_thread(self._known, found):
            if not self._blind or self._loop.time() > until:
                return True
            await asyncio.sleep(SETTLE_S)
            before, found = found, await self._look()
            if found == before:
                return True
        return False

    async def _look(self) -> Scan | None:
        """None: the home cannot be looked at now; what is in force stays."""
        try:
            found = await asyncio.to_thread(self._arm_and_scan)
        except (HomeError, OSError) as error:
            if str(error) != self._away:
                log.warning("home.unreadable", reason=str(error))
            self._away, self._blind = str(error), True
            return None
        self._away = None
        return found

    # in a thread

    def _begin(self) -> None:
        if self._poll:
            return
        try:
            self._notifier = Notifier(self._inbox, self._overflowed)
        except OSError as error:
            hint = "raise fs.inotify.max_user_instances with sysctl"
            self._tell_polled(error.strerror or str(error), hint)
            return
        self._notifier.start()

    def _overflowed(self) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._tell)

    def _arm_and_scan(self) -> Scan:
        """Watched before it is looked at: what comes later is told, what was there is seen."""
        self._blind = not self._arm()
        if not self._blind:
            self._polled = None
        return scan(self._home)

    def _tell_polled(self, reason: str, hint: str) -> None:
        if reason != self._polled:
            log.warning("home.polled", reason=reason, hint=hint, every_s=self._poll_s)
        self._polled = reason

    def _arm(self) -> bool:
        """Watch what there is to watch now. False: not all of it tells."""
        notifier = self._notifier
        if notifier is None or notifier.failed:
            return False
        wanted = dict(folders(self._home))
        complete = any(part == "home" for _, part in wanted)
        for place, (watched, identity) in list(self._watched.items()):
            if wanted.get(place) != identity or not watched.alive:
                notifier.unwatch(watched)
                del self._watched[place]
        for place in wanted.keys() - self._watched.keys():
            folder, part = place
            try:
                names = partial(_concerns, part) if isinstance(part, frozenset) else None
                self._watched[place] = notifier.watch(folder, part, recursive=False, names=names), wanted[place]
            except OSError as error:
                complete = False
                if error.errno == errno.ENOSPC:
                    self._tell_polled(error.strerror or str(error), "raise fs.inotify.max_user_watches with sysctl")
        silent = [mount for mount in map(mount_of, {str(self._home), *roots(self._home)}) if is_silent(mount)]
        if silent:
            self._tell_polled(f"on {silent[0]} changes are not told", "a home on a local file system is followed at once")
        return complete and not silent

    # on the loop

    def _read_news(self) -> None:
        for watched, news in self._inbox.take(NEWS_AT_ONCE):
            if news.path == watched.path or _concerns(watched.receiver, news):
                self._hear(news)
        if self._inbox.more:
            self._loop.call_soon(self._read_news)

    def _hear(self, news: News) -> None:
        if news.what == "written":
            self._writing.add(news.path)
        elif news.what != "touched":
            self._writing.discard(news.path)
        self._tell()

    def _tell(self) -> None:
        self._told_at = self._loop.time()
        self._told.set()


def _concerns(part: Part, news: News) -> bool:
    """Runs write files beside their flows, and people keep other things in a home: these are not definitions."""
    if news.what == "lost":
        return True
    name = os.path.basename(news.path)  # noqa: PTH119 - for each event: a Path costs ten times as much
    if isinstance(part, frozenset):
        return name in part
    if part == "home":
        return name in (CONFIG, TRIGGERS, FLOWS)
    return part == "definitions" or name in FLOW_FILES or news.what == "folder"
