"""`outputSchema`: the fields of a step's output that others may refer to. Checked at load, never against a value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from flows.errors import Problem
from flows.suggest import did_you_mean, shown

TYPES = ("string", "number", "boolean", "object", "array", "unknown")
MAX_DEPTH = 32  # of objects inside: it is gone through by recursion

Place = tuple[str | int, ...]


def schema_problems(schema: Any, place: Place, depth: int = 0) -> Iterator[Problem]:
    """What is wrong with the declaration itself: a field is the name of a type, or an object of fields."""
    if isinstance(schema, str) and depth:
        if schema not in TYPES:
            hint = did_you_mean(schema, TYPES) or f"types are {', '.join(TYPES)}"
            yield Problem(place, f"«{schema[:60]}» is no type of a field", hint)
    elif not isinstance(schema, dict):
        yield Problem(place, f"a field is the name of a type or an object of fields, and this is {shown(schema)}")
    elif depth == MAX_DEPTH:
        yield Problem(place, f"fields are nested more than {MAX_DEPTH} deep")
    else:
        for name, inner in schema.items():
            yield from schema_problems(inner, (*place, name), depth + 1)


def undeclared_field(schema: Any, rest: Sequence[str | int], step: str, place: Place) -> Problem | None:
    """Where `rest`, a path below the output of `step`, leaves what is declared. None: it does not, or nothing can be said."""
    for part in rest:
        if not isinstance(schema, dict) or not isinstance(part, str):
            return None
        if part not in schema:
            hint = did_you_mean(part, schema) or f"the outputSchema of «{step}» has {', '.join(schema) or 'no fields'}"
            return Problem(place, f"the output of step «{step}» has no field «{part}»", hint, code="REFERENCE_FIELD")
        schema = schema[part]
    return None
