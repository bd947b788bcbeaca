"""Where each value of a document stands in its text: a tree beside the value, and the way from a path to line and column."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

Style = Literal["json", "plain", "quoted", "block", "other"]
_ESCAPE = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u....|.)|.", re.DOTALL)


@dataclass(slots=True)
class Place:
    """One value: characters `start` to `end` of the text, and what is inside it."""

    start: int
    end: int
    style: Style = "other"  # how a text is written; other: a container, a number, a text whose offsets cannot be followed
    inside: dict[str | int, Place] = field(default_factory=dict)
    key: int | None = None  # in an object: where its key begins


def find_place(root: Place, path: tuple[str | int, ...]) -> tuple[Place, bool]:
    """The place of the path, or of the nearest parent that exists; whether it is the path's own."""
    place = root
    for part in path:
        deeper = place.inside.get(part)
        if deeper is None:
            return place, False
        place = deeper
    return place, True


def line_and_column(text: str, at: int) -> tuple[int, int]:
    """Both 1-based, in characters."""
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def offset_in_text(text: str, place: Place, offset: int) -> int | None:
    """Where in the text the character `offset` of a text value stands; None where that cannot be told."""
    raw = text[place.start : place.end]
    if place.style == "plain":
        return place.start + offset if "\n" not in raw and offset <= len(raw) else None
    if place.style == "json":
        return place.start + 1 + _escaped_offset(raw[1:-1], offset)
    if place.style == "quoted":
        return place.start + 1 + offset if not re.search(r"[\\\n]|''", raw) and offset <= len(raw) - 2 else None
    return _block_offset(text, place, offset) if place.style == "block" else None


def _escaped_offset(raw: str, offset: int) -> int:
    """How many characters of JSON's spelling make the first `offset` characters of the value."""
    at = 0
    for number, spelled in enumerate(_ESCAPE.finditer(raw)):
        if number == offset:
            return at
        at = spelled.end()
    return at


def _block_offset(text: str, place: Place, offset: int) -> int | None:
    """In a YAML block (`|`), whose lines are the value's lines with an indent before each."""
    header, _, body = text[place.start : place.end].partition("\n")
    if not re.fullmatch(r"\|[-+]?\s*", header):  # an explicit indent, or a comment: not worth following
        return None
    at = place.start + len(header) + 1
    first = next((line for line in body.split("\n") if line.strip()), "")
    indent = len(first) - len(first.lstrip(" "))
    left = offset
    for line in body.split("\n"):
        length = max(len(line) - indent, 0)
        if left <= length:
            return at + min(indent, len(line)) + left
        left -= length + 1
        at += len(line) + 1
    return None
