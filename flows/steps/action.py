"""`action`: one call to another platform, through a One-style passthrough API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from flows.errors import DefinitionError, Problem, StepError
from flows.selector import MISSING
from flows.step import Load, Output, Scope
from flows.steps.action_api import ActionApi, ActionSettings, Call
from flows.steps.checked_text import collected
from flows.text import as_text
from flows.value import Value, compile_value

OBJECTS = ("pathVars", "queryParams", "headers")


class ConnectionRef(BaseModel):
    """Which connection, found when the step runs."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    platform: str = Field(min_length=1)
    tag: str | None = None


class ActionSpec(BaseModel):
    """The `action` section of a step."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, strict=True, frozen=True)

    platform: str = Field(min_length=1, description="whose action it is")
    action_id: str = Field(alias="actionId", min_length=1, description="the action's id, as text with {{ }} or a $. path")
    connection: ConnectionRef | None = Field(default=None, description="{platform, tag}: found when the step runs")
    connection_key: str | None = Field(default=None, alias="connectionKey", min_length=1, description="or the connection's key")
    data: Any = Field(default=None, description="the body")
    path_vars: dict[str, Any] | str | None = Field(default=None, alias="pathVars", description="what the action's path names")
    query_params: dict[str, Any] | str | None = Field(default=None, alias="queryParams", description="a list repeats a name")
    headers: dict[str, Any] | str | None = Field(default=None, description="name: value")

    @model_validator(mode="after")
    def _has_one_connection(self) -> ActionSpec:
        if self.connection is not None and self.connection_key is not None:
            raise ValueError("connection and connectionKey are both given: one of them")
        if self.connection is None and self.connection_key is None:
            raise ValueError('the connection is missing: "connection": {"platform": "…"}')
        return self


@dataclass(frozen=True, slots=True)
class Acting:
    """An `action` section, compiled: its fields by name, as written in the format."""

    fields: Mapping[str, Value]

    def made(self, names: Mapping[str, Any]) -> dict[str, Any]:
        """The fields with their values. What leads nowhere is left out."""
        made = {name: value.make(names) for name, value in self.fields.items()}
        return {name: value for name, value in made.items() if value is not MISSING and value is not None}


class ActionKind:
    name: ClassVar[str] = "action"
    section: ClassVar[str] = "action"
    effects: ClassVar[bool] = True
    container: ClassVar[bool] = False
    Settings: ClassVar[type[BaseModel]] = ActionSettings
    Spec: ClassVar[type[BaseModel]] = ActionSpec

    def __init__(self, settings: ActionSettings) -> None:
        self._api = ActionApi(settings)

    def prepare(self, spec: ActionSpec, load: Load) -> Acting:  # noqa: ARG002 - the seam's signature
        return compile_action(spec)

    async def run(self, prepared: Acting, scope: Scope) -> Output:
        return Output(await self._api.call(call_of(prepared.made(scope.names)), scope.secret))

    async def example(self, prepared: Acting, scope: Scope) -> Any:
        """For rehearsals: what the action could answer. None: nothing is known of it."""
        return await self._api.example(as_text(prepared.made(scope.names).get("actionId")), scope.secret)

    async def close(self) -> None:
        await self._api.close()


def compile_action(spec: ActionSpec) -> Acting:
    """Raises DefinitionError with all that is wrong."""
    problems: list[Problem] = []
    written = spec.model_dump(by_alias=True, exclude_none=True)
    fields = {name: collected(problems, (name,), partial(compile_value, value, lenient=True)) for name, value in written.items()}
    if problems:
        raise DefinitionError(*problems)
    return Acting({name: value for name, value in fields.items() if value is not None})


def call_of(made: Mapping[str, Any]) -> Call:
    """The call that made fields ask for. Raises StepError where one is not what it must be."""
    for name in ("platform", "actionId"):
        if not isinstance(made.get(name), str) or not made[name]:
            raise StepError(f"{name} must be text, and there is none", code="ACTION_INPUT", retryable=False)
    for name in OBJECTS:
        if not isinstance(made.get(name, {}), dict):
            raise StepError(f"{name} must be an object of names and values", code="ACTION_INPUT", retryable=False)
    connection = made.get("connection") or as_text(made.get("connectionKey"))
    if not connection:
        raise StepError("the connection's key is missing", code="CONNECTION_UNKNOWN", retryable=False)
    return Call(made["actionId"], connection, made.get("data"), *(made.get(name, {}) for name in OBJECTS))
