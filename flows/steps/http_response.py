"""What an HTTP answer means: expected or not, which value its body is, and when to come back."""

from __future__ import annotations

import codecs
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Literal

import orjson

from flows.errors import StepError

ResponseForm = Literal["auto", "json", "text", "binary"]

SHOWN_CHARACTERS = 200
MAX_RETRY_AFTER_S = 86400.0  # a server that says «next year» is not obeyed: the run's own limits decide
HIDDEN_HEADERS = frozenset(("set-cookie", "set-cookie2", "cookie", "authorization", "proxy-authorization"))
_TEXT_TYPES = re.compile(r"text/|application/(?:[\w.+-]*\+)?xml|application/(?:javascript|x-www-form-urlencoded|yaml|x-ndjson)")
_JSON_TYPES = re.compile(r"(?:application|text)/(?:[\w.-]*\+)?json\b")
_CHARSETS = ("utf-8", "utf-16", "utf-32", "latin", "iso8859", "cp", "ascii", "big5", "gb", "euc", "shift", "koi8", "mac")


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, read whole."""

    status: int
    headers: Mapping[str, str]  # lower-case names; several of one name are joined by `, `
    body: bytes

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def phrase(self) -> str:
        """`404 Not Found`: the standard's words, not the server's."""
        try:
            return f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            return str(self.status)


def value_of(answer: Answer, form: ResponseForm) -> Any:
    """The body as a JSON value: parsed JSON, text, or base64. Raises StepError BAD_JSON."""
    if form == "binary":
        return b64encode(answer.body).decode()
    if form == "text":
        return _text(answer, "replace")
    if form == "json" or _JSON_TYPES.match(answer.media_type):
        return _json(answer)
    return _guessed(answer) if answer.body else None


def _guessed(answer: Answer) -> str:
    """Text where the media type says so, or says nothing and the bytes are text; else base64."""
    if answer.media_type in ("", "application/octet-stream") or _TEXT_TYPES.match(answer.media_type):
        try:
            return _text(answer, "strict")
        except UnicodeDecodeError:
            pass
    return b64encode(answer.body).decode()


def lenient_value(answer: Answer, form: ResponseForm) -> Any:
    """The same for an answer that failed anyway: what it says is kept in whatever form it came."""
    try:
        return value_of(answer, form)
    except StepError:
        return _text(answer, "replace")


def _json(answer: Answer) -> Any:
    if not answer.body.strip():
        return None
    try:
        return orjson.loads(answer.body.removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError as error:
        shown = _text(answer, "replace")[:SHOWN_CHARACTERS]
        said = f"the answer {answer.phrase} is not JSON: {error}; it begins: {shown}"
        raise StepError(said, code="BAD_JSON", output=response_of(answer, _text(answer, "replace"))) from error


def _text(answer: Answer, errors: str) -> str:
    found = re.search(r"charset\s*=\s*[\"']?([\w.:-]+)", answer.headers.get("content-type", ""), re.IGNORECASE)
    name = found[1] if found else "utf-8"
    try:
        known = codecs.lookup(name).name.replace("_", "-")
    except LookupError:
        known = "utf-8"
    if not known.startswith(_CHARSETS):  # idna, unicode_escape, rot13 and other codecs that are no charset
        known = "utf-8"
    return answer.body.decode(known, errors).encode("utf-8", "replace").decode()


def response_of(answer: Answer, body: Any) -> dict[str, Any]:
    """`$.steps.<id>.response`. Cookies and credentials are left out."""
    headers = {name: value for name, value in answer.headers.items() if name not in HIDDEN_HEADERS}
    return {"status": answer.status, "headers": headers, "body": body}


def scrubbed(answer: Answer, secrets: Sequence[str]) -> Answer:
    """The answer without the secrets that the request carried: servers that echo requests are common."""
    if not secrets:
        return answer
    body, headers = answer.body, dict(answer.headers)
    for secret in secrets:
        body = body.replace(secret.encode(), b"***")
        headers = {name: value.replace(secret, "***") for name, value in headers.items()}
    return Answer(answer.status, headers, body)


def without(value: Any, secrets: Sequence[str]) -> Any:
    """A JSON value without the secrets: JSON has many ways to write one text."""
    if not secrets:
        return value
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, "***")
        return value
    if isinstance(value, list):
        return [without(each, secrets) for each in value]
    if isinstance(value, dict):
        return {without(name, secrets): without(each, secrets) for name, each in value.items()}
    return value


def retry_after_s(answer: Answer, now: float) -> float | None:
    """Seconds from `now` (since the epoch) that `Retry-After` asks for; None where it says nothing readable."""
    said = answer.headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", said):
        return min(float(said), MAX_RETRY_AFTER_S)
    try:
        at = parsedate_to_datetime(said).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0.0, at - now), MAX_RETRY_AFTER_S)


@dataclass(frozen=True, slots=True)
class Expect:
    """Which statuses are a success."""

    ranges: tuple[tuple[int, int], ...]

    def __contains__(self, status: int) -> bool:
        return any(low <= status <= high for low, high in self.ranges)


def compile_expect(written: Any) -> Expect:
    """`204`, `"2xx"`, `"200-204"` or a list of them. Raises ValueError that says what is wrong."""
    each = written if isinstance(written, list) else [written]
    if not each:
        raise ValueError("expect is an empty list: no status could be a success")
    return Expect(tuple(_range(one) for one in each))


def _range(written: Any) -> tuple[int, int]:
    text = str(written) if isinstance(written, (int, str)) and not isinstance(written, bool) else ""
    if found := re.fullmatch(r"([1-5])xx", text, re.IGNORECASE | re.ASCII):
        return int(found[1]) * 100, int(found[1]) * 100 + 99
    found = re.fullmatch(r"([1-5]\d\d)(?:\s*-\s*([1-5]\d\d))?", text, re.ASCII)
    if found is None or int(found[2] or found[1]) < int(found[1]):
        raise ValueError(f"expect has «{str(written)[:20]}», which is no status: write 204, 2xx or 200-299")
    return int(found[1]), int(found[2] or found[1])
