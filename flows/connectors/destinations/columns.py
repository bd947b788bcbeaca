"""From what a step writes to rows: an object for each, its fields as they are or as `columns` says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flows.errors import DefinitionError, ExpressionError, StepError
from flows.steps.selection import ROW, TURN_S, Shape, compile_shape, make_shape
from flows.suggest import shown

Row = dict[str, Any]
MAX_COLUMNS = 1_000  # of one row; databases take fewer


@dataclass(frozen=True, slots=True)
class FieldOf:
    """A field of the row by its name, whatever the name: `first name` is no expression. null where there is none."""

    name: str


@dataclass(frozen=True, slots=True)
class Columns:
    """What each column of a row holds, in order. None: each row's own fields."""

    shapes: Mapping[str, Shape | FieldOf] | None

    @property
    def names(self) -> tuple[str, ...]:
        """Known before any row is; empty where the rows say."""
        return tuple(self.shapes or ())


def compile_columns(written: Mapping[str, Any] | list[str] | None, roots: frozenset[str]) -> Columns:
    """`["a", "b"]` takes these fields; `{"a": "name", "b": "item.x * 2"}` gives a field or an expression of the row.

    A text is what it is in a transform's `map`; other values are themselves. Raises DefinitionError.
    """
    if written is None:
        return Columns(None)
    if not written:
        raise DefinitionError.at((), "columns is empty: nothing would be written", "leave it out for all fields of a row")
    if len(written) > MAX_COLUMNS:
        raise DefinitionError.at((), f"columns names {len(written):,} columns, and may name {MAX_COLUMNS:,}")
    if isinstance(written, list):
        if len(set(written)) != len(written):
            twice = next(name for name in written if written.count(name) > 1)
            raise DefinitionError.at((), f"columns names «{twice[:60]}» twice")
        return Columns({name: FieldOf(name) for name in written})
    return Columns({name: compile_shape(each, roots, (name,)) for name, each in written.items()})


async def chunks(value: Any, columns: Columns, names: Mapping[str, Any], size: int) -> AsyncIterator[list[Row]]:
    """The rows, at most `size` at a time. Raises StepError that names the row."""
    made: list[Row] = []
    number = 0
    async for row in in_turns(value if isinstance(value, list) else [value]):
        made.append(_row(row, number, columns, names))
        number += 1
        if len(made) == size:
            yield made
            made = []
    if made:
        yield made


async def in_turns(values: Sequence[Any]) -> AsyncIterator[Any]:
    """Each of them; others on the loop get their turn in between."""
    turn_ends = time.monotonic() + TURN_S
    for value in values:
        yield value
        if time.monotonic() > turn_ends:
            await asyncio.sleep(0)
            turn_ends = time.monotonic() + TURN_S


def _row(row: Any, number: int, columns: Columns, names: Mapping[str, Any]) -> Row:
    if columns.shapes is None:
        if isinstance(row, dict):
            return row
        said = f"row {number} is {shown(row)}, and must be an object"
        raise StepError(f'{said} ("columns": {{"name": "item"}} makes one)', code="OUTPUT_ROWS", retryable=False)
    seen = {**names, **dict.fromkeys(ROW, row)}
    try:
        return {name: _made(shape, row, seen) for name, shape in columns.shapes.items()}
    except ExpressionError as error:
        raise StepError(f"row {number}: {error}", code=error.code, retryable=False) from error


def _made(shape: Shape | FieldOf, row: Any, names: Mapping[str, Any]) -> Any:
    if isinstance(shape, FieldOf):
        return row.get(shape.name) if isinstance(row, dict) else None
    return make_shape(shape, names)
