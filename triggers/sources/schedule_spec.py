"""What a schedule trigger's section and `[sources.schedule]` may say, checked and brought into one form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from flows.errors import DefinitionError, Problem
from flows.suggest import validation_problems
from flows.written import part
from triggers.cron import parse_cron
from triggers.slots import CatchupPolicy, Overlap, Schedule
from triggers.spec import Duration, known_fields
from triggers.zones import parse_zone

LATER = "overlap cancel_running is not available in this version"


def _zone(name: str) -> str:
    try:
        return parse_zone(name).key
    except DefinitionError as error:
        problem = error.problems[0]
        raise ValueError(f"{problem.problem} ({problem.hint})") from None


class ScheduleSettings(BaseModel):
    """`[sources.schedule]` of camshaft.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timezone: Annotated[str, AfterValidator(_zone)] = Field("UTC", description="the zone of schedules that name none")
    grace_s: float = Field(60.0, ge=0, le=3600, description="a slot that a restart held up for no longer than this is on time")
    wake_s: float = Field(30.0, gt=0, le=120, description="how often the clock is looked at, to notice that it was changed")


class CatchupSpec(BaseModel):
    """What is done about slots at which the daemon was not there."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    policy: CatchupPolicy = "last"
    window: Annotated[Duration, Field(gt=0)] = 86400.0  # older slots are left out in any case


CATCHUP_WRITTEN = {"anyOf": [{"enum": list(get_args(CatchupPolicy))}, part("CatchupSpec")]}


class Spec(BaseModel):
    """A schedule trigger's own section."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    cron: str
    timezone: str | None = None  # None: UTC
    jitter: Annotated[Duration, Field(le=86400)] = 0.0
    overlap: Overlap | Literal["cancel_running"] = "skip"
    catchup: Annotated[CatchupSpec, WithJsonSchema(CATCHUP_WRITTEN)] = CatchupSpec()


def prepare(section: Mapping[str, Any]) -> Schedule:
    """Raises DefinitionError with all that is wrong; places are relative to the section. `catchup` may be its policy alone."""
    fields = dict(section)
    if isinstance(fields.get("catchup"), str):
        fields["catchup"] = {"policy": fields["catchup"]}
    problems = _cron_problems(fields)
    try:
        spec = Spec.model_validate(fields)
    except ValidationError as error:
        problems += validation_problems(error, known_fields(Spec), document=fields)
        raise DefinitionError(*problems) from None
    if spec.overlap == "cancel_running":
        problems.append(Problem(("overlap",), LATER, "skip leaves the slot out, queue_one fires it when the run has ended"))
    if problems or spec.overlap == "cancel_running":
        raise DefinitionError(*problems)
    cron = parse_cron(spec.cron, timezone=spec.timezone)
    return Schedule(cron, spec.jitter, spec.overlap, spec.catchup.policy, spec.catchup.window)


def _cron_problems(fields: Mapping[str, Any]) -> list[Problem]:
    """Text and zone are looked at one by one, so that both are told of."""
    parsers: dict[str, Callable[[str], object]] = {"cron": lambda text: parse_cron(text, timezone=None), "timezone": parse_zone}
    problems: list[Problem] = []
    for name, parse in parsers.items():
        if isinstance(fields.get(name), str):
            try:
                parse(fields[name])
            except DefinitionError as error:
                problems += error.under(name).problems
    return problems
