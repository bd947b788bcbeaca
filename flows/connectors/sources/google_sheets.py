"""`google_sheets`: rows of a spreadsheet, the first of a range being its heading."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field

from flows.connectors.google_token import GoogleTokens
from flows.connectors.json_exchange import ApiSettings, ask, cleaned, unexpected
from flows.connectors.rows import names_of
from flows.connectors.sources.connector import Reading
from flows.errors import DefinitionError, Problem, StepError
from flows.step import Load
from flows.steps.checked_text import CheckedText, Reference, collected, compile_text
from flows.steps.named_secret import SecretName, secret_name
from flows.value import Value, compile_value

SCOPE = "https://www.googleapis.com/auth/spreadsheets.readonly"
FIRST_SHEET = "sheet, range or ranges: A1:D100 without a sheet is of the first one"
_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")
_CELLS = re.compile(r"\$?[A-Za-z]{0,3}\$?[0-9]{0,8}(?::(?=[$A-Za-z0-9])\$?[A-Za-z]{0,3}\$?[0-9]{0,8})?")
_NAMED = re.compile(r"[A-Za-z_\\][\w.\\]{0,249}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class GoogleSheetsQuery(BaseModel):
    """The `query` of Google Sheets; `sourceId` is the spreadsheet."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, strict=True, frozen=True)

    sheet: str | None = Field(default=None, min_length=1, description="the sheet's name, as text with {{ }} or a path")
    range: str | None = Field(default=None, min_length=1, description="A1:D100, A2:D, a named range; none: the whole sheet")
    ranges: list[str] | None = Field(
        default=None, min_length=1, description="several, one after the other, each with its heading"
    )
    header: bool = Field(default=True, description="the first row has the names; false: rows are lists")
    value_render_option: Literal["UNFORMATTED_VALUE", "FORMATTED_VALUE", "FORMULA"] = Field(
        default="UNFORMATTED_VALUE", alias="valueRenderOption", description="numbers as numbers, as people see them, or formulas"
    )
    date_time_render_option: Literal["FORMATTED_STRING", "SERIAL_NUMBER"] = Field(
        default="FORMATTED_STRING", alias="dateTimeRenderOption", description="dates as people see them, or as days since 1899"
    )
    secret: str | SecretName | None = Field(default=None, description="the name of the key's secret; none: the setting secret")


class GoogleSheetsSettings(ApiSettings):
    """`[connectors.google_sheets]`."""

    base_url: str = Field(default="https://sheets.googleapis.com", pattern=r"^https?://\S+$", description="where the API is")
    secret: str = Field(
        default="GOOGLE_SERVICE_ACCOUNT", min_length=1, description="the secret with the key's JSON, for steps that name none"
    )


@dataclass(frozen=True, slots=True)
class Sheet:
    """A query of Google Sheets, compiled."""

    spreadsheet: CheckedText
    sheet: Value
    ranges: tuple[Value, ...]  # none: the whole sheet
    header: bool
    options: tuple[tuple[str, str], ...]
    secrets: tuple[str, ...]
    references: tuple[Reference, ...]


class GoogleSheetsSource:
    """An empty cell is null, at the end of a row as in the middle; rows that are empty are passed over."""

    section: ClassVar[str] = "connectors.google_sheets"
    Settings: ClassVar[type[BaseModel]] = GoogleSheetsSettings
    Query: ClassVar[type[BaseModel]] = GoogleSheetsQuery

    def __init__(self, settings: GoogleSheetsSettings) -> None:
        self.settings = settings
        self._client = settings.client()
        self._tokens = GoogleTokens(settings, self._client)

    def prepare(self, query: GoogleSheetsQuery, source_id: str | None, load: Load) -> Sheet:  # noqa: ARG002 - the seam's signature
        problems = list(_problems(query, source_id))
        spreadsheet = collected(problems, ("sourceId",), lambda: compile_text(source_id or ""))
        sheet = collected(problems, ("query", "sheet"), lambda: compile_value(query.sheet))
        written = (
            [(("range",), query.range)] if query.range else [(("ranges", n), each) for n, each in enumerate(query.ranges or ())]
        )
        ranges = [collected(problems, ("query", *place), partial(compile_value, each)) for place, each in written]
        problems += [
            Problem(("query", *place), f"«{each[:60]}» is no range", "A1:D100, A2:D, or the name of a range")
            for (place, each), made in zip(written, ranges, strict=True)
            if made is not None and made.constant and not _is_range(each, query.sheet)
        ]
        if problems or spreadsheet is None or sheet is None:
            raise DefinitionError(*problems)
        made = tuple(each for each in ranges if each is not None)
        named = secret_name(query.secret)
        return Sheet(
            spreadsheet,
            sheet,
            made,
            query.header,
            (
                ("majorDimension", "ROWS"),
                ("valueRenderOption", query.value_render_option),
                ("dateTimeRenderOption", query.date_time_render_option),
            ),
            (named or self.settings.secret,),
            tuple(
                dict.fromkeys((*spreadsheet.references, *sheet.references, *(one for each in made for one in each.references)))
            ),
        )

    async def read(self, prepared: Sheet, reading: Reading) -> AsyncGenerator[list[Any], None]:
        spreadsheet = prepared.spreadsheet.make(reading.names, _judge_id, lambda _number: "give the id of a spreadsheet")
        if not _ID.fullmatch(spreadsheet):
            raise StepError("the spreadsheet is not named", code="SOURCE_INPUT", retryable=False)
        asked = [("ranges", each) for each in _ranges(prepared, reading.names)]
        url = f"{self.settings.base_url.rstrip('/')}/v4/spreadsheets/{spreadsheet}/values:batchGet"
        value, token = await self._ask(f"{url}?{urlencode([*asked, *prepared.options])}", prepared.secrets[0], reading)
        found = value.get("valueRanges") if isinstance(value, dict) else None
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise unexpected(self.settings.request("GET", url, {}), "the answer has no list of ranges")
        reading.facts["ranges"] = [each.get("range") for each in found]
        for each in found:
            yield cleaned(_rows(each.get("values"), header=prepared.header), (token,))

    async def _ask(self, url: str, name: str, reading: Reading) -> tuple[Any, str]:
        """The answer, and the token it was asked with. A token that is refused before its time is asked for anew, once."""
        secret = reading.secret(name)
        for again in (True, False):
            token = await self._tokens.token(name, secret, SCOPE)
            headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
            try:
                value, _ = await ask(self._client, self.settings.request("GET", url, headers), (token,), words=_words)
            except StepError as error:
                if error.status != 401 or not again:
                    raise
                self._tokens.forget(secret, SCOPE, token)
            else:
                return value, token
        raise AssertionError("the second time it is raised")  # pragma: no cover

    async def close(self) -> None:
        await self._client.close()


