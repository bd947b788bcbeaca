"""Which process holds a home: its daemon, also while that starts, stops or hangs and answers nobody."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def held_by(lock: Path) -> str | None:
    """The process id in the home's lock, `unknown` where it is not written yet. None: nobody holds it, or this user may not look."""
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # let go of with the descriptor; hold_home() waits that long
    except OSError:
        return os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
    finally:
        os.close(descriptor)
    return None
