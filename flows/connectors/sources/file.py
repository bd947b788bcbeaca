"""`file`: rows of a CSV, JSON or JSON Lines file, the lines read as they are wanted."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from flows.connectors.rows import list_at
from flows.connectors.sources.connector import Reading
from flows.connectors.sources.file_lines import BATCH_ROWS, MARK, Lines, batch_of, csv_rows, json_lines
from flows.errors import DefinitionError, StepError
from flows.step import Load
from flows.steps.file_place import FilePath, compile_path, file_error, find_file, open_file
from flows.steps.file_read import FileReadSettings

Result = TypeVar("Result")
Form = Literal["csv", "json", "jsonl"]
SUFFIXES: dict[str, tuple[Form, str]] = {  # → form, delimiter
    ".csv": ("csv", ","),
    ".tsv": ("csv", "\t"),
    ".json": ("json", ","),
    ".jsonl": ("jsonl", ","),
    ".ndjson": ("jsonl", ","),
}


def _charset(name: str) -> str:
    try:
        known = codecs.lookup(name)
    except (LookupError, ValueError):
        raise ValueError(f"«{name[:40]}» is no encoding") from None
    if not getattr(known, "_is_text_encoding", True) or known.name in (
        "idna",
        "punycode",
        "unicode_escape",
        "raw_unicode_escape",
    ):
        raise ValueError(f"«{name[:40]}» is no encoding of texts")
    return name


class FileQuery(BaseModel):
    """The `query` of a file."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, strict=True, frozen=True)

    path: str | None = Field(
        default=None, min_length=1, description="the file, where sourceId does not name it; as file-read has it"
    )
    format: Form | None = Field(default=None, description="csv, json, jsonl; none: by the name of the file")
    encoding: Annotated[str, AfterValidator(_charset)] = Field(default="utf-8", description="of the text")
    delimiter: str | None = Field(default=None, min_length=1, max_length=1, description="of csv; none: a comma, a tab in .tsv")
    quote: str = Field(default='"', min_length=1, max_length=1, description="of csv: around a cell that holds a delimiter")
    header: bool | list[str] = Field(
        default=True, description="of csv: the first line has the names; false: rows are lists; a list: these are the names"
    )
    ragged: bool = Field(default=False, description="of csv: lines of another length are filled with null, not refused")
    items: str | None = Field(default=None, min_length=1, description="of json: where the list of rows is: data.rows")


@dataclass(frozen=True, slots=True)
class FileReading:
    """A file's query, compiled."""

    path: FilePath
    query: FileQuery
    references: tuple[tuple[str | int, ...], ...]


class FileSource:
    """Its settings are those of `file-read`: who may read which files is said once."""

    section: ClassVar[str] = "steps.file_read"
    Settings: ClassVar[type[BaseModel]] = FileReadSettings
    Query: ClassVar[type[BaseModel]] = FileQuery

    def __init__(self, settings: FileReadSettings) -> None:
        self.settings = settings

    def prepare(self, query: FileQuery, source_id: str | None, load: Load) -> FileReading:  # noqa: ARG002 - the seam's signature
        if (query.path is None) == (source_id is None):
            said = "the file is named twice" if source_id else "the file is not named"
            raise DefinitionError.at(
                ("sourceId",) if source_id else (), said, 'one of them: "sourceId": "rows.csv", or path in query'
            )
        text, place = (source_id, ("sourceId",)) if source_id else (query.path or "", ("query", "path"))
        try:
            path = compile_path(text)
        except DefinitionError as error:
            raise error.under(*place) from None
        if query.delimiter in ("\r", "\n"):
            raise DefinitionError.at(("query", "delimiter"), f"«{query.delimiter}» parts no cells")
        if query.delimiter == query.quote:
            raise DefinitionError.at(("query", "delimiter"), "delimiter and quote are the same")
        last = path.text.literals[-1]
        if query.format is None and last is not None and Path(f"x{last}").suffix.lower() not in SUFFIXES:
            raise DefinitionError.at(
                place, "its name does not say what it holds", 'add "format": "csv" (or json, jsonl) to query'
            )
        return FileReading(path, query, path.references)

    async def read(self, prepared: FileReading, reading: Reading) -> AsyncGenerator[list[Any], None]:
        query = prepared.query
        path = find_file(prepared.path, reading.names, reading.folder, roots=self.settings.roots)
        form, delimiter = _form_of(path, query)
        reading.facts["path"] = str(path)
        if form == "json":
            rows = await asyncio.to_thread(_json_rows, path, query, self.settings.max_bytes)
            for start in range(0, len(rows), BATCH_ROWS):
                yield rows[start : start + BATCH_ROWS]
            return
        lines = await _in_thread(lambda: Lines(path, query.encoding), lambda opened: opened.close() if opened else None)
        found: Iterator[Any] = json_lines(lines)
        if form == "csv":
            found = csv_rows(lines, delimiter=delimiter, quote=query.quote, header=query.header, ragged=query.ragged)
        try:
            while batch := await _in_thread(lambda: batch_of(found, lines), lambda _: lines.close()):
                yield batch
        except asyncio.CancelledError:
            raise  # the thread is in the middle of a read: the file is closed behind that
        except BaseException:
            lines.close()
            raise
        lines.close()

    async def close(self) -> None:
        """Nothing is shared between attempts."""


async def _in_thread(work: Callable[[], Result], afterwards: Callable[[Result | None], None]) -> Result:
    """On cancel nobody waits for a disk that hangs: `afterwards` is called when the thread has come back all the same."""
    future = asyncio.get_running_loop().run_in_executor(None, work)

    def come_back(done: asyncio.Future[Result]) -> None:
        afterwards(None if done.cancelled() or done.exception() else done.result())

    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        future.add_done_callback(come_back)
        raise


def _form_of(path: Path, query: FileQuery) -> tuple[Form, str]:
    known = SUFFIXES.get(path.suffix.lower())
    form = query.format or (known[0] if known else None)
    if form is None:
        raise StepError(
            f"{path}: its name does not say what it holds, and format is not given", code="FILE_FORMAT", retryable=False
        )
    return form, query.delimiter or (known[1] if known and known[0] == "csv" else ",")


def _json_rows(path: Path, query: FileQuery, max_bytes: int) -> list[Any]:
    with open_file(path) as file:
        try:
            data = file.read(max_bytes + 1)
        except OSError as error:
            raise file_error(error, path, "read") from error
    if len(data) > max_bytes:
        said = f"{path} is larger than max_bytes ({max_bytes}); a file of JSON lines may be of any size"
        raise StepError(said, code="FILE_TOO_LARGE", retryable=False)
    try:
        value = orjson.loads(data.decode(query.encoding).removeprefix(MARK).encode())
    except UnicodeError as error:
        raise StepError(f"{path} is no text in {query.encoding}", code="FILE_ENCODING", retryable=False) from error
    except orjson.JSONDecodeError as error:
        raise StepError(f"{path} is not JSON: {error}", code="BAD_JSON", retryable=False) from error
    return list_at(value, query.items, str(path))
