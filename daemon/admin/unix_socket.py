"""The socket file of a home: one daemon binds it, a dead one's is replaced, and nobody but the owner can connect."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from daemon.errors import Conflict, HomeError

BACKLOG = 128


def make_way(path: Path) -> None:
    """Remove what a dead daemon left at `path`. Raises Conflict where one answers there, HomeError where that cannot be seen."""
    if not os.path.lexists(path):
        return
    try:
        with short(path) as near:
            _clear(path, near)
    except OSError as error:
        raise HomeError(f"cannot look at the admin socket {path}: {error.strerror}") from error


@contextmanager
def bound(path: Path) -> Iterator[socket.socket]:
    """A listening socket at `path`, mode 0600. On leaving the file is gone, where it can be and nobody else has put another there.

    Raises Conflict when a daemon answers there, HomeError when it cannot be made.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with short(path) as near:
            _clear(path, near)
            server = _listen(near)
            mark = _mark(near)
    except OSError as error:
        raise HomeError(
            f"cannot make the admin socket {path}: {error.strerror}", "the home's state folder must be writable"
        ) from error
    try:
        yield server
    finally:
        server.close()
        with (
            suppress(OSError),
            short(path) as near,
        ):  # the folder may be gone, or its disk read-only: then the next daemon clears it
            if _mark(near) == mark:
                Path(near).unlink()


def is_there(path: Path) -> bool:
    """A socket file is there, ours or another's; or nothing can be made there, for the folder is gone too."""
    return not path.parent.is_dir() or path.is_socket()


@contextmanager
def short(path: Path) -> Iterator[str]:
    """Another name of `path` that fits an address: those hold 107 bytes, and homes may lie deep. Valid inside the block."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _clear(path: Path, near: str) -> None:
    """Remove what a dead daemon left."""
    try:
        mode = os.lstat(near).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise HomeError(f"{path} is no socket, so it is not camshaft's to remove", "move it away")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(near)
        except ConnectionRefusedError:
            Path(near).unlink()
            return
        except (TimeoutError, BlockingIOError):  # its queue is full: somebody is there, and busy
            pass
    raise Conflict(f"a daemon runs for this home already: it answers at {path}", "stop it first")


def _listen(near: str) -> socket.socket:
    server = socket.socket(socket.AF_UNIX)
    try:
        os.fchmod(server.fileno(), 0o600)  # before bind: Linux makes the file with the socket's mode, so there is no open moment
        server.bind(near)
        server.listen(BACKLOG)
        server.setblocking(False)
    except OSError:
        server.close()
        raise
    return server


def _mark(near: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(near)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
