"""`database`: rows into a table of SQLite or PostgreSQL, all in one transaction, every value bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, Field, model_validator

from flows.connectors.addresses import Address, SqliteFile, address_of
from flows.connectors.database import Databases, Session
from flows.connectors.destinations.columns import MAX_COLUMNS, Columns, Row, chunks, compile_columns
from flows.connectors.destinations.destination import Data, compile_data, json_of
from flows.connectors.destinations.spec import DestinationSpec
from flows.connectors.identifiers import quoted, quoted_table, why_no_identifier
from flows.connectors.sources.database import DatabaseSettings
from flows.errors import DefinitionError, Problem, StepError
from flows.step import Load, Scope
from flows.steps.checked_text import collected
from flows.steps.file_place import FilePath, compile_path, find_file
from flows.steps.named_secret import SecretName, secret_name

CHUNK_ROWS = 500  # that are bound and sent together


class DatabaseSpec(DestinationSpec):
    """The `output` section of a step with the destination `database`."""

    table: str = Field(min_length=1, description="its name, or schema.table; never a value of the run")
    path: str | None = Field(default=None, min_length=1, description="an SQLite file, from the flow's folder")
    secret: str | SecretName | None = Field(
        default=None, description="the name of the secret that holds an address; none of both: the setting secret"
    )
    mode: Literal["insert", "upsert"] = Field(default="insert", description="upsert: a row with the same key is changed")
    key: list[str] = Field(default_factory=list, description="of upsert: the columns of a unique key")
    columns: dict[str, Any] | list[str] | None = Field(default=None, description="what a row holds; none: its own fields")
    idempotency_column: str | None = Field(
        default=None,
        alias="idempotencyColumn",
        description="a unique text column that makes a repeated attempt write nothing twice",
    )
    timeout: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="milliseconds for a statement; none: the setting timeout_s"
    )

    @model_validator(mode="after")
    def _one_way(self) -> DatabaseSpec:
        if self.path is not None and self.secret is not None:
            raise ValueError("path and secret name two databases: leave one out")
        if (self.mode == "upsert") != bool(self.key):
            raise ValueError(
                "upsert needs key, the columns of a unique key" if self.mode == "upsert" else "key is read with upsert only"
            )
        if self.mode == "upsert" and self.idempotency_column is not None:
            raise ValueError("idempotencyColumn is for insert: an upsert writes the same when it is repeated")
        return self


@dataclass(frozen=True, slots=True)
class Storing:
    """Such a section, compiled."""

    table: str  # quoted
    path: FilePath | None
    secrets: tuple[str, ...]  # the name of the one that holds the address
    key: tuple[str, ...]
    columns: Columns
    data: Data
    idempotency_column: str | None
    timeout_s: float


class DatabaseDestination:
    """A step's rows are all there or none is. A plain insert that is repeated after a crash may insert them again."""

    section: ClassVar[str] = "connectors.database"
    Settings: ClassVar[type[BaseModel]] = DatabaseSettings
    Spec: ClassVar[type[DestinationSpec]] = DatabaseSpec

    def __init__(self, settings: DatabaseSettings) -> None:
        self.settings = settings
        self._databases = Databases()

    def prepare(self, spec: DatabaseSpec, load: Load) -> Storing:
        problems = list(_name_problems(spec))
        text = spec.path
        path = None if text is None else collected(problems, ("path",), lambda: compile_path(text))
        data = collected(problems, ("data",), lambda: compile_data(spec))
        columns = collected(problems, ("columns",), lambda: compile_columns(spec.columns, load.roots))
        if data is None or columns is None or problems:
            raise DefinitionError(*problems)
        secret = secret_name(spec.secret)
        return Storing(
            quoted_table(spec.table),
            path,
            () if path is not None else (secret or self.settings.secret,),
            tuple(spec.key),
            columns,
            data,
            spec.idempotency_column,
            spec.timeout / 1000 if spec.timeout else self.settings.timeout_s,
        )

    async def write(self, prepared: Storing, scope: Scope) -> dict[str, Any]:
        value = prepared.data.made(scope.names)
        address = self._address(prepared, scope)
        rows = changed = 0
        async with self._databases.session(address, read_only=False, timeout_s=prepared.timeout_s) as session:
            async for chunk in chunks(value, prepared.columns, scope.names, CHUNK_ROWS):
                changed += await _write(session, prepared, _with_keys(chunk, prepared, scope.idempotency_key, rows))
                rows += len(chunk)
        return {"rows": rows, "changed": changed, "database": str(address)}

    def _address(self, prepared: Storing, scope: Scope) -> Address:
        if prepared.path is not None:
            return SqliteFile(find_file(prepared.path, scope.names, scope.folder, roots=self.settings.roots))
        return address_of(scope.secret(prepared.secrets[0]), scope.folder)

    async def close(self) -> None:
        await self._databases.close()


