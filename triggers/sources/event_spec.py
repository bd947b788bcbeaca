"""What an event trigger's section may say, checked and brought into one form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from flows.emission import NAME, NAME_RULE
from flows.errors import DefinitionError
from flows.suggest import validation_problems
from flows.written import one_or_several
from triggers.spec import known_fields


class EventSettings(BaseModel):
    """`[sources.event]` holds nothing: how far chains go stands in `[sources.flow]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _is_name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise ValueError(f"«{value:.60}» is no name of an event ({NAME_RULE})")
    return value


def _unique(value: list[str]) -> list[str]:
    return list(dict.fromkeys(value))


Names = Annotated[
    list[Annotated[str, AfterValidator(_is_name)]],
    AfterValidator(_unique),
    Field(min_length=1, max_length=100),
    WithJsonSchema(one_or_several({"type": "string", "pattern": f"^(?:{NAME.pattern})$"}, minItems=1)),
]


class EventTriggerSpec(BaseModel):
    """An event trigger's own section."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Names  # of the events that it hears


def prepare(section: Mapping[str, Any]) -> EventTriggerSpec:
    """Raises DefinitionError with all that is wrong; places are relative to the section."""
    alone = isinstance(section.get("name"), str)
    listed = {**section, "name": [section["name"]]} if alone else dict(section)
    try:
        return EventTriggerSpec.model_validate(listed)
    except ValidationError as error:
        found = validation_problems(error, known_fields(EventTriggerSpec), document=listed)
        # one text was read as a list of one
        raise DefinitionError(*(replace(one, path=one.path[:1]) if alone else one for one in found)) from None
