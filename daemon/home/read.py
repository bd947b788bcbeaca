"""One definition's file as a document, with every mistake in its place."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from flows.document import MAX_TEXT_BYTES, Document, locate, read_document
from flows.errors import DefinitionError
from flows.flow import Flow
from triggers.trigger import Trigger

_UNREADABLE = {
    errno.ENOENT: "it is not there",
    errno.ENOTDIR: "it is not there",
    errno.ELOOP: "it is not there",
    errno.ENXIO: "it is no file",  # a socket
}

Load = Callable[[Path, Document, Trigger | Flow | None], Trigger | Flow]
"""A file, what was read of it, and what it held before → its definition. Raises DefinitionError."""


def read_file(file: Path) -> Document:
    """A definition's document. Raises DefinitionError with file and line."""
    return as_document(content_of(file), file)


def as_document(content: bytes, file: Path) -> Document:
    """The document that a file's content is. Raises DefinitionError with file and line."""
    try:
        return read_document(content, suffix=file.suffix)
    except DefinitionError as error:
        raise in_file(error, file) from error


def content_of(file: Path) -> bytes:
    """What is in a file, up to a byte more than a definition may have. Raises DefinitionError where it cannot be read."""
    try:
        return _content_of(file)
    except DefinitionError as error:
        raise in_file(error, file) from error
    except OSError as error:
        said = _UNREADABLE.get(error.errno or 0, f"it cannot be read: {error.strerror}")
        raise in_file(DefinitionError.at((), said), file) from error


def _content_of(file: Path) -> bytes:
    """By its descriptor: with ten thousand files half the time of looking at it first."""
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe would be waited for for ever
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise DefinitionError.at((), _UNREADABLE[errno.ENXIO])
        most = MAX_TEXT_BYTES + 1
        content = os.read(descriptor, min(found.st_size + 1, most))
        if len(content) > found.st_size:  # it is being written, or its file system does not tell its size
            while len(content) < most and (more := os.read(descriptor, most - len(content))):
                content += more
        return content
    finally:
        os.close(descriptor)


def load_document(file: Path, document: Document, before: Trigger | Flow | None, load: Load) -> Trigger | Flow:
    """Load what was read from a file, and what it held before. Raises DefinitionError with every problem in its place."""
    try:
        return load(file, document, before)
    except DefinitionError as error:
        raise DefinitionError(*(locate(problem, document, str(file)) for problem in error.problems)) from error


def in_file(error: DefinitionError, file: Path) -> DefinitionError:
    """The same, with the file in which it stands."""
    return DefinitionError(*(replace(problem, file=str(file)) for problem in error.problems))
