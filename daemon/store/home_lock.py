"""One daemon to a home: a lock on a file, which the kernel lets go of when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daemon.store.errors import HomeInUse, StoreUnusable

LOOKED_AT_S = 0.02  # a command that looks whether somebody holds the home has let go of it long before
TRIES = 10


@contextmanager
def hold_home(path: Path) -> Iterator[None]:
    """Be the only daemon of this home while inside. Raises HomeInUse, or StoreUnusable where the lock cannot be made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreUnusable(
            f"{path}: {os.strerror(error.errno or 0)}", "the daemon needs a home that it may write to: name another with --home"
        ) from error
    try:
        try:
            _lock(descriptor)
        except OSError as error:
            pid = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            raise HomeInUse(
                f"{path.parent.parent}: a daemon with process id {pid} serves this home",
                "stop it first, or name another home with --home",
            ) from error
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            raise StoreUnusable(f"{path}: {os.strerror(error.errno or 0)}", "check the disk") from error
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    """Raises OSError where another daemon has it; daemon.holder.held_by(), which only looks, has it for a moment."""
    for _ in range(TRIES - 1):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(LOOKED_AT_S)
        else:
            return
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
