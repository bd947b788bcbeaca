"""A file of the flow's own that a step runs: found under its folder at load, read, and told about with line and column."""

from __future__ import annotations

import errno
from pathlib import Path, PurePosixPath

from flows.errors import DefinitionError, StepError

MAX_BYTES = 1024 * 1024  # a module is written by hand
_KINDS = {
    errno.ENOENT: "is not there",
    errno.EISDIR: "is a folder",
    errno.ENOTDIR: "is not there",
    errno.EACCES: "may not be read",
}


def find_module(folder: Path, written: str, suffixes: tuple[str, ...]) -> Path:
    """The file that is meant. Raises DefinitionError where it is none of the flow's own, or cannot be run by its name."""
    path = PurePosixPath(written)
    if path.is_absolute() or ".." in path.parts or "\0" in written:
        raise DefinitionError.at(("module",), f"«{written}» leads out of the flow's folder", "a path inside it: lib/score.mjs")
    if path.suffix not in suffixes:
        raise DefinitionError.at(("module",), f"«{written}» is no file that this step runs", f"known are {', '.join(suffixes)}")
    file = folder / path
    if not file.resolve().is_relative_to(folder.resolve()):
        raise DefinitionError.at(("module",), f"«{written}» is a link that leads out of the flow's folder", "put the file there")
    return file


def read_module(file: Path, written: str) -> str:
    """Its text. Raises DefinitionError."""
    try:
        data = file.read_bytes()
    except OSError as error:
        said = f"{written} {_KINDS.get(error.errno or 0, f'cannot be read: {error.strerror}')}"
        raise DefinitionError.at(("module",), said, f"looked for in {file.parent}") from error
    if len(data) > MAX_BYTES:
        raise DefinitionError.at(("module",), f"{written} has more than {MAX_BYTES:,} bytes")
    try:
        return data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        said = f"{written} is not UTF-8: byte {error.start} is 0x{data[error.start]:02x}"
        raise DefinitionError.at(("module",), said, "save it as UTF-8") from error


def check_there(file: Path, written: str) -> None:
    """It was there at load. Raises StepError."""
    if not file.is_file():
        raise StepError(f"the module {written} is not there any more", code="MODULE_NOT_FOUND", retryable=False)
