"""Doing a run again: which of its records another run takes over, so that only the rest of it runs."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from flows.errors import DefinitionError, Problem
from flows.graph import FlowKey, Graph, Step
from flows.references import all_steps, bodies_of, parts_of
from flows.suggest import did_you_mean

if TYPE_CHECKING:
    from flows.attempt import Attempt
    from flows.flow import Flow

SETTLED = frozenset({"success", "skipped"})
FAILED = frozenset({"failed", "timeout", "interrupted"})
PLACE = re.compile(r"(?:#(?P<tries>\d+))?(?P<marks>(?:\[\d+\])*)(?P<joint>[./])")  # between a container's path and a step in it
STEP = re.compile(r"[^./#\[]+")


@dataclass(frozen=True, slots=True)
class Again:
    """What is wanted of a run that is done again."""

    of: Flow  # the version it ran with
    flow: Flow  # the version the new run has
    step: str | None = None  # from this one on, and what is behind it; None: from what did not succeed
    edited: bool = False  # its inputs are other ones


def taken_over(again: Again, attempts: Sequence[Attempt]) -> list[Attempt]:
    """The records that stand in the new run as well, in order, marked as copied.

    Of a step they are all of its tries, and only where it has settled: it succeeded, was skipped, or failed and the flow went on.
    Not those of the step it begins with, nor of anything behind it or behind what is not recorded. A container that is done again
    keeps what has settled inside it where the same would be asked of it: see _Picking. Raises DefinitionError with code RETRY.
    """
    _check_named(again)
    picking = _Picking(again, attempts)
    kept = picking.body(again.flow.graph, again.of.graph, "", "")
    if again.flow is not again.of:
        before = _Picking(replace(again, flow=again.of), attempts).body(again.of.graph, again.of.graph, "", "")
        _check_kept(again, before, frozenset(kept))
    order = {id(attempt): number for number, attempt in enumerate(attempts)}
    picked = sorted(picking.picked, key=lambda pair: order[id(pair[0])])
    return [replace(attempt, path=path, copied=True) for attempt, path in picked]


def _check_named(again: Again) -> None:
    if again.step is None:
        return
    for flow, which in ((again.of, "of that run"), (again.flow, "in force")):
        known = {step.id for step in all_steps(replace(flow.graph, handlers=None))}
        if again.step not in known:
            message = f"there is no step «{again.step}» in the version {which} of flow «{flow.key}»"
            raise DefinitionError(Problem(("from",), message, did_you_mean(again.step, known), code="RETRY"))


def _check_kept(again: Again, before: Sequence[str], kept: frozenset[str]) -> None:
    """What is taken over must be there, and mean the same, in the version it is taken into."""
    was, now = again.of.graph, again.flow.graph
    for name in before:
        kind = was.steps[was.index[name]].kind
        if name not in now.index:
            message = f"step «{name}» has settled, and is not in the version in force"
        elif name in kept and now.steps[now.index[name]].kind != kind:
            message = f"step «{name}» was of the kind {kind} and is of the kind {now.steps[now.index[name]].kind} now"
        else:
            continue
        hint = "retry from the start, or with the pinned version"
        raise DefinitionError(Problem(("from",), f"{message}: what it gave cannot be taken over", hint, code="RETRY"))


class _Picking:
    """Goes through the records body by body.

    What stands inside a container that is done again is taken over as it is after a crash in the middle of it: the container is
    asked for the same, and finds it done. That needs the same question: the same inputs, and the container as it was written.
    """

    def __init__(self, again: Again, attempts: Sequence[Attempt]) -> None:
        self._again = again
        self._tries: dict[str, list[Attempt]] = {}
        for attempt in attempts:
            self._tries.setdefault(attempt.path, []).append(attempt)
        self._paths = sorted(self._tries)
        self._children: dict[str, dict[str, None]] = {}  # what stands before a step's id in its path → the ids
        self._places: dict[str, set[str]] = {}  # a container's path → what stands there between it and a step inside
        for path in self._tries:
            self._file(path)
        self._following: dict[int, dict[str, list[str]]] = {}  # of each graph that was gone through, by its identity
        self.picked: list[tuple[Attempt, str]] = []  # with its path in the new run

    def _file(self, path: str) -> None:
        """A step stands under its body, and each container around it knows the place."""
        at = 0
        while found := STEP.match(path, at):
            self._children.setdefault(path[:at], {})[found[0]] = None
            joint = PLACE.match(path, found.end())
            if joint is None:
                return
            self._places.setdefault(path[: found.end()], set()).add(joint[0])
            at = joint.end()

    def body(self, graph: Graph, was: Graph | None, old: str, new: str) -> list[str]:
        """Pick what stands under the place `old`, for the place `new`. Returns the ids of the steps that are kept whole."""
        following = self._following.get(id(graph))
        if following is None:  # a loop's body is gone through once for each iteration
            following = self._following[id(graph)] = _following(graph)
        called = frozenset(step.fallback for step in graph.steps)
        states = {step.id: self._state(step, graph, old, called) for step in graph.steps}
        running = _to_run(states, following)
        behind = {after for name in running for after in following[name]}
        kept = [name for name, state in states.items() if state == "settled" and name not in running]
        for name in kept:
            self._whole(old + name, new + name)
        for step in graph.steps:
            first = step.id in running and step.id not in behind
            if first and states[step.id] == "open" and was is not None and not self._again.edited:
                self._inside(step, was, old + step.id, new + step.id)
        return kept

    def _state(self, step: Step, graph: Graph, place: str, called: frozenset[str | None]) -> str:
        """settled; open: it is done again; absent: nothing is recorded of it, and it runs; uncalled: it stands in for another."""
        if step.id == self._again.step:
            return "named"
        if self._again.step is not None and self._again.step in _ids_inside(step):
            return "open"
        tries = self._tries.get(place + step.id)
        if tries is None:
            if place + step.id in self._places:
                return "open"
            return "uncalled" if step.id in called else "absent"
        last = tries[-1]
        if last.status in SETTLED or (last.status in FAILED and self._is_borne(step, graph, place, last)):
            return "settled"
        return "open"

    def _is_borne(self, step: Step, graph: Graph, place: str, last: Attempt) -> bool:
        """It failed, and the flow went on all the same: it says so, or another step stood in for it."""
        if step.fallback is not None:
            stand_in = graph.steps[graph.index[step.fallback]]
            return stand_in.id != self._again.step and self._state_of_stand_in(stand_in, place)
        return step.on_error == "continue" and last.final

    def _state_of_stand_in(self, step: Step, place: str) -> bool:
        tries = self._tries.get(place + step.id)
        if tries is None:
            return False
        return tries[-1].status == "success" or (tries[-1].status in FAILED and step.on_error == "continue")

    def _whole(self, old: str, new: str) -> None:
        """Everything of a step, what is inside it included."""
        for number in range(bisect_left(self._paths, old), len(self._paths)):
            path = self._paths[number]
            if not path.startswith(old):
                return
            if path == old or path[len(old)] in "./#[":
                self.picked += [(attempt, new + path[len(old) :]) for attempt in self._tries[path]]

    def _inside(self, step: Step, was: Graph, old: str, new: str) -> None:
        """What has settled in the last try of a container. Its handlers' records are left: it has not ended."""
        position = was.index.get(step.id)
        if position is None or was.steps[position].section != step.section or was.steps[position].kind != step.kind:
            return
        places = self._places.get(old, set())
        bodies = list(zip(bodies_of(step.prepared), bodies_of(was.steps[position].prepared), strict=False))  # of one section
        last = max((int(PLACE.match(place)["tries"] or 1) for place in places), default=1)  # type: ignore[index]
        for place in sorted(places):
            found = PLACE.match(place)
            assert found is not None  # it was made by it
            if int(found["tries"] or 1) != last:
                continue
            if found["joint"] == "/":
                pair = self._subflow(step)
            else:
                ids = self._children.get(old + place, {}).keys()
                pair = next((pair for pair in bodies if all(ids <= body.index.keys() for body in pair)), None)
            if pair is not None:
                self.body(*pair, old + place, f"{new}{found['marks']}{found['joint']}")

    def _subflow(self, step: Step) -> tuple[Graph, Graph] | None:
        """The graph that a step calls, and the one that it called. None: it is not known, or not the same."""
        key = next((part.key for part in parts_of(step.prepared) if isinstance(part, FlowKey)), None)
        now, before = (flow.pinned.get(key or "") for flow in (self._again.flow, self._again.of))
        return None if now is None or before is None or now.digest != before.digest else (now.graph, before.graph)


def _ids_inside(step: Step) -> set[str]:
    return {inner.id for body in bodies_of(step.prepared) for inner in all_steps(body)}


def _following(graph: Graph) -> dict[str, list[str]]:
    """What waits for each step: along all edges, to its fallback, and from a fallback to those it stands in for."""
    following: dict[str, list[str]] = {step.id: [] for step in graph.steps}
    for position, step in enumerate(graph.steps):
        targets = (*graph.targets[position], *(target for _, target in graph.branches[position]), *graph.fallbacks[position])
        following[step.id] += [graph.steps[target].id for target in targets]
        if step.fallback is not None:
            following[step.fallback].append(step.id)
    return following


def _to_run(states: Mapping[str, str], following: Mapping[str, Sequence[str]]) -> set[str]:
    """Those that are done again or have not run, and all that is behind them."""
    pending = [name for name, state in states.items() if state in {"named", "open", "absent"}]
    running: set[str] = set()
    while pending:
        name = pending.pop()
        if name not in running:
            running.add(name)
            pending.extend(following[name])
    return running
