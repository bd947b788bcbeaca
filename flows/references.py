"""What compiled things refer to: found in whatever a step kind prepared, and checked against what is there to see."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from flows.errors import Problem
from flows.graph import Graph, Place, Step
from flows.output_schema import undeclared_field
from flows.suggest import did_you_mean

Reference = tuple[str | int, ...]  # how a path begins: ("$", "steps", "fetch", "output") or ("steps", "fetch")

HINTS = {"needs": 'add "{}" to its needs', "edges": "add an edge that leads there from «{}»", "list": "move it to before"}
SEEN = ("input", "steps", "loop", "env", "status", "error")  # what stands in `$`, the last two for handlers: view.py
OPAQUE = frozenset({"code", "python"})  # kinds that are given all there is, where what they read cannot be told


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


class Words:
    """Which words stand in the texts of a definition. Each is looked for once: a flow may call a thousand others."""

    def __init__(self, definition: Any) -> None:
        self._definition = definition
        self._found: dict[str, bool] = {}

    def __call__(self, word: str) -> bool:
        if word not in self._found:
            self._found[word] = any(word in part for part in parts_of(self._definition) if isinstance(part, str))
        return self._found[word]


def all_steps(graph: Graph) -> Iterator[Step]:
    """Every step at every depth; not those of sub-flows."""
    for step in graph.steps:
        yield step
        for body in bodies_of(step.prepared):
            yield from all_steps(body)
    for handler in graph.following():
        yield from all_steps(handler)


@dataclass(frozen=True, slots=True)
class Known:
    """What a flow has that references may name."""

    inputs: Collection[str] | None
    steps: Mapping[str, Step]  # every step at every depth
    ordered: bool


def check_references(graph: Graph, inputs: Collection[str] | None, *, ordered: bool = True) -> list[Problem]:
    """References to inputs and steps that are not there, or not yet. Those in expressions, templates and bodies too.

    `inputs` None: the flow does not say which it takes. `ordered` False: the edges are not known, so «not yet» is not asked.
    """
    known = Known(inputs, {step.id: step for step in all_steps(graph)}, ordered)
    return list(dict.fromkeys(_check_whole(graph, known)))


def _check_whole(graph: Graph, known: Known) -> Iterator[Problem]:
    """Handlers see all steps of the flow, and those of the handlers before them."""
    yield from _check_graph(graph, frozenset(), known)
    seen = _all_names(graph)
    yield from _check_output(graph, seen, known)
    for handler in graph.following():
        yield from _check_graph(handler, seen, known)
        seen |= _all_names(handler)


def _check_output(graph: Graph, seen: frozenset[str], known: Known) -> Iterator[Problem]:
    """The flow's output is made when its steps have ended, and before what follows them."""
    if graph.output is None:
        return
    whole = Step("", "", graph.output, section=("output", graph.output.source))
    after = _Seen(graph, 0, 0, [], seen)
    for reference, place in references_of(whole):
        yield from _check_one(whole, reference, place, after, known)


def _all_names(graph: Graph) -> frozenset[str]:
    return frozenset(name for step in graph.steps for name in _with_children(step))


def unused_inputs(graph: Graph, inputs: Collection[str]) -> list[Problem]:
    """A warning for each declared input that nothing reads. None where something may read them all."""
    left = dict.fromkeys(inputs)
    whole = Step("", "", graph.output)  # the flow's own output reads as a step does
    for step in (*all_steps(graph), whole):
        if step.kind in OPAQUE and not any(hasattr(part, "references") for part in parts_of(step.prepared)):
            return []
        for reference, _ in references_of(step):
            parts = reference[1:] if reference[:1] == ("$",) else reference
            if not parts or parts[0] in {"data", "output"} or parts == ("input",):
                return []
            left.pop(str(parts[1] if parts[0] == "input" else parts[0]), None)
    said = "nothing reads this input"
    return [Problem(("inputs", name), said, "take it out, or use it", "INPUT_UNUSED", warning=True, of_key=True) for name in left]


def _check_graph(graph: Graph, outside: frozenset[str], known: Known) -> Iterator[Problem]:
    """`outside`: ids that the graph's steps see because they stand before the step whose body it is."""
    before = ancestors(graph)
    inside = [_with_children(step) for step in graph.steps]
    for position, step in enumerate(graph.steps):
        seen = _Seen(graph, position, before[position], inside, outside)
        shows_itself = getattr(step.prepared, "shows_itself", False)
        for reference, place in references_of(step):
            if not (shows_itself and _reads_itself(step, reference, place, inside[position])):
                yield from (_within(step, reference, problem) for problem in _check_one(step, reference, place, seen, known))
        bodies = list(bodies_of(step.prepared))
        if bodies:
            visible = seen.all() | {step.id} if shows_itself else seen.all()
            for body in bodies:
                yield from _check_graph(body, visible, known)


def ancestors(graph: Graph) -> list[int]:
    """For each step the steps that have settled when it starts, as a bit set: 1,000 steps in a row are 1,000 small integers."""
    before = [0] * len(graph.steps)
    callers: dict[int, list[int]] = {}
    for position, targets in enumerate(graph.fallbacks):
        for target in targets:
            callers.setdefault(target, []).append(position)
    for position in _in_order(graph):
        for source in (*graph.sources[position], *callers.get(position, ())):
            before[position] |= before[source] | 1 << source
            for fallback in graph.fallbacks[source]:  # a step that failed has settled when its fallback has
                if fallback != position:
                    before[position] |= 1 << fallback
    return before


