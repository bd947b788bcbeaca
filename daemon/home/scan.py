"""Which files of a home hold definitions, and what tells that one was touched: listed without reading any."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from daemon.errors import HomeError
from flows.document import SUFFIXES

CONFIG = "camshaft.toml"
TRIGGERS, FLOWS = "triggers", "flows"
FLOW_FILES = tuple(f"flow{suffix}" for suffix in SUFFIXES)

Stamp = tuple[int, ...]
"""What changes when a file does: the change time cannot be set back. Empty: it cannot be looked at."""


@dataclass(frozen=True, slots=True)
class Scan:
    """A home at one moment. Equal scans: nothing was touched."""

    triggers: tuple[tuple[Path, Stamp], ...]  # by their names
    flows: tuple[tuple[Path, Stamp], ...]
    config: Stamp


def scan(home: Path) -> Scan:
    """Raises HomeError where a folder cannot be listed."""
    return Scan(
        tuple((file, stamp_of(file)) for file in trigger_files(home)),
        tuple((file, stamp_of(file)) for file in flow_files(home)),
        stamp_of(home / CONFIG),
    )


def trigger_files(home: Path) -> list[Path]:
    """The definitions of triggers, in the order of their names."""
    folder = home / TRIGGERS
    return [folder / name for name in sorted(entry.name for entry in _listed(folder) if _is_definition(entry.name))]


def flow_files(home: Path) -> list[Path]:
    """The definitions of flows: flows/<key>.json, flows/<key>/flow.json, flows/<key>.flow.json, and the same in YAML."""
    return list(flows_in(home / FLOWS))


def flows_in(folder: Path) -> Iterator[Path]:
    """The files in `folder` that define flows, by their names."""
    for entry in sorted(_listed(folder), key=lambda entry: entry.name):
        inside = [folder / entry.name / name for name in FLOW_FILES] if _is_folder(entry) else []
        found = [file for file in inside if os.path.lexists(file)]
        yield from found
        if not found and _is_definition(entry.name):  # a folder of that name is no definition, and is told as a mistake
            yield folder / entry.name


def flow_name(file: Path) -> str:
    """The key of a flow that names none: its file's stem, or its folder's name."""
    if file.stem == "flow":
        return file.absolute().parent.name
    return file.stem.removesuffix(".flow")


def stamp_of(file: Path) -> Stamp:
    try:
        status = os.stat(file)  # noqa: PTH116 - for ten thousand files at a time
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def is_away(home: Path) -> bool:
    """Nothing that makes a home is there: its file system is not mounted, or it was moved away. It was not emptied by hand."""
    return not any(os.path.lexists(home / name) for name in (CONFIG, TRIGGERS, FLOWS))


def _is_definition(name: str) -> bool:
    return name.endswith(SUFFIXES)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False


def _listed(folder: Path) -> list[os.DirEntry[str]]:
    """A folder's entries; without hidden ones, which are editors' and our own unfinished files."""
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise HomeError(f"cannot read {folder}: {error.strerror}") from error
