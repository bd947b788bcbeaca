"""One definition's file as a document, with every mistake in its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from flows.document import MAX_TEXT_BYTES, Document, locate, read_document
from flows.errors import DefinitionError
from flows.flow import Flow
from triggers.trigger import Trigger


def read_file(file: Path) -> Document:
    """A definition's document. Raises DefinitionError with file and line."""
    try:
        if not file.is_file():  # opening a pipe would wait for ever
            raise DefinitionError.at((), "it is no file" if file.exists() else "it is not there")
        with file.open("rb") as opened:
            return read_document(opened.read(MAX_TEXT_BYTES + 1), suffix=file.suffix)
    except DefinitionError as error:
        raise in_file(error, file) from error
    except OSError as error:
        raise in_file(DefinitionError.at((), f"it cannot be read: {error.strerror}"), file) from error


def load_document(file: Path, document: Document, load: Callable[[Path, Document], Trigger | Flow]) -> Trigger | Flow:
    """Load what was read from a file. Raises DefinitionError with every problem in its place."""
    try:
        return load(file, document)
    except DefinitionError as error:
        raise DefinitionError(*(locate(problem, document, str(file)) for problem in error.problems)) from error


def in_file(error: DefinitionError, file: Path) -> DefinitionError:
    """The same, with the file in which it stands."""
    return DefinitionError(*(replace(problem, file=str(file)) for problem in error.problems))
