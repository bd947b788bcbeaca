"""Files of lines, read as they are wanted: CSV and JSON Lines. What is wrong is told with its line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from flows.connectors.rows import names_of
from flows.errors import StepError
from flows.steps.file_place import file_error, open_file

MAX_LINE_CHARACTERS = 1024 * 1024  # of one line, of one cell of CSV: a file without line ends must not take the memory
MAX_ROW_CHARACTERS = 8 * 1024 * 1024  # of a row of CSV over all its lines: a quote that is never closed goes on and on
BATCH_ROWS = 500
BATCH_CHARACTERS = 1024 * 1024  # one row more is read at most
MARK = "\ufeff"  # some programs begin a file with it: it is no part of the first name


class Lines:
    """The lines of a text file. Blocks. Raises StepError."""

    def __init__(self, path: Path, encoding: str) -> None:
        self.path = path
        self.number = 0  # of the line that was read last, 1-based
        self.since = 0  # characters of the lines since the last row was complete
        self._encoding = encoding
        self._text = io.TextIOWrapper(open_file(path), encoding=encoding, newline="")

    def __iter__(self) -> Iterator[str]:
        while True:
            try:
                line = self._text.readline(MAX_LINE_CHARACTERS + 1)
            except UnicodeError as error:
                said = f"{self.path}: line {self.number + 1} or one soon behind it is no text in {self._encoding}"
                raise StepError(said, code="FILE_ENCODING", retryable=False) from error
            except OSError as error:
                raise file_error(error, self.path, "read") from error
            if not line:
                return
            line = line.removeprefix(MARK) if not self.number else line
            self.number += 1
            self.since += len(line)
            if self.since > MAX_ROW_CHARACTERS:
                raise self.bad(f"belongs to a row of more than {MAX_ROW_CHARACTERS:,} characters: a quote may not be closed")
            if len(line) > MAX_LINE_CHARACTERS:
                raise self.bad(f"is longer than {MAX_LINE_CHARACTERS:,} characters")
            yield line

    def bad(self, said: str) -> StepError:
        """A line that cannot be a row, as a failure that names it."""
        return StepError(f"{self.path}: line {self.number} {said}", code="FILE_ROW", retryable=False)

    def close(self) -> None:
        self._text.close()


def batch_of(found: Iterator[Any], lines: Lines) -> list[Any]:
    """The next rows, as many as are read at one time; none: there are no more."""
    batch: list[Any] = []
    size = 0
    for row in found:
        size, lines.since = size + lines.since, 0
        batch.append(row)
        if len(batch) == BATCH_ROWS or size > BATCH_CHARACTERS:
            break
    return batch


def json_lines(lines: Lines) -> Iterator[Any]:
    """A row for each line; blank ones are passed over."""
    for line in lines:
        if not line.strip():
            lines.since = 0
            continue
        try:
            yield orjson.loads(line)
        except (orjson.JSONDecodeError, UnicodeEncodeError) as error:
            raise lines.bad(f"is not JSON: {error}") from error


def csv_rows(
    lines: Lines, *, delimiter: str, quote: str, header: bool | Sequence[str], ragged: bool
) -> Iterator[dict[str, Any] | list[str]]:
    """An object for each row, a list where there is no heading. Cells are text as they stand."""
    csv.field_size_limit(MAX_LINE_CHARACTERS)  # the module's own, for all: nobody else reads CSV here
    found = csv.reader(lines, delimiter=delimiter, quotechar=quote, strict=True)
    names = None if isinstance(header, bool) else names_of(header)
    try:
        for cells in found:
            if not cells:
                lines.since = 0
                continue
            if names is None and header is False:
                yield cells
            elif names is None:
                names = names_of(cells)
            else:
                yield _row(names, cells, lines, ragged=ragged)
    except csv.Error as error:
        raise lines.bad(f"is no CSV: {error}") from error


def _row(names: Sequence[str], cells: list[str], lines: Lines, *, ragged: bool) -> dict[str, Any]:
    if len(cells) == len(names):
        return dict(zip(names, cells, strict=True))
    if not ragged:
        raise lines.bad(f'has {len(cells)} cells, and the heading has {len(names)} ("ragged": true takes such lines)')
    more = names_of([*names, *("" for _ in cells[len(names) :])])
    return dict(zip(more, [*cells, *(None for _ in names[len(cells) :])], strict=True))
