"""One watched path of one trigger: found, armed, lost and found again. What blocks here runs in a thread."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import structlog

from triggers.files.links import links_to
from triggers.files.mounts import is_silent, mount_of
from triggers.files.names import shown
from triggers.files.notify import News, Notifier, Watched
from triggers.files.scan import Area

log = structlog.get_logger()

ARM_TRIES = 10  # a tree that is made while we look for its nearest folder


@dataclass(slots=True, eq=False)
class Root:
    """A folder or file that a trigger watches, there or not."""

    trigger: str
    area: Area
    poll: str  # auto | always | never
    silent: bool = False  # nothing tells of changes here: it is looked at again and again
    polled: bool = False  # as well: some of its folders could not be watched
    present: bool | None = None  # None: not looked at yet
    folder: str | None = None  # the real folder that is watched
    file: str | None = None  # the real file, where one file is meant
    identity: tuple[int, int] | None = None  # device and inode of the folder
    watched: Watched | None = None
    gate: Watched | None = None  # the nearest folder above: tells when the path comes, goes or is put in the place of another
    links: list[Watched] = field(default_factory=list)  # the same for each link on the way that is not the gate's to tell of
    asked: set[str] = field(default_factory=set)  # where to look next
    next_look: float = 0.0  # monotonic seconds: when to look at everything again
    rest_until: float = 0.0  # monotonic seconds: a tree in which folders come all the time is not scanned all the time

    @property
    def path(self) -> str:
        return self.area.path

    def named(self, real: str) -> str | None:
        """A path as watchdog tells it, as people call it; None: it is not meant."""
        if self.folder is None:
            return None
        if self.file is not None:
            return self.path if real == self.file else None
        below = real[len(self.folder) :].lstrip("/")
        return os.path.join(self.path, below) if below else self.path  # noqa: PTH118 - for each event: a Path costs ten times as much


@dataclass(frozen=True, slots=True)
class Gate:
    """Receives what is told of the folder above a root."""

    root: Root
    entrance: str  # the real path whose coming and going is of interest

    def concerns(self, news: News) -> bool:
        return self.entrance in (news.path, news.other) or self.entrance.startswith(news.path + "/")


def arm(root: Root, notifier: Notifier | None) -> None:
    """Watch what is there now. Afterwards every change below is told, or `silent` or `polled` says that it is not."""
    root.silent = notifier is None or root.poll == "always" or (root.poll == "auto" and is_silent(mount_of(root.path)))
    if notifier is None or root.silent:
        disarm(root, notifier)
        _find(root)
        return
    for _ in range(ARM_TRIES):
        _watch_gate(root, notifier)
        _watch_links(root, notifier)
        before = root.identity
        _find(root)
        stale = root.watched is not None and (
            before != root.identity or root.watched.path != root.folder or not root.watched.alive
        )
        if root.watched is not None and stale:
            notifier.unwatch(root.watched)
            root.watched = None
        if root.folder is not None and root.watched is None:
            _watch_folder(root, notifier)
        if _nearest(_thing(root))[0] == (root.gate.path if root.gate else None):
            return


def disarm(root: Root, notifier: Notifier | None) -> None:
    """Watch nothing any more."""
    for watched in (root.watched, root.gate, *root.links):
        if notifier is not None and watched is not None:
            notifier.unwatch(watched)
    root.watched = root.gate = None
    root.links = []


def _find(root: Root) -> None:
    """What is at the path now."""
    real = os.path.realpath(root.path)
    if os.path.isdir(real):  # noqa: PTH112 - paths are text in this package
        root.folder, root.file = real, None
    elif os.path.exists(real):  # noqa: PTH110
        root.folder, root.file = os.path.split(real)
        root.file = real
    else:
        root.folder = root.file = None
    root.identity = _identity(root.folder)


def _identity(folder: str | None) -> tuple[int, int] | None:
    try:
        found = os.stat(folder) if folder is not None else None  # noqa: PTH116
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found is not None else None


def _watch_folder(root: Root, notifier: Notifier) -> None:
    assert root.folder is not None
    try:
        root.watched = notifier.watch(root.folder, root, recursive=root.area.recursive and root.file is None)
    except OSError as error:
        if os.path.isdir(root.folder):  # noqa: PTH112 - else it went away meanwhile, and the gate tells
            fall_back(root, error.strerror or str(error))


def fall_back(root: Root, reason: str) -> None:
    """Not everything here is told: look at it again and again as well."""
    if not root.polled:
        hint = "raise fs.inotify.max_user_watches and max_user_instances with sysctl"
        log.warning("file_watch.fell_back_to_polling", trigger=root.trigger, path=shown(root.path), reason=reason, hint=hint)
    root.polled = True


def _watch_gate(root: Root, notifier: Notifier) -> None:
    """Watch the names in the nearest folder above. Where that cannot be, the next look at everything finds out."""
    above, entrance = _nearest(_thing(root))
    if root.gate is not None and (root.gate.path != above or not root.gate.alive):
        notifier.unwatch(root.gate)
        root.gate = None
    if root.gate is None and above is not None:
        try:
            gate = Gate(root, entrance)
            root.gate = notifier.watch(above, gate, recursive=False, names=gate.concerns)
        except OSError as error:
            fall_back(root, error.strerror or str(error))


def _watch_links(root: Root, notifier: Notifier) -> None:
    """Watch the names of the links that lead to the path: whoever swaps one puts another folder there without a word."""
    told = None if root.gate is None else root.gate.receiver.entrance
    wanted = {os.path.join(folder, name) for folder, names in links_to([root.path]).items() for name in names} - {told}  # noqa: PTH118
    for link in list(root.links):
        if link.receiver.entrance not in wanted or not link.alive:
            notifier.unwatch(link)
            root.links.remove(link)
    for entrance in wanted - {link.receiver.entrance for link in root.links}:
        gate = Gate(root, entrance)
        try:
            root.links.append(notifier.watch(os.path.dirname(entrance), gate, recursive=False, names=gate.concerns))  # noqa: PTH120
        except OSError as error:
            fall_back(root, error.strerror or str(error))


def _thing(root: Root) -> str:
    """What comes and goes: the folder; for a single file the folder it is in."""
    return os.path.dirname(root.path) if os.path.isfile(root.path) else root.path  # noqa: PTH113, PTH120


def _nearest(path: str) -> tuple[str | None, str]:
    """The nearest folder above the path that is there, and what in it leads to the path; None: the path is the top."""
    below = path
    above = os.path.dirname(path)  # noqa: PTH120
    while above != below:
        if os.path.isdir(above):  # noqa: PTH112
            real = os.path.realpath(above)
            return real, os.path.join(real, os.path.basename(below))  # noqa: PTH118, PTH119
        below, above = above, os.path.dirname(above)  # noqa: PTH120
    return None, path
