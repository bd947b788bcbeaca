"""`file-read`: a file's text, or its JSON checked against a schema."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from flows.errors import DefinitionError, Problem, StepError
from flows.step import Load, Output, Scope
from flows.steps.checked_text import collected
from flows.steps.file_place import FilePath, compile_path, file_error, find_file, open_file
from flows.steps.file_schema import schema_problems, violations
from flows.steps.json_text import parse_json


class FileReadSpec(BaseModel):
    """The `fileRead` section of a step."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, strict=True, frozen=True)

    path: str = Field(min_length=1, description="from the flow's folder, as text with {{ }} or a $. path")
    parse_json: bool = Field(default=False, alias="parseJson", description="the file is JSON, perhaps in a code fence")
    schema_: dict[str, Any] | None = Field(default=None, alias="schema", description="rules for the fields of the JSON object")


class FileReadSettings(BaseModel):
    """`[steps.file_read]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_bytes: int = Field(default=10 * 1024 * 1024, gt=0, description="larger files fail the attempt")
    roots: tuple[str, ...] = Field(default=(), description="folders that may be read; none: every one that the daemon may read")


@dataclass(frozen=True, slots=True)
class Reading:
    """A `fileRead` section, compiled."""

    path: FilePath
    parse_json: bool
    schema: dict[str, Any] | None
    references: tuple[tuple[str | int, ...], ...]


class FileRead:
    name: ClassVar[str] = "file-read"
    section: ClassVar[str] = "fileRead"
    effects: ClassVar[bool] = False
    container: ClassVar[bool] = False
    Settings: ClassVar[type[BaseModel]] = FileReadSettings
    Spec: ClassVar[type[BaseModel]] = FileReadSpec

    def __init__(self, settings: FileReadSettings) -> None:
        self.settings = settings

    def prepare(self, spec: FileReadSpec, load: Load) -> Reading:  # noqa: ARG002 - the seam's signature
        problems = [] if spec.schema_ is None else schema_problems(spec.schema_, ("schema",))
        if spec.schema_ is not None and not spec.parse_json:
            problems.append(Problem(("schema",), "a schema checks JSON, and parseJson is not set", 'add "parseJson": true'))
        path = collected(problems, ("path",), lambda: compile_path(spec.path))
        if problems or path is None:
            raise DefinitionError(*problems)
        return Reading(path, spec.parse_json, spec.schema_, path.references)

    async def run(self, prepared: Reading, scope: Scope) -> Output:
        path = find_file(prepared.path, scope.names, scope.folder, roots=self.settings.roots)
        text = await asyncio.to_thread(read_text, path, self.settings.max_bytes)
        if not prepared.parse_json:
            return Output(text)
        value = parse_json(text, what=str(path))
        if prepared.schema is not None and (broken := violations(value, prepared.schema)):
            raise StepError(f"{path}: {'; '.join(broken)}", code="SCHEMA_VALIDATION")
        return Output(value)

    async def close(self) -> None:
        """Nothing is shared between attempts."""


def read_text(path: Path, max_bytes: int) -> str:
    """The text of a regular file. Blocks. Raises StepError with a code for each way it can fail."""
    with open_file(path) as file:
        try:
            data = file.read(max_bytes + 1)
        except OSError as error:
            raise file_error(error, path, "read") from error
    if len(data) > max_bytes:
        raise StepError(f"{path} is larger than max_bytes ({max_bytes})", code="FILE_TOO_LARGE")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise StepError(f"{path} is not UTF-8: byte {error.start} is 0x{data[error.start]:02x}", code="FILE_ENCODING") from error
