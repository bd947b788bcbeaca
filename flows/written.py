"""How fields are written that a model reads as anything: marks for the published schemas, beside the models that they are of.

A model of pydantic tells its JSON Schema by itself. It cannot where a field is read by hand: a list of steps, a section whose form
depends on a type, one value in the place of a list. There one of these stands beside the type, and changes nothing in how it is read.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import WithJsonSchema

REFERS = "camshaft:refers"  # in a schema on its way: the name of the part that stands there

JsonSchema = dict[str, Any]


def part(name: str) -> JsonSchema:
    """A part of the same document by its name: a model's, or one that the document puts together."""
    return {REFERS: name}


def nullable(schema: JsonSchema) -> JsonSchema:
    return {"anyOf": [schema, {"type": "null"}]}


def several(item: JsonSchema, **bounds: int) -> JsonSchema:
    return {"type": "array", "items": item, **bounds}


def one_or_several(item: JsonSchema, **bounds: int) -> JsonSchema:
    """A value that may stand for the list of it alone."""
    return {"anyOf": [item, several(item, **bounds)]}


def any_case(*words: str) -> JsonSchema:
    """One of these words, in large or small letters."""
    letters = ("".join(f"[{mark.upper()}{mark.lower()}]" if mark.isalpha() else mark for mark in word) for word in words)
    return {"anyOf": [{"enum": list(words)}, {"type": "string", "pattern": f"^(?:{'|'.join(letters)})$"}]}


StepList = Annotated[list[Any], WithJsonSchema(several(part("Step")))]
"""Steps inside a step, or of a flow: each is read by its own type."""

HandlerList = Annotated[Any, WithJsonSchema(nullable(several(part("Step"))))]
"""Steps that follow those of a flow."""
