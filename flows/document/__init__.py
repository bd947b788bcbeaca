"""A definition's text, JSON or YAML, as a value whose every part knows its line and column."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import Any

from flows.document.json_text import json_places, parse_json
from flows.document.places import Place, find_place, line_and_column, offset_in_text
from flows.document.refuse import MAX_DEPTH, MAX_TEXT_BYTES, refuse
from flows.document.yaml_text import parse_yaml
from flows.errors import DefinitionError, Problem

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)  # to make one costs as much as to use it

__all__ = ["MAX_DEPTH", "MAX_TEXT_BYTES", "SUFFIXES", "Document", "canonical", "digest", "locate", "read_document"]

SUFFIXES = (".json", ".yaml", ".yml")


@dataclass(slots=True)
class Document:
    """What was read, and its text for saying where."""

    value: Any
    text: str
    _places: Place | None = field(default=None, repr=False)  # None: JSON, whose places are found when first asked for

    def place(self, path: tuple[str | int, ...], *, of_key: bool = False) -> tuple[int, int] | None:
        """Line and column, 1-based, of the value at the path (or of its key), or of its nearest parent that exists."""
        place, exact = find_place(self._root(), path)
        at = place.key if of_key and exact and place.key is not None else place.start
        return line_and_column(self.text, at)

    def span(self, path: tuple[str | int, ...]) -> tuple[int, int] | None:
        """Where in the text the value at exactly this path begins, and where it has ended."""
        place, exact = find_place(self._root(), path)
        return (place.start, place.end) if exact else None

    def first_key(self) -> int | None:
        """Where in the text the first key of an object begins; None: there is none."""
        return min((inner.key for inner in self._root().inside.values() if inner.key is not None), default=None)

    def place_inside(self, path: tuple[str | int, ...], offset: int) -> tuple[int, int] | None:
        """Line and column of a character of the text value at the path; None where that cannot be told."""
        place, exact = find_place(self._root(), path)
        at = offset_in_text(self.text, place, offset) if exact else None
        return None if at is None else line_and_column(self.text, at)

    def _root(self) -> Place:
        if self._places is None:
            self._places = json_places(self.text)
        return self._places


def read_document(text: str | bytes, *, suffix: str) -> Document:
    """Raises DefinitionError with line and column where the text is not JSON (`.json`) or YAML (`.yaml`, `.yml`)."""
    kind = suffix.lower()
    if kind not in SUFFIXES:
        raise DefinitionError.at(
            (), f"«{suffix}» files are not definitions", f"known are {', '.join(SUFFIXES)}", code="DOCUMENT_SYNTAX"
        )
    if len(text) > MAX_TEXT_BYTES:
        raise DefinitionError.at((), f"the file has more than {MAX_TEXT_BYTES:,} bytes", code="DOCUMENT_SYNTAX")
    said = (_decoded(text) if isinstance(text, bytes) else text).removeprefix("\ufeff")
    if kind == ".json":
        return Document(parse_json(said), said)
    value, places = parse_yaml(said)
    return Document(value, said, places)


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        hint = "save it as UTF-8" if raw[:2] not in (b"\xff\xfe", b"\xfe\xff") else "it looks like UTF-16: save it as UTF-8"
        refuse(f"the file is not UTF-8: byte 0x{raw[error.start]:02x}", hint, before, len(before))


def locate(problem: Problem, document: Document | None, file: str | None) -> Problem:
    """The same problem with file, line and column, as far as they can be told; a place it has already stays."""
    located = problem if problem.file else replace(problem, file=file)
    if document is None or located.line is not None:
        return located
    place = document.place_inside(problem.path, problem.offset) if problem.offset is not None else None
    line, column = place or document.place(problem.path, of_key=problem.of_key) or (None, None)
    return replace(located, line=line, column=column)


def canonical(value: Any) -> bytes:
    """The same bytes for equal JSON values: keys in order, no blanks, ASCII (so a lone surrogate survives)."""
    try:
        return _CANONICAL.encode(value).encode("ascii")
    except RecursionError:
        raise DefinitionError.at((), f"the document is nested more than {MAX_DEPTH} deep", code="DOCUMENT_SYNTAX") from None


def digest(value: Any) -> str:
    """SHA-256 of the canonical bytes, hex: the version that a run pins."""
    return hashlib.sha256(canonical(value)).hexdigest()
