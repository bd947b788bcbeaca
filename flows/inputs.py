"""The inputs a flow declares: what is missing, what has a default, and values made the type they are declared as.

What is made of what, and the sentences that refuse, are those that the One CLI documents; `integer` and `any` are ours.

null stands for «not given»: the default takes its place; without one it is refused where the input is required, and stays null
where it is not. An optional input that was not given and has no default is absent, so that missing and null can be told apart.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flows.document import read_document
from flows.errors import DefinitionError, ExpressionError, Problem
from flows.expression import to_text
from flows.suggest import did_you_mean, nearest, shown
from flows.text import as_json, as_text

TYPES = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "any": "anything",
}
FIELDS = ("type", "required", "default", "description", "enum", "connection")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_MAX_DIGITS = 400  # of a number given as text: more than the largest float has
_MUST_BE = {
    "string": "a string",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "a boolean",
    "object": "an object",
    "array": "an array",
}
_WORDS = {"true": True, "1": True, "false": False, "0": False}
_SHOWN_CHARACTERS = 200  # of a value that is refused: the sentence stands in logs and in rows


class _Unfit(Exception):  # noqa: N818 - an answer, caught in this file
    """The value cannot be made what is declared. `found`: how it is shown, where that is not with its type."""

    def __init__(self, wanted: str, found: str | None = None) -> None:
        self.found = found
        super().__init__(wanted)


@dataclass(frozen=True, slots=True)
class Input:
    """One declared input."""

    name: str
    type: str = "any"  # one of TYPES
    required: bool = True
    has_default: bool = False
    default: Any = None  # of the declared type already
    description: str | None = None
    enum: tuple[Any, ...] | None = None  # the values that are allowed, of the declared type; None: all
    connection: Any = None  # what the One CLI binds it to; kept as written


@dataclass(frozen=True, slots=True)
class Inputs:
    """All inputs of one flow. Values that are not declared pass through: `unknown` names them."""

    declared: Mapping[str, Input]
    warnings: tuple[Problem, ...] = ()

    @classmethod
    def parse(cls, declarations: Any) -> Inputs:
        """From `{name: {type, required, default, description, enum}}`. Raises DefinitionError with all that is wrong."""
        if declarations is None:
            return cls({})
        if not isinstance(declarations, dict):
            raise DefinitionError.at(
                (), f"inputs is {shown(declarations)}, and must be an object", '{"name": {"type": "string"}}'
            )
        problems: list[Problem] = []
        declared = {name: _parse(name, given, problems) for name, given in declarations.items()}
        refused = [problem for problem in problems if not problem.warning]
        if refused:
            raise DefinitionError(*refused)
        return cls(declared, tuple(problems))

    def coerce(self, values: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
        """The inputs of a run, and a sentence for each that is missing or does not fit. The values given are not changed."""
        if not isinstance(values, dict):
            return {}, (f"the inputs are {shown(values)}, and must be an object",)
        made = dict(values)
        problems: list[str] = []
        for each in self.declared.values():
            if values.get(each.name) is None:
                self._fill(each, values, made, problems)
                continue
            try:
                made[each.name] = _fit(values[each.name], each)
            except _Unfit as unfit:
                problems.append(f'Input "{each.name}" must be {unfit}, got {unfit.found or _described(values[each.name])}')
        return made, tuple(problems)

    def _fill(self, each: Input, values: Mapping[str, Any], made: dict[str, Any], problems: list[str]) -> None:
        """Put in what stands for an input that was not given."""
        if each.has_default:
            made[each.name] = each.default
        elif each.required and (each.type != "any" or each.name not in values):
            near = nearest(each.name, self.unknown(values))
            means = f" — {each.description}" if each.description else ""
            given = f'; "{near}" was given' if near else ""
            problems.append(f'Missing required input: "{each.name}"{means}{given}')

    def unknown(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Names of values that the flow does not declare."""
        return tuple(name for name in values if name not in self.declared)


