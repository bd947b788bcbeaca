"""`loop`: the same steps for each item of a list."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from flows.errors import DefinitionError, StepError
from flows.expression import UNDEFINED, to_json
from flows.graph import Graph
from flows.results import why_missing
from flows.selector import MISSING, compile_selector
from flows.step import Load, Output, Scope
from flows.steps.back import Back, Rounds
from flows.steps.no_settings import NoSettings
from flows.steps.transform import compile_at
from flows.suggest import shown
from flows.value import compile_value, is_path
from flows.written import StepList

MAX_ITEMS = 100_000  # each iteration keeps its results: more is a mistake, or work for a queue


class LoopSpec(BaseModel):
    """The `loop` section of a step."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    over: str | list[Any] = Field(description="a $. path or an expression that gives a list, or the list itself")
    as_: str = Field("item", alias="as", min_length=1, description="the name of the item in $.loop, beside `item`")
    index_as: str | None = Field(None, alias="indexAs", min_length=1, description="the name of the index in $.loop, beside `i`")
    steps: StepList = Field(description="the steps of one iteration")
    max_iterations: int | None = Field(None, alias="maxIterations", ge=1, description="items behind these are left out")
    max_concurrency: int = Field(1, alias="maxConcurrency", ge=1, description="iterations that run at one time")


@dataclass(frozen=True, slots=True)
class Over:
    """What a loop goes over, compiled."""

    items: Callable[[Mapping[str, Any]], Any]  # names → the list; MISSING: nothing is there
    text: str  # as written, for messages
    references: tuple[tuple[str | int, ...], ...]


@dataclass(frozen=True, slots=True)
class Looping:
    """A `loop` section, compiled."""

    over: Over
    as_name: str
    index_name: str | None
    body: Graph
    max_iterations: int | None
    max_concurrency: int


class Loop:
    name: ClassVar[str] = "loop"
    section: ClassVar[str] = "loop"
    effects: ClassVar[bool] = False
    container: ClassVar[bool] = True
    Settings: ClassVar[type[BaseModel]] = NoSettings
    Spec: ClassVar[type[BaseModel]] = LoopSpec

    def __init__(self, settings: BaseModel | None = None) -> None:
        self.settings = settings

    def prepare(self, spec: LoopSpec, load: Load) -> Looping:
        over = _compile_over(spec.over, load)
        body = load.body(spec.steps, ("steps",))
        return Looping(over, spec.as_, spec.index_as, body, spec.max_iterations, spec.max_concurrency)

    async def run(self, prepared: Looping | Back | Rounds, scope: Scope) -> Output:
        if isinstance(prepared, Back):
            return prepared.hand_back(scope.names)
        return await (prepared.run(scope) if isinstance(prepared, Rounds) else self._go_over(prepared, scope))

    async def _go_over(self, prepared: Looping, scope: Scope) -> Output:
        items = _items(prepared, scope.names)
        iterations: list[dict[str, Any]] = [{}] * len(items)
        waiting = iter(range(len(items)))
        failures: list[StepError] = []
        width, row = prepared.max_concurrency, len(items)  # of as many as run at one time; the first row with a failure

        async def work() -> None:
            """Take one item after the other; when one fails, those of its row and those under way go on, and no other begins."""
            nonlocal row
            for position in waiting:
                if position // width > row:
                    return
                try:
                    iterations[position] = await _iterate(prepared, scope, items[position], position)
                except StepError as error:
                    failures.append(error)
                    row = min(row, position // width)

        workers = min(width, len(items))
        if workers <= 1:
            await work()
        else:
            async with asyncio.TaskGroup() as group:
                for number in range(workers):
                    group.create_task(work(), name=f"{scope.path} worker {number}")
        if failures:
            raise failures[0]
        return Output(items, {"items": items, "iterations": iterations})

    async def close(self) -> None:
        """Nothing is shared."""


async def _iterate(prepared: Looping, scope: Scope, item: Any, position: int) -> dict[str, Any]:
    """The results of one iteration's steps. Raises StepError that names the iteration."""
    loop = {"item": item, "i": position, prepared.as_name: item}
    if prepared.index_name is not None:
        loop[prepared.index_name] = position
    try:
        ended = await scope.run_body(prepared.body, mark=f"[{position}]", loop=loop)
    except StepError as error:
        raise error.of_container(f"iteration {position}: {error}") from error
    return ended.steps


def _items(prepared: Looping, names: Mapping[str, Any]) -> list[Any]:
    found = prepared.over.items(names)
    if not isinstance(found, list):
        text = prepared.over.text
        what = f"missing{why_missing(text, names['steps'])}" if found is MISSING else shown(found)
        raise StepError(f"a loop goes over a list, and {text} is {what}", code="LOOP_OVER", retryable=False)
    items = found[: prepared.max_iterations]  # a list of its own: what a `while` shows of itself goes on growing
    if len(items) > MAX_ITEMS:
        message = f"{len(items):,} items are more than the {MAX_ITEMS:,} that a loop may have"
        raise StepError(message, code="LOOP_LIMIT", retryable=False)
    return items


def _compile_over(over: str | list[Any], load: Load) -> Over:
    """A path keeps a path's meaning (wildcards, keys with hyphens); what is no path is an expression."""
    if isinstance(over, list):
        return _compile_list(over)
    if is_path(over):
        try:
            selector = compile_selector(over)
        except DefinitionError:
            pass
        else:
            return Over(lambda names: selector.get(names["$"]), over, (("$", *selector.segments),))
    expression = compile_at("over", over, load)

    def items(names: Mapping[str, Any]) -> Any:
        found = expression.evaluate(names)
        return MISSING if found is UNDEFINED else to_json(found)

    return Over(items, over, expression.references)


def _compile_list(over: list[Any]) -> Over:
    try:
        value = compile_value(over, lenient=True)
    except DefinitionError as error:
        raise error.under("over") from None
    return Over(value.make, "the list", value.references)
