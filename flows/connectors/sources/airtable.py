"""`airtable`: records of a table, a hundred to a page, no faster than Airtable allows."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ConfigDict, Field

from flows.connectors.json_exchange import ApiSettings, ask, cleaned, unexpected
from flows.connectors.pace import Pace
from flows.connectors.sources.connector import Reading
from flows.errors import DefinitionError, Problem, StepError
from flows.step import Load
from flows.steps.checked_text import CheckedText, Reference, collected, compile_text
from flows.steps.http_exchange import Request
from flows.steps.named_secret import SecretName, secret_name, usable_secret
from flows.text import as_text
from flows.value import Value, compile_value

PAGE_ROWS = 100  # Airtable gives no more at one time
MOST_PACES = 256  # bases whose pace is known
RATE_LIMIT_WAIT_S = 30.0  # what Airtable documents after a 429
EXPIRED = "LIST_RECORDS_ITERATOR_NOT_AVAILABLE"  # the mark of a page is of use for a few minutes only
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_PLAIN = re.compile(r"[\w .:@/+-]*")  # what ends no text of a formula, and begins nothing in it


class SortSpec(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    field: str = Field(min_length=1)
    direction: Literal["asc", "desc"] = "asc"


class AirtableQuery(BaseModel):
    """The `query` of Airtable; `sourceId` is the base."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, strict=True, frozen=True)

    table: str = Field(min_length=1, description="its name or its id, as text with {{ }} or a path")
    view: str | None = Field(default=None, min_length=1, description="the records of a view, in its order; text with {{ }}")
    fields: list[str] | None = Field(default=None, min_length=1, description="only these")
    filter_by_formula: str | None = Field(
        default=None, alias="filterByFormula", min_length=1, description="Airtable's formula; values as {{… | json}}"
    )
    sort: list[SortSpec] | None = Field(default=None, min_length=1, description="{field, direction}: asc or desc")
    max_pages: int | None = Field(default=None, alias="maxPages", ge=1, description="pages of 100 behind these are left out")
    secret: str | SecretName | None = Field(default=None, description="the name of the token's secret; none: the setting secret")


class AirtableSettings(ApiSettings):
    """`[connectors.airtable]`."""

    base_url: str = Field(default="https://api.airtable.com", pattern=r"^https?://\S+$", description="where the API is")
    secret: str = Field(default="AIRTABLE_TOKEN", min_length=1, description="the secret with the token, for steps that name none")
    requests_per_second: int = Field(default=5, ge=1, description="to one base, as Airtable allows")


@dataclass(frozen=True, slots=True)
class Listing:
    """An Airtable query, compiled."""

    base: CheckedText
    table: CheckedText
    view: Value | None
    formula: CheckedText | None
    fixed: tuple[tuple[str, str], ...]  # parameters without values in them
    max_pages: int | None
    secrets: tuple[str, ...]
    references: tuple[Reference, ...]


