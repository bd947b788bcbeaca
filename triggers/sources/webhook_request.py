"""What an event keeps of a request besides its body: headers and query, as text and without secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from triggers.bodies.named import by_name
from triggers.bodies.refused import Refused
from triggers.http_answer import error_answer
from triggers.redaction import REDACTED, looks_secret

if TYPE_CHECKING:
    from aiohttp.web import BaseRequest

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def headers_of(request: BaseRequest) -> dict[str, str]:
    """Lower-case names; what came several times is joined with a comma."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        low = name.lower()
        headers[low] = f"{headers[low]}, {value}" if low in headers else value
    return headers


def storable(headers: Mapping[str, str], private: frozenset[str]) -> dict[str, str]:
    """Without what proves who sent it, and as text: bytes that are no UTF-8 are read as Latin-1, as HTTP did once."""
    return {
        name: REDACTED if name in private or looks_secret(name) else value if value.isascii() else _text(value)
        for name, value in headers.items()
    }


def _text(value: str) -> str:
    raw = value.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def query_of(query: str, max_fields: int) -> dict[str, Any]:
    """Name → value, or a list of values where the name repeats. Raises Refused for more fields than anyone means."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=max_fields, errors="replace")
    except ValueError:
        raise Refused(error_answer(400, "QUERY", f"the query has more than {max_fields} fields")) from None
    return by_name((name, REDACTED if looks_secret(name) else value) for name, value in pairs)


def expect(request: BaseRequest, expected: str) -> None:
    """Tell a client that waits for it to send its body."""
    if expected.lower() != "100-continue":
        raise Refused(error_answer(417, "EXPECT", "only Expect: 100-continue is known", close=True))
    if request.transport is not None and not request.content.is_eof() and request.version >= (1, 1):
        request.transport.write(CONTINUE)
