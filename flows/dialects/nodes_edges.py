"""The edges of the `nodes` dialect: as they are written, and as the branches of conditions imply them."""

from __future__ import annotations

from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

from flows.dialects.nodes_spec import BackSpec, EdgeSpec
from flows.dialects.steps import ROOTS
from flows.errors import DefinitionError
from flows.expression import compile_expression
from flows.graph import Edge, Place, Step
from flows.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flows.dialects.steps import Lowering

ANSWERS = ("true", "false")


@dataclass(frozen=True, slots=True)
class Node:
    """A step, and what its edges are held to. `branches`: of a condition, the target that it names for each answer."""

    step: Step
    answers: bool = False  # a condition: its edges ask for "true" or "false"
    branches: Mapping[str, str] = field(default_factory=dict)
    back: BackSpec | None = None  # of a loop back to another node


def in_order(steps: Sequence[Step], edges: Sequence[Edge]) -> list[Step]:
    """Sources before their targets, and before all what is only called: the last that gave something is the flow's output."""
    by_id = {step.id: step for step in steps}
    sorter: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(by_id, ()))
    for edge in edges:
        sorter.add(edge.target, edge.source)
    called = {edge.target for edge in edges if edge.fallback}
    return sorted((by_id[name] for name in sorter.static_order()), key=lambda step: step.id not in called)


def _is_asked(condition: str) -> bool:
    """Whether it reads a value, as no answer of a source would."""
    if condition.isidentifier():
        return False
    try:
        return bool(compile_expression(condition, roots=ROOTS).references)
    except DefinitionError:
        return False


