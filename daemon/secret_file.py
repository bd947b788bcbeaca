"""A secret that the daemon makes for itself: a file of its owner's alone, made where there is none."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from daemon.errors import HomeError


def read_secret(file: Path, what: str, make: Callable[[], str]) -> str:
    """The text of the secret in `file`; where there is none, what `make` gives is kept there, whole or not at all.

    Raises HomeError where it cannot be kept or read, or others can read it. `what` names it in the sentence: the admin token.
    """
    try:
        if not file.exists():
            return _keep(file, make())
        if file.stat().st_mode & 0o077:
            raise HomeError(f"others can read {what} in {file}", f"chmod 600 {file}")
        return file.read_text(encoding="ascii", errors="replace").strip()
    except OSError as error:
        raise HomeError(f"cannot keep {what} in {file}: {error.strerror}") from error


def _keep(file: Path, text: str) -> str:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = file.with_name(f"{file.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        opened.write(f"{text}\n")
        opened.flush()
        os.fsync(descriptor)
    beside.rename(file)
    return text
