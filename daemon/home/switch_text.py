"""Setting `enabled` in a definition's text with the smallest edit: comments, order and blanks stay. Pure."""

from __future__ import annotations

from daemon.errors import Conflict
from flows.document import Document, read_document
from flows.errors import DefinitionError

FIELD = "enabled"


def switched(text: str, suffix: str, *, on: bool) -> str:
    """The text with `enabled` so. Raises DefinitionError where it is no definition, Conflict where no small edit does it."""
    document = read_document(text, suffix=suffix)
    value = document.value
    if not isinstance(value, dict):
        raise DefinitionError.at((), "a trigger is an object")
    if value.get(FIELD, True) is on:
        return text
    edited = _edited(document, on=on)
    _prove(edited, suffix, {**value, FIELD: on})
    bom = "\ufeff" if text.startswith("\ufeff") else ""
    return bom + edited


def _edited(document: Document, *, on: bool) -> str:
    text, word = document.text, "true" if on else "false"
    span = document.span((FIELD,))
    if span is not None:
        return text[: span[0]] + word + text[span[1] :]
    root = document.span(())
    first = document.first_key()
    if root is None or first is None:
        raise _by_hand()
    if not text.startswith("{", root[0]):  # a YAML block: a line of its own before its first one
        line = text.rfind("\n", 0, first) + 1
        ending = "\r\n" if "\r\n" in text else "\n"
        return f"{text[:first]}{FIELD}: {word}{ending}{text[line:first]}{text[first:]}"
    quote = '"' if text.startswith('"', first) else ""
    blank = text[root[0] + 1 : first] or " "
    return f"{text[:first]}{quote}{FIELD}{quote}: {word},{blank}{text[first:]}"


def _prove(edited: str, suffix: str, wanted: object) -> None:
    """Reading it again shows that nothing else has changed: anchors and merged keys can make a small edit a large one."""
    try:
        found = read_document(edited, suffix=suffix).value
    except DefinitionError as error:
        raise _by_hand() from error
    if found != wanted:
        raise _by_hand()


def _by_hand() -> Conflict:
    return Conflict("no small edit of this text does it", "set `enabled` in the file by hand: camshaft trigger edit")
