"""Published JSON Schemas: what every one of them is made of. Models become parts under their names, forms that depend on a type join them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema

from flows.written import REFERS, JsonSchema

if TYPE_CHECKING:
    from pydantic import BaseModel

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_BY_NAME = ("properties", "patternProperties", "$defs", "dependentSchemas")  # their values are schemas under names of the user's
_VALUES = ("default", "const", "enum", "examples", "required")  # their values are no schemas
_OF_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


class Parts:
    """The parts of one document: models under their own names, and what is put together from them."""

    def __init__(self, models: Iterable[type[BaseModel]]) -> None:
        listed = list(dict.fromkeys(models))
        named, made = models_json_schema([(model, "validation") for model in listed], ref_template="#/$defs/{model}")
        self._names: dict[type[BaseModel], str] = {
            model: named[model, "validation"]["$ref"].rpartition("/")[2] for model in listed
        }
        self.made: dict[str, JsonSchema] = dict(made["$defs"])

    def name(self, model: type[BaseModel]) -> str:
        return self._names[model]

    def refer(self, model: type[BaseModel]) -> JsonSchema:
        return {"$ref": f"#/$defs/{self.name(model)}"}

    def written(self, model: type[BaseModel]) -> JsonSchema:
        """The model's own part, to be put together with more."""
        return self.made[self.name(model)]

    def document(self, title: str, name: str, root: JsonSchema) -> JsonSchema:
        """The whole, with the parts that it comes to."""
        said = {"$schema": DIALECT, "$id": f"urn:camshaft:schema:{name}", "title": title, **_clean(root)}
        parts = {each: _clean(schema) for each, schema in self.made.items()}
        return {**said, "$defs": {each: parts[each] for each in sorted(_reached(said, parts))}}


def by_type(words: Mapping[str, Sequence[str]], then: Mapping[str, JsonSchema], field: str = "type") -> list[JsonSchema]:
    """One arm for each type, by the words that name it: an editor then tells what is wrong with this one, not with all."""
    return [
        {"if": {"properties": {field: {"enum": list(words[kind])}}, "required": [field]}, "then": then[kind]} for kind in then
    ]


def typed(words: Mapping[str, Sequence[str]], then: Mapping[str, JsonSchema], field: str = "type") -> JsonSchema:
    """An object whose other fields depend on one of them."""
    known = [word for each in words.values() for word in each]
    return {"type": "object", "properties": {field: {"enum": known}}, "required": [field], "allOf": by_type(words, then, field)}


def either(field: str, with_it: JsonSchema, without: JsonSchema) -> JsonSchema:
    """One of two forms, told by a field."""
    return {"if": {"required": [field]}, "then": with_it, "else": without}


def _clean(schema: Any) -> Any:
    """Without what only fills the document, and with marks as the references they stand for."""
    if isinstance(schema, list):
        return [_clean(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    cleaned: JsonSchema = {}
    for word, value in schema.items():
        if word == REFERS:
            cleaned["$ref"] = f"#/$defs/{value}"
        elif word in _BY_NAME:
            cleaned[word] = {name: _clean(each) for name, each in value.items()}
        elif word in _VALUES:
            cleaned[word] = value
        elif not (word == "title" or (word == "description" and not value)):
            cleaned[word] = _clean(value)
    return _as_written(cleaned)


def _as_written(schema: JsonSchema) -> JsonSchema:
    """Of a text that a model turns into a number, what is said of the number goes; so does a default that says nothing."""
    text = schema.get("type") == "string"
    left_out = set(_OF_NUMBERS) if text else set()
    default = schema.get("default")
    made = isinstance(default, list) and not (schema.get("type") == "array" or "anyOf" in schema)  # of a text, by the model
    if default is None or isinstance(default, dict) or made or (text and not isinstance(default, str)):
        left_out.add("default")
    return {word: value for word, value in schema.items() if word not in left_out}


def _reached(root: JsonSchema, parts: Mapping[str, JsonSchema]) -> set[str]:
    found: set[str] = set()
    pending: list[Any] = [root]
    while pending:
        each = pending.pop()
        if isinstance(each, dict):
            name = str(each.get("$ref", "")).rpartition("/")[2]
            if name and name not in found:
                found.add(name)
                pending.append(parts[name])
            pending.extend(each.values())
        elif isinstance(each, list):
            pending.extend(each)
    return found
