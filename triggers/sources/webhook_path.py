"""A hook's path: literal parts, parameters (`:id`, `{id}`) and a tail (`*rest`), in one written form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

PREFIX = "/hooks"
MAX_PATH = 512
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_PLAIN = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")  # what most paths are made of, and what stands for itself in each
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MARKS = ":*{%"  # what a literal may not begin with in the written form
_HINT = (
    "a parameter is a whole part of the path, like :id or {id}, and *rest the last one; write %3A, %7B and %2A for the characters"
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A part of a path that is not fixed. `rest`: it takes all that is left, one part or more."""

    name: str
    rest: bool = False

    def __str__(self) -> str:
        return f"{'*' if self.rest else ':'}{self.name}"


Part = str | Parameter


def hook_path(text: str) -> str:
    """`deal-created`, `/deal-created/` → `/deal-created`; `/orders/{id}` → `/orders/:id`. Raises ValueError saying what is wrong."""
    if _PLAIN.fullmatch(text) and len(text) <= MAX_PATH and not f"{text}/".startswith(f"{PREFIX}/"):
        return text
    if len(text) > MAX_PATH:
        raise ValueError(f"path has {len(text)} characters, at most {MAX_PATH}")
    if any(mark in text for mark in "?#"):
        raise ValueError("path holds ? or #: a path is what stands before them")
    if "\\" in text:
        raise ValueError("path holds a backslash: parts are divided by /")
    parts = _parts_as_written(text if text.startswith("/") else f"/{text}")
    if parts[0] == PREFIX.removeprefix("/"):
        raise ValueError(f"{PREFIX} is put before the path by itself: write {path_text(parts[1:]) if parts[1:] else '/name'}")
    return path_text(parts)


def _parts_as_written(path: str) -> list[Part]:
    """Raises ValueError."""
    decoded = decoded_parts(path)
    if decoded is None or not all(part.isprintable() and "/" not in part for part in decoded):
        raise ValueError(
            "path is not a path: no empty parts, no `.` or `..`, no control characters, and percent-encoding in UTF-8"
        )
    written = path.removesuffix("/").split("/")[1:]
    parts = [_part(raw, literal, last=raw is written[-1]) for raw, literal in zip(written, decoded, strict=True)]
    names = [part.name for part in parts if isinstance(part, Parameter)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"path has two parameters with the name {twice}")
    return parts


def _part(written: str, literal: str, *, last: bool) -> Part:
    """What is percent-encoded is always a literal."""
    rest = written.startswith("*")
    if written.startswith("{") and written.endswith("}"):
        name = written[1:-1]
    elif rest or written.startswith(":"):
        name = written[1:]
    elif any(mark in written for mark in "{}*"):
        raise ValueError(f"path has the part «{written}», which is a pattern only in part: {_HINT}")
    else:
        return literal
    if not _NAME.fullmatch(name):
        raise ValueError(f"path has the part «{written}», which has no name of letters, digits and _: {_HINT}")
    if rest and not last:
        raise ValueError(f"path goes on behind «{written}», which takes all that is left")
    return Parameter(name, rest)


def decoded_parts(raw: str) -> list[str] | None:
    """The parts of a path, percent-encoding undone, one slash at the end ignored. None: no hook can have it.

    A part may hold a slash that was encoded: it is in that part, and divides nothing.
    """
    written = raw.removesuffix("/").split("/")[1:]
    if "%" not in raw and raw.isascii():
        parts = written
    elif _ESCAPE.search(raw):
        return None
    else:
        try:
            parts = [unquote_to_bytes(part.encode("utf-8")).decode("utf-8") for part in written]
        except ValueError:  # an address that is not UTF-8
            return None
    if not parts or any(part in ("", ".", "..") or _CONTROL.search(part) for part in parts):
        return None
    return parts


def path_text(parts: Iterable[Part]) -> str:
    """One text for one path. A literal that looks like a parameter has its first character encoded."""
    return "".join(f"/{part if isinstance(part, Parameter) else _literal_text(part)}" for part in parts)


def _literal_text(part: str) -> str:
    return f"%{ord(part[0]):02X}{part[1:]}" if part[0] in _MARKS else part


def parts_of(path: str) -> list[Part]:
    """The parts of what path_text() gave."""
    return [_read(part) for part in path.split("/")[1:]]


def _read(part: str) -> Part:
    if part[0] in ":*":
        return Parameter(part[1:], part[0] == "*")
    return f"{chr(int(part[1:3], 16))}{part[3:]}" if part[0] == "%" else part


def has_parameters(path: str) -> bool:
    return "/:" in path or "/*" in path


def ambiguous(paths: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Trigger keys by whose path a request would be found as well as by another's: (key, the other's key, its path).

    Only paths that differ in nothing but the names of their parameters are; of others the more specific one is found.
    """
    first: dict[str, str] = {}
    found = []
    for key in sorted(paths):
        path = paths[key]
        if has_parameters(path):
            shape = path_text(Parameter("", part.rest) if isinstance(part, Parameter) else part for part in parts_of(path))
            other = first.setdefault(shape, key)
            if paths[other] != path:
                found.append((key, other, paths[other]))
    return found
