"""The form of a flow in the `nodes` dialect: its fields, and what they may hold. Times are as the specification has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from flows.dialects.steps_spec import KindName
from flows.duration import MAX_DURATION_S
from flows.retry import Backoff, RetryPolicy
from flows.steps.selection import SelectionSpec
from flows.written import HandlerList, nullable, part, several

BACKOFFS: dict[str, Backoff] = {"linear": "linear", "exponential": "exponential", "constant": "fixed"}
PolicyWritten = WithJsonSchema(nullable(part("RetryPolicySpec")))
VERSIONS = frozenset({"1", "1.0", 1})


class StrictModel(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class WorkflowSpec(StrictModel):
    """The fields of a flow. What stands in lists and objects is read by those who know it."""

    schema_: str | None = Field(None, alias="$schema")
    key: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$")
    name: str | None = None
    description: str | None = None
    version: str | int | float | None = Field(None, description="the format's: 1.0")
    inputs: Annotated[Any, WithJsonSchema(nullable(part("Inputs")))] = None
    nodes: Annotated[list[Any], WithJsonSchema(several(part("Node")))]
    edges: Annotated[list[Any], WithJsonSchema(several(part("EdgeSpec")))] = Field(default_factory=list)
    settings: Annotated[Any, WithJsonSchema(part("SettingsSpec"))] = Field(default_factory=dict)
    output: Any = None
    on_failure: HandlerList = Field(None, alias="onFailure", description="steps that run after a failure")
    on_cancel: HandlerList = Field(None, alias="onCancel", description="steps that run after a cancel")
    final: HandlerList = Field(None, alias="finally", description="steps that run last, whatever became of the others")


class PositionSpec(StrictModel):
    """Where an editor draws it."""

    x: float
    y: float


class NodeSpec(StrictModel):
    """One node."""

    id: str
    type: KindName
    label: str | None = None
    description: str | None = None
    config: Any = Field(default_factory=dict)
    position: PositionSpec | None = None
    retry_policy: Annotated[Any, PolicyWritten] = Field(None, alias="retryPolicy", description="in the place of the settings'")
    fallback_node: str | None = Field(None, alias="fallbackNode", min_length=1)
    on_interrupted: Literal["retry", "fail"] = Field("retry", alias="onInterrupted")


class EdgeSpec(StrictModel):
    """One edge. A truth is taken for the text that writes it."""

    id: str | None = Field(None, min_length=1)
    source: str
    target: str
    condition: str | bool | None = None
    label: str | None = None


class DecisionSpec(StrictModel):
    """The `config` of a condition."""

    condition: str = Field(min_length=1)
    true_branch: str | None = Field(None, alias="trueBranch", min_length=1)
    false_branch: str | None = Field(None, alias="falseBranch", min_length=1)


class BackSpec(StrictModel):
    """The `config` of a loop back to another node."""

    target_node: str = Field(alias="targetNode", min_length=1, description="where it goes back to")
    max_iterations: int | None = Field(
        None,
        alias="maxIterations",
        ge=1,
        le=100_000,
        description="then it ends, whatever the condition; 100 where nothing is said",
    )
    condition: str | None = Field(None, min_length=1, description="whether it goes back; none: always")


@dataclass(frozen=True, slots=True)
class Form:
    """The workflow specification's own form of a node's `config`, beside our section of the same type, and what tells them apart."""

    spec: type[BaseModel]
    field: str
    has_it: bool  # whether the specification's form is the one with this field


FORMS = {
    "condition": Form(DecisionSpec, "expression", has_it=False),
    "transform": Form(SelectionSpec, "expression", has_it=False),
    "loop": Form(BackSpec, "targetNode", has_it=True),
}


class StrategySpec(StrictModel):
    """How errors of one class are tried again; what it leaves out is as in the policy around it. Times are milliseconds."""

    max_attempts: int | None = Field(None, alias="maxAttempts", ge=1)
    backoff: Literal["linear", "exponential", "constant"] | None = None
    initial_delay: float | None = Field(None, alias="initialDelay", ge=0, allow_inf_nan=False)
    max_delay: float | None = Field(None, alias="maxDelay", ge=0, allow_inf_nan=False)


class RetryPolicySpec(StrictModel):
    """`retryPolicy`. Times are milliseconds."""

    max_attempts: int = Field(1, alias="maxAttempts", ge=1, description="all tries, the first included")
    backoff: Literal["linear", "exponential", "constant"] = "exponential"
    initial_delay: float = Field(1000, alias="initialDelay", ge=0, allow_inf_nan=False)
    max_delay: float = Field(30_000, alias="maxDelay", ge=0, allow_inf_nan=False)
    transient: StrategySpec = Field(default_factory=lambda: StrategySpec.model_validate({}))
    rate_limit: StrategySpec = Field(default_factory=lambda: StrategySpec.model_validate({}), alias="rateLimit")

    def policy(self) -> RetryPolicy:
        """What will come out the same is never tried again, whatever the policy."""
        return RetryPolicy(
            by_class=(
                ("transient", self._as(self.transient)),
                ("rateLimit", self._as(self.rate_limit)),
                ("validation", RetryPolicy()),
            )
        )

    def _as(self, strategy: StrategySpec) -> RetryPolicy:
        first_ms = self.initial_delay if strategy.initial_delay is None else strategy.initial_delay
        last_ms = self.max_delay if strategy.max_delay is None else strategy.max_delay
        return RetryPolicy(
            tries=strategy.max_attempts or self.max_attempts,
            first_delay_s=min(first_ms, last_ms) / 1000,
            backoff=BACKOFFS[strategy.backoff or self.backoff],
            max_delay_s=last_ms / 1000,
        )


class SettingsSpec(StrictModel):
    """`settings`. The timeout is seconds, the delay of loops milliseconds."""

    max_concurrent_nodes: int | None = Field(None, alias="maxConcurrentNodes", ge=1)
    timeout: float | None = Field(None, gt=0, allow_inf_nan=False, description="of the whole run, in seconds")
    retry_policy: Annotated[Any, PolicyWritten] = Field(None, alias="retryPolicy")
    error_handling: Literal["stop", "continue", "fallback"] = Field("stop", alias="errorHandling")
    execution_mode: Literal["manual", "scheduled", "triggered", "continuous"] | None = Field(None, alias="executionMode")
    loop_delay: float | None = Field(None, alias="loopDelay", ge=0, le=MAX_DURATION_S * 1000, allow_inf_nan=False)
