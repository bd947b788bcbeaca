"""The one internal form of a flow: steps, the edges between them, and what was worked out about them at load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from flows.errors import Problem
from flows.retry import ONCE, RetryPolicy
from flows.selector import MISSING
from flows.suggest import did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

    from flows.expression import Expression
    from flows.script.question import Question
    from flows.selector import Selector
    from flows.value import Value

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Requirement:
    """A value that must be there before a step runs: neither missing nor null, "" or []."""

    text: str  # as written, for the sentence that says what is missing
    selector: Selector
    place: Place = ()

    def miss(self, names: Mapping[str, Any]) -> str | None:
        """What is there instead of a value: `null`, `an empty array`. None: it is there."""
        value = self.selector.get(names["$"])
        if value is MISSING:
            return "undefined"
        if value is None:
            return "null"
        if value == "":
            return "an empty text"
        return "an empty array" if value == [] else None


@dataclass(frozen=True, slots=True)
class FlowKey:
    """The key of a sub-flow that is known at load, wherever a kind keeps it in what it prepared."""

    key: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step, compiled. Times are seconds; `place` is where it stands in the definition."""

    id: str
    kind: str  # the name of its StepKind
    prepared: Any = None  # what kind.prepare returned
    name: str | None = None
    when: Expression | Question | None = None  # false: skipped, and the next steps run
    unless: Expression | Question | None = None  # true: skipped, and the next steps run
    requires: tuple[Requirement, ...] = ()
    timeout_s: float | None = None  # of one attempt
    retry: RetryPolicy = ONCE
    fallback: str | None = None  # the step that stands in when this one's last try failed
    on_error: Literal["fail", "continue"] = "fail"  # after tries and fallback
    on_interrupted: Literal["retry", "fail"] = "retry"  # what a crash in the middle of it means
    track: bool = False  # metrics.track
    cost_label: str | None = None
    place: Place = ()
    section: tuple[str, Any] | None = None  # its kind's section as written, to say where in it something is wrong
    output_schema: Mapping[str, Any] | None = None  # the fields of its output that may be referred to; never enforced
    suspends: bool = field(init=False, repr=False)  # what its kind prepared is waited for, whatever others of the kind are

    asks: bool = field(init=False, repr=False)  # its condition is for the JavaScript engine: it is not answered at once

    def __post_init__(self) -> None:
        object.__setattr__(self, "suspends", getattr(self.prepared, "suspends", False))
        object.__setattr__(self, "asks", any(hasattr(each, "ask") for each in (self.when, self.unless)))


@dataclass(frozen=True, slots=True)
class Edge:
    """`target` waits for `source`. With a condition the edge is live only when the source's answer equals it."""

    source: str
    target: str
    condition: str | None = None  # "true" or "false"
    fallback: bool = False  # from a step to what stands in for it: live only when the executor calls it
    place: Place = ()


@dataclass(frozen=True, slots=True)
class Handlers:
    """What follows the steps of a flow when they have ended. None: nothing."""

    on_failure: Graph | None = None
    on_cancel: Graph | None = None
    final: Graph | None = None  # `finally`: after the others, however it ended

    def named(self) -> dict[str, Graph]:
        """Those that there are, by the name of their place in a run, in their order."""
        found = {"onFailure": self.on_failure, "onCancel": self.on_cancel, "finally": self.final}
        return {name: graph for name, graph in found.items() if graph is not None}


