"""A form that a person fills in: fields declared as a flow's inputs are, and checked by the same rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flows.errors import DefinitionError, Problem
from flows.inputs import Input, Inputs
from flows.suggest import did_you_mean, shown

MAX_FIELDS = 100


@dataclass(frozen=True, slots=True)
class Form:
    """`declared` is as it was written: a page, a list and a later process make the same form of it."""

    declared: Mapping[str, Any]
    inputs: Inputs
    labels: Mapping[str, str]

    @classmethod
    def parse(cls, declared: Any) -> Form:
        """Raises DefinitionError with all that is wrong."""
        if not isinstance(declared, dict):
            raise DefinitionError.at(
                (), f"a form is an object of fields, not {shown(declared)}", '{"amount": {"type": "number"}}'
            )
        if len(declared) > MAX_FIELDS:
            raise DefinitionError.at((), f"a form has at most {MAX_FIELDS} fields")
        labels, bare = {}, {}
        for name, field in declared.items():
            label = field.get("label", name) if isinstance(field, dict) else name
            if not isinstance(label, str):
                raise DefinitionError.at((name, "label"), f"label is {shown(label)}, and must be text")
            labels[name] = label or name
            bare[name] = {key: value for key, value in field.items() if key != "label"} if isinstance(field, dict) else field
        return cls(dict(declared), Inputs.parse(bare), labels)

    @property
    def fields(self) -> Mapping[str, Input]:
        return self.inputs.declared

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return self.inputs.warnings

    def needed(self) -> list[str]:
        """Fields that nothing but a person can fill in."""
        return [field.name for field in self.fields.values() if field.required and not field.has_default]

    def defaults(self) -> dict[str, Any]:
        return self.inputs.coerce({})[0]

    def filled(self, values: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
        """The values as declared, and a sentence for each that is missing, does not fit, or is no field. What is given stays as it is."""
        if not isinstance(values, dict):
            return {}, (f"the form is {shown(values)}, and must be an object",)
        unknown = self.inputs.unknown(values)
        if unknown:
            hints = (did_you_mean(name, self.fields) or f"its fields are {', '.join(self.fields) or 'none'}" for name in unknown)
            return {}, tuple(f'The form has no field "{name:.100}" ({hint})' for name, hint in zip(unknown, hints, strict=True))
        made, problems = self.inputs.coerce(values)
        return made, tuple(
            problem.replace("required input", "required field").replace("Input ", "Field ", 1) for problem in problems
        )
