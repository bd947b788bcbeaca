"""`api`: rows of a JSON API, page after page, with the requests of the `http` step."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from flows.connectors.json_exchange import ask, cleaned
from flows.connectors.rows import list_at
from flows.connectors.sources.connector import Reading
from flows.connectors.sources.paging import Page, Paging, PagingSpec
from flows.errors import DefinitionError, Problem, StepError
from flows.step import Load
from flows.steps.http_exchange import Request
from flows.steps.http_request import Exchange, HttpSettings, RequestSpec, compile_exchange, open_client, request_of
from flows.steps.key_path import keys_of, value_at

MAX_PAGES = 1_000  # of a step that says no maxPages: more is a server that never ends, or work for several steps


class ApiQuery(RequestSpec):
    """The `query` of an API: a request as of an `http` step, where the rows are, and how they are parted."""

    url: str = Field(default="", description="where sourceId does not name it: as text with {{ }}, or a $. path")
    items: str | None = Field(default=None, min_length=1, description="where in the answer the list of rows is: data.items")
    items_optional: bool = Field(
        default=False, alias="itemsOptional", description="true: an answer without the list has no rows; else it fails"
    )
    paging: PagingSpec | None = Field(default=None, description="none: there is one page")
    max_pages: int | None = Field(default=None, alias="maxPages", ge=1, description="pages behind these are left out")


@dataclass(frozen=True, slots=True)
class Paged:
    """An API's query, compiled."""

    exchange: Exchange
    items: str | None
    items_optional: bool
    paging: PagingSpec | None
    max_pages: int | None


class ApiSource:
    """Its settings are those of the `http` step: both ask the same world."""

    section: ClassVar[str] = "steps.http"
    Settings: ClassVar[type[BaseModel]] = HttpSettings
    Query: ClassVar[type[BaseModel]] = ApiQuery

    def __init__(self, settings: HttpSettings) -> None:
        self.settings = settings
        self._client = open_client(settings)

    def prepare(self, query: ApiQuery, source_id: str | None, load: Load) -> Paged:
        if bool(query.url) == (source_id is not None):
            said = "the address is named twice" if source_id else "the address is not named"
            hint = 'one of them: "sourceId": "https://…", or url in query'
            raise DefinitionError.at(("sourceId",) if source_id else (), said, hint)
        place = ("sourceId",) if source_id else ("query", "url")
        warned = replace(load, warn=lambda path, *said: load.warn(place if path == ("url",) else ("query", *path), *said))
        problems: list[Problem] = []
        exchange = None
        try:
            spec = query.model_copy(update={"url": source_id or query.url})
            exchange = compile_exchange(spec, self.settings, warned, "json")
        except DefinitionError as error:
            problems += [replace(each, path=place) if each.path == ("url",) else each.under("query") for each in error.problems]
        if query.paging is not None and query.paging.in_ == "body" and (query.text is not None or query.form is not None):
            problems.append(Problem(("query", "paging", "in"), "parameters of pages go into a JSON body", "write it as body"))
        if problems or exchange is None:
            raise DefinitionError(*problems)
        return Paged(exchange, query.items, query.items_optional, query.paging, query.max_pages)

    async def read(self, prepared: Paged, reading: Reading) -> AsyncGenerator[list[Any], None]:
        first, secrets = request_of(prepared.exchange, reading)
        paging = Paging(prepared.paging, first)
        request = paging.begin()
        number = before = 0
        while True:
            number += 1
            value, answer = await ask(self._client, request, secrets, prepared.exchange.expect)
            found = _found(value, prepared, first=number == 1)
            rows = found if isinstance(found, list) else self._refuse(value, prepared, request, secrets)
            reading.facts["pages"] = number
            yield cleaned(rows, secrets)
            following = paging.after(Page(number, answer, value, rows, before))
            if following is None:
                return
            if number == prepared.max_pages:
                reading.cut_by = "maxPages"
                return
            if prepared.max_pages is None and number == MAX_PAGES:
                said = f"there are more than {MAX_PAGES:,} pages: say with maxPages that the rest may be left out"
                raise StepError(f"{first.method} {first.shown}: {said}", code="PAGES_LIMIT", retryable=False)
            before += len(rows)
            request = following

    def _refuse(self, value: Any, prepared: Paged, request: Request, secrets: Sequence[str]) -> list[Any]:
        """What is there in place of rows is told, without the secrets that it may repeat."""
        return list_at(cleaned([value], secrets)[0], prepared.items, f"{request.method} {request.shown}: the answer")

    async def close(self) -> None:
        await self._client.close()


def _found(value: Any, prepared: Paged, *, first: bool) -> Any:
    """Nothing at all is no rows; so is an answer that leaves the list out, where that is allowed or rows came before it."""
    found = value if prepared.items is None else value_at(value, keys_of(prepared.items))
    return [] if found is None and (value is None or prepared.items_optional or not first) else found
