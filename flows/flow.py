"""A flow, loaded: its graph, the inputs it declares, and the version that a run pins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.errors import Problem

if TYPE_CHECKING:
    from flows.graph import Graph, Place
    from flows.inputs import Inputs


@dataclass(frozen=True, slots=True)
class Repeats:
    """A run of it that has ended is followed by another: continuous execution."""

    delay_s: float  # from the end of one to when the next is due
    loop: str | None = None  # only where this loop node was come to and goes back; None: in any case
    target: str | None = None  # the root that it closes on, or the loop that begins with it
    after_failure: bool = False  # whether a failure ends it


@dataclass(frozen=True, slots=True)
class Flow:
    """One flow definition, checked whole and ready to run. Nothing in it changes."""

    key: str
    dialect: str  # steps | nodes
    graph: Graph
    inputs: Inputs
    folder: Path  # where its relative paths start
    definition: Any  # the JSON it was made from, as written
    digest: str  # sha256 of the canonical definition, hex; with `pinned`, of that and the sub-flows' digests
    name: str | None = None
    description: str | None = None
    subflows: tuple[str, ...] = ()  # keys of sub-flows that are literals: checked to exist when a home is loaded
    events: tuple[
        tuple[str | None, Place], ...
    ] = ()  # names of the events that its steps give, each with its place; None: made at run
    awaits: tuple[tuple[str, str | None, Place], ...] = ()  # what its steps wait for: source, name (None: made at run), place
    warnings: tuple[Problem, ...] = ()
    repeats: Repeats | None = None
    pinned: Mapping[str, Flow] = field(default_factory=dict, repr=False, compare=False)
    """The sub-flows as they were when a home was loaded: this version runs with these. What is not here is found by its key."""
