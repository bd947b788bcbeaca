"""`database`: rows of an SQL statement, from an SQLite file or a PostgreSQL server, read in one transaction that changes nothing."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from flows.connectors.addresses import DEFAULT_SECRET, Address, SqliteFile, address_of
from flows.connectors.database import Databases, Session
from flows.connectors.sources.connector import Reading
from flows.connectors.statement import MAX_CHARACTERS, read_statement
from flows.errors import DefinitionError, Problem, StepError
from flows.step import Load
from flows.steps.checked_text import Reference, collected
from flows.steps.file_place import FilePath, compile_path, find_file
from flows.steps.named_secret import SecretName, secret_name
from flows.suggest import did_you_mean
from flows.value import Value, compile_value

_OURS = re.compile(r"\{\{|\$\.")
_OURS_IN_TEXT = re.compile(
    r"\{\{|\$\.(?:input|steps|loop|env)\b"
)  # any other `$.name` there is a JSON path of the database's own
MAX_RETURNED = 100_000  # rows that are held until a change is committed
BOUND = 'write :name in the statement, and "params": {"name": "$.input.name"}'


class DatabaseQuery(BaseModel):
    """The `query` of a database."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, strict=True, frozen=True)

    sql: str = Field(min_length=1, max_length=MAX_CHARACTERS, description="one statement; :name for a parameter")
    params: dict[str, Any] = Field(default_factory=dict, description="name: value, which is bound and never read as SQL")
    path: str | None = Field(default=None, min_length=1, description="an SQLite file, from the flow's folder")
    secret: str | SecretName | None = Field(
        default=None, description="the name of the secret that holds an address; none of both: the setting secret"
    )
    read_only: bool = Field(default=True, alias="readOnly", description="false: the statement may change what is there")
    timeout: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="milliseconds for the statement; none: the setting timeout_s"
    )


class DatabaseSettings(BaseModel):
    """`[connectors.database]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    secret: str = Field(default=DEFAULT_SECRET, min_length=1, description="the secret with the address, for steps that name none")
    timeout_s: float = Field(default=60.0, gt=0, description="for one statement, all its rows read")
    roots: tuple[str, ...] = Field(default=(), description="folders whose SQLite files may be opened; none: every one")


@dataclass(frozen=True, slots=True)
class Asking:
    """A database's query, compiled."""

    sql: str
    params: tuple[tuple[str, Value], ...]
    path: FilePath | None
    secrets: tuple[str, ...]  # the one that holds the address
    read_only: bool
    timeout_s: float
    references: tuple[Reference, ...]


class DatabaseSource:
    section: ClassVar[str] = "connectors.database"
    Settings: ClassVar[type[BaseModel]] = DatabaseSettings
    Query: ClassVar[type[BaseModel]] = DatabaseQuery

    def __init__(self, settings: DatabaseSettings) -> None:
        self.settings = settings
        self._databases = Databases()

    def prepare(self, query: DatabaseQuery, source_id: str | None, load: Load) -> Asking:
        problems = list(_problems(query, load))
        if source_id is not None:
            hint = "path for an SQLite file, secret for the name of a secret with an address, both in query"
            problems.append(Problem(("sourceId",), "a database is not named by sourceId", hint))
        if query.path is not None and query.secret is not None:
            problems.append(Problem(("query", "secret"), "path and secret name two databases", "leave one out"))
        text = query.path
        path = None if text is None else collected(problems, ("query", "path"), lambda: compile_path(text))
        params = [
            (name, collected(problems, ("query", "params", name), partial(compile_value, written)))
            for name, written in query.params.items()
        ]
        if problems:
            raise DefinitionError(*problems)
        named = secret_name(query.secret)
        bound = tuple((name, value) for name, value in params if value is not None)
        references = [*(path.references if path else ()), *(each for _, value in bound for each in value.references)]
        return Asking(
            query.sql,
            bound,
            path,
            () if path is not None else (named or self.settings.secret,),
            query.read_only,
            query.timeout / 1000 if query.timeout else self.settings.timeout_s,
            tuple(dict.fromkeys(references)),
        )

    async def read(self, prepared: Asking, reading: Reading) -> AsyncGenerator[list[Any], None]:
        params = {name: value.needed(reading.names) for name, value in prepared.params}
        address = self._address(prepared, reading)
        reading.facts["database"] = str(address)
        opened = self._databases.session(address, read_only=prepared.read_only, timeout_s=prepared.timeout_s)
        if not prepared.read_only:
            yield await self._all(opened, prepared, params)  # who wants a few of its rows wants all of its changes
            return
        async with opened as session, aclosing(session.rows(prepared.sql, params)) as batches:
            async for batch in batches:
                yield batch

    async def _all(self, opened: AbstractAsyncContextManager[Session], prepared: Asking, params: dict[str, Any]) -> list[Any]:
        """On return it is committed."""
        rows: list[Any] = []
        async with opened as session:
            async for batch in session.rows(prepared.sql, params):
                rows += batch
                if len(rows) > MAX_RETURNED:
                    said = f"a statement that changes something gives more than {MAX_RETURNED:,} rows, and is taken back"
                    raise StepError(said, code="ROWS_LIMIT", retryable=False)
        return rows

    def _address(self, prepared: Asking, reading: Reading) -> Address:
        if prepared.path is None:
            return address_of(reading.secret(prepared.secrets[0]), reading.folder)
        return SqliteFile(find_file(prepared.path, reading.names, reading.folder, roots=self.settings.roots))

    async def close(self) -> None:
        await self._databases.close()


def _problems(query: DatabaseQuery, load: Load) -> Iterator[Problem]:
    """What is wrong with the statement and the names in it."""
    statement, place = read_statement(query.sql), ("query", "sql")
    for text, is_sql in statement.parts:
        found = (_OURS if is_sql else _OURS_IN_TEXT).search(text)
        if found is not None:
            yield Problem(place, f"nothing is put into a statement, and it has {found[0]}", BOUND)
            break
    if statement.foreign is not None or (query.path is not None and statement.question_mark):
        yield Problem(place, f"{statement.foreign or '?'} is no parameter here", BOUND)
    for name in statement.names:
        if name not in query.params:
            yield Problem(place, f"the statement has :{name}, and params does not", did_you_mean(name, query.params) or BOUND)
    for name in query.params:
        if name not in statement.names:
            load.warn(("query", "params", name), f"the statement has no :{name}", "take it out")
