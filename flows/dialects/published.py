"""The published JSON Schema of flows: both forms, with the section of each kind of step put in by its type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from flows.dialects.nodes_spec import FORMS, EdgeSpec, NodeSpec, RetryPolicySpec, SettingsSpec, WorkflowSpec
from flows.dialects.steps_spec import KIND_ALIASES, STEP_ID, FlowSpec, StepSpec
from flows.inputs import FIELDS, TYPES
from flows.published import Parts, by_type, either, typed

if TYPE_CHECKING:
    from pydantic import BaseModel

    from flows.step import StepKind
    from flows.written import JsonSchema

IDENTITY: JsonSchema = {"type": "string", "pattern": f"^(?:{STEP_ID.pattern})$"}


def flow_schema(kinds: Mapping[str, type[StepKind]]) -> JsonSchema:
    specs = [spec for kind in kinds.values() for spec in (kind.Spec, *_specs(kind)[1].values())]
    forms = [form.spec for form in FORMS.values()]
    parts = Parts([FlowSpec, StepSpec, WorkflowSpec, NodeSpec, EdgeSpec, RetryPolicySpec, SettingsSpec, *forms, *specs])
    parts.made["Inputs"] = _inputs()
    parts.made["Step"] = _step(parts, kinds)
    parts.made["Node"] = _node(parts, kinds)
    root = either("nodes", parts.refer(WorkflowSpec), parts.refer(FlowSpec))
    return parts.document("A flow of camshaft", "flow", {"type": "object", **root})


def _step(parts: Parts, kinds: Mapping[str, type[StepKind]]) -> JsonSchema:
    """A step has the section of its kind; those of others are not looked at."""
    common = parts.written(StepSpec)
    sections: dict[str, JsonSchema] = {kind.section: {} for kind in kinds.values()}
    arms = {
        name: {"properties": {kind.section: _section(parts, kind)}, "required": [kind.section]} for name, kind in kinds.items()
    }
    properties = {**common["properties"], **sections, "id": IDENTITY, "type": {"enum": _words(kinds)}}
    return {**common, "properties": properties, "allOf": by_type({name: _words([name]) for name in kinds}, arms)}


def _node(parts: Parts, kinds: Mapping[str, type[StepKind]]) -> JsonSchema:
    """A node's `config` is its kind's section, or the form that the workflow specification gives to its type."""
    common = parts.written(NodeSpec)
    configs = {name: _section(parts, kind) for name, kind in kinds.items()}
    for name, form in FORMS.items():
        ours, theirs = configs[name], parts.refer(form.spec)
        configs[name] = either(form.field, theirs, ours) if form.has_it else either(form.field, ours, theirs)
    arms = {name: {"properties": {"config": config}} for name, config in configs.items()}
    properties = {**common["properties"], "id": IDENTITY, "type": {"enum": _words(kinds)}}
    return {**common, "properties": properties, "allOf": by_type({name: _words([name]) for name in kinds}, arms)}


def _words(names: Iterable[str]) -> list[str]:
    """The types, and how else they may be written."""
    known = set(names)
    return sorted({*known, *(alias for alias, name in KIND_ALIASES.items() if name in known)})


def _specs(kind: type[StepKind]) -> tuple[str, Mapping[str, type[BaseModel]]]:
    """Of a kind whose fields depend on one of them: that one, and the fields for each of its words. Else nothing."""
    specs = getattr(kind, "specs", None)
    return ("", {}) if specs is None else specs()


def _section(parts: Parts, kind: type[StepKind]) -> JsonSchema:
    field, specs = _specs(kind)
    if specs:
        return typed({word: [word] for word in specs}, {word: parts.refer(spec) for word, spec in specs.items()}, field)
    return {"type": "object"} if hasattr(kind, "spec_of") else parts.refer(kind.Spec)


def _inputs() -> JsonSchema:
    """inputs.py reads them by hand."""
    written: dict[str, JsonSchema] = {
        "type": {"enum": list(TYPES)},
        "required": {"type": "boolean"},
        "default": {},
        "description": {"type": ["string", "null"]},
        "enum": {"anyOf": [{"type": "array", "minItems": 1}, {"type": "null"}], "description": "the values that are allowed"},
        "connection": {},
    }
    declaration = {"type": "object", "properties": {name: written[name] for name in FIELDS}, "additionalProperties": False}
    return {"type": "object", "description": "the inputs by their names", "additionalProperties": declaration}