def _name_problems(spec: DatabaseSpec) -> list[Problem]:
    """Names of the definition that no table or column can have; a name is never made of a value."""
    named: list[tuple[tuple[str | int, ...], str]] = [(("table",), part) for part in spec.table.split(".")]
    named += [(("key", number), name) for number, name in enumerate(spec.key)]
    named += [(("columns",), name) for name in spec.columns or ()]
    if spec.idempotency_column is not None:
        named.append((("idempotencyColumn",), spec.idempotency_column))
    problems = [Problem(path, why) for path, name in named if (why := why_no_identifier(name)) is not None]
    if "{{" in spec.table:
        problems.append(Problem(("table",), "a table is named in the definition, never by a value", "take the {{ }} out"))
    if spec.columns is not None:
        problems += [
            Problem(("key", number), f"«{name}» is not among the columns")
            for number, name in enumerate(spec.key)
            if name not in spec.columns
        ]
        if spec.idempotency_column in spec.columns:
            said = f"«{spec.idempotency_column}» is among the columns too, and holds the attempt's key"
            problems.append(Problem(("idempotencyColumn",), said, "leave it out of columns"))
    return problems


def _with_keys(rows: Sequence[Row], prepared: Storing, key: str, first: int) -> list[Row]:
    """Each row with what tells it from every other of the step, the same for every attempt."""
    column = prepared.idempotency_column
    if column is None:
        return list(rows)
    return [{**row, column: f"{key}:{first + number}"} for number, row in enumerate(rows)]


async def _write(session: Session, prepared: Storing, rows: Sequence[Row]) -> int:
    """How many rows were inserted or changed. Rows with the same fields go together: what one leaves out has its default."""
    batches = []
    for names, group in groupby(rows, key=tuple):
        alike = list(group)
        why = _why_no_rows(names, alike, prepared.key) or (_why_one_column(names) if session.dialect == "sqlite" else None)
        if why is not None:
            raise StepError(why, code="OUTPUT_ROWS", retryable=False)
        bound = [{f"c{number}": _bound(row[name]) for number, name in enumerate(names)} for row in alike]
        batches.append((_statement(prepared, names), bound))
    return await session.execute_all(batches)


def _why_no_rows(names: Sequence[str], rows: Sequence[Row], key: Sequence[str]) -> str | None:
    """Why rows with these fields cannot be written. A null in a unique key is like no other: it would be inserted each time."""
    if not names:
        return "a row has no fields"
    if len(names) > MAX_COLUMNS:
        return f"a row has {len(names):,} fields, and may have {MAX_COLUMNS:,}"
    for name in key:
        if name not in names:
            return f"a row has no «{name}», which is part of the key"
        if any(row[name] is None for row in rows):
            return f"a row has null as «{name}», which is part of the key"
    return None


def _why_one_column(names: Sequence[str]) -> str | None:
    """For SQLite `ID` and `id` are one column, and the first that is named wins: a row's field could stand in for our key."""
    seen: dict[bytes, str] = {}
    for name in names:
        other = seen.setdefault(name.encode("utf-8", "surrogatepass").lower(), name)
        if other is not name:
            return f"a row has «{other[:60]}» and «{name[:60]}», which are one column of SQLite"
    return None


def _bound(value: Any) -> Any:
    """Objects and lists as JSON text, which columns of text and of JSON both take."""
    return json_of(value) if isinstance(value, (dict, list)) else value


def _statement(prepared: Storing, names: tuple[str, ...]) -> str:
    columns = ", ".join(quoted(name) for name in names)
    values = ", ".join(f":c{number}" for number in range(len(names)))
    text = f"INSERT INTO {prepared.table} ({columns}) VALUES ({values})"  # noqa: S608 - names are checked and quoted, values bound
    if prepared.idempotency_column is not None:
        return f"{text} ON CONFLICT ({quoted(prepared.idempotency_column)}) DO NOTHING"
    if not prepared.key:
        return text
    key = ", ".join(quoted(name) for name in prepared.key)
    others = ", ".join(f"{quoted(name)} = excluded.{quoted(name)}" for name in names if name not in prepared.key)
    return f"{text} ON CONFLICT ({key}) " + (f"DO UPDATE SET {others}" if others else "DO NOTHING")
