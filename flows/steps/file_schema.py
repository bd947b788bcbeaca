"""`fileRead.schema`: rules for the fields of a JSON file, checked for sense at load and against the value at run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.errors import Problem
from flows.steps.json_text import json_text
from flows.suggest import did_you_mean, shown

TYPES = ("string", "number", "boolean", "object", "array", "null", "unknown")
FIELDS = ("type", "required", "enum", "items", "minItems", "maxItems", "length", "properties")
ARRAY_ONLY = ("items", "minItems", "maxItems", "length")
MAX_VIOLATIONS = 100  # in one error: a list of a million wrong items is told by its first hundred

Place = tuple[str | int, ...]


def schema_problems(schema: Any, path: Place) -> list[Problem]:
    """What is wrong with the schema itself; `path` is where it stands."""
    if not isinstance(schema, Mapping):
        return [Problem(path, f"a schema maps field names to rules, and this is {shown(schema)}")]
    return [problem for name, rule in schema.items() for problem in _rule_problems(rule, (*path, str(name)))]


def _rule_problems(rule: Any, path: Place) -> list[Problem]:
    if isinstance(rule, str):
        return _type_problems(rule, path)
    if not isinstance(rule, Mapping):
        return [Problem(path, f"a rule is a type or an object, and this is {shown(rule)}", f"types are {', '.join(TYPES)}")]
    problems = [
        Problem((*path, name), f"«{name}» is no field of a rule", did_you_mean(name, FIELDS))
        for name in rule
        if name not in FIELDS
    ]
    if "type" in rule:
        problems += _type_problems(rule["type"], (*path, "type"))
    if not isinstance(rule.get("required", False), bool):
        problems.append(Problem((*path, "required"), f"required is {shown(rule['required'])}, and must be true or false"))
    if "enum" in rule and not (isinstance(rule["enum"], list) and all(_is_scalar(each) for each in rule["enum"])):
        problems.append(Problem((*path, "enum"), "enum must be a list of texts, numbers, true, false or null"))
    problems += _bound_problems(rule, path)
    if "items" in rule:
        problems += _rule_problems(rule["items"], (*path, "items"))
    if "properties" in rule:
        problems += schema_problems(rule["properties"], (*path, "properties"))
    return problems


def _bound_problems(rule: Mapping[str, Any], path: Place) -> list[Problem]:
    problems: list[Problem] = []
    for name in ("minItems", "maxItems", "length"):
        count = rule.get(name, 0)
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            problems.append(Problem((*path, name), f"{name} is {shown(count)}, and must be a whole number from 0"))
    for names, needed in ((ARRAY_ONLY, "array"), (("properties",), "object")):
        wrong = [name for name in names if name in rule and rule.get("type") != needed]
        problems += [
            Problem((*path, name), f'{name} needs "type": "{needed}"', "without it the rule would check nothing")
            for name in wrong
        ]
    return problems


def _type_problems(name: Any, path: Place) -> list[Problem]:
    if name in TYPES:
        return []
    near = did_you_mean(name, TYPES) if isinstance(name, str) else None
    return [Problem(path, f"{shown(name)} is no type", near or f"types are {', '.join(TYPES)}")]


def violations(value: Any, schema: Mapping[str, Any]) -> list[str]:
    """Every way in which `value` breaks the schema, with dotted places; at most MAX_VIOLATIONS."""
    found: list[str] = []
    _check_object(value, schema, "", found)
    return found


def _check_object(value: Any, schema: Mapping[str, Any], place: str, found: list[str]) -> None:
    if not isinstance(value, dict):
        found.append(f"expected an object at {place or 'the root'} but got {_type_of(value)}")
        return
    for name, rule in schema.items():
        inner = f"{place}.{name}" if place else name
        full = {"type": rule} if isinstance(rule, str) else rule
        if name in value:
            _check_value(value[name], full, inner, found)
        elif full.get("required"):
            found.append(f"{inner} is required and missing")


def _check_value(value: Any, rule: Mapping[str, Any], place: str, found: list[str]) -> None:
    if len(found) >= MAX_VIOLATIONS:
        return
    expected = rule.get("type", "unknown")
    if expected not in ("unknown", _type_of(value)):
        found.append(f"{place} must be {expected} and is {_type_of(value)}")
        return
    if "enum" in rule and not any(_same(value, each) for each in rule["enum"]):
        allowed = ", ".join(json_text(each) for each in rule["enum"])
        found.append(f"{place} is {json_text(value)[:80]} and must be one of {allowed}")
    if expected == "array":
        _check_array(value, rule, place, found)
    if "properties" in rule:
        _check_object(value, rule["properties"], place, found)


def _check_array(value: list[Any], rule: Mapping[str, Any], place: str, found: list[str]) -> None:
    count = len(value)
    for name, words, broken in (
        ("length", "exactly", count != rule.get("length", count)),
        ("minItems", "at least", count < rule.get("minItems", 0)),
        ("maxItems", "at most", count > rule.get("maxItems", count)),
    ):
        if broken:
            found.append(f"{place} must have {words} {rule[name]} items and has {count}")
    if "items" in rule:
        each_rule = {"type": rule["items"]} if isinstance(rule["items"], str) else rule["items"]
        for index, item in enumerate(value):
            _check_value(item, each_rule, f"{place}[{index}]", found)


def _type_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float, bool))


def _same(left: Any, right: Any) -> bool:
    """JavaScript's ===: 1 and 1.0 are the same, 1 and true are not."""
    return _type_of(left) == _type_of(right) and bool(left == right)
