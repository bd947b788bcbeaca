"""JSON Schema in short: what a route takes and answers, written down once, for the document and for the tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
FLAG: Schema = {"type": "boolean"}
INSTANT: Schema = {"type": "string", "format": "date-time", "examples": ["2026-11-23T09:00:00.125Z"]}
ANYTHING: Schema = {}  # JSON of a user: a body, an output
OBJECT: Schema = {"type": "object"}


def record(description: str, fields: Mapping[str, Schema], *, optional: Mapping[str, Schema] | None = None) -> Schema:
    """An object. `fields` are always there, `optional` may be; clients pass over others, which a later version may add."""
    return {
        "type": "object",
        "description": description,
        "properties": {**fields, **(optional or {})},
        "required": list(fields),
    }


def listed(of: Schema, description: str = "") -> Schema:
    return {"type": "array", "items": of, **({"description": description} if description else {})}


def by_name(of: Schema, description: str = "") -> Schema:
    """An object whose names are the user's: keys, steps, headers."""
    return {"type": "object", "additionalProperties": of, **({"description": description} if description else {})}


def words(allowed: Sequence[str], description: str = "") -> Schema:
    return {"type": "string", "enum": list(allowed), **({"description": description} if description else {})}


def maybe(of: Schema) -> Schema:
    """Or null: it is not known, or not there."""
    if "$ref" in of:
        return {"anyOf": [of, {"type": "null"}]}
    kind = of["type"]
    allowed = {"enum": [*of["enum"], None]} if "enum" in of else {}
    return {**of, "type": [*([kind] if isinstance(kind, str) else kind), "null"], **allowed}


def said(of: Schema, description: str) -> Schema:
    """The same with a description."""
    return {**of, "description": description}


def ref(name: str) -> Schema:
    """A component, by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


CHAIN = said(TEXT, "the event, or the run started by hand, that began the chain it belongs to")
DEPTH = said(WHOLE, "how many runs of the chain came before it")
