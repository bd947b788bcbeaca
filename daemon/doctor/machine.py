"""The machine: versions, the clock, the disk, limits of the kernel."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import sqlite3
import time
import zoneinfo
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

from daemon.doctor.finding import Finding, ok, problem, warning

SQLITE_LEAST = (3, 40)
FREE_PROBLEM_BYTES = 100 * 1024 * 1024  # a busy hour
FREE_WARNING_BYTES = 1024**3
FREE_WARNING = 0.05
INODES_WARNING = 0.02
DESCRIPTORS_LEAST = 4096  # a thousand connections, files and children
INOTIFY = Path("/proc/sys/fs/inotify")
FOLDERS_COUNTED = 200_000  # of watched trees: beyond it they are said to be more
STA_UNSYNC = 0x40  # of adjtimex: nothing sets this clock right
EARLIEST = 1_700_000_000  # 2023: a clock before it was never set


def versions() -> Iterator[Finding]:
    yield ok("versions", f"camshaft {version('camshaft')}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    if sqlite3.sqlite_version_info < SQLITE_LEAST:
        yield problem("versions.sqlite", f"SQLite {sqlite3.sqlite_version} is older than 3.40", "a Python with a newer SQLite")
    if platform.system() != "Linux":
        yield problem("versions.system", f"{platform.system()} is not Linux", "camshaft runs on Linux")


def clock(zones: Iterable[str]) -> Iterator[Finding]:
    if time.time() < EARLIEST:
        yield problem("clock.set", f"the clock says {time.strftime('%Y-%m-%d')}", "set it: ids and schedules go by it")
    synchronised = _synchronised()
    if synchronised is None:
        yield ok("clock.synchronised", "whether the clock is kept right cannot be told here")
    elif synchronised:
        yield ok("clock.synchronised", "the clock is kept right")
    else:
        yield warning("clock.synchronised", "nothing keeps the clock right", "run chrony or systemd-timesyncd")
    missing = sorted(zone for zone in set(zones) if not _has_zone(zone))
    if missing:
        yield problem("clock.zones", f"there is no data for the time zones {', '.join(missing)}", "install tzdata")
    else:
        yield ok("clock.zones", "the data of the time zones that are used is there")


def disk(folder: Path) -> Iterator[Finding]:
    """Where the daemon writes."""
    try:
        found = os.statvfs(folder)
    except OSError as error:
        yield problem("disk.space", f"{folder}: {error.strerror}")
        return
    free, whole = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    said = f"{_size(free)} of {_size(whole)} are free at {folder}"
    hint = "free some; [retention] says how much is kept"
    if free < FREE_PROBLEM_BYTES:
        yield problem("disk.space", said, hint)
    elif free < FREE_WARNING_BYTES or free < whole * FREE_WARNING:
        yield warning("disk.space", said, hint)
    else:
        yield ok("disk.space", said)
    if found.f_files and found.f_favail < found.f_files * INODES_WARNING:
        yield warning("disk.inodes", f"{found.f_favail} of {found.f_files} inodes are free at {folder}", "remove small files")
    if found.f_flag & os.ST_RDONLY:
        yield problem("disk.writable", f"the file system of {folder} is read-only", "the daemon must write there")


def descriptors(pid: int | None) -> Iterator[Finding]:
    """`pid`: the daemon's; without one the limit that it would be given here."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)  # a daemon raises the soft one by itself
    limit = (None if hard == resource.RLIM_INFINITY else hard) if pid is None else _limit_of(pid)
    whose = "a daemon started here" if pid is None else "the daemon"
    said = f"{whose} may have {'any number of' if limit is None else limit} files and connections open"
    if limit is not None and limit < DESCRIPTORS_LEAST:
        yield warning("limits.files", said, "LimitNOFILE= in the unit, ulimit -n in a shell")
    else:
        yield ok("limits.files", said)


def inotify(roots: Iterable[tuple[Path, bool]]) -> Iterator[Finding]:
    """Whether the kernel lets all watched folders be followed. `roots`: each with whether what is below it counts."""
    watched = list(roots)
    if not watched:
        return
    for root, _ in watched:
        if not root.exists():
            yield warning("watch.paths", f"the watched path {root} is not there", "it is waited for")
        elif not os.access(root, os.R_OK | os.X_OK):
            yield problem("watch.paths", f"this user may not read the watched path {root}")
    folders = _folders(watched)
    limit, instances = _number(INOTIFY / "max_user_watches"), _number(INOTIFY / "max_user_instances")
    if limit is None:
        yield warning("watch.inotify", "the kernel has no inotify", "files are looked at now and then instead")
    elif folders > limit * 0.9:
        hint = f"sysctl fs.inotify.max_user_watches={max(524_288, folders * 2)}"
        yield problem("watch.inotify", f"{folders} folders are to be watched, and the kernel allows {limit} for this user", hint)
    else:
        yield ok("watch.inotify", f"{folders} folders are to be watched, and the kernel allows {limit} for this user")
    if instances is not None and instances < 16:
        yield warning(
            "watch.instances", f"the kernel allows {instances} watchers for this user", "sysctl fs.inotify.max_user_instances=128"
        )


def _synchronised() -> bool | None:
    """None: it cannot be told (no adjtimex here)."""
    try:
        buffer = ctypes.create_string_buffer(512)  # struct timex, all zero: asks and sets nothing
        state = ctypes.CDLL(None, use_errno=True).adjtimex(buffer)
    except (OSError, AttributeError):
        return None
    if state < 0:
        return None
    place = 4 * ctypes.sizeof(ctypes.c_long) + ctypes.sizeof(ctypes.c_long)  # after modes (padded), offset, freq, max-, esterror
    status = ctypes.c_int.from_buffer(buffer, place).value
    return not status & STA_UNSYNC


def _has_zone(zone: str) -> bool:
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _limit_of(pid: int) -> int | None:
    try:
        for line in Path(f"/proc/{pid}/limits").read_text().splitlines():
            if line.startswith("Max open files"):
                soft = line.split()[3]
                return int(soft) if soft.isdigit() else None
    except OSError:
        pass
    return None


def _folders(roots: Iterable[tuple[Path, bool]]) -> int:
    count = 0
    for root, recursive in roots:
        if not recursive:
            count += 1
            continue
        for _ in os.walk(root):
            count += 1
            if count >= FOLDERS_COUNTED:
                return count
    return count


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None


def _size(amount: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"
