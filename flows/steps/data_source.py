"""`data_source`: rows from a file, a database or an API, filtered while they are read, and never more than fit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, cast

import orjson
from pydantic import BaseModel, Field, create_model

from flows.connectors.section import read_section
from flows.connectors.settings import ConnectorSettings
from flows.connectors.sources import CONNECTORS, MEANT, connector_class
from flows.connectors.sources.connector import Reading
from flows.connectors.sources.spec import SourceSettings, SourceSpec
from flows.errors import DefinitionError, Problem, StepError
from flows.step import Load, Output, Scope
from flows.steps.checked_text import collected
from flows.steps.json_text import json_text
from flows.steps.selection import LEFT_OUT, TURN_S, Selection, SelectionSpec, compile_selection
from flows.suggest import did_you_mean, shown

if TYPE_CHECKING:
    from flows.connectors.sources.connector import Connector


@dataclass(frozen=True, slots=True)
class Sourcing:
    """A `dataSource` section, compiled."""

    connector: str
    query: Any
    selection: Selection
    max_rows: int | None
    max_bytes: int | None
    timeout_s: float


class DataSource:
    """Each connector has its own query and settings; it is loaded when the first flow names it."""

    name: ClassVar[str] = "data_source"
    section: ClassVar[str] = "dataSource"
    effects: ClassVar[bool] = True  # what was read is on disk before it is acted on: another time it may say something else
    container: ClassVar[bool] = False
    Settings: ClassVar[type[BaseModel]] = ConnectorSettings
    Spec: ClassVar[type[BaseModel]] = SourceSpec

    def __init__(self, settings: ConnectorSettings) -> None:
        self.settings = settings
        self.limits = cast("SourceSettings", settings.of("connectors.data_source", SourceSettings))
        self._made: dict[str, Connector] = {}

    @staticmethod
    def specs() -> tuple[str, dict[str, type[BaseModel]]]:
        return "sourceType", {name: _whole_spec(name) for name in CONNECTORS}

    def prepare(self, spec: SourceSpec, load: Load) -> Sourcing:
        name = spec.source_type
        if name not in CONNECTORS:
            near = MEANT.get(name.lower())
            hint = f"did you mean «{near}»?" if near in CONNECTORS else did_you_mean(name, CONNECTORS)
            known = f"known are {', '.join(sorted(CONNECTORS))}"
            raise DefinitionError.at(("sourceType",), f"{shown(name)} is no type of sources", hint or known)
        connector = self._of(name)
        problems: list[Problem] = []
        query = collected(problems, (), lambda: connector.prepare(_query(spec, connector, load), spec.source_id, load))
        selection = collected(problems, ("transform",), lambda: _selection(spec.transform, load))
        if problems or selection is None:
            raise DefinitionError(*problems)
        timeout_s = spec.timeout / 1000 if spec.timeout else self.limits.timeout_s
        return Sourcing(name, query, selection, spec.max_rows, spec.max_bytes, timeout_s)

    def _of(self, name: str) -> Connector:
        found = self._made.get(name)
        if found is None:
            kind = connector_class(name)
            made: Connector = kind(self.settings.of(kind.section, kind.Settings))
            found = self._made.setdefault(name, made)  # definitions are loaded in a thread: both get the same one
        return found

    async def run(self, prepared: Sourcing, scope: Scope) -> Output:
        selection = prepared.selection
        kept = Kept(prepared, self.limits, scope.names)
        reading = Reading(scope.names, scope.folder, scope.secret, scope.idempotency_key)
        if selection.filter is None:
            most = None if prepared.max_rows is None else prepared.max_rows + 1  # one more tells that there are more
            reading.wanted = min((each for each in (selection.limit, most) if each is not None), default=None)
        try:
            async with asyncio.timeout(prepared.timeout_s) as limit:
                await self._read(prepared, reading, kept)
        except TimeoutError as error:
            if not limit.expired():
                raise
            said = f"no end within {prepared.timeout_s:g} s (ETIMEDOUT)"
            raise StepError(f"{prepared.connector}: {said}", code="TIMEOUT") from error
        cut_by = kept.cut_by or reading.cut_by
        facts = {"sourceType": prepared.connector, "rowsRead": kept.read, "rows": len(kept.rows), "bytes": kept.size}
        return Output(kept.rows, {**facts, "truncated": cut_by is not None, "truncatedBy": cut_by, **reading.facts})

    async def _read(self, prepared: Sourcing, reading: Reading, kept: Kept) -> None:
        connector = self._of(prepared.connector)
        turn_ends = time.monotonic() + TURN_S
        async with aclosing(connector.read(prepared.query, reading)) as batches:
            async for batch in batches:
                for row in batch:
                    if not kept.take(row):
                        return
                    if time.monotonic() > turn_ends:
                        await asyncio.sleep(0)
                        turn_ends = time.monotonic() + TURN_S

    async def example(self, prepared: Sourcing, scope: Scope) -> list[Any]:  # noqa: ARG002 - the seam of rehearsals
        """For rehearsals, which touch nothing: a list, as every source gives one."""
        return []

    async def close(self) -> None:
        made, self._made = self._made, {}
        for connector in made.values():
            await connector.close()


@cache
def _whole_spec(name: str) -> type[BaseModel]:
    """The fields of a section with those of its query, for the published schema."""
    query = connector_class(name).Query
    fields: Any = {"query": (query, Field(default_factory=dict, description=SourceSpec.model_fields["query"].description))}
    return create_model(f"{query.__name__.removesuffix('Query')}SourceSpec", __base__=SourceSpec, **fields)


def _query(spec: SourceSpec, connector: Connector, load: Load) -> BaseModel:
    return read_section(spec.query, connector.Query, ("query",), load.warn)


def _selection(written: Any, load: Load) -> Selection:
    if isinstance(written, dict) and "expression" in written:
        hint = "give it to a transform step behind this one"
        raise DefinitionError.at(("expression",), "the transform of a source has filter, map and limit", hint)
    spec = read_section(written, SelectionSpec, (), lambda path, *said: load.warn(("transform", *path), *said))
    return compile_selection(spec, load.roots)


@dataclass(slots=True)
class Kept:
    """The rows that are kept so far, within their bounds."""

    prepared: Sourcing
    settings: SourceSettings
    names: Mapping[str, Any]
    rows: list[Any] = field(default_factory=list)
    read: int = 0
    size: int = 0  # bytes, as JSON
    cut_by: str | None = None  # which field of the definition left rows out

    def take(self, row: Any) -> bool:
        """Look at one more row. False: it is enough. Raises StepError where there are more than the settings allow."""
        prepared = self.prepared
        made = prepared.selection.made(row, self.read, self.names)
        self.read += 1
        if made is LEFT_OUT:
            return True
        size = self.size + _size(made)
        if prepared.max_rows is not None and len(self.rows) == prepared.max_rows:
            self.cut_by = "maxRows"
        elif prepared.max_bytes is not None and size > prepared.max_bytes:
            self.cut_by = "maxBytes"
        if self.cut_by is not None:
            return False
        if prepared.max_rows is None and len(self.rows) == self.settings.max_rows:
            raise _too_many(f"more than the {self.settings.max_rows:,} rows of the setting max_rows")
        if prepared.max_bytes is None and size > self.settings.max_bytes:
            raise _too_many(f"more than the {self.settings.max_bytes:,} bytes of the setting max_bytes")
        self.rows.append(made)
        self.size = size
        return len(self.rows) != prepared.selection.limit


def _too_many(said: str) -> StepError:
    hint = "filter more, give a limit, or say with maxRows or maxBytes that the rest may be left out"
    return StepError(f"the source has {said}: {hint}", code="ROWS_LIMIT", retryable=False)


def _size(row: Any) -> int:
    try:
        return len(orjson.dumps(row)) + 1
    except TypeError:  # a number that JSON has and 64 bits have not
        pass
    try:
        return len(json_text(row).encode()) + 1
    except RecursionError:
        raise StepError("a row is nested too deep", code="SOURCE_ROWS", retryable=False) from None