@dataclass(frozen=True, slots=True)
class Graph:
    """Steps and edges that passed `check`. The fields without a default in __init__ are what scheduling reads."""

    steps: tuple[Step, ...]
    edges: tuple[Edge, ...]
    folder: Path  # where its steps' relative paths start
    max_concurrent: int | None = None  # steps that run at one time; None: all that are ready
    timeout_s: float | None = None  # of the whole
    on_failure: Literal["stop", "continue"] = "stop"  # stop: nothing new starts after a final failure
    output: Value | None = None  # None: the last step's output
    merge: bool = False  # what a step with several sources is given as `data`: input_0, input_1, …; False: nothing
    order: Literal["list", "needs", "edges", "beside"] = "needs"  # how it was written, for what is said about it
    handlers: Handlers | None = None  # of a whole flow
    index: dict[str, int] = field(init=False, repr=False)  # step id → position
    degree: tuple[int, ...] = field(init=False, repr=False)  # edges that lead to each step
    sources: tuple[tuple[int, ...], ...] = field(init=False, repr=False)  # by edge order, fallback edges left out
    asked: tuple[tuple[str | None, ...], ...] = field(init=False, repr=False)  # the conditions of these edges
    targets: tuple[tuple[int, ...], ...] = field(init=False, repr=False)  # along edges without a condition
    branches: tuple[tuple[tuple[str, int], ...], ...] = field(init=False, repr=False)  # (condition, target)
    fallbacks: tuple[tuple[int, ...], ...] = field(init=False, repr=False)  # along fallback edges
    roots: tuple[int, ...] = field(init=False, repr=False)  # steps that no edge leads to

    def __post_init__(self) -> None:
        index = {step.id: position for position, step in enumerate(self.steps)}
        degree = [0] * len(self.steps)
        sources: list[list[int]] = [[] for _ in self.steps]
        asked: list[list[str | None]] = [[] for _ in self.steps]
        targets: list[list[int]] = [[] for _ in self.steps]
        branches: list[list[tuple[str, int]]] = [[] for _ in self.steps]
        fallbacks: list[list[int]] = [[] for _ in self.steps]
        for edge in self.edges:
            source, target = index[edge.source], index[edge.target]
            degree[target] += 1
            if edge.fallback:
                fallbacks[source].append(target)
                continue
            sources[target].append(source)
            asked[target].append(edge.condition)
            if edge.condition is None:
                targets[source].append(target)
            else:
                branches[source].append((edge.condition, target))
        worked_out = {
            "index": index,
            "degree": tuple(degree),
            "sources": tuple(map(tuple, sources)),
            "asked": tuple(map(tuple, asked)),
            "targets": tuple(map(tuple, targets)),
            "branches": tuple(map(tuple, branches)),
            "fallbacks": tuple(map(tuple, fallbacks)),
            "roots": tuple(position for position, edges in enumerate(degree) if not edges),
        }
        for name, value in worked_out.items():
            object.__setattr__(self, name, value)

    def following(self) -> tuple[Graph, ...]:
        """The graphs of its handlers."""
        return () if self.handlers is None else tuple(self.handlers.named().values())


def check(steps: Sequence[Step], edges: Sequence[Edge]) -> list[Problem]:
    """What is wrong with the form: ends that are not there, a step that waits for itself, cycles. All of it at once.

    Graph() needs what passed: it raises KeyError on a missing end, and the executor would wait for ever in a cycle.
    """
    ids = [step.id for step in steps]
    problems = _missing_ends(ids, edges)
    if problems:
        return problems
    cycle = find_cycle(ids, edges)
    if cycle is None:
        return []
    first = next(step for step in steps if step.id == cycle[0])
    named = " → ".join((*cycle, cycle[0]))
    place = next(
        (edge.place for edge in edges if edge.place and (edge.source, edge.target) == (cycle[-1], cycle[0])), first.place
    )
    return [Problem(place, f"these steps wait for each other: {named}", "take one of these edges away", code="GRAPH_CYCLE")]


def _missing_ends(ids: Sequence[str], edges: Sequence[Edge]) -> list[Problem]:
    known = set(ids)
    return [
        Problem(edge.place, f"there is no step «{end}» here", did_you_mean(end, ids), code="GRAPH_STEP")
        for edge in edges
        for end in (edge.source, edge.target)
        if end not in known
    ]


def find_cycle(ids: Sequence[str], edges: Sequence[Edge]) -> list[str] | None:
    """The steps of one cycle in order, the earliest listed first. None: there is none."""
    following: dict[str, list[str]] = {name: [] for name in ids}
    waiting = dict.fromkeys(ids, 0)
    for edge in edges:
        following[edge.source].append(edge.target)
        waiting[edge.target] += 1
    ready = [name for name in ids if not waiting[name]]
    while ready:
        for target in following[ready.pop()]:
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    left = {name for name in ids if waiting[name]}
    if not left:
        return None
    return _one_cycle(ids, left, edges)


def _one_cycle(ids: Sequence[str], left: set[str], edges: Sequence[Edge]) -> list[str]:
    """Every step that is left waits for another that is left: going back along the edges must come round."""
    before = {edge.target: edge.source for edge in edges if edge.source in left and edge.target in left}
    name = next(name for name in ids if name in left)
    seen: list[str] = []
    while name not in seen:
        seen.append(name)
        name = before[name]
    cycle = seen[seen.index(name) :][::-1]
    start = min(range(len(cycle)), key=lambda position: ids.index(cycle[position]))
    return cycle[start:] + cycle[:start]
