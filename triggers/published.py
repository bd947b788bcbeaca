"""The published JSON Schema of triggers: the section of each source put in by its type, and the other words for a field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flows.published import Parts, typed
from flows.written import JsonSchema, nullable
from triggers.expectation import TestSpec
from triggers.load import ALIASES, KEY, SECTION_ALIASES, TYPE_ALIASES
from triggers.signatures import SIGNATURES
from triggers.signatures.signature import SecretRef
from triggers.sources import SOURCES, source_class
from triggers.sources.schedule_spec import CatchupSpec
from triggers.spec import TriggerSpec

if TYPE_CHECKING:
    from pydantic import BaseModel

FILTER: JsonSchema = nullable({"type": "string", "description": "an expression: it fires where this is true"})
KEY_WRITTEN: JsonSchema = nullable({"type": "string", "pattern": f"^(?:{KEY.pattern})$"})


def trigger_schema() -> JsonSchema:
    sections: dict[str, type[BaseModel]] = {kind: source_class(kind).Spec for kind in SOURCES}
    signatures = {name: signature.Spec for name, signature in SIGNATURES.items()}
    parts = Parts([TriggerSpec, TestSpec, SecretRef, CatchupSpec, *sections.values(), *signatures.values()])
    words = {kind: [kind, *(word for word, meant in TYPE_ALIASES.items() if meant == kind)] for kind in SOURCES}
    for kind, spec in sections.items():
        parts.made[f"{kind}-section"] = _section(parts.written(spec), words[kind])
    parts.made["Auth"] = typed(
        {name: [name] for name in signatures}, {name: parts.refer(spec) for name, spec in signatures.items()}
    )
    parts.made["Section"] = typed(words, {kind: {"$ref": f"#/$defs/{kind}-section"} for kind in sections})
    return parts.document("A trigger of camshaft", "trigger", _whole(parts.written(TriggerSpec)))


def _whole(rest: JsonSchema) -> JsonSchema:
    properties = {"key": KEY_WRITTEN, "trigger": {"$ref": "#/$defs/Section"}, "filter": FILTER, **rest["properties"]}
    return {**rest, "properties": _with_other_words(properties, ALIASES), "required": ["trigger", *rest["required"]]}


def _section(written: JsonSchema, words: list[str]) -> JsonSchema:
    properties = {"type": {"enum": words}, "filter": FILTER, **written["properties"]}
    return {**written, "properties": _with_other_words(properties, SECTION_ALIASES)}


def _with_other_words(properties: Mapping[str, JsonSchema], aliases: Mapping[str, str]) -> JsonSchema:
    others = {word: properties[field] for word, field in aliases.items() if field in properties}
    return {**properties, **others}
