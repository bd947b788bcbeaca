"""What a value of the language is: JSON's values as Python has them, undefined, functions and opaque objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from flows.expression.fuel import Fuel


class Undefined:
    """JavaScript's undefined: there is one, UNDEFINED, and it is falsy."""

    __slots__ = ()

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return "undefined"

    def __copy__(self) -> Undefined:
        return self

    def __deepcopy__(self, _memo: object) -> Undefined:
        return self

    def __reduce__(self) -> str:
        return "UNDEFINED"  # the one of this module, also after pickling


UNDEFINED: Final = Undefined()


class Opaque:
    """An object that is not data: a regular expression, a namespace such as Math, a function."""

    __slots__ = ("members", "text")

    def __init__(self, text: str, members: Mapping[str, Any]) -> None:
        self.text = text  # what String(value) gives
        self.members = members  # what can be read from it: its own names, nothing inherited


class Function(Opaque):
    """Something that can be called: an arrow function or a built-in."""

    __slots__ = ("call",)

    def __init__(self, text: str, call: Callable[[Fuel, list[Any]], Any], members: Mapping[str, Any] | None = None) -> None:
        super().__init__(text, members or {})
        self.call = call


class MatchArray(list[Any]):
    """What a match gives: an array that also has index, input and groups."""

    __slots__ = ("members",)

    def __init__(self, items: list[Any], members: Mapping[str, Any]) -> None:
        super().__init__(items)
        self.members = members


TYPES: Final = {
    Undefined: "undefined",
    type(None): "null",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
    Function: "function",
}


def type_of(value: Any) -> str:
    """undefined, null, boolean, number, string, array, object or function."""
    known = TYPES.get(type(value))
    if known is not None:
        return known
    for kind, name in ((bool, "boolean"), (int, "number"), (float, "number"), (str, "string"), (list, "array"), (tuple, "array")):
        if isinstance(value, kind):
            return name
    return "object"


def truthy(value: Any) -> bool:
    """JavaScript's truth: only false, 0, NaN, "", null and undefined are not true."""
    kind = type(value)
    if kind is bool:
        return bool(value)
    if kind is list or kind is dict:
        return True
    if kind is str or kind is int:
        return bool(value)
    if kind is float:
        return bool(value == value and value != 0)  # noqa: PLR0124 - NaN is not itself
    if value is None or value is UNDEFINED:
        return False
    return not isinstance(value, str | int | float) or bool(value)


def is_array(value: Any) -> bool:
    """A tuple counts: callers hand in rows as they have them."""
    return isinstance(value, list | tuple)


def own_keys(value: Mapping[Any, Any]) -> list[str]:
    """An object's keys in JavaScript's order: array indexes by size, then the rest as they came."""
    keys = [key for key in value if isinstance(key, str)]
    indexes = [key for key in keys if key[:1] in _DIGITS and _is_index(key)]
    if not indexes:
        return keys
    found = set(indexes)
    return sorted(indexes, key=int) + [key for key in keys if key not in found]


_DIGITS = frozenset("0123456789")


def _is_index(key: str) -> bool:
    if len(key) > 10 or not (key.isascii() and key.isdigit()) or (key[0] == "0" and key != "0"):
        return False
    return int(key) < 2**32 - 1
