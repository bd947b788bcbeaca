"""Places in JSON as APIs write them: dotted keys, `data[0].id` for an element."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_INDEX = re.compile(r"([^\[\]]+)\[(\d{1,9})\]")


def keys_of(path: str) -> tuple[str, ...]:
    keys: list[str] = []
    for part in path.split("."):
        found = _INDEX.fullmatch(part)
        keys += (found[1], found[2]) if found else (part,)
    return tuple(keys)


def value_at(value: Any, keys: tuple[str, ...]) -> Any:
    """What stands there. None: nothing does."""
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isascii() and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


def put_at(made: dict[str, Any], keys: tuple[str, ...], token: Any) -> None:
    """Into objects made anew on the way: what was made may share what the definition has."""
    holder: Any = made
    for key in keys[:-1]:
        inner = holder.get(key)
        holder[key] = dict(inner) if isinstance(inner, Mapping) else {}
        holder = holder[key]
    holder[keys[-1]] = token
