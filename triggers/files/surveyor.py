"""Keeps the watches as the definitions are, and looks at whole folders: at the start, when news was lost, where none comes."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import structlog

from triggers.files.handover import too_many, until
from triggers.files.ledger import Changes, Entry, Ledger, Marker, Version, batches
from triggers.files.look import digest
from triggers.files.names import shown
from triggers.files.root import Root, arm, disarm, fall_back
from triggers.files.settling import Place
from triggers.files.spec import FileWatchSpec
from triggers.files.survey import Order, Survey, survey
from triggers.files.watching import Watcher, Watching
from triggers.source import Unavailable

log = structlog.get_logger()

BATCH = 1000  # rows that are saved, or paths that are taken in, before the loop may do something else: about 3 ms
MAX_WAITING = 5_000  # files that wait at once because of a survey; the rest comes when there is room
HASH_BATCH = 100  # files whose content is read in one go while nothing else is to be done
MANY_FOLDERS = 20  # with more folders to look at, one look at all is cheaper
MAX_REST_S = 5.0  # at most this long between two looks, however long a look takes

Wanted = Mapping[str, tuple[FileWatchSpec, float]]
"""Trigger → its section, and when it came: seconds since the epoch."""


class Surveyor:
    """One task; what it awaits is disk or thread, so a large tree holds nobody up."""

    def __init__(self, watching: Watching, wanted: Callable[[], Wanted]) -> None:
        self._watching = watching
        self._wanted = wanted
        self._applied: Wanted | None = None
        self._differing: deque[tuple[Watcher, Iterator[tuple[str, str | None]]]] = deque()  # found by a survey, not yet passed on
        self._unread: dict[str, list[str]] = {}  # trigger → files of its baseline whose content is not known yet
        self._budget: dict[str, int] = {}  # trigger → bytes of them that may still be read

    async def run(self) -> None:
        """Work until cancelled. Sleeps until there is something to look at."""
        watching = self._watching
        while True:
            watching.something_to_survey.clear()
            try:
                if await self._one_thing():
                    continue
                await until(watching.something_to_survey, watching.loop, self._next_look())
            except Unavailable as unavailable:  # nothing can be saved now: what was not finished is done again
                log.warning("file_watch.survey_delayed", reason=str(unavailable))
                await asyncio.sleep(max(0.05, unavailable.retry_after_s))

    async def _one_thing(self) -> bool:
        """The most urgent thing there is to do; False: there is nothing."""
        if self._wanted() is not self._applied:
            await self._apply(self._wanted())
            return True
        self._notice_limit()
        now = self._watching.loop.time()
        for watcher in list(self._watching.watchers.values()):
            for root in watcher.roots:
                if root.next_look <= now:
                    root.asked.add(root.path)
                if root.asked and root.rest_until <= now:
                    await self._survey(watcher, root)
                    return True
        return await self._pass_on() or await self._read_some()

    def _next_look(self) -> float | None:
        roots = [root for watcher in self._watching.watchers.values() for root in watcher.roots]
        times = [root.rest_until if root.asked else root.next_look for root in roots]
        return min((moment for moment in times if moment != float("inf")), default=None)

    def _notice_limit(self) -> None:
        """A folder deep in some tree could not be watched, and nobody knows which."""
        notifier = self._watching.teller
        if notifier is None or not notifier.limited:
            return
        notifier.limited = False
        for watcher in self._watching.watchers.values():
            for root in watcher.roots:
                if root.watched is not None and root.area.recursive:
                    fall_back(root, "the limit of inotify watches is reached")
                    root.asked.add(root.path)

    # what is watched

    async def _apply(self, wanted: Wanted) -> None:
        """Watch what the definitions say now. What has not changed keeps its watches."""
        watching = self._watching
        for key, watcher in list(watching.watchers.items()):
            if key not in wanted or wanted[key][0] != watcher.spec:
                await self._stop(watcher)
        for key, ledger in list(watching.ledgers.items()):
            if key not in wanted and ledger.marker is not None and ledger.marker.removed is None:
                await watching.state.save(ledger.marked(removed=watching.clock()))
        for key, (spec, since) in wanted.items():
            if key not in watching.watchers:
                watcher = watching.watcher(key, spec)
                await self._begin(watcher, since)
                watching.watchers[key] = watcher
        self._applied = wanted

    async def _stop(self, watcher: Watcher) -> None:
        watching = self._watching
        watching.watchers.pop(watcher.key, None)
        watching.settling.drop(watcher.key)
        self._unread.pop(watcher.key, None)
        for root in watcher.roots:
            await watching.in_thread(disarm, root, watching.teller)

    async def _begin(self, watcher: Watcher, since: float) -> None:
        """A trigger that is new, or means other files than before, takes what is there as it is."""
        ledger, scope = watcher.ledger, watcher.spec.scope
        if ledger.marker is None:
            ledger.marker = Marker(since, scope)
            await self._watching.state.save(ledger.marked())
        elif ledger.marker.scope != scope:
            stale = await self._watching.in_thread(_unwanted, watcher, list(ledger.entries))
            for batch in batches(stale, BATCH):
                await self._save(ledger, dict.fromkeys(batch))
            await self._watching.state.save(ledger.marked(since=since, scope=scope, complete=False, removed=None))
        elif ledger.marker.removed is not None:
            await self._watching.state.save(ledger.marked(removed=None))
        self._budget[watcher.key] = self._watching.settings.baseline_hash_bytes

    async def _save(self, ledger: Ledger, changes: Changes) -> None:
        await self._watching.state.save(ledger.rows(changes))
        ledger.apply(changes)

    # what is there

    async def _survey(self, watcher: Watcher, root: Root) -> None:
        """Look at the folder that was asked for longest; at all of them where they are many."""
        watching, settings = self._watching, self._watching.settings
        start = root.path if root.path in root.asked or len(root.asked) > MANY_FOLDERS else root.asked.pop()
        asked = {start} if start != root.path else set(root.asked)
        root.asked -= asked
        began = time.monotonic()
        try:
            if start == root.path:
                await watching.in_thread(arm, root, watching.teller)
            assert watcher.ledger.marker is not None
            order = Order(
                root.area,
                start,
                watcher.ledger.entries.copy(),  # 2 ms for 100,000; the thread reads it while the loop changes the original
                watcher.ledger.marker,
                watcher.spec.initial == "ignore",
                settings.max_files,
            )
            found = await watching.in_thread(survey, order, watching.stopped.is_set)
            await self._take_in(watcher, root, start, found)
        except Unavailable:
            root.asked |= asked
            raise
        took_s = time.monotonic() - began
        root.rest_until = watching.loop.time() + min(took_s, MAX_REST_S) if took_s > 0.05 else 0.0
        if start == root.path:
            self._plan(root)
            log.debug("file_watch.surveyed", trigger=watcher.key, path=shown(start), files=found.files,
                      different=len(found.different), duration_ms=round(took_s * 1000))  # fmt: skip

    def _plan(self, root: Root) -> None:
        """Set the time of the next look at everything."""
        settings = self._watching.settings
        often = root.silent or root.polled or (not root.present and root.gate is None)
        wait_s = settings.poll_interval_s if often else settings.rescan_interval_s
        root.next_look = self._watching.loop.time() + wait_s if wait_s else float("inf")

    async def _take_in(self, watcher: Watcher, root: Root, start: str, found: Survey) -> None:
        whole = start == root.path
        for path, reason in found.unreadable.items():
            log.warning("file_watch.unreadable", trigger=watcher.key, path=shown(path), reason=reason)
        if found.cut:
            too_many(watcher, self._watching.settings.max_files)
        if whole:
            self._tell_presence(watcher, root, found)
        for batch in batches(found.baseline, BATCH):
            await self._know(watcher, {path: found.baseline[path] for path in batch})
        if found.different:
            self._differing.append((watcher, iter(found.different.items())))
        if whole:
            await self._mark(watcher, root, found)

    async def _know(self, watcher: Watcher, baseline: Mapping[str, str]) -> None:
        """These files were there before the trigger was; one that something is told of is looked at by itself."""
        settling = self._watching.settling
        told = {path for path in baseline if settling.get(Place(watcher.key, path)) is not None}
        changes = {path: Entry(Version.read(text), None) for path, text in baseline.items() if path not in told}
        await self._save(watcher.ledger, changes)
        self._unread.setdefault(watcher.key, []).extend(changes)

    async def _pass_on(self) -> bool:
        """Have files that differ looked at, as many as there is room for: 100,000 that wait make garbage collection slow."""
        room = MAX_WAITING - len(self._watching.settling)
        if not self._differing or room <= 0:
            return False
        watcher, rest = self._differing[0]
        batch = list(itertools.islice(rest, min(BATCH, room)))
        if not batch or self._watching.watchers.get(watcher.key) is not watcher:
            self._differing.popleft()
        for path, text in batch:
            self._differs(watcher, path, text)
        await asyncio.sleep(0)
        return True

    def _differs(self, watcher: Watcher, path: str, text: str | None) -> None:
        """The file waits, unless it waits already and is as it was."""
        version = Version.read(text) if text is not None else None
        settling, place = self._watching.settling, Place(watcher.key, path)
        waiting = settling.get(place)
        if waiting is not None and (waiting.seen is None or waiting.seen == version):
            return
        self._watching.wait(watcher, path, watcher.settle_s)
        settling.saw(place, version)

    def _tell_presence(self, watcher: Watcher, root: Root, found: Survey) -> None:
        if found.present == root.present:
            return
        if not found.present:
            reason = "its file system is not mounted" if found.unmounted else "it is not there"
            log.warning("file_watch.waiting_for_path", trigger=watcher.key, path=shown(root.path), reason=reason)
        else:
            way = "poll" if root.silent else "inotify and poll" if root.polled else "inotify"
            log.info("file_watch.watching", trigger=watcher.key, path=shown(root.path), files=found.files, by=way)
        root.present = found.present

    async def _mark(self, watcher: Watcher, root: Root, found: Survey) -> None:
        """Remember that this path was looked at, and the file system it is on."""
        marker = watcher.ledger.marker
        assert marker is not None
        watcher.surveyed.add(root.path)
        complete = marker.complete or watcher.surveyed >= {each.path for each in watcher.roots}
        mounts = {**marker.mounts, root.path: found.mount} if found.present and found.files else marker.mounts
        if replace(marker, complete=complete, mounts=mounts) != marker:
            await self._watching.state.save(watcher.ledger.marked(complete=complete, mounts=mounts))

    # what was in it before

    async def _read_some(self) -> bool:
        """Learn the content of files that were there before the trigger, so that a touch of them is known to be one."""
        watching = self._watching
        for key, paths in self._unread.items():
            watcher = watching.watchers.get(key)
            if not paths or watcher is None or self._budget.get(key, 0) <= 0:
                continue
            batch = [(path, entry) for path in paths[-HASH_BATCH:] if (entry := watcher.ledger.entries.get(path)) is not None]
            del paths[-HASH_BATCH:]
            changes = await watching.in_thread(self._digests, key, batch)
            still = {
                path: entry for path, entry in changes.items() if watcher.ledger.entries.get(path) == entry._replace(sha256=None)
            }
            await self._save(watcher.ledger, still)
            return True
        self._unread.clear()
        return False

    def _digests(self, key: str, batch: list[tuple[str, Entry]]) -> dict[str, Entry]:
        """In a thread."""
        found: dict[str, Entry] = {}
        for path, entry in batch:
            if self._watching.stopped.is_set() or entry.version.size > self._budget[key]:
                continue
            self._budget[key] -= entry.version.size
            try:
                sha256 = digest(path, entry.version, self._watching.settings.hash_max_bytes)
            except OSError:
                continue
            if sha256 is not None:
                found[path] = entry._replace(sha256=sha256)
        return found


def _unwanted(watcher: Watcher, paths: list[str]) -> list[str]:
    """In a thread: files that are not meant any more."""
    return [path for path in paths if not watcher.wants(path)]
