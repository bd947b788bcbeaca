"""The form of a flow in the `steps` dialect: its fields, what they may hold, and what later versions will know."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from flows.retry import RetryPolicy
from flows.written import HandlerList, StepList, nullable, part

LATER_KINDS: frozenset[str] = frozenset()  # of steps
KIND_ALIASES = {
    "data-source": "data_source",
    "wait-for-event": "wait_for_event",
}  # how a type may be written as well, as the other types with two words are
LATER_FIELDS = frozenset({"budget", "cache"})  # of a step

MAX_NESTING = 32  # of lists inside steps: loading and running recurse
STEP_ID = re.compile(r"[^\s./#\[\]\x00-\x1f][^./#\[\]\x00-\x1f]{0,199}")  # these marks build the paths of steps in a run

KindName = Annotated[str, AfterValidator(lambda name: KIND_ALIASES.get(name, name))]
Entry = Annotated[str, Field(min_length=1)] | Annotated[int, Field(ge=0)]


class OnErrorSpec(BaseModel):
    """`onError` and `defaultOnError`: what follows a failed attempt. Times are milliseconds."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    strategy: Literal["fail", "continue", "retry", "fallback"] = Field(description="what follows when all tries failed")
    retries: int = Field(0, ge=0, description="extra tries, whatever the strategy")
    retry_delay_ms: float = Field(1000, alias="retryDelayMs", ge=0, allow_inf_nan=False)
    backoff: Literal["fixed", "exponential", "exponential-jitter"] = Field("fixed", description="how the delay grows")
    max_delay_ms: float = Field(30_000, alias="maxDelayMs", ge=0, allow_inf_nan=False)
    fallback_step_id: str | None = Field(None, alias="fallbackStepId", min_length=1)
    retry_on: list[Entry] | None = Field(None, alias="retryOn", description="HTTP statuses, codes, parts of the message")
    fail_fast_on: list[Entry] = Field(default_factory=list, alias="failFastOn", description="stronger than retryOn")

    def policy(self) -> RetryPolicy:
        return RetryPolicy(
            tries=self.retries + 1,
            first_delay_s=self.retry_delay_ms / 1000,
            backoff=self.backoff,
            max_delay_s=self.max_delay_ms / 1000,
            retry_on=None if self.retry_on is None else tuple(self.retry_on),
            fail_fast_on=tuple(self.fail_fast_on),
        )


class MetricsSpec(BaseModel):
    """`metrics`: what is counted of a step, and under which label."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    track: bool = False
    cost_label: str | None = Field(None, alias="costLabel")


class StepSpec(BaseModel):
    """The fields that every step may have; beside them stands the section of its kind."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    id: str
    type: KindName
    name: str | None = None
    description: str | None = None
    needs: list[str] | None = None
    if_: str | None = Field(None, alias="if")  # blank: the same as none, as in the One CLI; so is a timeout of 0
    unless: str | None = None
    requires: list[str] = Field(default_factory=list)
    timeout_ms: float | None = Field(None, alias="timeoutMs", ge=0, allow_inf_nan=False)
    on_error: OnErrorSpec | None = Field(None, alias="onError")
    on_interrupted: Literal["retry", "fail"] = Field("retry", alias="onInterrupted")
    output_schema: dict[str, Any] | None = Field(None, alias="outputSchema")
    metrics: MetricsSpec = Field(default_factory=lambda: MetricsSpec.model_validate({}))


class FlowSpec(BaseModel):
    """The fields of a flow. `inputs` and `output` are checked by those who know them."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    schema_: str | None = Field(None, alias="$schema")
    key: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$")
    name: str | None = None
    description: str | None = None
    version: str | int | float | None = None
    inputs: Annotated[Any, WithJsonSchema(nullable(part("Inputs")))] = None
    steps: StepList
    output: Any = None
    on_failure: HandlerList = Field(None, alias="onFailure", description="steps that run after a failure")
    on_cancel: HandlerList = Field(None, alias="onCancel", description="steps that run after a cancel")
    final: HandlerList = Field(None, alias="finally", description="steps that run last, whatever became of the others")
    default_on_error: OnErrorSpec | None = Field(None, alias="defaultOnError")
    timeout_ms: float | None = Field(None, alias="timeoutMs", ge=0, allow_inf_nan=False)
    max_concurrency: int | None = Field(None, alias="maxConcurrency", ge=1)


def fields_of(spec: type[BaseModel]) -> list[str]:
    """The names of its fields as definitions write them."""
    return [field.alias or name for name, field in spec.model_fields.items()]
