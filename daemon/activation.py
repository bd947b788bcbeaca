"""Sockets that the service manager holds for us: they listen before we start and after we end, so nobody is refused meanwhile."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path

from daemon.errors import HomeError

FIRST = 3  # where systemd puts the first descriptor
NAMES = ("hooks", "admin")  # FileDescriptorName= of a socket unit
HINT = "FileDescriptorName=hooks or admin, and ListenStream=, in the socket unit"


@dataclass(frozen=True, slots=True)
class Inherited:
    """What was handed to us; empty where we bind ourselves."""

    hooks: tuple[socket.socket, ...] = ()
    admin: tuple[socket.socket, ...] = ()


NONE_INHERITED = Inherited()


def inherited(environment: MutableMapping[str, str] | None = None, first: int = FIRST) -> Inherited:
    """Take over the sockets and take their variables out of the environment: they are not our children's.

    One socket without a name is for webhooks. Raises HomeError for what is no listening stream socket, and for a name that says
    nothing to us.
    """
    environment = os.environ if environment is None else environment
    process, count, names = (environment.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"))
    if process != str(os.getpid()) or not (count.isascii() and count.isdigit()):
        return Inherited()
    descriptors = range(first, first + int(count))
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    given = names.split(":") if names else ["unknown"] * len(descriptors)
    if len(given) != len(descriptors):
        raise HomeError(f"LISTEN_FDNAMES has {len(given)} names for {len(descriptors)} sockets", HINT)
    found: dict[str, list[socket.socket]] = {name: [] for name in NAMES}
    for descriptor, name in zip(descriptors, given, strict=True):
        found[_meant(name, len(descriptors))].append(_listening(descriptor, name))
    return Inherited(tuple(found["hooks"]), tuple(found["admin"]))


def _meant(name: str, count: int) -> str:
    if name in NAMES:
        return name
    unnamed = name in {"", "unknown", "camshaft.socket"}  # systemd's own names where a unit gives none
    if unnamed and count == 1:
        return "hooks"
    raise HomeError(f"the service manager hands over a socket named «{name}»; it must be hooks or admin", HINT)


def _listening(descriptor: int, name: str) -> socket.socket:
    """The socket, ready for the loop. Raises HomeError."""
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            raise HomeError(f"descriptor {descriptor} («{name}») is no socket", HINT)
        found = socket.socket(fileno=descriptor)
    except OSError as error:
        raise HomeError(f"descriptor {descriptor} («{name}») cannot be used: {error.strerror}", HINT) from error
    listens = found.type == socket.SOCK_STREAM and found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if not listens or found.family not in {socket.AF_INET, socket.AF_INET6, socket.AF_UNIX}:
        found.detach()
        raise HomeError(f"descriptor {descriptor} («{name}») is no stream socket that listens", HINT)
    found.setblocking(False)
    if name == "admin" and found.family == socket.AF_UNIX and _open_to_all(path := os.fsdecode(found.getsockname())):
        found.close()
        raise HomeError(f"everybody may connect to the admin socket {path!r}", "SocketMode=0600 in the socket unit")
    return found


def _open_to_all(path: str) -> bool:
    """The admin API asks nobody for a token on a Unix socket: so the file's mode must say who may connect."""
    return not path or path.startswith("\0") or bool(Path(path).stat().st_mode & 0o002)