def _parse(name: str, given: Any, problems: list[Problem]) -> Input:
    """One declaration; what is wrong with it goes into problems."""

    def wrong(problem: str, hint: str | None, *path: str | int, warning: bool = False, of_key: bool = False) -> None:
        problems.append(Problem((name, *path), problem, hint, warning=warning, of_key=of_key))

    if not isinstance(given, dict):
        wrong(f"the input «{name}» is declared by {shown(given)}, and must be by an object", '{"type": "string"}')
        return Input(name)
    for field in given:
        if field not in FIELDS:
            near = did_you_mean(field, FIELDS)
            wrong(
                f"{field} is not known here", near or f"known are {', '.join(FIELDS)}", field, warning=near is None, of_key=True
            )
    kind = given.get("type", "any")
    if kind not in TYPES if isinstance(kind, str) else True:
        near = did_you_mean(kind, TYPES) if isinstance(kind, str) else None
        wrong(f"{shown(kind)} is no type of inputs", near or f"known are {', '.join(TYPES)}", "type")
        return Input(name)
    required, description, enum = given.get("required", True), given.get("description"), given.get("enum")
    if not isinstance(required, bool):
        wrong(f"required is {shown(required)}, and must be true or false", None, "required")
    if description is not None and not isinstance(description, str):
        wrong(f"description is {shown(description)}, and must be text", None, "description")
    if enum is not None and (not isinstance(enum, list) or not enum):
        wrong(f"enum is {shown(enum)}, and must be a list of the values that are allowed", None, "enum")
        enum = None
    allowed = _allowed(enum, kind, wrong)
    made = Input(name, kind, required is not False, "default" in given, None, description, allowed, given.get("connection"))
    return _with_default(made, given.get("default"), wrong)


def _allowed(enum: list[Any] | None, kind: str, wrong: Callable[..., None]) -> tuple[Any, ...] | None:
    if enum is None:
        return None
    made = []
    for number, value in enumerate(enum):
        try:
            made.append(_convert(value, kind))
        except _Unfit:
            wrong(f"{shown(value)} is not {TYPES[kind]}", "the input could never have this value", "enum", number)
    return tuple(made)


def _with_default(made: Input, default: Any, wrong: Callable[..., None]) -> Input:
    if default is None:
        return made
    try:
        fitting = _fit(default, made)
    except _Unfit as unfit:
        wrong(f"the default is {shown(default)}, and must be {unfit}", None, "default")
        return made
    return Input(made.name, made.type, made.required, True, fitting, made.description, made.enum, made.connection)


def _fit(value: Any, declared: Input) -> Any:
    """The value as the declared type. Raises _Unfit with what it must be."""
    made = _convert(value, declared.type)
    if declared.enum is not None and not any(_same(made, each) for each in declared.enum):
        raise _Unfit(f"one of {_quoted(list(declared.enum))}", _quoted(made))
    return made


def _quoted(value: Any) -> str:
    """As JSON, cut where it is long."""
    text = as_json(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _described(value: Any) -> str:
    """`string ("lots")`: its type as JavaScript names it, and the value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"boolean ({_quoted(value)})"
    if isinstance(value, (int, float)):
        return f"number ({as_text(value)})"
    kind = "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"
    return f"{kind} ({_quoted(value)})"


def _same(left: Any, right: Any) -> bool:
    """Equal as JSON: true is not 1, 1 is 1.0."""
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _convert(value: Any, kind: str) -> Any:
    if kind == "any":
        return value
    made = _CONVERSIONS[kind](value)
    if made is None:
        raise _Unfit(_MUST_BE[kind])
    return made


def _string(value: Any) -> str | None:
    """As String() makes it: a list is its elements with commas, an object says only that it is one."""
    if isinstance(value, (bool, int, float, str)):
        return as_text(value)
    try:
        return to_text(value)
    except ExpressionError:  # nested beyond all reason, or endless
        return None


def _number(value: Any) -> int | float | None:
    if isinstance(value, str):
        text = value.strip()
        if len(text) > _MAX_DIGITS or not _NUMBER.fullmatch(text):
            return None
        value = int(text) if text.lstrip("+-").isdigit() else float(text)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(_as_float(value)):
        return None
    return value


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer beyond all floats
        return math.inf


def _integer(value: Any) -> int | None:
    number = _number(value)
    if number is None or number != int(number):
        return None
    return int(number)


def _boolean(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _WORDS.get(value)
    return bool(value) if isinstance(value, (int, float)) and value in (0, 1) else None


def _object(value: Any) -> dict[str, Any] | None:
    made = _from_json(value)
    return made if isinstance(made, dict) else None


def _array(value: Any) -> list[Any] | None:
    made = _from_json(value)
    return made if isinstance(made, list) else None


def _from_json(value: Any) -> Any:
    """The value of a JSON text; anything else is itself."""
    if not isinstance(value, str):
        return value
    try:
        return read_document(value, suffix=".json").value
    except DefinitionError:
        return None


_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "string": _string,
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "object": _object,
    "array": _array,
}