def _in_order(graph: Graph) -> list[int]:
    """Positions, sources first."""
    waiting = list(graph.degree)
    ready = [position for position, degree in enumerate(waiting) if not degree]
    for position in ready:  # grows while it is gone through
        following = (*graph.targets[position], *(target for _, target in graph.branches[position]), *graph.fallbacks[position])
        for target in following:
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    return ready


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one step sees. Sets are made only where a step is not found among those a bit says."""

    graph: Graph
    position: int
    before: int
    inside: list[frozenset[str]]
    outside: frozenset[str]

    def has(self, name: str) -> bool:
        own = self.graph.index.get(name)
        if own is not None and self.before >> own & 1:
            return True
        return name in self.outside or name in self.all()

    def all(self) -> frozenset[str]:
        names = set(self.outside)
        for position, inside in enumerate(self.inside):
            if self.before >> position & 1:
                names |= inside
        return frozenset(names)


def _with_children(step: Step) -> frozenset[str]:
    names = {step.id}
    for body in bodies_of(step.prepared):
        for child in body.steps:
            names |= _with_children(child)
    return frozenset(names)


def references_of(step: Step) -> Iterator[tuple[Reference, Place]]:
    """What one step reads and where that is written; not what the steps inside it read."""
    if step.when is not None:
        yield from ((reference, (*step.place, "if")) for reference in step.when.references)
    if step.unless is not None:
        yield from ((reference, (*step.place, "unless")) for reference in step.unless.references)
    for required in step.requires:
        yield required.selector.segments, required.place
    for part in parts_of(step.prepared):
        if not isinstance(part, Graph):
            yield from ((reference, _locate(step, reference)) for reference in getattr(part, "references", ()))


def _within(step: Step, reference: Reference, problem: Problem) -> Problem:
    """The same problem at its place inside a script: an offset in its text, or line and column of the file it stands in."""
    if step.section is None or problem.path[len(step.place) :][:1] != (step.section[0],):
        return problem
    offset = getattr(step.prepared, "offsets", {}).get(reference)
    file = getattr(step.prepared, "lines", {}).get(reference)
    return replace(problem, offset=offset, problem=f"{file}: {problem.problem}" if file else problem.problem)


def _locate(step: Step, reference: Reference) -> Place:
    """The text in the step's section that holds a reference; the section where it is not found."""
    if step.section is None:
        return step.place
    name, written = step.section
    wanted = [part for part in reference if isinstance(part, str) and part != "$"][:2]
    pending: list[tuple[Place, Any]] = [((), written)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, str) and all(part in value for part in wanted):
            return (*step.place, name, *path)
        members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        pending.extend(((*path, key), member) for key, member in reversed(list(members)) if key not in {"steps", "then", "else"})
    return (*step.place, name)


def _reads_itself(step: Step, reference: Reference, place: Place, own: frozenset[str]) -> bool:
    """Its section reads what it has done so far: its own result, or those of the steps inside it."""
    parts = reference[1:] if reference[:1] == ("$",) else reference
    inside_section = step.section is not None and place[: len(step.place) + 1] == (*step.place, step.section[0])
    return inside_section and len(parts) > 1 and parts[0] == "steps" and parts[1] in own


def _check_one(step: Step, reference: Reference, place: Place, seen: _Seen, known: Known) -> Iterator[Problem]:
    parts = reference[1:] if reference[:1] == ("$",) else reference
    if parts is not reference and parts and isinstance(parts[0], str) and parts[0] not in SEEN:
        hint = did_you_mean(parts[0], SEEN) or f"there are {', '.join(SEEN)}"
        yield Problem(place, f"a step sees no `$.{parts[0]:.40}`: it is missing", hint, code="REFERENCE_ROOT", warning=True)
    if len(parts) < 2 or not isinstance(parts[1], str):
        return
    root, name = parts[0], parts[1]
    if root == "input" and known.inputs is not None and name not in known.inputs:
        yield Problem(place, f"the flow has no input «{name}»", did_you_mean(name, known.inputs), code="REFERENCE_INPUT")
    if root != "steps":
        return
    if name not in known.steps:
        yield Problem(place, f"there is no step «{name}»", did_you_mean(name, known.steps), code="REFERENCE_STEP")
    elif known.ordered and not seen.has(name):
        yield _too_early(step, name, place, seen)
    elif parts[2:3] == ("output",):
        undeclared = undeclared_field(known.steps[name].output_schema, parts[3:], name, place)
        if undeclared is not None:
            yield undeclared


def _too_early(step: Step, name: str, place: Place, seen: _Seen) -> Problem:
    """The step it names is there, and cannot have run."""
    if not step.id:
        return Problem(place, f"step «{name}» runs when the flow's output has been made", code="REFERENCE_ORDER")
    graph, other = seen.graph, seen.graph.index.get(name)
    if name == step.id:
        return Problem(place, f"step «{name}» refers to itself", "its result is there when it has ended", code="REFERENCE_ORDER")
    if other is None:
        return Problem(place, f"step «{name}» has not run when «{step.id}» starts", "move it to before", code="REFERENCE_ORDER")
    if graph.order != "beside":
        hint = HINTS[graph.order].format(name)
        return Problem(place, f"step «{name}» has not run when «{step.id}» starts", hint, code="REFERENCE_ORDER")
    message = f"step «{name}» runs beside «{step.id}», and may not have ended when this is read"
    return Problem(place, message, "put one behind the other", code="REFERENCE_ORDER", warning=other < seen.position)
