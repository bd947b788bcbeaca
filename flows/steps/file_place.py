"""Which file a step means: a path from the flow's folder that values cannot lead astray."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from flows.errors import DefinitionError, StepError
from flows.steps.checked_text import CheckedText, Reference, compile_text

_CODES = {
    errno.ENOENT: "FILE_NOT_FOUND",
    errno.ENOTDIR: "FILE_NOT_FOUND",
    errno.EISDIR: "IS_DIRECTORY",
    errno.EACCES: "PERMISSION_DENIED",
    errno.EPERM: "PERMISSION_DENIED",
    errno.EROFS: "READ_ONLY",
    errno.ENOSPC: "DISK_FULL",
    errno.EDQUOT: "DISK_FULL",
    errno.ENAMETOOLONG: "BAD_PATH",
    errno.EEXIST: "BAD_PATH",  # a file stands where a folder is meant
    errno.ELOOP: "BAD_PATH",
}


@dataclass(frozen=True, slots=True)
class FilePath:
    """A path with values in it, compiled."""

    text: CheckedText
    references: tuple[Reference, ...]


def compile_path(text: str) -> FilePath:
    """Raises DefinitionError with an empty path."""
    if not text.strip():
        raise DefinitionError.at((), "the path is empty")
    compiled = compile_text(text)
    return FilePath(compiled, compiled.references)


def find_file(path: FilePath, names: Mapping[str, Any], folder: Path, *, roots: Sequence[str]) -> Path:
    """The absolute path that is meant, symbolic links not followed. Raises StepError.

    A value that the path begins with may lead anywhere: so its author says where files are. Every other value may go
    deeper, and may not leave the folder that is written before it. `roots`, where there are any, are the only folders allowed.
    """
    bases: list[str] = []

    def judge(_number: int, before: str, text: str, _pipe: str | None) -> str | None:
        if "\0" in text or not _is_encodable(text):
            return f"{ascii(text)[:60]} has characters that no file name can have"
        if before != "":
            bases.append(before[: before.rfind("/") + 1])
        return None

    text = path.text.make(names, judge, lambda _number: "give a name without it")
    if not text.strip():
        raise StepError(f"the path {path.text.source} is empty", code="BAD_PATH", retryable=False)
    found = _absolute(folder, text)
    if not all(found.is_relative_to(_absolute(folder, base)) for base in bases):
        said = f"a value in {path.text.source} leads out of the folder that is written before it, to {found}"
        raise StepError(said, code="UNSAFE_INTERPOLATION", retryable=False)
    real = Path(os.path.realpath(found))
    if roots and not any(real.is_relative_to(os.path.realpath(_absolute(folder, root))) for root in roots):
        said = f"{found} is outside of the folders that the setting `roots` allows"
        raise StepError(said, code="PATH_NOT_ALLOWED", retryable=False)
    return found


def _absolute(folder: Path, text: str) -> Path:
    return Path(os.path.normpath(Path.cwd() / folder / text))  # not resolve(): that would follow links


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def open_file(path: Path) -> BinaryIO:
    """A regular file, to be read and closed. Blocks. Raises StepError with a code for each way it can fail."""
    try:
        # without O_NONBLOCK a FIFO that nobody writes to would hold the thread for ever
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise file_error(error, path, "read") from error
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise StepError(f"{path} is a folder", code="IS_DIRECTORY")
    raise StepError(f"{path} is a device, a pipe or a socket, not a file", code="NOT_A_FILE")


def file_error(error: OSError, path: Path, doing: str) -> StepError:
    """The same fact with a stable code: `doing` is «read» or «written»."""
    code = _CODES.get(error.errno or 0, "FILE_ERROR")
    return StepError(f"{path} could not be {doing}: {error.strerror or error}", code=code)
