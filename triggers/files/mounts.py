"""Which file system a path is on, and whether it tells of changes."""

from __future__ import annotations

import os
from pathlib import Path

SILENT = frozenset(
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb",
        "smb2",
        "smb3",
        "smbfs",
        "9p",
        "virtiofs",
        "vboxsf",
        "vmhgfs",
        "prl_fs",
        "drvfs",
        "afs",
        "ceph",
        "coda",
        "davfs",
        "gfs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "beegfs",
        "ocfs2",
        "ncpfs",
        "orangefs",
        "pvfs2",
        "panfs",
        "acfs",
        "fuse",
    ]
)
"""File systems on which others write without this kernel knowing. Overlay is not among them: inotify tells what is written
through the mount, which is all a container sees; the rescan covers a lower layer that is changed behind its back."""


def mount_of(path: str) -> str:
    """The file system under the path: `ext4 /dev/vda`. Where that cannot be known: empty."""
    try:
        table = Path("/proc/self/mountinfo").read_bytes()
    except OSError:
        return ""
    return mount_in(os.fsdecode(table), os.path.realpath(path))


def mount_in(table: str, path: str) -> str:
    """The same, from the text of a mountinfo table; the longest mount point wins, of equal ones the last."""
    best, found = -1, ""
    for line in table.splitlines():
        head, _, tail = line.partition(" - ")
        fields, source = head.split(" "), tail.split(" ")
        if len(fields) < 5 or len(source) < 2:
            continue
        point = _plain(fields[4])
        if len(point) >= best and (path == point or path.startswith(point.rstrip("/") + "/")):
            best, found = len(point), f"{source[0]} {_plain(source[1])}"
    return found


def is_silent(mount: str) -> bool:
    """Whether files can change on this file system without inotify telling."""
    kind = mount.partition(" ")[0]
    return kind in SILENT or kind.startswith("fuse.")


def _plain(text: str) -> str:
    r"""Without the kernel's escapes: `\040` is a space."""
    for code, letter in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, letter)
    return text