class AirtableSource:
    """A row is the record's `id` and `createdTime`, then its fields; a field of one of these names is `id_2`."""

    section: ClassVar[str] = "connectors.airtable"
    Settings: ClassVar[type[BaseModel]] = AirtableSettings
    Query: ClassVar[type[BaseModel]] = AirtableQuery

    def __init__(self, settings: AirtableSettings) -> None:
        self.settings = settings
        self._client = settings.client()
        self._paces: dict[str, Pace] = {}

    def prepare(self, query: AirtableQuery, source_id: str | None, load: Load) -> Listing:  # noqa: ARG002 - the seam's signature
        problems: list[Problem] = []
        if source_id is None:
            problems.append(Problem(("sourceId",), "the base is not named", '"sourceId": "appXXXXXXXXXXXXXX"'))
        base = collected(problems, ("sourceId",), lambda: compile_text(source_id or ""))
        table = collected(problems, ("query", "table"), lambda: compile_text(query.table))
        view = collected(problems, ("query", "view"), lambda: compile_value(query.view))
        written = query.filter_by_formula or ""
        formula = collected(problems, ("query", "filterByFormula"), lambda: compile_text(written))
        if base is not None and base.whole is None and not base.placeholders and not _ID.fullmatch(source_id or "x"):
            problems.append(
                Problem(("sourceId",), "that is no id of a base", "it begins with app, and stands in the base's address")
            )
        if base is None or table is None or view is None or formula is None or problems:
            raise DefinitionError(*problems)
        fixed = [("fields[]", name) for name in query.fields or ()]
        for number, each in enumerate(query.sort or ()):
            fixed += [(f"sort[{number}][field]", each.field), (f"sort[{number}][direction]", each.direction)]
        named = secret_name(query.secret)
        references = (*base.references, *table.references, *view.references, *formula.references)
        return Listing(
            base,
            table,
            view if query.view else None,
            formula if written else None,
            tuple(fixed),
            query.max_pages,
            (named or self.settings.secret,),
            tuple(dict.fromkeys(references)),
        )

    async def read(self, prepared: Listing, reading: Reading) -> AsyncGenerator[list[Any], None]:
        token, secrets = usable_secret(prepared.secrets[0], reading.secret)
        base, address, params = self._asked(prepared, reading)
        pace = self._pace(base)
        mark: Any = None
        pages = 0
        while True:
            more = [("offset", mark)] if mark else []
            url = f"{address}?{_encoded([*params, *more])}"
            request = self.settings.request("GET", url, {"Authorization": f"Bearer {token}", "Accept": "application/json"})
            value = await self._ask(request, secrets, pace)
            rows = [_row(record) for record in value["records"] if isinstance(record, dict)]
            pages += 1
            reading.facts["pages"] = pages
            yield cleaned(rows, secrets)
            before, mark = mark, value.get("offset")
            if not mark:
                return
            if not isinstance(mark, str) or mark == before:
                raise StepError(f"page {pages} names itself as the next one", code="PAGING_LOOP", retryable=False)
            if pages == prepared.max_pages:
                reading.cut_by = "maxPages"
                return

    def _pace(self, base: str) -> Pace:
        """Which base is asked may come from an event: those at which nothing goes on are forgotten."""
        if base not in self._paces and len(self._paces) >= MOST_PACES:
            self._paces = {each: pace for each, pace in self._paces.items() if not pace.idle}
        return self._paces.setdefault(base, Pace(self.settings.requests_per_second))

    def _asked(self, prepared: Listing, reading: Reading) -> tuple[str, str, list[tuple[str, str]]]:
        """The base, the table's address, and what every page is asked with."""
        base = prepared.base.make(reading.names, _judge_id, lambda _number: "give the id of a base")
        table = prepared.table.make(reading.names, _judge_name, lambda _number: "give a table's name or id")
        if not _ID.fullmatch(base) or not table or table in (".", ".."):
            raise StepError("the base or the table is not named", code="SOURCE_INPUT", retryable=False)
        params = [("pageSize", str(min(PAGE_ROWS, reading.wanted or PAGE_ROWS))), *prepared.fixed]
        if prepared.view is not None:
            params.append(("view", as_text(prepared.view.needed(reading.names))))
        if prepared.formula is not None:
            made = prepared.formula.make(reading.names, _judge_formula, partial(_advice, prepared.formula))
            params.append(("filterByFormula", made))
        address = f"{self.settings.base_url.rstrip('/')}/v0/{base}/{_quoted(table)}"
        return base, address, params

    async def _ask(self, request: Request, secrets: tuple[str, ...], pace: Pace) -> Mapping[str, Any]:
        """One page. While Airtable has said to wait nothing is sent: each request would make it wait longer."""
        async with pace.turn():
            if pace.closed_for_s:  # also by what was answered while this one waited for its turn
                said = f"{request.method} {request.shown}: not asked, for Airtable has said to wait"
                raise StepError(said, code="HTTP_STATUS", status=429, retry_after_s=pace.closed_for_s)
            try:
                value, _ = await ask(self._client, request, secrets, words=_words)
            except StepError as error:
                if error.status == 429:
                    error.retry_after_s = error.retry_after_s or RATE_LIMIT_WAIT_S
                    pace.close_for(error.retry_after_s)
                if error.status == 422 and EXPIRED in str(error):
                    said = f"{request.method} {request.shown}: the next page is not kept any more: reading begins anew"
                    raise StepError(said, code="PAGING_EXPIRED") from None
                raise
        if not isinstance(value, dict) or not isinstance(value.get("records"), list):
            raise unexpected(request, "the answer has no list of records")
        return value

    async def close(self) -> None:
        await self._client.close()


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    row = {"id": record.get("id"), "createdTime": record.get("createdTime")}
    fields = record.get("fields")
    for name, value in (fields if isinstance(fields, dict) else {}).items():
        free, count = name, 1
        while free in row:
            count += 1
            free = f"{name}_{count}"
        row[free] = value
    return row


def _words(body: Any) -> str:
    """`{"error": {"type", "message"}}`, `{"error": "NOT_FOUND"}`, `{"errors": [{"error", "message"}]}`."""
    found = body.get("error") if isinstance(body, dict) else None
    listed = body.get("errors") if isinstance(body, dict) else None
    if found is None and isinstance(listed, list) and listed:
        found = listed[0]
    if isinstance(found, dict):
        return ": ".join(str(found[name]) for name in ("type", "error", "message") if isinstance(found.get(name), str))
    return found if isinstance(found, str) else ""


def _judge_id(_number: int, _before: str, text: str, _pipe: str | None) -> str | None:
    return None if _ID.fullmatch(text) else "it is no part of an id"


def _judge_name(_number: int, _before: str, text: str, _pipe: str | None) -> str | None:
    return "it has a control character" if re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", text) else None


def _judge_formula(_number: int, _before: str, text: str, pipe: str | None) -> str | None:
    """As JSON a value is a text of the formula, with its own quotes; as it is it may end one."""
    return None if pipe == "json" or _PLAIN.fullmatch(text) else "it has marks that mean something to a formula"


def _advice(formula: CheckedText, number: int) -> str:
    shown = formula.shown(number)
    if not shown.startswith("{{"):
        return "write {{… | json}} where it is a text of the formula"
    return f"write {shown.removesuffix('}}').partition('|')[0].rstrip()} | json}}}}, without quotes around it"


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _encoded(params: list[tuple[str, str]]) -> str:
    try:
        return urlencode(params)
    except UnicodeEncodeError:
        raise StepError("a value has half a character (a lone surrogate)", code="TEXT_ENCODING", retryable=False) from None
