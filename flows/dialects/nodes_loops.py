"""Loops back to a node: the nodes from the target to the loop node become the body of a container, or the whole run is repeated."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from flows.dialects.nodes_edges import in_order
from flows.dialects.steps_spec import MAX_NESTING
from flows.flow import Repeats
from flows.graph import Edge, Graph, Place, Step
from flows.retry import ONCE
from flows.steps.back import DONE, Back, Exit, Rounds
from flows.suggest import did_you_mean

if TYPE_CHECKING:
    from flows.dialects.nodes_spec import BackSpec, SettingsSpec
    from flows.dialects.steps import Lowering

MAX_ROUNDS = 100  # where a loop node says nothing; as a `while` step
ROUND_DELAY_MS = 1000.0  # between two runs, where nothing is said: an endless workflow is no busy one by mistake
PAUSE = "loopDelay"  # the id of the wait between two rounds; longer where a node is called so


@dataclass(slots=True)
class Loops:
    """The loop nodes of one flow on their way. `steps` and `edges` are those of the flow, and are what is left of them afterwards."""

    lowering: Lowering
    settings: SettingsSpec
    backs: dict[str, BackSpec]  # by the loop node's id
    answers: Collection[str]  # the conditions
    steps: dict[str, Step]
    edges: list[Edge]
    repeats: Repeats | None = None

    def lower(self) -> None:
        """What cannot be lowered is told, with the nodes that it is about."""
        self.backs = {name: back for name, back in self.backs.items() if self._leads_back(name, back)}
        self._hand_through()
        root = self._repeat()
        goals = {name: back.target_node for name, back in self.backs.items()}
        sizes = {name: len(self._between(goal, name)) for name, goal in goals.items() if name != root}
        depths: dict[str, int] = {}  # of loops, those inside them counted
        for name in sorted(sizes, key=sizes.__getitem__):  # those inside before those around
            target = goals.pop(name)
            body = self._between(target, name)
            if self._crosses(name, target, body, goals) or not self._is_entered_once(name, target, body):
                continue
            depths[name] = 1 + max((depths[inner] for inner in depths.keys() & body), default=0)
            if depths[name] > MAX_NESTING:
                self._refuse(
                    self._place(name),
                    f"loops are nested more than {MAX_NESTING} deep",
                    "move the inner ones to a flow of their own",
                )
                return
            out = self._ways_out(name, target, body)
            if out is not None:
                self._enclose(name, target, body, out)
                goals |= {other: name for other, goal in goals.items() if goal == target}
        if self.repeats is not None and root is not None:
            self.repeats = replace(self.repeats, loop=root, target=goals[root])

    def _leads_back(self, name: str, back: BackSpec) -> bool:
        target, place = back.target_node, self._place(name)
        if target not in self.steps:
            self._refuse(place, f"there is no node «{target}»", did_you_mean(target, self.steps))
        elif target == name:
            self._refuse(place, "a loop goes back to a node before it, not to itself", "name the first node of a round")
        elif name not in _reached([target], _following(self.edges)):
            self._refuse(place, f"«{target}» does not lead to «{name}»: a loop goes back to a node that comes before it")
        else:
            return True
        return False

    def _hand_through(self) -> None:
        """A loop node behind conditions hands back what they were given. The nodes behind it come when it is done."""
        targets = {back.target_node for back in self.backs.values()}
        for name in self.backs:
            step = self.steps[name]
            if isinstance(step.prepared, Back):
                through = self._conditions_before(name, targets)
                self.steps[name] = replace(step, prepared=replace(step.prepared, through=through))
        self.edges = [replace(edge, condition=DONE) if edge.source in self.backs else edge for edge in self.edges]

    def _conditions_before(self, name: str, targets: Collection[str]) -> int:
        count = 0
        while True:
            sources = [edge.source for edge in self.edges if edge.target == name]
            if len(sources) != 1 or sources[0] not in self.answers:
                return count
            count += 1
            name = sources[0]
            if name in targets:
                return count

    def _repeat(self) -> str | None:
        """Continuous execution: the loop node that closes on a root, where there is one, says whether there is another run."""
        settings = self.settings
        if settings.execution_mode != "continuous":
            return None
        led_to = {edge.target for edge in self.edges}
        roots = [name for name, back in self.backs.items() if back.target_node not in led_to]
        for name in roots[1:]:
            self._refuse(
                self._place(name), f"«{roots[0]}» starts the next run already", "let one loop node close on the first node"
            )
        if roots and self.backs[roots[0]].max_iterations is not None:
            place = (*self.steps[roots[0]].place, "config", "maxIterations")
            self._refuse(
                place, "each round is a run of its own, and none counts them", "count in what is handed back, and ask for it"
            )
        if settings.loop_delay == 0:
            said = "rounds follow each other without a pause, and each is a run that is kept"
            self.lowering.warn(("settings", "loopDelay"), said, "write how many milliseconds to wait between them")
        delay_ms = ROUND_DELAY_MS if settings.loop_delay is None else settings.loop_delay
        self.repeats = Repeats(delay_ms / 1000, after_failure=settings.error_handling == "continue")
        return roots[0] if roots else None

    def _between(self, target: str, name: str) -> set[str]:
        """The nodes on the ways from the target to the loop node, and what stands in for them."""
        body = _reached([target], _following(self.edges)) & _reached([name], _preceding(self.edges))
        called = [edge for edge in self.edges if edge.fallback]
        while more := {edge.target for edge in called if edge.source in body} - body:
            body |= more
        return body

    def _crosses(self, name: str, target: str, body: set[str], goals: Mapping[str, str]) -> bool:
        """Another loop is around this one, or elsewhere. Those inside it are single nodes by now."""
        for other, goal in goals.items():
            if other in body or (goal in body and goal != target):
                said = f"the loops from «{target}» to «{name}» and from «{goal}» to «{other}» cross"
                self._refuse(self._place(name), said, "put one inside the other, or one behind the other")
                return True
        return False

    def _is_entered_once(self, name: str, target: str, body: set[str]) -> bool:
        entries = [edge for edge in self.edges if edge.target in body - {target} and edge.source not in body]
        for edge in entries:
            said = f"«{edge.source}» leads into the loop from «{target}» to «{name}», to «{edge.target}»"
            self._refuse(edge.place or self._place(name), said, f"a loop is entered at «{target}» only")
        return not entries

    def _ways_out(self, name: str, target: str, body: set[str]) -> list[Edge] | None:
        """What leads out before the loop node: one edge or none. None: it was refused."""
        out = [edge for edge in self.edges if edge.source in body - {name} and edge.target not in body]
        whole = f"the loop from «{target}» to «{name}»"
        for number, edge in enumerate(out):
            if number or edge.source not in self.answers or edge.condition is None:
                said = f"«{edge.source}» leads out of {whole} to «{edge.target}»"
                hint = "lead out from the loop node, or by one answer of one condition; other nodes inside lead to the loop node"
                self._refuse(edge.place, said, hint)
                return None
        if not out:
            return out
        inside = [edge for edge in self.edges if edge.source in body and edge.target in body]
        others = [edge for edge in inside if edge.source != out[0].source or edge.condition in {None, out[0].condition}]
        if name in _reached([target], _following(others)):
            said = f"«{out[0].source}» leads out of {whole}, and «{name}» would be come to all the same"
            self._refuse(out[0].place, said, f"let every way to «{name}» go by its other answer")
            return None
        return out

    def _enclose(self, name: str, target: str, body: set[str], out: Sequence[Edge]) -> None:
        """A container of the loop node's id in the place of all of them."""
        loop, back = self.steps[name], self.backs[name]
        inside = [edge for edge in self.edges if edge.source in body and edge.target in body]
        graph = self._graph(in_order([step for step in self.steps.values() if step.id in body], inside), inside)
        way_out = next((Exit(edge.source, str(edge.condition)) for edge in out), None)
        rounds = Rounds(graph, target, name, way_out, self._pause(loop), back.max_iterations or MAX_ROUNDS)
        self.steps = {each: step for each, step in self.steps.items() if each not in body}
        self.steps[name] = replace(loop, prepared=rounds, retry=ONCE, on_interrupted="retry")
        self.edges = [_outside(edge, name, body) for edge in self.edges if not (edge.source in body and edge.target in body)]

    def _pause(self, loop: Step) -> Graph | None:
        if not self.settings.loop_delay:
            return None
        kind, name = self.lowering.kinds["wait"], PAUSE
        while name in self.lowering.places:
            name += "_"
        prepared = self.lowering.prepare(kind, {"for": f"{self.settings.loop_delay:.3f}ms"}, ("settings", "loopDelay"))
        return self._graph([Step(name, "wait", prepared, place=loop.place)], ())

    def _graph(self, steps: Iterable[Step], edges: Sequence[Edge]) -> Graph:
        settings = self.settings
        return Graph(
            tuple(steps),
            tuple(edges),
            self.lowering.folder,
            max_concurrent=settings.max_concurrent_nodes,
            on_failure="continue" if settings.error_handling == "continue" else "stop",
            merge=True,
            order="edges",
        )

    def _place(self, name: str) -> Place:
        return (*self.steps[name].place, "config", "targetNode")

    def _refuse(self, place: Place, said: str, hint: str | None = None) -> None:
        self.lowering.refuse(place, said, hint, code="GRAPH_LOOP")


def _outside(edge: Edge, name: str, body: Collection[str]) -> Edge:
    """An edge to or from one of these nodes, as one of the container's."""
    source = name if edge.source in body else edge.source
    return replace(edge, source=source, target=name if edge.target in body else edge.target)


def _following(edges: Iterable[Edge]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for edge in edges:
        found.setdefault(edge.source, []).append(edge.target)
    return found


def _preceding(edges: Iterable[Edge]) -> Mapping[str, list[str]]:
    return _following(replace(edge, source=edge.target, target=edge.source) for edge in edges)


def _reached(names: Iterable[str], next_: Mapping[str, list[str]]) -> set[str]:
    pending, found = list(names), set(names)
    while pending:
        for name in next_.get(pending.pop(), ()):
            if name not in found:
                found.add(name)
                pending.append(name)
    return found


def in_a_row(nodes: Sequence[str], answers: Collection[str]) -> list[dict[str, str]]:
    """The edges of a list of nodes that names none: each leads to the next, a condition where it is true."""
    return [
        {"source": source, "target": target, **({"condition": "true"} if source in answers else {})}
        for source, target in pairwise(nodes)
    ]
