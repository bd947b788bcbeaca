"""`file`: rows or a value as JSON, JSON lines, CSV or text, in a new file or at the end of one."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, Field

from flows.connectors.destinations.columns import Columns, Row, chunks, compile_columns, in_turns
from flows.connectors.destinations.destination import Data, compile_data, json_of
from flows.connectors.destinations.file_append import OtherHeading, append_lines, csv_heading
from flows.connectors.destinations.spec import DestinationSpec
from flows.errors import DefinitionError, Problem, StepError
from flows.step import Load, Scope
from flows.steps.checked_text import collected
from flows.steps.file_place import FilePath, compile_path, find_file
from flows.steps.file_write import FileWriteSettings, write_file
from flows.text import as_text

Format = Literal["json", "jsonl", "csv", "text"]
FORMATS: dict[str, Format] = {".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".txt": "text"}
CHUNK_ROWS = 500


class FileSpec(DestinationSpec):
    """The `output` section of a step with the destination `file`."""

    path: str = Field(min_length=1, description="from the flow's folder, as text with {{ }} or a $. path")
    format: Format | None = Field(default=None, description="none: by the end of the path")
    mode: Literal["replace", "append"] = Field(default="replace", description="append: at the end of what is there")
    columns: dict[str, Any] | list[str] | None = Field(default=None, description="what a row holds; none: its own fields")


@dataclass(frozen=True, slots=True)
class Filing:
    """Such a section, compiled."""

    path: FilePath
    format: Format
    append: bool
    data: Data
    columns: Columns


class FileDestination:
    """A file that is replaced is the old one or the new one, whole, also after a crash. What is appended is on disk."""

    section: ClassVar[str] = "steps.file_write"  # one setting says where flows may write
    Settings: ClassVar[type[BaseModel]] = FileWriteSettings
    Spec: ClassVar[type[DestinationSpec]] = FileSpec

    def __init__(self, settings: FileWriteSettings) -> None:
        self.settings = settings

    def prepare(self, spec: FileSpec, load: Load) -> Filing:
        problems: list[Problem] = []
        path = collected(problems, ("path",), lambda: compile_path(spec.path))
        data = collected(problems, ("data",), lambda: compile_data(spec))
        columns = collected(problems, ("columns",), lambda: compile_columns(spec.columns, load.roots))
        form = collected(problems, (), lambda: _format(spec))
        if path is None or data is None or columns is None or form is None:
            raise DefinitionError(*problems)
        return Filing(path, form, spec.mode == "append", data, columns)

    async def write(self, prepared: Filing, scope: Scope) -> dict[str, Any]:
        path = find_file(prepared.path, scope.names, scope.folder, roots=self.settings.roots)
        value = prepared.data.made(scope.names)
        if prepared.format == "csv":
            return await self._write_csv(prepared, path, value, scope.names)
        if prepared.format == "text":
            text, count = as_text(value), None
        else:
            text, count = await _json(prepared, value, scope.names)
        data = _encoded(text, path)
        if prepared.append and prepared.format == "jsonl":
            await asyncio.to_thread(append_lines, path, data)
        else:
            await asyncio.to_thread(write_file, path, data, append=prepared.append)
        return _facts(path, data, count)

    async def _write_csv(self, prepared: Filing, path: Path, value: Any, names: Mapping[str, Any]) -> dict[str, Any]:
        rows = [row async for chunk in chunks(value, prepared.columns, names, CHUNK_ROWS) for row in chunk]
        try:
            return await self._write_rows(prepared, path, rows)
        except OtherHeading:  # another run began the file meanwhile: its columns are the file's
            return await self._write_rows(prepared, path, rows)

    async def _write_rows(self, prepared: Filing, path: Path, rows: Sequence[Row]) -> dict[str, Any]:
        columns = list(prepared.columns.names) or list(dict.fromkeys(name for row in rows for name in row))
        heading = await asyncio.to_thread(csv_heading, path) if prepared.append else None
        if heading is not None:
            strange = next((name for name in columns if name not in heading), None)
            if strange is not None:
                said = f"the first line of {path} has no column «{strange[:60]}»"
                raise StepError(said, code="FILE_COLUMNS", retryable=False)
            columns = heading
        first = _encoded(_csv_line(columns), path) if columns and heading is None else b""
        lines = [_csv_line([_cell(row.get(name)) for name in columns]) async for row in in_turns(rows)]
        data = _encoded("".join(lines), path)
        if prepared.append:
            await asyncio.to_thread(append_lines, path, data, first=first)
        else:
            await asyncio.to_thread(write_file, path, first + data, append=False)
        return _facts(path, first + data, len(rows))

    async def close(self) -> None:
        """Nothing is shared between attempts."""


def _format(spec: FileSpec) -> Format:
    form = spec.format or FORMATS.get(Path(spec.path).suffix.lower())
    if form is None:
        said = f"the path «{spec.path[-40:]}» does not say in which format"
        raise DefinitionError.at(("path",), said, '"format": "json", "jsonl", "csv" or "text"')
    if form == "json" and spec.mode == "append":
        raise DefinitionError.at(("mode",), "a JSON document has an end: nothing can be appended", '"format": "jsonl"')
    if form == "text" and spec.columns is not None:
        raise DefinitionError.at(("columns",), "a text has no columns", '"format": "csv"')
    return form


async def _json(prepared: Filing, value: Any, names: Mapping[str, Any]) -> tuple[str, int | None]:
    """The text, and how many rows are in it; None: it is one value."""
    if prepared.columns.shapes is not None:
        lines = [json_of(row) async for chunk in chunks(value, prepared.columns, names, CHUNK_ROWS) for row in chunk]
    elif isinstance(value, list):
        lines = [json_of(each) async for each in in_turns(value)]
    else:
        return f"{json_of(value, indent=2 if prepared.format == 'json' else None)}\n", None
    if prepared.format == "jsonl":
        return "".join(f"{line}\n" for line in lines), len(lines)
    return ("[\n" + ",\n".join(lines) + "\n]\n" if lines else "[]\n"), len(lines)


def _csv_line(cells: Sequence[str]) -> str:
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\r\n").writerow(cells)  # as RFC 4180 has it; \n alone would leave \r unquoted
    return written.getvalue()


def _cell(value: Any) -> str:
    try:
        return as_text(value)
    except (RecursionError, ValueError) as error:
        raise StepError("a value cannot be written as text", code="OUTPUT_DATA", retryable=False) from error


def _encoded(text: str, path: Path) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        said = f"what is to be written to {path} has half a character (a lone surrogate)"
        raise StepError(said, code="TEXT_ENCODING", retryable=False) from error


def _facts(path: Path, data: bytes, rows: int | None) -> dict[str, Any]:
    return {"path": str(path), "bytesWritten": len(data), **({} if rows is None else {"rows": rows})}
