"""The `nodes` dialect: the workflow specification's nodes, edges and settings, lowered to a graph."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from flows.dialects.handlers import lower_handlers
from flows.dialects.nodes_edges import Node, Wiring, in_order
from flows.dialects.nodes_loops import Loops, in_a_row
from flows.dialects.nodes_spec import (
    VERSIONS,
    BackSpec,
    DecisionSpec,
    NodeSpec,
    RetryPolicySpec,
    SettingsSpec,
    WorkflowSpec,
)
from flows.dialects.steps import ROOTS, Lowering
from flows.dialects.steps_spec import LATER_KINDS, STEP_ID, fields_of
from flows.errors import DefinitionError, dotted
from flows.expression import compile_expression
from flows.graph import Graph, Place, Step, check
from flows.retry import ONCE, RetryPolicy
from flows.steps.back import Back
from flows.steps.decision import Decision
from flows.steps.selection import Selection, SelectionSpec, compile_selection
from flows.suggest import did_you_mean, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from flows.flow import Flow, Repeats
    from flows.graph import Edge
    from flows.step import StepKind

LATER = "NOT_IN_THIS_VERSION"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
WORDS = frozenset({"true", "false", "null", "undefined", "NaN", "Infinity"})


def load_nodes(definition: dict[str, Any], *, key: str | None, folder: Path, kinds: Mapping[str, StepKind]) -> Flow:
    """Raises DefinitionError with all that is wrong, each at its place in the definition."""
    lowering = Lowering(kinds, folder)
    spec = lowering.read(definition, WorkflowSpec, ())
    if spec is None:
        raise DefinitionError(*lowering.problems)
    if spec.version is not None and spec.version not in VERSIONS:
        lowering.refuse(("version",), f"version {shown(spec.version)} of the format is not known", 'write "1.0"')
    settings = _settings(lowering, spec.settings)
    nodes = Nodes(lowering, settings, _retry(lowering, settings.retry_policy, ("settings", "retryPolicy"))).lower(spec.nodes)
    written = spec.edges if "edges" in definition else _edges_left_out(nodes)
    edges = Wiring(lowering, nodes).lower(written)
    graph, repeats = _graph(lowering, nodes, edges, settings)
    if spec.output is not None:
        graph = replace(graph, output=lowering.value(spec.output, ("output",)))
    graph = replace(graph, handlers=lower_handlers(spec, lowering))
    return replace(lowering.flow(spec, graph, dialect="nodes", definition=definition, key=key), repeats=repeats)


def _edges_left_out(nodes: Mapping[str, Node]) -> list[dict[str, str]]:
    """A loop among nodes for which nothing says what follows what: they follow each other, as the specification writes it."""
    if not any(node.back for node in nodes.values()) or any(node.branches for node in nodes.values()):
        return []
    return in_a_row(list(nodes), {name for name, node in nodes.items() if node.answers})


def _settings(lowering: Lowering, written: Any) -> SettingsSpec:
    return lowering.read(written, SettingsSpec, ("settings",)) or SettingsSpec.model_validate({})


def _retry(lowering: Lowering, written: Any, place: Place) -> RetryPolicy:
    spec = None if written is None else lowering.read(written, RetryPolicySpec, place)
    return ONCE if spec is None else spec.policy()


def _graph(
    lowering: Lowering, nodes: Mapping[str, Node], edges: Sequence[Edge], settings: SettingsSpec
) -> tuple[Graph, Repeats | None]:
    """The whole, and what follows its end."""
    steps = _with_branches([node.step for node in nodes.values()], edges)
    wrong = check(steps, edges)
    repeats = None
    if wrong:
        lowering.problems.extend(wrong)
        lowering.ordered = False
    else:
        steps, edges, repeats = _with_loops(lowering, nodes, steps, edges, settings)
    graph = Graph(
        tuple(steps if wrong else in_order(steps, edges)),
        () if wrong else tuple(edges),
        lowering.folder,
        max_concurrent=settings.max_concurrent_nodes,
        timeout_s=settings.timeout,
        on_failure="continue" if settings.error_handling == "continue" else "stop",
        merge=True,
        order="edges",
    )
    if settings.error_handling == "fallback" and not any(step.fallback for step in steps):
        said = "no node names a fallbackNode: this is the same as stop"
        lowering.warn(("settings", "errorHandling"), said, 'add "fallbackNode" to a node')
    return graph, repeats


def _with_loops(
    lowering: Lowering, nodes: Mapping[str, Node], steps: Sequence[Step], edges: Sequence[Edge], settings: SettingsSpec
) -> tuple[list[Step], Sequence[Edge], Repeats | None]:
    backs = {name: node.back for name, node in nodes.items() if node.back is not None}
    answers = {name for name, node in nodes.items() if node.answers}
    loops = Loops(lowering, settings, backs, answers, {step.id: step for step in steps}, list(edges))
    loops.lower()
    if settings.loop_delay is not None and not backs and loops.repeats is None:
        said = "loopDelay is read where a loop goes back to a node, and with executionMode continuous"
        lowering.warn(("settings", "loopDelay"), said, "take it out")
    return list(loops.steps.values()), loops.edges, loops.repeats


def _with_branches(steps: Iterable[Step], edges: Sequence[Edge]) -> list[Step]:
    """Conditions that tell where they lead, also where only an edge says it."""
    leads = {(edge.source, edge.condition): edge.target for edge in edges if edge.condition is not None}
    return [
        replace(
            step,
            prepared=replace(step.prepared, true_branch=leads.get((step.id, "true")), false_branch=leads.get((step.id, "false"))),
        )
        if isinstance(step.prepared, Decision)
        else step
        for step in steps
    ]


@dataclass(slots=True)
class Nodes:
    """The nodes of one flow on their way to steps."""

    lowering: Lowering
    settings: SettingsSpec
    retry: RetryPolicy  # of the nodes that have none of their own

    def lower(self, written: Sequence[Any]) -> dict[str, Node]:
        """By id. Nodes that are wrong stand in it with nothing prepared, so that edges may name them."""
        nodes: dict[str, Node] = {}
        for number, each in enumerate(written):
            place: Place = ("nodes", number)
            name = self._identity(each, place)
            if name is None:
                continue
            node = self._node(name, each, place)
            if nodes.setdefault(name, node) is not node:
                first = dotted(nodes[name].step.place)
                self.lowering.refuse((*place, "id"), f"there are two nodes «{name}»", f"the first is {first}", code="GRAPH_STEP")
            self.lowering.places.setdefault(name, place)
        return nodes

    def _identity(self, written: Any, place: Place) -> str | None:
        if not isinstance(written, dict):
            self.lowering.refuse(place, f"a node is an object, not {shown(written)}")
            return None
        name = written.get("id")
        if isinstance(name, str) and STEP_ID.fullmatch(name):
            return name
        said = "the node has no id" if name is None else f"{shown(name)} is no id of a node"
        self.lowering.refuse((*place, "id") if "id" in written else place, said, "text without . / # [ ] and line ends")
        return None

    def _node(self, name: str, written: dict[str, Any], place: Place) -> Node:
        spec = self.lowering.read(written, NodeSpec, place)
        if spec is None:
            return Node(Step(name, "", place=place))
        retry = _retry(self.lowering, spec.retry_policy, (*place, "retryPolicy")) if spec.retry_policy is not None else self.retry
        fallback = spec.fallback_node
        if fallback is not None and self.settings.error_handling != "fallback":
            said = "fallbackNode is read with errorHandling fallback only"
            self.lowering.refuse((*place, "fallbackNode"), said, '"settings": {"errorHandling": "fallback"}')
            fallback = None
        back = self._back_spec(spec, (*place, "config"))
        step = Step(
            id=name,
            kind=spec.type,
            prepared=self._prepared(spec, back, (*place, "config")) if self._is_kind(spec.type, place) else None,
            name=spec.label,
            retry=retry,
            fallback=fallback,
            on_interrupted=spec.on_interrupted,
            place=place,
            section=("config", spec.config),
        )
        branches = self._branches(spec.config) if spec.type == "condition" and _decides(spec.config) else {}
        return Node(step, spec.type == "condition", branches, back)

    def _is_kind(self, name: str, place: Place) -> bool:
        known = self.lowering.kinds
        if name in known:
            return True
        if name in LATER_KINDS:
            self.lowering.refuse((*place, "type"), f"nodes of type «{name}» are not in this version", code=LATER)
        else:
            hint = did_you_mean(name, [*known, *LATER_KINDS]) or f"known are {', '.join(sorted(known))}"
            self.lowering.refuse((*place, "type"), f"«{name}» is no type of nodes", hint)
        return False

    def _back_spec(self, spec: NodeSpec, place: Place) -> BackSpec | None:
        """Of a loop back to another node."""
        if spec.type != "loop" or not isinstance(spec.config, dict) or "targetNode" not in spec.config:
            return None
        return self.lowering.read(spec.config, BackSpec, place)

    def _prepared(self, spec: NodeSpec, back: BackSpec | None, place: Place) -> Any:
        """The kind's own section, or the form that the specification gives to this type."""
        kind, config = self.lowering.kinds[spec.type], spec.config
        if spec.type == "condition" and _decides(config):
            return self._decision(config, place)
        if spec.type == "transform" and isinstance(config, dict) and "expression" not in config:
            return self._selection(config, place, fields_of(kind.Spec))
        if back is not None:
            return self._back(back, place)
        if spec.type == "loop" and isinstance(config, dict) and "targetNode" in config:
            return None  # what is wrong with it was told
        return self.lowering.prepare(kind, config, place)

    def _decision(self, config: Any, place: Place) -> Decision | None:
        spec = self.lowering.read(config, DecisionSpec, place)
        try:
            return None if spec is None else Decision(compile_expression(_looked_up(spec.condition, self.settings), roots=ROOTS))
        except DefinitionError as error:
            self.lowering.take(error, *place, "condition")
            return None

    def _back(self, spec: BackSpec, place: Place) -> Back | None:
        try:
            return Back(
                None if spec.condition is None else compile_expression(_looked_up(spec.condition, self.settings), roots=ROOTS)
            )
        except DefinitionError as error:
            self.lowering.take(error, *place, "condition")
            return None

    def _branches(self, config: Any) -> dict[str, str]:
        named = {"true": config.get("trueBranch"), "false": config.get("falseBranch")}
        return {answer: target for answer, target in named.items() if isinstance(target, str) and target}

    def _selection(self, config: dict[str, Any], place: Place, beside: list[str]) -> Selection | None:
        spec = self.lowering.read(config, SelectionSpec, place, beside=beside)
        if spec is None:
            return None
        if spec.filter is None and spec.limit is None and "map" not in spec.model_fields_set:
            self.lowering.refuse(place, "a transform needs an expression, or filter, map or limit", '"expression": "data"')
            return None
        try:
            return compile_selection(spec, ROOTS)
        except DefinitionError as error:
            self.lowering.take(error, *place)
            return None


def _decides(config: Any) -> bool:
    """Whether a condition is written as the specification has it: without steps of its own."""
    return isinstance(config, dict) and "expression" not in config


def _looked_up(condition: str, settings: SettingsSpec) -> str:
    """In continuous execution, as the specification writes it, a condition that is one name is looked for as `{{name}}` is.

    Elsewhere such a name is a mistake more often than not, and is refused.
    """
    if settings.execution_mode != "continuous" or NAME.fullmatch(condition) is None or condition in ROOTS or condition in WORDS:
        return condition
    return f"data?.{condition} ?? input?.{condition}"
