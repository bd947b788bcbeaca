"""`approval`: a person says yes or no, and may fill in a form."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from flows.duration import parse_duration
from flows.errors import DefinitionError, Problem, StepError
from flows.form import Form
from flows.graph import Graph
from flows.instant import write_instant
from flows.step import Load, Output, Scope
from flows.steps.checked_text import collected
from flows.steps.no_settings import NoSettings
from flows.steps.wait import checked_value, made
from flows.value import Value, compile_value
from flows.waiting import Resolution, Wait
from flows.written import StepList

MAX_MESSAGE = 20_000  # characters: it stands on a page, in a row and in lists
MAX_APPROVERS = 50


class ApprovalSpec(BaseModel):
    """The `approval` section of a step."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    message: str = Field(min_length=1, description="what is asked, as text with {{ }}")
    form: dict[str, Any] = Field(
        default_factory=dict, description="fields to fill in, declared as inputs are, each with a `label` where it has one"
    )
    timeout: str | None = Field(None, description="how long it may take: 2d; or a path or text that gives that")
    on_timeout: Literal["fail", "reject", "approve"] = Field("fail", alias="onTimeout", description="what silence means")
    on_reject: Literal["fail", "continue"] = Field("fail", alias="onReject", description="what a no means for the flow")
    approvers: list[str] | str = Field(default_factory=list, description="who may answer: names, or a path that gives them")
    notify: StepList = Field(
        default_factory=list, description="steps that run first, to tell people; they see $.loop.approval.link"
    )


@dataclass(frozen=True, slots=True)
class Asking:
    """An `approval` section, compiled."""

    message: Value
    form: Form
    timeout: Value | None
    on_timeout: str
    on_reject: str
    approvers: Value
    notify: Graph


class Approval:
    name: ClassVar[str] = "approval"
    section: ClassVar[str] = "approval"
    effects: ClassVar[bool] = False
    container: ClassVar[bool] = True
    waits: ClassVar[bool] = True
    Settings: ClassVar[type[BaseModel]] = NoSettings
    Spec: ClassVar[type[BaseModel]] = ApprovalSpec

    def __init__(self, settings: BaseModel | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self._clock = clock

    def prepare(self, spec: ApprovalSpec, load: Load) -> Asking:
        problems: list[Problem] = []
        message = collected(problems, ("message",), lambda: compile_value(spec.message, lenient=True))
        form = collected(problems, ("form",), lambda: Form.parse(spec.form))
        approvers = collected(problems, ("approvers",), lambda: compile_value(spec.approvers))
        timeout = None
        if spec.timeout is not None:
            timeout = collected(problems, (), lambda: checked_value("timeout", spec.timeout, parse_duration))
        elif spec.on_timeout != "fail":
            problems.append(Problem(("onTimeout",), "without «timeout» there is none", '"timeout": "2d"'))
        if form is not None and spec.on_timeout == "approve" and (needed := form.needed()):
            said = f"silence fills in no form: {', '.join(needed)} must be given"
            problems.append(Problem(("onTimeout",), said, "give these fields a default, or required: false"))
        for warning in () if form is None else form.warnings:
            load.warn(("form", *warning.path), warning.problem, warning.hint)
        notify = load.body(spec.notify, ("notify",))
        if problems or message is None or form is None or approvers is None:
            raise DefinitionError(*problems)
        return Asking(message, form, timeout, spec.on_timeout, spec.on_reject, approvers, notify)

    async def run(self, prepared: Asking, scope: Scope) -> Output:
        message, approvers = _message(prepared, scope), _approvers(prepared, scope)
        due = None
        if prepared.timeout is not None:
            due = self._clock() + made("timeout", prepared.timeout, scope, parse_duration)
        if prepared.notify.steps:
            asked = {
                "message": message,
                "link": None if approvers else scope.link(due, None),
                "links": {name: scope.link(due, name) for name in approvers},
                "due": None if due is None else write_instant(due),
            }
            await scope.run_body(prepared.notify, loop={"approval": asked})
        detail = {"message": message, "form": prepared.form.declared, "approvers": approvers, "onTimeout": prepared.on_timeout}
        ended = await scope.wait(Wait("approval", due=due, detail=detail))
        return _answer(prepared, ended)

    async def close(self) -> None:
        """Nothing is shared."""


def _answer(prepared: Asking, ended: Resolution) -> Output:
    """What the answer means for the step. Raises StepError where it is no."""
    given: Mapping[str, Any] = ended.value or {}
    how = ended.how
    if how == "due":
        if prepared.on_timeout == "fail":
            raise StepError("nobody answered in time", code="APPROVAL_TIMEOUT", timed_out=True)
        how = "approved" if prepared.on_timeout == "approve" else "rejected"
        given = {"form": prepared.form.defaults() if how == "approved" else {}}
    approved = how == "approved"
    value = {
        "approved": approved,
        "by": given.get("by"),
        "at": write_instant(ended.at),
        "form": given.get("form", {}),
        "comment": given.get("comment"),
    }
    if not approved and prepared.on_reject == "fail":
        by = f" by {value['by']}" if value["by"] else ""
        why = f": {value['comment']}" if value["comment"] else ""
        raise StepError(f"it was rejected{by}{why}", code="REJECTED", retryable=False, output=value)
    return Output(value, branch="true" if approved else "false")


def _message(prepared: Asking, scope: Scope) -> str:
    message = prepared.message.needed(scope.names)
    if not isinstance(message, str) or not message.strip():
        raise StepError("the message of an approval is text that says what is asked", code="APPROVAL_MESSAGE", retryable=False)
    if len(message) > MAX_MESSAGE:
        said = f"the message has {len(message):,} characters, and may have {MAX_MESSAGE:,}"
        raise StepError(said, code="APPROVAL_MESSAGE", retryable=False)
    return message


def _approvers(prepared: Asking, scope: Scope) -> list[str]:
    """Names, each once. A single text is one name."""
    found = prepared.approvers.needed(scope.names)
    names = [found] if isinstance(found, str) else found
    if not isinstance(names, list) or not all(isinstance(name, str) and name.strip() for name in names):
        raise StepError("approvers are names: a list of texts", code="APPROVAL_APPROVERS", retryable=False)
    names = list(dict.fromkeys(name.strip() for name in names))
    if len(names) > MAX_APPROVERS or any(len(name) > 200 for name in names):
        said = f"approvers are at most {MAX_APPROVERS} names of at most 200 characters"
        raise StepError(said, code="APPROVAL_APPROVERS", retryable=False)
    return names
