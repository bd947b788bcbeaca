"""The folders to watch for a home's definitions to come and go: also where links lead, and each link on the way there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

from daemon.home.scan import FLOW_FILES, FLOWS, TRIGGERS
from flows.document import SUFFIXES

Part = Literal["home", "definitions", "flow"] | frozenset[str]
"""What a watched folder holds: a home's own names, definitions, one flow among its files, or links of these names on the way."""

Place = tuple[str, Part]
Identity = tuple[int, int]  # device and inode

MOST_LINKS = 40  # on the way to one place; the kernel follows no more


def roots(home: Path) -> list[str]:
    """The real folders of triggers and flows."""
    return [os.path.realpath(home / name) for name in (TRIGGERS, FLOWS)]


def folders(home: Path) -> Iterator[tuple[Place, Identity]]:
    """What there is to watch now. Paths are real ones: a watch on a link would tell of the link."""
    triggers, flows = roots(home)
    places: dict[Place, None] = {
        (os.path.realpath(home), "home"): None,
        (triggers, "definitions"): None,
        (flows, "definitions"): None,
    }
    led = [str(home / TRIGGERS), str(home / FLOWS)]
    inside = [(entry, triggers) for entry in _entries(triggers)] + [(entry, flows) for entry in _entries(flows)]
    for entry, root in inside:
        if root == flows and _is_folder(entry):
            folder = os.path.realpath(entry.path)
            places[folder, "flow"] = None
            inner = [file for file in _entries(folder) if file.name in FLOW_FILES and file.is_symlink()]
            led += [entry.path] if entry.is_symlink() else []
        else:
            inner = [entry] if entry.is_symlink() and entry.name.endswith(SUFFIXES) else []
        for link in inner:
            places[os.path.dirname(os.path.realpath(link.path)), "definitions"] = None  # noqa: PTH120 - paths are text here
            led.append(link.path)
    for folder, names in _links(led).items():
        if (folder, "definitions") not in places:
            places[folder, frozenset(names)] = None
    for place in places:
        with suppress(OSError):
            status = os.stat(place[0])  # noqa: PTH116
            yield place, (status.st_dev, status.st_ino)


def _links(paths: Iterable[str]) -> dict[str, set[str]]:
    """The links that are followed on the way to where these paths lead: real folder → their names in it.

    Whoever swaps one of them (a release that is rolled out, a volume of Kubernetes) touches nothing in the folders at its ends.
    """
    found: dict[str, set[str]] = {}
    targets: dict[str, str | None] = {}  # None: no link; the way to ten thousand files is mostly one
    for path in paths:
        here, pending, followed = "/", path.split("/")[::-1], 0
        while pending and followed < MOST_LINKS:
            name = pending.pop()
            if name == "..":
                here = os.path.dirname(here)  # noqa: PTH120 - paths are text here
            if name in {"", ".", ".."}:
                continue
            step = os.path.join(here, name)  # noqa: PTH118 - as above
            if step not in targets:
                targets[step] = _target(step)
            target = targets[step]
            if target is None:
                here = step
                continue
            followed += 1
            found.setdefault(here, set()).add(name)
            here = "/" if target.startswith("/") else here
            pending += target.split("/")[::-1]
    return found


def _target(path: str) -> str | None:
    try:
        return os.readlink(path)  # noqa: PTH115 - as above
    except OSError:  # no link, or it is not there
        return None


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except OSError:
        return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
