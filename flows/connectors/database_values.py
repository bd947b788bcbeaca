"""Values between JSON and a database: how each is bound, and what each type of a column becomes."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from flows.errors import StepError
from flows.steps.json_text import json_text

_SCALARS = (str, int, float)


@dataclass(frozen=True, slots=True)
class AsJson:
    """A value for a column of JSON, where a list would else be bound as an array."""

    value: Any


def for_sqlite(value: Any) -> Any:
    """Objects and lists as JSON text, which SQLite's own functions read."""
    if isinstance(value, AsJson):
        return json_text(value.value)
    return json_text(value) if isinstance(value, (dict, list)) else value


def for_postgresql(value: Any, json: Callable[[Any], Any]) -> Any:
    """Objects as `json` wraps them; a list of plain values is an array (`= ANY(:ids)`), any other list is JSON."""
    if isinstance(value, AsJson):
        return json(value.value)
    if isinstance(value, Mapping):
        return json(value)
    if isinstance(value, list):
        plain = all(isinstance(each, _SCALARS) or each is None for each in value)
        same = len({type(each) for each in value if each is not None}) <= 1
        return value if plain and same else json(value)
    return value


def as_json_value(value: Any) -> Any:
    """What a column's value is in JSON. Exact ones stay exact: a decimal is text, and so is a date."""
    make = _MAKE.get(type(value))
    try:
        return str(value) if make is None else make(value)
    except RecursionError:
        raise StepError("a list is nested too deep", code="DATABASE_VALUE", retryable=False) from None


def _same(value: Any) -> Any:
    return value


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _decimal(value: Decimal) -> str | None:
    return format(value, "f") if value.is_finite() else None


def _base64(value: bytes) -> str:
    return b64encode(value).decode()


def _instant(value: datetime) -> str:
    if value.tzinfo is None:
        return value.isoformat()
    try:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:  # in the first or the last hours that Python has
        return value.isoformat()


def _list(value: Sequence[Any]) -> list[Any]:
    return [as_json_value(each) for each in value]


_MAKE: dict[type, Callable[[Any], Any]] = {  # a type that is not here is written as its text: a range, an address
    type(None): _same,
    str: _same,
    bool: _same,
    int: _same,
    float: _number,
    Decimal: _decimal,
    datetime: _instant,
    date: date.isoformat,
    time: time.isoformat,
    bytes: _base64,
    bytearray: _base64,
    memoryview: _base64,
    UUID: str,
    list: _list,
    tuple: _list,
    dict: _same,  # of a column of JSON, which is JSON all through
}
