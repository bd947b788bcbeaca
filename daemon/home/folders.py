"""The folders to watch for a home's definitions to come and go: also where links lead, and each link on the way there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

from daemon.home.scan import FLOW_FILES, FLOWS, TRIGGERS
from flows.document import SUFFIXES
from triggers.files.links import links_to

Part = Literal["home", "definitions", "flow"] | frozenset[str]
"""What a watched folder holds: a home's own names, definitions, one flow among its files, or links of these names on the way."""

Place = tuple[str, Part]
Identity = tuple[int, int]  # device and inode


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
    for folder, names in links_to(led).items():
        if (folder, "definitions") not in places:
            places[folder, frozenset(names)] = None
    for place in places:
        with suppress(OSError):
            status = os.stat(place[0])  # noqa: PTH116
            yield place, (status.st_dev, status.st_ino)


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
