"""A look at a watched path as a whole: what has to be looked at one by one, and what was there before the trigger."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from triggers.files.ledger import Known, Marker
from triggers.files.mounts import is_silent, mount_of
from triggers.files.scan import Area, Scan, differences, scan


@dataclass(slots=True)
class Survey:
    """What a look at a path and all below it gave."""

    present: bool = True  # False: there is nothing at the watched path, and so nothing is known of what was in it
    files: int = 0
    different: dict[str, str | None] = field(default_factory=dict)  # not as the ledger has them: path → packed version
    baseline: dict[str, str] = field(default_factory=dict)  # there before the trigger was: known from now on, no event
    unreadable: Mapping[str, str] = field(default_factory=dict)  # path → why
    cut: bool = False  # there are more files than may be known
    unmounted: bool = False  # the path is empty and on another file system than its files were
    mount: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """What to look at, and what is known."""

    area: Area
    start: str  # the watched path, or one below it
    known: Known  # a copy: the loop goes on with its own
    marker: Marker
    keep_old: bool  # initial = ignore
    max_files: int


def survey(order: Order, stopped: Callable[[], bool]) -> Survey:
    """Blocks for as long as the file system takes: for a thread."""
    area, start = order.area, order.start
    whole = start == area.path
    if not whole and not os.path.isdir(area.path):  # noqa: PTH112 - paths are text in this package
        return Survey(present=False)
    seen = scan(area, start, max_files=order.max_files, stopped=stopped)
    mount = mount_of(area.path) if whole else ""
    found = Survey(seen.present, len(seen.files), unreadable=seen.unreadable, cut=seen.cut and not stopped(), mount=mount)
    if whole and not seen.present:
        found.different = _lost_file(order)
        return found
    if whole and _is_unmounted(order, seen, mount):
        return Survey(present=False, unmounted=True, mount=mount)
    _sort(order, seen, found)
    return found


def _lost_file(order: Order) -> dict[str, str | None]:
    """A file that is watched by its own name is gone when its folder is there without it; of a folder that is gone, who knows."""
    path = order.area.path
    return {path: None} if path in order.known and os.path.isdir(os.path.dirname(path)) else {}  # noqa: PTH112, PTH120


def _is_unmounted(order: Order, seen: Scan, mount: str) -> bool:
    """An empty mount point is no mass deletion."""
    before = order.marker.mounts.get(order.area.path)
    if not seen.empty or before is None or before == mount:
        return False
    return any(path.startswith(order.area.path + "/") for path in order.known)


def _sort(order: Order, seen: Scan, found: Survey) -> None:
    """What was there before the trigger is known from now on; the rest has changed."""
    marker = order.marker
    trusts_clock = not is_silent(found.mount)  # a server's clock is its own
    since_ns = int(marker.since * 1e9)
    for path, version in differences(seen, order.known, inodes_last=not is_silent(found.mount)):
        old = order.keep_old and not marker.complete and version is not None and path not in order.known
        if old and version is not None and (not trusts_clock or int(version.rpartition(":")[2]) < since_ns):
            found.baseline[path] = version
        else:
            found.different[path] = version
