"""Rows that are kept, made over and counted off: `filter`, `map` and `limit` over a list."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from flows.errors import DefinitionError, ExpressionError, StepError
from flows.expression import Expression, compile_expression, to_json
from flows.step import Output
from flows.suggest import shown

MAX_ROWS = 100_000  # as many as a loop may have: more is a mistake, or work for a queue
MAX_NESTING = 32  # of objects in `map`: making a row recurses
TURN_S = 0.005  # how long rows are gone through before others on the loop get their turn
ROW = frozenset({"data", "output", "item"})  # the names of the row
FIELD = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)

LEFT_OUT = object()  # of a row that the filter does not want: null would be a row

Shape = Expression | dict[str, Any] | list[Any] | str | int | float | bool | None


class SelectionSpec(BaseModel):
    """How it is written: in a transform of the nodes dialect, and in the `transform` of a data source."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    filter: str | None = Field(None, min_length=1, description="an expression of the row: item, data")
    map: Any = Field(None, description="what a row becomes: each text in it is an expression, or the name of a field")
    limit: int | None = Field(None, ge=1, description="rows that are enough")


@dataclass(frozen=True, slots=True)
class Selection:
    """`filter`, `map` and `limit`, compiled. Each row is `data`, `output` and `item`."""

    suspends: ClassVar[bool] = True  # a long list gives others their turn

    filter: Expression | None
    map: Shape  # where `maps`: a row's form, its texts compiled
    maps: bool
    limit: int | None

    async def select(self, names: Mapping[str, Any]) -> Output:
        """Over the list that is the step's `data`. Rows behind the limit are not looked at. Raises StepError that names the row."""
        rows = names["data"]
        if not isinstance(rows, list):
            said = f"filter, map and limit go over a list, and what the step is given is {_what(rows)}"
            raise StepError(said, code="ROWS_INPUT", retryable=False)
        if len(rows) > MAX_ROWS:
            said = f"{len(rows):,} rows are more than the {MAX_ROWS:,} that filter, map and limit go over"
            raise StepError(said, code="ROWS_LIMIT", retryable=False)
        kept: list[Any] = []
        turn_ends = time.monotonic() + TURN_S
        for number, row in enumerate(rows):
            if len(kept) == self.limit:
                break
            made = self.made(row, number, names)
            if made is not LEFT_OUT:
                kept.append(made)
            if time.monotonic() > turn_ends:
                await asyncio.sleep(0)
                turn_ends = time.monotonic() + TURN_S
        return Output(kept)

    def made(self, row: Any, number: int, names: Mapping[str, Any]) -> Any:
        """What becomes of one row; LEFT_OUT: the filter does not want it. Raises StepError that names the row by its number."""
        if self.filter is None and not self.maps:
            return row
        seen = {**names, **dict.fromkeys(ROW, row)}
        try:
            if self.filter is not None and not self.filter.test(seen):
                return LEFT_OUT
            return make_shape(self.map, seen) if self.maps else row
        except ExpressionError as error:
            raise StepError(f"row {number}: {error}", code=error.code, retryable=False) from error


def compile_selection(spec: SelectionSpec, roots: frozenset[str]) -> Selection:
    """Raises DefinitionError with the place of what is wrong inside of `spec`."""
    maps = "map" in spec.model_fields_set
    field = "filter"
    try:
        keep = None if spec.filter is None else compile_expression(spec.filter, roots=roots | ROW)
        field = "map"
        return Selection(keep, compile_shape(spec.map, roots) if maps else None, maps, spec.limit)
    except DefinitionError as error:
        raise error.under(field) from None


def compile_shape(written: Any, roots: frozenset[str], path: tuple[str | int, ...] = ()) -> Shape:
    """What a row becomes: each text is an expression, or the name of a field; other values are themselves.

    Raises DefinitionError with the place of what is wrong.
    """
    if len(path) > MAX_NESTING:
        raise DefinitionError.at(path, f"map is nested more than {MAX_NESTING} deep")
    if isinstance(written, str):
        return _compile_text(written, roots, path)
    if isinstance(written, dict):
        return {key: compile_shape(each, roots, (*path, key)) for key, each in written.items()}
    if isinstance(written, list):
        return [compile_shape(each, roots, (*path, number)) for number, each in enumerate(written)]
    shape: Shape = written
    return shape


def _compile_text(text: str, roots: frozenset[str], path: tuple[str | int, ...]) -> Expression:
    try:
        return compile_expression(text, roots=roots | ROW)
    except DefinitionError as error:
        if error.problems[0].code == "EXPRESSION_NAME" and FIELD.fullmatch(text):
            return compile_expression(f"item?.{text.replace('.', '?.')}", roots=ROW)
        raise error.under(*path) from None


def make_shape(shape: Shape, names: Mapping[str, Any]) -> Any:
    """A row in its new form; `names` has the row's own. Raises ExpressionError."""
    if isinstance(shape, Expression):
        return to_json(shape.evaluate(names))
    if isinstance(shape, dict):
        return {key: make_shape(each, names) for key, each in shape.items()}
    if isinstance(shape, list):
        return [make_shape(each, names) for each in shape]
    return shape


def _what(value: Any) -> str:
    return shown(value) if value is None or isinstance(value, (str, int, float, dict)) else "nothing"
