"""How an API parts its rows into pages, and what is asked for after one of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

import orjson
from pydantic import BaseModel, ConfigDict, Field, model_validator

from flows.errors import StepError
from flows.steps.http_exchange import Request, origin
from flows.steps.http_response import Answer
from flows.steps.http_url import check_url
from flows.steps.json_text import json_text
from flows.steps.key_path import keys_of, put_at, value_at
from flows.text import as_text

_LINK = re.compile(r'<([^<>]*)>((?:[^<"]|"[^"]*")*)')
_REL = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]+))', re.IGNORECASE)
# Which fields each type has beside `type`: those it needs, and those it may have.
_FIELDS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "link": (frozenset(), frozenset()),
    "next": (frozenset({"at"}), frozenset()),
    "cursor": (frozenset({"param"}), frozenset({"at", "lastRow", "more", "in"})),
    "page": (frozenset(), frozenset({"param", "in", "start", "size", "sizeParam"})),
    "offset": (frozenset(), frozenset({"param", "in", "start", "size", "sizeParam"})),
}


class PagingSpec(BaseModel):
    """`paging` of an API: where the next page is named, or how it is counted."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, strict=True, frozen=True)

    type: Literal["link", "next", "cursor", "page", "offset"] = Field(
        description="link: the header Link; next: an address in the answer; cursor: a mark to send back; page, offset: counted"
    )
    at: str | None = Field(default=None, min_length=1, description="of next and cursor: where in the answer it is: meta.next")
    last_row: str | None = Field(
        default=None, alias="lastRow", min_length=1, description="of cursor: a field of the page's last row is the mark: id"
    )
    more: str | None = Field(
        default=None, min_length=1, description="of cursor: where the answer says that there is more: has_more"
    )
    param: str | None = Field(default=None, min_length=1, description="the parameter that carries cursor, page or offset")
    in_: Literal["query", "body"] = Field(default="query", alias="in", description="where the parameters go")
    start: int | None = Field(default=None, ge=0, description="the first page's number (1), the first offset (0)")
    size: int | None = Field(default=None, ge=1, description="rows of a full page: a page with fewer is the last one")
    size_param: str | None = Field(default=None, alias="sizeParam", min_length=1, description="the parameter that carries size")

    @model_validator(mode="after")
    def _has_its_own(self) -> PagingSpec:
        needs, may = _FIELDS[self.type]
        names = {field.alias or name for name, field in PagingSpec.model_fields.items() if name in self.model_fields_set}
        foreign = names - needs - may - {"type"}
        if foreign:
            raise ValueError(f"paging of type {self.type} has no {', '.join(sorted(foreign))}")
        if not needs <= names:
            raise ValueError(f"paging of type {self.type} needs {', '.join(sorted(needs - names))}")
        if self.type == "cursor" and (self.at is None) == (self.last_row is None):
            raise ValueError("paging of type cursor needs at or lastRow, and not both")
        if self.size_param is not None and self.size is None:
            raise ValueError("paging has a sizeParam and no size")
        return self

    @property
    def parameter(self) -> str:
        return self.param or self.type


@dataclass(frozen=True, slots=True)
class Page:
    """One page as it came."""

    number: int  # 1-based
    answer: Answer
    value: Any
    rows: Sequence[Any]
    before: int  # rows of all pages before it


