"""Reading a property: own keys of JSON values only. No prototype, no attribute of a Python object is reachable."""

from __future__ import annotations

from typing import Any

from flows.errors import MissingPath
from flows.expression import utf16
from flows.expression.fuel import Fuel
from flows.expression.values import UNDEFINED, MatchArray, Opaque

_MAX_INDEX_DIGITS = 15  # longer texts are no index of anything that fits into memory


def read(value: Any, key: str | int) -> Any:
    """value[key] for a value that is there; UNDEFINED where it has no such key of its own."""
    if isinstance(value, dict):
        return value.get(key if isinstance(key, str) else str(key), UNDEFINED)
    if isinstance(value, list | tuple):
        return _item(value, key)
    if isinstance(value, str):
        return _unit(value, key)
    if isinstance(value, Opaque):
        return value.members.get(key if isinstance(key, str) else str(key), UNDEFINED)
    return UNDEFINED


def weigh(value: Any, fuel: Fuel) -> None:
    """Account for reading from a long text, whose code units have to be counted. Needed where a loop may repeat it."""
    if isinstance(value, str) and len(value) > 256:
        fuel.burn(len(value) >> 9)


def has(value: Any, key: str) -> bool:
    """`key in value` for an object."""
    if isinstance(value, dict):
        return key in value
    if isinstance(value, list | tuple):
        return _item(value, key) is not UNDEFINED or _within(key, len(value))
    return isinstance(value, Opaque) and key in value.members


def _within(key: str, count: int) -> bool:
    index = index_of(key)
    return index is not None and index < count


def _item(array: list[Any] | tuple[Any, ...], key: str | int) -> Any:
    index = index_of(key)
    if index is not None:
        return array[index] if index < len(array) else UNDEFINED
    if key == "length":
        return len(array)
    return array.members.get(str(key), UNDEFINED) if isinstance(array, MatchArray) else UNDEFINED


def _unit(text: str, key: str | int) -> Any:
    index = index_of(key)
    if index is not None:
        found = utf16.unit_at(text, index)
        return UNDEFINED if found is None else found
    return utf16.length(text) if key == "length" else UNDEFINED


def index_of(key: str | int) -> int | None:
    """The index that a key is: `"3"` is one, `"03"`, `"-1"` and `"1.5"` are names."""
    if isinstance(key, int):
        return key if key >= 0 else None
    if not (key.isascii() and key.isdigit()) or len(key) > _MAX_INDEX_DIGITS or (key[0] == "0" and key != "0"):
        return None
    return int(key)


def missing(value: Any, path: str, offset: int) -> MissingPath:
    """The error of walking on from null or undefined; `path` is the source text of what was walked on from."""
    state = "null" if value is None else "missing"
    return MissingPath(f"`{path}` is {state}", path=path, offset=offset)