def _problems(query: GoogleSheetsQuery, source_id: str | None) -> Sequence[Problem]:
    problems = []
    if source_id is None:
        problems.append(Problem(("sourceId",), "the spreadsheet is not named", "its id stands in its address, after /d/"))
    elif not source_id.startswith("$.") and "{{" not in source_id and not _ID.fullmatch(source_id):
        problems.append(Problem(("sourceId",), "that is no id of a spreadsheet", "it stands in its address, after /d/"))
    if query.range is not None and query.ranges is not None:
        problems.append(Problem(("query", "ranges"), "range and ranges are both given", "leave one out"))
    if query.sheet is None and query.range is None and query.ranges is None:
        problems.append(Problem(("query",), "nothing says what is read", FIRST_SHEET))
    return problems


def _judge_id(_number: int, _before: str, text: str, _pipe: str | None) -> str | None:
    return None if _ID.fullmatch(text) else "it is no part of an id"


def _ranges(prepared: Sheet, names: Mapping[str, Any]) -> list[str]:
    """In A1's notation. Raises StepError SOURCE_INPUT: a value cannot lead to another sheet than the one that is written."""
    sheet = prepared.sheet.needed(names)
    if sheet is not None and (not isinstance(sheet, str) or not sheet or _CONTROL.search(sheet)):
        raise StepError("the name of the sheet is no text that can be one", code="SOURCE_INPUT", retryable=False)
    quoted = None if sheet is None else "'" + sheet.replace("'", "''") + "'"
    made = []
    for value in prepared.ranges:
        each = value.needed(names)
        if not isinstance(each, str) or not _is_range(each, sheet if value.constant else ""):
            raise StepError(f"«{str(each)[:60]}» is no range of cells", code="SOURCE_INPUT", retryable=False)
        made.append(each)
    if quoted is None:
        return made
    return [f"{quoted}!{each}" for each in made] or [quoted]


def _is_range(text: str, sheet: object) -> bool:
    """`A1:D100`, a named range, and where no sheet is named beside it also `Sheet!A1:D100`."""
    before, mark, cells = text.rpartition("!")
    if mark and (sheet is not None or not before or _CONTROL.search(before)):
        return False
    return bool(cells) and bool(_CELLS.fullmatch(cells) or (not mark and _NAMED.fullmatch(cells)))


def _rows(values: Any, *, header: bool) -> list[Any]:
    """Of one range. What is not there is an empty sheet."""
    listed = [[None if cell == "" else cell for cell in row] for row in values or () if isinstance(row, list)]
    cells = [row for row in listed if any(cell is not None for cell in row)]
    if not header or not cells:
        return cells
    width = max(len(row) for row in cells)
    names = names_of([*cells[0], *[None] * (width - len(cells[0]))])
    heading = max((place for place, cell in enumerate(cells[0]) if cell is not None), default=-1) + 1
    return [dict(zip(names[: max(heading, len(row))], [*row, *[None] * (heading - len(row))], strict=True)) for row in cells[1:]]


def _words(body: Any) -> str:
    """`{"error": {"code", "message", "status"}}`, and for a door that is closed how to open it."""
    found = body.get("error") if isinstance(body, dict) else None
    if not isinstance(found, dict):
        return ""
    said = ": ".join(str(found[name]) for name in ("status", "message") if isinstance(found.get(name), str))
    return f"{said} (share the spreadsheet with the service account's address)" if found.get("code") == 403 else said