@dataclass(slots=True)
class Wiring:
    """The edges of one flow on their way. What is wrong is told to the lowering."""

    lowering: Lowering
    nodes: Mapping[str, Node]
    edges: list[Edge] = field(default_factory=list)

    def lower(self, written: Sequence[Any]) -> tuple[Edge, ...]:
        """All edges: the written ones, then those that branches imply, then those of fallbacks."""
        self._read(written)
        drawn = {(edge.source, edge.condition, None if edge.condition else edge.target) for edge in self.edges}
        for node in self.nodes.values():
            self._imply(node, drawn)
        self._check_pairs()
        self._check_branches()
        waiting = {edge.target: edge.place for edge in self.edges}
        for node in self.nodes.values():
            self._call(node.step, waiting)
        self._look_for_islands()
        return tuple(self.edges)

    def _read(self, written: Sequence[Any]) -> None:
        first: dict[str, int] = {}
        for number, each in enumerate(written):
            place: Place = ("edges", number)
            spec = self.lowering.read(each, EdgeSpec, place)
            if spec is None:
                continue
            if spec.id is not None and first.setdefault(spec.id, number) != number:
                said = f"there are two edges «{spec.id}»"
                self.lowering.refuse((*place, "id"), said, f"the first is edges[{first[spec.id]}]", code="GRAPH_EDGE")
            source = self.nodes.get(spec.source)
            if source is not None and source.back is not None:
                if spec.target == source.back.target_node:
                    continue  # the way back, drawn
                if spec.condition is not None:
                    said = "an edge from a loop node asks for nothing: it leads on when the loop has ended"
                    self.lowering.refuse((*place, "condition"), said, "take it out", code="GRAPH_EDGE")
            if all([self._is_there(spec.source, (*place, "source")), self._is_there(spec.target, (*place, "target"))]):
                self.edges.append(Edge(spec.source, spec.target, self._condition(spec, place), place=place))

    def _is_there(self, name: str, place: Place) -> bool:
        if name in self.nodes:
            return True
        self.lowering.refuse(place, f"there is no node «{name}»", did_you_mean(name, self.nodes), code="GRAPH_STEP")
        return False

    def _condition(self, spec: EdgeSpec, place: Place) -> str | None:
        """The answer that an edge asks for. An edge without one to a condition's branch asks for that branch's answer."""
        source = self.nodes[spec.source]
        condition = str(spec.condition).lower() if isinstance(spec.condition, bool) else spec.condition
        if not source.answers:
            if condition is not None and _is_asked(condition):
                said = f"the condition of an edge is an answer, and {condition[:100]} is an expression"
                hint = "ask it in a condition node between the two, and lead on from its answers: true, false"
                self.lowering.refuse((*place, "condition"), said, hint, code="GRAPH_EDGE")
            return condition
        named = [answer for answer, target in source.branches.items() if target == spec.target]
        if condition is None:
            return named[0] if len(named) == 1 else None
        if condition not in ANSWERS:
            hint = did_you_mean(condition, ANSWERS) or 'write "true" or "false"'
            said = f"the condition «{spec.source}» never answers «{condition}»"
            self.lowering.refuse((*place, "condition"), said, hint, code="GRAPH_EDGE")
        elif condition in source.branches and condition not in named:
            said = f"«{spec.source}» goes to «{source.branches[condition]}» by its {condition}Branch, and here to «{spec.target}»"
            self.lowering.refuse((*place, "target"), said, "let both name one node", code="GRAPH_EDGE")
        return condition

    def _imply(self, node: Node, drawn: set[tuple[str, str | None, str | None]]) -> None:
        """The edges that a condition's branches stand for, where none is drawn."""
        for answer, target in node.branches.items():
            place = (*node.step.place, "config", f"{answer}Branch")
            if not self._is_there(target, place):
                continue
            if not {(node.step.id, answer, None), (node.step.id, None, target)} & drawn:
                self.edges.append(Edge(node.step.id, target, answer, place=place))

    def _check_pairs(self) -> None:
        seen: set[tuple[str, str, str | None]] = set()
        for edge in self.edges:
            if (edge.source, edge.target, edge.condition) in seen:
                said = f"there are two such edges from «{edge.source}» to «{edge.target}»"
                self.lowering.refuse(edge.place, said, "take one of them out", code="GRAPH_EDGE")
            seen.add((edge.source, edge.target, edge.condition))

    def _check_branches(self) -> None:
        """A condition goes one way for each answer."""
        first: dict[tuple[str, str], str] = {}
        for edge in self.edges:
            if edge.condition is None or not self.nodes[edge.source].answers:
                continue
            target = first.setdefault((edge.source, edge.condition), edge.target)
            if target != edge.target:
                said = f"there are two edges for the branch {edge.condition} of «{edge.source}»: to «{target}» and to «{edge.target}»"
                self.lowering.refuse(edge.place, said, "lead one on, and from its target to the other", code="GRAPH_EDGE")

    def _call(self, step: Step, waiting: Mapping[str, Place]) -> None:
        """The edge to the node that stands in for one that failed."""
        if step.fallback is None:
            return
        place = (*step.place, "fallbackNode")
        if not self._is_there(step.fallback, place):
            return
        if step.fallback == step.id:
            self.lowering.refuse(place, "a node cannot stand in for itself", code="GRAPH_STEP")
            return
        if self.nodes[step.id].back is not None:
            self.lowering.refuse(place, "nothing can stand in for a loop: it would not say how it was left", code="GRAPH_STEP")
        if self.nodes[step.id].answers:
            self.lowering.refuse(place, "nothing can stand in for a condition: it would name no branch", code="GRAPH_STEP")
        if step.fallback in waiting:
            said = f"«{step.fallback}» runs when «{step.id}» failed, and waits for nothing else"
            self.lowering.refuse(waiting[step.fallback], said, "take this edge out", code="GRAPH_EDGE")
        self.edges.append(Edge(step.id, step.fallback, fallback=True, place=place))

    def _look_for_islands(self) -> None:
        ends = {end for edge in self.edges for end in (edge.source, edge.target)}
        for name, node in self.nodes.items():
            if name not in ends and len(self.nodes) > 1:
                said = f"no edge leads to «{name}» or from it: it runs at once, beside the others"
                self.lowering.warn(node.step.place, said, "add an edge, or take it out")
