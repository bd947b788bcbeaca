"""Pairs of name and value, as a query, a form and a multipart body have them: a name that repeats gives a list."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def by_name(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """One value under its name, several as a list in their order."""
    found: dict[str, Any] = {}
    repeated: set[str] = set()
    for name, value in pairs:
        if name not in found:
            found[name] = value
        elif name in repeated:
            found[name].append(value)
        else:
            repeated.add(name)
            found[name] = [found[name], value]
    return found
