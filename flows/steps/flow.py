"""`flow`: another flow as a step."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from flows.errors import DefinitionError, Problem, StepError
from flows.graph import FlowKey, Graph
from flows.selector import MISSING
from flows.step import Ended, Load, Output, Scope
from flows.steps.no_settings import NoSettings
from flows.suggest import shown
from flows.value import Value, compile_value


class SubFlowSpec(BaseModel):
    """The `flow` section of a step."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    key: str = Field(min_length=1, description="the key of the flow, as text with {{ }} or a $. path")
    inputs: dict[str, Any] = Field(default_factory=dict, description="its inputs; a path that leads nowhere is not given")


ALIASES = ("_steps", "_finalOutput")  # the One CLI's: the steps' results whatever the last step's fields are called, and its text


@dataclass(frozen=True, slots=True)
class Calling:
    """A `flow` section, compiled."""

    key: FlowKey | Value  # FlowKey: it is known at load
    inputs: dict[str, Value]
    aliases: frozenset[str]  # of ALIASES, those that the calling flow names: copies are not made for nobody


class SubFlow:
    name: ClassVar[str] = "flow"
    section: ClassVar[str] = "flow"
    effects: ClassVar[bool] = False
    container: ClassVar[bool] = True
    Settings: ClassVar[type[BaseModel]] = NoSettings
    Spec: ClassVar[type[BaseModel]] = SubFlowSpec

    def __init__(self, settings: BaseModel | None = None) -> None:
        self.settings = settings

    def prepare(self, spec: SubFlowSpec, load: Load) -> Calling:
        problems: list[Problem] = []
        key = _compiled(spec.key, ("key",), problems)
        inputs = {name: _compiled(value, ("inputs", name), problems) for name, value in spec.inputs.items()}
        if problems:
            raise DefinitionError(*problems)
        aliases = frozenset(name for name in ALIASES if load.mentions(name))
        return Calling(FlowKey(spec.key) if key.constant else key, inputs, aliases)

    async def run(self, prepared: Calling, scope: Scope) -> Output:
        flow = scope.find_flow(_key(prepared, scope))
        inputs, problems = flow.inputs.coerce(_given(prepared, scope))
        if problems:
            raise StepError(f"flow «{flow.key}»: {'; '.join(problems)}", code="INPUT_INVALID", retryable=False)
        ended = await scope.run_body(flow.graph, inputs=inputs, subflows=flow.pinned)
        if flow.graph.output is not None:
            return Output(ended.output, ended.steps)
        return Output(_flattened(flow.graph, ended, prepared.aliases))

    async def close(self) -> None:
        """Nothing is shared."""


def _flattened(graph: Graph, ended: Ended, aliases: Collection[str]) -> dict[str, Any]:
    """The results of the steps by id, and over them the fields of what the last step gave: both ways to name a value work."""
    last = ended.steps.get(graph.steps[-1].id, {}).get("output") if graph.steps else None
    found = ended.steps | last if isinstance(last, dict) else ended.steps
    more = {"_steps": ended.steps} | ({} if last is None or isinstance(last, dict) else {"_finalOutput": last})
    return found | {name: value for name, value in more.items() if name in aliases} if aliases else found


def _compiled(value: Any, place: tuple[str | int, ...], problems: list[Problem]) -> Value:
    try:
        return compile_value(value, lenient=True)
    except DefinitionError as error:
        problems.extend(error.under(*place).problems)
        return compile_value(None)


def _key(prepared: Calling, scope: Scope) -> str:
    if isinstance(prepared.key, FlowKey):
        return prepared.key.key
    key = prepared.key.needed(scope.names)
    if not isinstance(key, str) or not key:
        message = f"the key of a flow is text, and {prepared.key.source} is {shown(key)}"
        raise StepError(message, code="FLOW_NOT_FOUND", retryable=False)
    return key


def _given(prepared: Calling, scope: Scope) -> dict[str, Any]:
    """The inputs as they are now. A path that leads nowhere is an input that is not given: defaults take its place."""
    made = {name: value.make(scope.names) for name, value in prepared.inputs.items()}
    return {name: value for name, value in made.items() if value is not MISSING}
