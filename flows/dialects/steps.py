"""The `steps` dialect: a list of steps, lowered to a graph."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from flows.dialects.braces import braces_problems
from flows.dialects.handlers import lower_handlers
from flows.dialects.steps_edges import Draft, edges_by_needs, edges_in_a_row
from flows.dialects.steps_fallbacks import with_fallbacks
from flows.dialects.steps_spec import (
    LATER_FIELDS,
    LATER_KINDS,
    MAX_NESTING,
    STEP_ID,
    FlowSpec,
    MetricsSpec,
    OnErrorSpec,
    StepSpec,
    fields_of,
)
from flows.document import digest
from flows.errors import DefinitionError, Problem, dotted
from flows.expression import Expression, compile_expression
from flows.flow import Flow
from flows.graph import Graph, Place, Requirement, Step, check
from flows.inputs import Input, Inputs
from flows.output_schema import schema_problems
from flows.outside import names_outside
from flows.references import Words, check_references, unused_inputs
from flows.script.question import ASSIGNS, assigns
from flows.selector import compile_selector
from flows.step import Load
from flows.suggest import did_you_mean, nearest, shown, validation_problems
from flows.value import Value, compile_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from flows.dialects.nodes_spec import WorkflowSpec
    from flows.script.question import Question
    from flows.step import StepKind

PARTS: dict[str, type[BaseModel]] = {"onError": OnErrorSpec, "defaultOnError": OnErrorSpec, "metrics": MetricsSpec}
ROOTS = frozenset({"$", "input", "steps", "loop", "env", "data", "output"})

Spec = TypeVar("Spec", bound=BaseModel)


def load_steps(definition: dict[str, Any], *, key: str | None, folder: Path, kinds: Mapping[str, StepKind]) -> Flow:
    """Raises DefinitionError with all that is wrong, each at its place in the definition."""
    lowering = Lowering(kinds, folder, Words(definition))
    spec = lowering.read(definition, FlowSpec, ())
    if spec is None:
        raise DefinitionError(*lowering.problems)
    lowering.default = spec.default_on_error
    graph = lowering.graph(spec, lowering.steps(spec.steps, ("steps",)))
    return lowering.flow(spec, graph, dialect="steps", definition=definition, key=key)


@dataclass(slots=True)
class Lowering:
    """One flow on its way from text to graph. What is wrong is gathered, and the rest is done all the same."""

    kinds: Mapping[str, StepKind]
    folder: Path
    mentions: Words = field(default_factory=lambda: Words(None))
    default: OnErrorSpec | None = None
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    places: dict[str, Place] = field(default_factory=dict)  # of the ids seen so far, at every depth
    depth: int = 0  # of the list that is being lowered
    ordered: bool = True  # False: edges were wrong, so nothing can be said of what runs before what
    sections: dict[str, str] = field(init=False)  # the field of each kind → its name

    def __post_init__(self) -> None:
        self.sections = {kind.section: name for name, kind in self.kinds.items()}

    def tell(self, problem: Problem) -> None:
        (self.warnings if problem.warning else self.problems).append(problem)

    def refuse(self, place: Place, problem: str, hint: str | None = None, *, code: str = "DEFINITION") -> None:
        self.problems.append(Problem(place, problem, hint, code))

    def warn(self, place: Place, problem: str, hint: str | None = None) -> None:
        self.warnings.append(Problem(place, problem, hint, warning=True))

    def take(self, error: DefinitionError, *place: str | int) -> None:
        for problem in error.under(*place).problems:
            self.tell(problem)

    def read(self, written: Any, spec: type[Spec], place: Place, *, beside: Sequence[str] = ()) -> Spec | None:
        """One object of the definition as its Spec. Unknown fields are refused where a known one is near, else a warning.

        `beside` are fields that may stand there and are read elsewhere. None: what is wrong has been told.
        """
        if not isinstance(written, dict):
            self.refuse(place, f"{_subject(place)} is {shown(written)}, and must be an object")
            return None
        known = fields_of(spec)
        understood = {}
        for name, value in written.items():
            if name in known:
                understood[name] = value
            elif name not in beside:
                self._unknown((*place, name), name, [*known, *beside])
        understood = {name: self._inner(value, name, place) for name, value in understood.items()}
        try:
            return spec.model_validate(understood)
        except ValidationError as error:
            for problem in validation_problems(error, known, document=understood):
                self.tell(problem.under(*place))
            return None

    def _inner(self, value: Any, name: str, place: Place) -> Any:
        """`onError` and the like without the fields that are only warned of."""
        inner = PARTS.get(name)
        if inner is None or not isinstance(value, dict):
            return value
        known = fields_of(inner)
        for key in value:
            if key not in known:
                self._unknown((*place, name, key), key, known)
        return {key: each for key, each in value.items() if key in known}

    def _unknown(self, place: Place, name: str, known: Sequence[str]) -> None:
        if name in LATER_FIELDS:
            said = f"«{name}» is not in this version"
            self.tell(Problem(place, said, "take it out", "NOT_IN_THIS_VERSION", of_key=True))
        elif nearest(name, known):
            self.tell(Problem(place, f"{name} is not known here", did_you_mean(name, known), of_key=True))
        else:
            self.tell(Problem(place, f"{name} is not known here, and does nothing", warning=True, of_key=True))

    def flow(
        self, spec: FlowSpec | WorkflowSpec, graph: Graph, *, dialect: str, definition: dict[str, Any], key: str | None
    ) -> Flow:
        """The last stage of every dialect. Raises DefinitionError with all that was found on the way."""
        inputs = self._inputs(spec.inputs)
        named = spec.key or key
        if named is None:
            self.refuse((), "the flow has no key", 'add "key": "my-flow"')
        declared = inputs.declared if spec.inputs is not None else None
        for problem in check_references(graph, declared, ordered=self.ordered):
            self.tell(problem)
        self.warnings.extend(unused_inputs(graph, inputs.declared) if not self.problems else ())
        if self.problems:
            raise DefinitionError(*self.problems)
        assert named is not None
        named_elsewhere = names_outside(graph)
        return Flow(
            key=named,
            dialect=dialect,
            graph=graph,
            inputs=inputs,
            folder=self.folder,
            definition=definition,
            digest=digest(definition if "key" in definition else {"key": named, **definition}),
            name=spec.name,
            description=spec.description,
            subflows=named_elsewhere.subflows,
            events=named_elsewhere.events,
            awaits=named_elsewhere.awaits,
            warnings=tuple(self.warnings),
        )

    def _inputs(self, written: Any) -> Inputs:
        try:
            inputs = Inputs.parse(written)
        except DefinitionError as error:
            self.take(error, "inputs")
            return Inputs({name: Input(name) for name in written} if isinstance(written, dict) else {})
        for problem in inputs.warnings:
            self.tell(problem.under("inputs"))
        return inputs

    def graph(self, spec: FlowSpec, body: Graph) -> Graph:
        """The whole flow's graph: the list's, with what is said of the whole."""
        output = None if spec.output is None else self.value(spec.output, ("output",))
        handlers, timeout_s = lower_handlers(spec, self), _seconds(spec.timeout_ms)
        return replace(body, max_concurrent=spec.max_concurrency, timeout_s=timeout_s, output=output, handlers=handlers)

    def steps(self, written: Any, place: Place) -> Graph:
        """A list of steps as a graph. Steps that are wrong stand in it with nothing prepared, so that others may name them."""
        if not isinstance(written, list):
            self.refuse(place, f"{_subject(place)} is {shown(written)}, and must be a list of steps")
            return Graph((), (), self.folder)
        if self.depth == MAX_NESTING:
            self.refuse(place, f"steps are nested more than {MAX_NESTING} deep", "move the inner ones to a flow of their own")
            return Graph((), (), self.folder)
        self.depth += 1
        lowered = [self._step(each, (*place, number)) for number, each in enumerate(written)]
        drafts = with_fallbacks(self, [draft for draft in lowered if draft and draft.step.place == self.places[draft.step.id]])
        self.depth -= 1
        by_needs = any(draft.needs is not None for draft in drafts)
        edges = edges_by_needs(drafts) if by_needs else edges_in_a_row(drafts)
        steps = tuple(draft.step for draft in drafts)
        wrong = check(steps, edges)
        if wrong:
            self.problems.extend(wrong)
            self.ordered = False
            edges = ()
        return Graph(steps, edges, self.folder, order="needs" if by_needs else "list")

    def _step(self, written: Any, place: Place) -> Draft | None:
        """One step. None: it has no id to stand under."""
        identity = self._identity(written, place)
        if identity is None:
            return None
        spec = self.read(written, StepSpec, place, beside=list(self.sections))
        if spec is None:
            return Draft(Step(identity, "", place=place), None, None)
        kind = self._kind(spec.type, place)
        prepared = None
        if kind is not None and self._has_section(kind, written, place):
            prepared = self.prepare(kind, written[kind.section], (*place, kind.section))
        if kind is not None and not kind.effects and spec.on_interrupted == "fail":
            self.warn((*place, "onInterrupted"), f"a {kind.name} step is simply done again after a crash", "take it out")
        step = Step(
            id=identity,
            kind=spec.type,
            prepared=prepared,
            name=spec.name,
            when=self._condition(spec.if_, (*place, "if")),
            unless=self._condition(spec.unless, (*place, "unless")),
            requires=tuple(self._requirements(spec.requires, (*place, "requires"))),
            timeout_s=_seconds(spec.timeout_ms),
            on_interrupted=spec.on_interrupted,
            track=spec.metrics.track,
            cost_label=spec.metrics.cost_label,
            place=place,
            section=None if kind is None else (kind.section, written.get(kind.section)),
            output_schema=spec.output_schema,
        )
        if spec.output_schema is not None:
            self.problems.extend(schema_problems(spec.output_schema, (*place, "outputSchema")))
        return Draft(step, spec.on_error, spec.needs)

    def _identity(self, written: Any, place: Place) -> str | None:
        if not isinstance(written, dict):
            self.refuse(place, f"a step is an object, not {shown(written)}")
            return None
        identity = written.get("id")
        if not isinstance(identity, str) or not STEP_ID.fullmatch(identity):
            said = "the step has no id" if identity is None else f"{shown(identity)} is no id of a step"
            self.refuse((*place, "id") if "id" in written else place, said, "text without . / # [ ] and line ends")
            return None
        if identity in self.places:
            first = dotted(self.places[identity])
            self.refuse((*place, "id"), f"there are two steps «{identity}»", f"the first is {first}", code="GRAPH_STEP")
        self.places.setdefault(identity, place)
        return identity

    def _kind(self, name: str, place: Place) -> StepKind | None:
        kind = self.kinds.get(name)
        if kind is None and name in LATER_KINDS:
            self.refuse((*place, "type"), f"steps of type «{name}» are not in this version", code="NOT_IN_THIS_VERSION")
        elif kind is None:
            hint = did_you_mean(name, self.kinds) or f"known are {', '.join(sorted(self.kinds))}"
            self.refuse((*place, "type"), f"«{name}» is no type of steps", hint)
        return kind

    def _has_section(self, kind: StepKind, written: dict[str, Any], place: Place) -> bool:
        for name in written:
            if name in self.sections and name != kind.section:
                self.warn((*place, name), f"{name} is not read in a {kind.name} step", "take it out")
        if kind.section not in written:
            flat = [name for name in fields_of(kind.Spec) if name in written]
            hint = f'write {", ".join(flat)} inside "{kind.section}": {{…}}' if flat else f'"{kind.section}": {{…}}'
            self.refuse(place, f"a {kind.name} step needs «{kind.section}»", hint)
        return kind.section in written

    def prepare(self, kind: StepKind, section: Any, place: Place) -> Any:
        spec_of = getattr(kind, "spec_of", None)  # of kinds whose fields depend on one of them
        try:
            spec = self.read(section, kind.Spec if spec_of is None else spec_of(section), place)
        except DefinitionError as error:
            self.take(error, *place)
            return None
        if spec is None:
            return None
        load = Load(
            self.folder,
            lambda written, inner: self.steps(written, (*place, *inner)),
            ROOTS,
            lambda inner, problem, hint: self.warn((*place, *inner), problem, hint),
            self._question,
            self.mentions,
        )
        self.warnings += braces_problems(kind.name, section, place)
        try:
            return kind.prepare(spec, load)
        except DefinitionError as error:
            self.take(error, *place)
            return None

    def _question(self, text: str) -> Expression | Question:
        """A condition, for our language or for the engine of the transforms."""
        compile_it = getattr(self.kinds.get("transform"), "question", None)
        return compile_expression(text, roots=ROOTS) if compile_it is None else compile_it(text, ROOTS)

    def _condition(self, text: str | None, place: Place) -> Expression | Question | None:
        if not text:
            return None
        try:
            compiled = self._question(text)
        except DefinitionError as error:
            self.take(error, *place)
            return None
        if assigns(compiled):
            self.warn(place, *ASSIGNS)
        return compiled

    def value(self, written: Any, place: Place) -> Value | None:
        try:
            return compile_value(written, lenient=True)
        except DefinitionError as error:
            self.take(error, *place)
            return None

    def _requirements(self, written: Sequence[str], place: Place) -> Iterator[Requirement]:
        for number, text in enumerate(written):
            try:
                yield Requirement(text, compile_selector(text), (*place, number))
            except DefinitionError as error:
                self.take(error, *place, number)


def _subject(place: Place) -> str:
    last = place[-1] if place else "a flow"
    return f"element {last}" if isinstance(last, int) else last


def _seconds(milliseconds: float | None) -> float | None:
    return milliseconds / 1000 if milliseconds else None
