"""Lines at the end of a file: never glued to its last one, and a heading only where the file is new."""

from __future__ import annotations

import csv
import fcntl
import os
import stat
from pathlib import Path

from flows.errors import StepError
from flows.steps.file_place import file_error

MAX_HEADING_CHARACTERS = 1024 * 1024  # of the first line of a CSV file: a longer one is none


def csv_heading(path: Path) -> list[str] | None:
    """The columns that a CSV file's first line names; None: it is not there, or empty. Blocks. Raises StepError."""
    try:
        if path.exists() and not path.is_file():
            raise StepError(f"{path} is no file with lines", code="NOT_A_FILE", retryable=False)
        with path.open(encoding="utf-8-sig", newline="") as file:
            return next(csv.reader([file.readline(MAX_HEADING_CHARACTERS)]), None)
    except FileNotFoundError:
        return None
    except (UnicodeDecodeError, csv.Error) as error:
        raise StepError(f"the first line of {path} is no CSV in UTF-8", code="FILE_COLUMNS", retryable=False) from error
    except OSError as error:
        raise file_error(error, path, "read") from error


class OtherHeading(Exception):  # noqa: N818 - a fact about a file, and never leaves its destination
    """Another writer was there first: the file is not empty any more, and does not begin with our heading."""


def append_lines(path: Path, data: bytes, *, first: bytes = b"") -> None:
    """On return they are on disk. `first` goes before them where the file is empty. Blocks. Raises StepError.

    One writer at a time: two runs that append to a new file write one heading. Raises OtherHeading where that is not `first`.
    """
    try:
        target = Path(os.path.realpath(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(target, flags, 0o666), "r+b", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise StepError(f"{path} is no file with lines", code="NOT_A_FILE", retryable=False)
            fcntl.flock(file, fcntl.LOCK_EX)
            _append(file.fileno(), data, first)
            os.fsync(file.fileno())
    except OSError as error:
        raise file_error(error, path, "written") from error


def _append(number: int, data: bytes, first: bytes) -> None:
    """All of it, or nothing: what could not be written whole is taken away again."""
    size = os.fstat(number).st_size
    if size == 0:
        data = first + data
    elif os.pread(number, len(first), 0) != first:
        raise OtherHeading
    elif os.pread(number, 1, size - 1) != b"\n":
        data = b"\n" + data
    left = memoryview(data)
    try:
        while left:
            left = left[os.write(number, left) :]
    except OSError:
        os.ftruncate(number, size)
        raise