class Paging:
    """Goes from page to page of one reading. `first` is the request as the definition has it."""

    def __init__(self, spec: PagingSpec | None, first: Request) -> None:
        self._spec = spec
        self._first = first
        self._asked: set[tuple[str, bytes | None]] = set()
        self._last_body: bytes | None = None

    def begin(self) -> Request:
        spec, request = self._spec, self._first
        if spec is not None and spec.type in ("page", "offset"):
            request = self._counted(spec, spec.start if spec.start is not None else int(spec.type == "page"))
        self._asked.add((request.url, request.body))
        return request

    def after(self, page: Page) -> Request | None:
        """What to ask next. None: it was the last page. Raises StepError PAGING_LOOP, PAGING_ORIGIN, PAGING_CURSOR, BAD_URL."""
        request = self._following(page)
        if request is None:
            return None
        if (request.url, request.body) in self._asked:
            raise _wrong(f"page {page.number} names as the next one a page that was read already", "PAGING_LOOP")
        self._asked.add((request.url, request.body))
        key = request.headers.get("Idempotency-Key")
        if key is not None:  # each page is a request of its own: a server that keeps keys would answer with the first
            request = replace(request, headers={**request.headers, "Idempotency-Key": f"{key}:{page.number + 1}"})
        return replace(request, shown=f"{self._first.shown} (page {page.number + 1})")

    def _following(self, page: Page) -> Request | None:
        spec = self._spec
        if spec is None:
            return None
        if spec.type == "link":
            return self._linked(next_link(page.answer.headers.get("link", "")))
        if spec.type == "next":
            return self._linked(value_at(page.value, keys_of(spec.at or "")))
        if spec.type == "cursor":
            mark = self._mark(spec, page)
            return None if mark is None else self._with(spec, {spec.parameter: mark})
        if not page.rows or (spec.size is not None and len(page.rows) < spec.size):
            return None
        if page.answer.body == self._last_body:
            said = f"page {page.number} is the same as the one before it: the server does not read «{spec.parameter}»"
            raise _wrong(said, "PAGING_LOOP")
        self._last_body = page.answer.body
        start = spec.start if spec.start is not None else int(spec.type == "page")
        return self._counted(spec, start + (page.number if spec.type == "page" else page.before + len(page.rows)))

    def _counted(self, spec: PagingSpec, count: int) -> Request:
        return self._with(spec, {spec.parameter: count, **({spec.size_param: spec.size} if spec.size_param else {})})

    def _mark(self, spec: PagingSpec, page: Page) -> str | int | None:
        if spec.more is not None and not value_at(page.value, keys_of(spec.more)):
            return None
        if spec.last_row is not None:
            if not page.rows:
                return None
            mark = value_at(page.rows[-1], keys_of(spec.last_row))
            if mark is None:
                raise _wrong(f"the last row of page {page.number} has no {spec.last_row}", "PAGING_CURSOR")
        else:
            mark = value_at(page.value, keys_of(spec.at or ""))
        if mark is None or mark is False or mark == "":
            return None
        if isinstance(mark, bool) or not isinstance(mark, (str, int)):
            raise _wrong(f"what page {page.number} has as its cursor is no text and no number", "PAGING_CURSOR")
        return mark

    def _linked(self, address: Any) -> Request | None:
        if address is None or address is False or address == "":
            return None
        if not isinstance(address, str):
            raise _wrong("what an answer has as the address of the next page is no text", "PAGING_CURSOR")
        first = self._first
        url = urljoin(first.url, address)
        check_url(url)
        if origin(url) != origin(first.url) and first.headers:
            said = f"the next page is at another place ({urlsplit(url).hostname}), where headers and credentials do not go"
            raise _wrong(said, "PAGING_ORIGIN")
        return replace(first, url=url)

    def _with(self, spec: PagingSpec, params: Mapping[str, Any]) -> Request:
        first = self._first
        if spec.in_ == "body":
            made = orjson.loads(first.body) if first.body else {}
            if not isinstance(made, dict):
                raise _wrong("the body is no JSON object, so no parameter of a page goes into it", "PAGING_CURSOR")
            for name, value in params.items():
                put_at(made, keys_of(name), value)
            return replace(first, body=json_text(made).encode())
        parts = urlsplit(first.url)
        kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in params]
        try:
            query = urlencode([*kept, *((name, as_text(value)) for name, value in params.items())])
        except UnicodeEncodeError:
            raise _wrong("a cursor has half a character", "PAGING_CURSOR") from None
        return replace(first, url=urlunsplit(parts._replace(query=query)))


def next_link(header: str) -> str | None:
    """The address that a `Link` header calls next."""
    for address, params in _LINK.findall(header):
        found = _REL.search(params)
        if found and "next" in (found[1] or found[2] or "").lower().split():
            return str(address).strip()
    return None


def _wrong(said: str, code: str) -> StepError:
    return StepError(said, code=code, retryable=False)
