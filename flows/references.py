"""What compiled things refer to: found in whatever a step kind prepared, and checked against what is there to see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from flows.graph import Graph


def bodies_of(prepared: Any) -> Iterator[Graph]:
    """The graphs inside what a kind prepared: the body of a loop, the branches of a condition."""
    return (part for part in parts_of(prepared) if isinstance(part, Graph))


def parts_of(prepared: Any) -> Iterator[Any]:
    """All values inside dataclasses, mappings and sequences. A nested graph is given, and not gone into."""
    pending = [prepared]
    while pending:
        part = pending.pop()
        yield part
        if isinstance(part, Graph) or hasattr(part, "references"):
            continue
        if is_dataclass(part) and not isinstance(part, type):
            pending.extend(getattr(part, one.name) for one in reversed(fields(part)))
        elif isinstance(part, Mapping):
            pending.extend(reversed(list(part.values())))
        elif isinstance(part, (list, tuple)):
            pending.extend(reversed(part))
