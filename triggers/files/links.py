"""The links on the way to a path: whoever swaps one of them touches nothing in the folders at its ends."""

from __future__ import annotations

import os
from collections.abc import Iterable

MOST_LINKS = 40  # on the way to one place; the kernel follows no more


def links_to(paths: Iterable[str]) -> dict[str, set[str]]:
    """The links that are followed on the way to where these paths lead: real folder → their names in it.

    A release that is rolled out by a swap is one, and the `..data` of a Kubernetes volume.
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
