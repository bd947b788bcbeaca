"""The bounds of a definition's text, and how a place in it is refused."""

from __future__ import annotations

from typing import NoReturn

from flows.document.places import line_and_column
from flows.errors import DefinitionError, Problem

MAX_TEXT_BYTES = 4 * 1024 * 1024  # hundreds of times the largest definition that was seen
MAX_DEPTH = 200  # of brackets: what reads definitions recurses, and Python's stack is 1,000 deep


def refuse(problem: str, hint: str | None, text: str, at: int) -> NoReturn:
    """Raise the DefinitionError of a text that cannot be read, with line and column."""
    line, column = line_and_column(text, at)
    raise DefinitionError(Problem((), problem, hint, "DOCUMENT_SYNTAX", line=line, column=column))
