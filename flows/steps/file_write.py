"""`file-write`: a file is replaced whole, or a text is added to its end."""

from __future__ import annotations

import asyncio
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from flows.errors import DefinitionError, Problem, StepError
from flows.step import Load, Output, Scope
from flows.steps.checked_text import collected
from flows.steps.file_place import FilePath, compile_path, file_error, find_file
from flows.steps.json_text import json_text
from flows.value import Value, compile_value


class FileWriteSpec(BaseModel):
    """The `fileWrite` section of a step."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, strict=True, frozen=True)

    path: str = Field(min_length=1, description="from the flow's folder, as text with {{ }} or a $. path")
    content: Any = Field(description="text as it is; anything else as indented JSON")
    append: bool = Field(default=False, description="add to the end; a retried or repeated attempt adds again")


class FileWriteSettings(BaseModel):
    """`[steps.file_write]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    roots: tuple[str, ...] = Field(
        default=(), description="folders that may be written to; none: every one that the daemon may write to"
    )


@dataclass(frozen=True, slots=True)
class Writing:
    """A `fileWrite` section, compiled."""

    path: FilePath
    content: Value
    append: bool
    references: tuple[tuple[str | int, ...], ...]


class FileWrite:
    """Parents are made. Without `append` a reader sees the old file or the new one, also after a crash, never half."""

    name: ClassVar[str] = "file-write"
    section: ClassVar[str] = "fileWrite"
    effects: ClassVar[bool] = True
    container: ClassVar[bool] = False
    Settings: ClassVar[type[BaseModel]] = FileWriteSettings
    Spec: ClassVar[type[BaseModel]] = FileWriteSpec

    def __init__(self, settings: FileWriteSettings) -> None:
        self.settings = settings

    def prepare(self, spec: FileWriteSpec, load: Load) -> Writing:  # noqa: ARG002 - the seam's signature
        problems: list[Problem] = []
        path = collected(problems, ("path",), lambda: compile_path(spec.path))
        content = collected(problems, ("content",), lambda: compile_value(spec.content, lenient=True))
        if path is None or content is None:
            raise DefinitionError(*problems)
        return Writing(path, content, spec.append, tuple(dict.fromkeys((*path.references, *content.references))))

    async def run(self, prepared: Writing, scope: Scope) -> Output:
        path = find_file(prepared.path, scope.names, scope.folder, roots=self.settings.roots)
        content = prepared.content.needed(scope.names)
        text = content if isinstance(content, str) else json_text(content, indent=2)
        try:
            data = text.encode()
        except UnicodeEncodeError as error:
            raise StepError(
                f"the content for {path} has half a character (a lone surrogate) at {error.start}",
                code="TEXT_ENCODING",
                retryable=False,
            ) from error
        await asyncio.to_thread(write_file, path, data, append=prepared.append)
        return Output({"path": str(path), "bytesWritten": len(data)})

    async def close(self) -> None:
        """Nothing is shared between attempts."""


def write_file(path: Path, data: bytes, *, append: bool) -> None:
    """Blocks until the data is on disk. Raises StepError with a code for each way it can fail."""
    try:
        target = Path(os.path.realpath(path))  # a symbolic link stays one: what it leads to is written
        target.parent.mkdir(parents=True, exist_ok=True)
        mode = _mode(target)
        if mode is not None and stat.S_ISDIR(mode):
            raise StepError(f"{path} is a folder", code="IS_DIRECTORY")
        if append or not (mode is None or stat.S_ISREG(mode)):  # never replace /dev/null by a file
            _write_into(target, data)
        else:
            _replace(target, data, mode)
    except OSError as error:
        raise file_error(error, path, "written") from error


def _mode(target: Path) -> int | None:
    try:
        return target.stat().st_mode
    except FileNotFoundError:
        return None


def _write_into(target: Path, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(target, flags, 0o666), "wb", buffering=0) as file:
        _write_all(file.fileno(), data)
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            os.fsync(file.fileno())


def _replace(target: Path, data: bytes, mode: int | None) -> None:
    beside = target.parent / f".camshaft-{secrets.token_hex(8)}.tmp"
    number = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        try:
            _write_all(number, data)
            if mode is not None:
                os.fchmod(number, stat.S_IMODE(mode))
            os.fsync(number)
        finally:
            os.close(number)
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write_all(number: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(number, left) :]
