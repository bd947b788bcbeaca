"""`--fields a,b.c`: only these of each thing, in this order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from daemon.errors import BadRequest

_MISSING = object()


def names_of(text: str) -> list[str]:
    """Raises BadRequest where nothing is named."""
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise BadRequest("--fields takes names with commas between them", "e.g. --fields key,enabled or --fields run,error")
    return list(dict.fromkeys(names))


def chosen(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """Of each row these fields, in this order; None where this one has it not. Raises BadRequest where none of them has it."""
    for name in names if rows else ():
        if all(_found(row, name) is _MISSING for row in rows):
            raise _unknown(rows, name)
    return [{name: None if (value := _found(row, name)) is _MISSING else value for name in names} for row in rows]


def _found(value: Any, name: str) -> Any:
    """The value at `a.b`: a key with dots in it first, then one inside the other; numbers count in lists."""
    if isinstance(value, list):
        head, _, rest = name.partition(".")
        if not (head.isascii() and head.isdigit()) or int(head) >= len(value):
            return _MISSING
        return _found(value[int(head)], rest) if rest else value[int(head)]
    if not isinstance(value, Mapping):
        return _MISSING
    if name in value:
        return value[name]
    for at, mark in enumerate(name):
        if mark == "." and name[:at] in value and (inner := _found(value[name[:at]], name[at + 1 :])) is not _MISSING:
            return inner
    return _MISSING


def _unknown(rows: Sequence[Mapping[str, Any]], name: str) -> BadRequest:
    """Names what is known at the place where the name goes wrong."""
    from flows.suggest import did_you_mean  # for a mistake alone: every list would load it

    inside: Sequence[Any] = rows
    before = ""
    head, _, rest = name.partition(".")
    while rest and any(isinstance(row, Mapping) and head in row for row in inside):
        inside = [row[head] for row in inside if isinstance(row, Mapping) and head in row]
        before, name = f"{before}{head}.", rest
        head, _, rest = name.partition(".")
    known = list(dict.fromkeys(key for row in inside if isinstance(row, Mapping) for key in row))
    hint = did_you_mean(head, known) or (f"known are {', '.join(known)}" if known else None)
    return BadRequest(f"there is no field «{before}{name}»", hint)
