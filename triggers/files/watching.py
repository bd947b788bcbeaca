"""What all parts of the file-watch source share: who watches what, what is known, what waits."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import ParamSpec, TypeVar

from triggers.files.ledger import Ledger
from triggers.files.notify import Notifier
from triggers.files.patterns import Patterns
from triggers.files.root import Root
from triggers.files.scan import Area
from triggers.files.settling import Place, Settling, Waiting
from triggers.files.spec import FileWatchSpec, Settings
from triggers.source import State

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(slots=True, eq=False)
class Watcher:
    """One trigger at work."""

    key: str
    spec: FileWatchSpec
    roots: tuple[Root, ...]
    ledger: Ledger
    settle_s: float
    surveyed: set[str] = field(default_factory=set)  # the roots that were looked at as a whole since the definition came
    full: bool = False  # the limit of files was met and told of

    def wants(self, path: str) -> bool:
        return any(root.area.wants(path) for root in self.roots)

    def trusts_inodes(self, path: str) -> bool:
        """Whether a file keeps its inode where this one is."""
        return not any(root.silent and root.area.wants(path) for root in self.roots)


class Watching:
    """Shared by the parts that survey, that hand over and that listen. Changed on the event loop only."""

    def __init__(self, settings: Settings, state: State, home: Path, clock: Callable[[], float]) -> None:
        self.settings = settings
        self.state = state
        self.home = home
        self.clock = clock  # seconds since the epoch
        self.loop = asyncio.get_running_loop()
        self.ledgers: dict[str, Ledger] = {}  # also of triggers that are gone
        self.watchers: dict[str, Watcher] = {}
        self.settling = Settling()
        self.something_due = asyncio.Event()  # the first deadline may be another one now
        self.something_to_survey = asyncio.Event()
        self.notifier: Notifier | None = None  # None: this process may have no inotify
        self.stopped = threading.Event()
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="file-watch")  # one looks at folders, one at files

    @property
    def teller(self) -> Notifier | None:
        """None: nobody tells of changes, every folder is looked at again and again."""
        return None if self.notifier is None or self.notifier.failed else self.notifier

    async def in_thread(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        return await self.loop.run_in_executor(self._threads, lambda: function(*args, **kwargs))

    def close_threads(self) -> None:
        """Not waiting for a file system that hangs."""
        self.stopped.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def watcher(self, key: str, spec: FileWatchSpec) -> Watcher:
        """A new one, with what is known of its files."""
        patterns = Patterns(spec.include, spec.exclude)
        paths = dict.fromkeys(os.path.normpath(self.home / path) for path in spec.paths)
        roots = tuple(Root(key, Area(path, patterns, spec.recursive), spec.poll) for path in paths)
        ledger = self.ledgers.setdefault(key, Ledger(key))
        settle_s = self.settings.settle_s if spec.settle_s is None else spec.settle_s
        return Watcher(key, spec, roots, ledger, settle_s)

    def ask(self, root: Root, path: str) -> None:
        """Have a folder looked at."""
        root.asked.add(path)
        self.something_to_survey.set()

    def wait(self, watcher: Watcher, path: str, hold_s: float) -> Waiting:
        """Have a file looked at when it has held."""
        waiting = self.settling.wait(Place(watcher.key, path), self.loop.time() + hold_s)
        self.something_due.set()
        return waiting
