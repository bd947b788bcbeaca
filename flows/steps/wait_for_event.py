"""`wait_for_event`: an event that another flow gives, or a request to a hook, that this run waits for."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from flows.duration import parse_duration
from flows.emission import AwaitedName
from flows.errors import DefinitionError, Problem, StepError
from flows.expression import UNDEFINED, Expression, compile_expression, to_json
from flows.instant import write_instant
from flows.step import Load, Output, Scope
from flows.steps.checked_text import collected
from flows.steps.event_name import compiled_name, made_name
from flows.steps.no_settings import NoSettings
from flows.steps.wait import checked_value, made
from flows.value import Value
from flows.waiting import Wait

EVENT = "event"  # the root under which `match` sees the event
MAX_NAMES_BYTES = 64 * 1024  # of the run's values that a match is made with: they stand in the wait's row


class WaitForEventSpec(BaseModel):
    """The `waitForEvent` section of a step."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    event: str | None = Field(None, min_length=1, description="the name of an event that an `emit` step gives; text with {{ }}")
    webhook: str | None = Field(None, pattern=r"^/", description="or the path of a hook: /paid")
    match: str | None = Field(None, min_length=1, description="an expression over `event` and the run: whether this one is meant")
    timeout: str | None = Field(None, description="how long it may take: 2d; or a path or text that gives that")
    on_timeout: Literal["fail", "continue"] = Field("fail", alias="onTimeout", description="what follows when none came")
    look_back: str | None = Field(
        None, alias="lookBack", description="how far back an event may have come; the run's start otherwise"
    )


@dataclass(frozen=True, slots=True)
class Awaiting:
    """A `waitForEvent` section, compiled."""

    name: AwaitedName
    event: Value | None
    webhook: str | None
    match: Expression | None
    timeout: Value | None
    on_timeout: str
    look_back_s: float | None


class WaitForEvent:
    name: ClassVar[str] = "wait_for_event"
    section: ClassVar[str] = "waitForEvent"
    effects: ClassVar[bool] = False
    container: ClassVar[bool] = False
    waits: ClassVar[bool] = True
    Settings: ClassVar[type[BaseModel]] = NoSettings
    Spec: ClassVar[type[BaseModel]] = WaitForEventSpec

    def __init__(self, settings: BaseModel | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self._clock = clock

    def prepare(self, spec: WaitForEventSpec, load: Load) -> Awaiting:
        if (spec.event is None) == (spec.webhook is None):
            raise DefinitionError.at((), "it waits for one of «event» and «webhook»", '"event": "order.paid"')
        problems: list[Problem] = []
        event = match = timeout = look_back_s = None
        if spec.event is not None:
            event = collected(problems, ("event",), lambda: compiled_name(str(spec.event)))
        if spec.match is not None:
            match = collected(problems, ("match",), lambda: compile_expression(str(spec.match), roots=load.roots | {EVENT}))
        if spec.timeout is not None:
            timeout = collected(problems, (), lambda: checked_value("timeout", spec.timeout, parse_duration))
        elif spec.on_timeout != "fail":
            problems.append(Problem(("onTimeout",), "without «timeout» there is none", '"timeout": "2d"'))
        if spec.look_back is not None:
            look_back_s = collected(problems, ("lookBack",), lambda: parse_duration(spec.look_back))
        if problems:
            raise DefinitionError(*problems)
        literal = str(event.make({})) if event is not None and event.constant else spec.webhook
        name = AwaitedName("webhook" if event is None else "event", literal)
        return Awaiting(name, event, spec.webhook, match, timeout, spec.on_timeout, look_back_s)

    async def run(self, prepared: Awaiting, scope: Scope) -> Output:
        now = self._clock()
        due = None if prepared.timeout is None else now + made("timeout", prepared.timeout, scope, parse_duration)
        detail = {
            "event": None if prepared.event is None else made_name(prepared.event.needed(scope.names)),
            "webhook": prepared.webhook,
            "match": None if prepared.match is None else prepared.match.source,
            "names": {} if prepared.match is None else names_for(prepared.match, scope.names),
            "since": None if prepared.look_back_s is None else now - prepared.look_back_s,
        }
        ended = await scope.wait(Wait("event", due=due, detail=detail))
        if ended.how == "due":
            if prepared.on_timeout == "fail":
                raise StepError("no such event came in time", code="EVENT_TIMEOUT", timed_out=True)
            return Output({"received": False, "at": write_instant(ended.at), "event": None, "data": None})
        event: Mapping[str, Any] = ended.value or {}
        return Output({"received": True, "at": write_instant(ended.at), "event": event, "data": event.get("data")})

    async def close(self) -> None:
        """Nothing is shared."""


def names_for(match: Expression, names: Mapping[str, Any]) -> dict[str, Any]:
    """What of a run a match reads, and no more: it is kept beside the wait, so that a later process asks the same."""
    root: dict[str, Any] = {}
    kept: dict[str, Any] = {}
    for reference in match.references:
        parts = reference[1:] if reference[:1] == ("$",) else reference
        if reference[:1] == (EVENT,):
            continue
        if reference[:1] in {("data",), ("output",)}:
            value = names.get("data", UNDEFINED)
            if value is not UNDEFINED:
                kept["data"] = kept["output"] = to_json(value)
            continue
        _copy(names["$"], root, parts)
    kept["$"] = root
    try:
        size = len(json.dumps(kept))
    except (RecursionError, ValueError, TypeError) as error:
        raise StepError(f"match: what it reads of the run is no JSON: {error}", code="WAIT_TOO_LARGE", retryable=False) from error
    if size > MAX_NAMES_BYTES:
        said = f"match: what it reads of the run takes {size:,} bytes, and may take {MAX_NAMES_BYTES:,}"
        raise StepError(said, code="WAIT_TOO_LARGE", retryable=False)
    return kept


def _copy(source: Any, target: dict[str, Any], parts: tuple[str | int, ...]) -> None:
    """The values of two members deep: `$.input.order`, `$.steps.pay`; of a shorter path all that is there."""
    first, second = (*parts[:2], None, None)[:2]
    names = [first] if isinstance(first, str) else list(source)
    for name in names:
        if not isinstance(source, Mapping) or name not in source:
            continue
        inner = source[name]
        if isinstance(inner, Mapping) and isinstance(second, str) and first is not None:
            held = target.setdefault(name, {})
            if second in inner:
                held[second] = to_json(inner[second])
        else:
            target[name] = to_json(inner)
