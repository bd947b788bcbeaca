"""A request's body: which types are read, how its bytes come in, and how they become a JSON value."""

from __future__ import annotations

import asyncio
import json
import math
from email.message import Message
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import orjson

from triggers.http_answer import Answer, error_answer

if TYPE_CHECKING:
    from aiohttp import StreamReader
    from aiohttp.web import BaseRequest

Form = Literal["json", "lenient", "other"]

BOM = b"\xef\xbb\xbf"
MAX_ON_LOOP_BYTES = 64 * 1024  # orjson takes 0.1 to 1 ms for so much
MAX_INT_DIGITS = 4300  # Python's own limit against quadratic time
# Digits become 0, opening brackets [, and what else may stand before a value a comma: one pass tells whether a number may be
# too long for orjson (it would turn it into a float) and whether a body may be too deep. Both are exact only where they say no,
# which is nearly always: a commit's id of forty digits stands in quotes.
_FLAT = bytes(48 if 48 <= byte < 58 else 91 if byte in b"[{" else 44 if byte in b": \t\r\n" else byte for byte in range(256))
_LONG_DIGITS = b"0" * 19
_LONG_NUMBERS = tuple(before + _LONG_DIGITS for before in (b",", b"[", b",-", b"[-"))


class Refused(Exception):  # noqa: N818 - it is an answer, on its way out
    """The body is not taken; `answer` says why."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        super().__init__(answer.status)


@lru_cache(maxsize=256)  # the header comes from strangers, so the cache is bounded; a sender always sends the same one
def form_of(content_type: str) -> tuple[Form, str]:
    """How a body of this Content-Type is read, and its charset. `lenient`: JSON if it is JSON, refused otherwise.

    `curl -d '{}'` sends a form's type for JSON, other clients the type of unknown bytes, and some have none.
    """
    if not content_type:
        return "json", "utf-8"
    message = Message()
    message["Content-Type"] = content_type.encode("ascii", "replace").decode()
    kind = message.get_content_type()
    charset = str(message.get_param("charset") or "utf-8").strip().lower()
    if kind in ("application/json", "text/json") or kind.endswith("+json"):
        return "json", charset
    if kind in ("application/x-www-form-urlencoded", "application/octet-stream", "text/plain"):
        return "lenient", charset
    return "other", charset


def check_type(content_type: str) -> Form:
    """Raises Refused 415 for a charset other than UTF-8; a type that is not read is «other», which may still be empty."""
    form, charset = form_of(content_type)
    if charset not in ("utf-8", "utf8", "us-ascii", "ascii"):
        raise Refused(error_answer(415, "CHARSET", f"a body in the charset {charset[:40]} is not read", "send UTF-8"))
    return form


def unsupported(content_type: str) -> Answer:
    return error_answer(
        415,
        "CONTENT_TYPE",
        f"a body of the type {content_type[:100]} is not read",
        "send JSON with Content-Type: application/json",
    )


def too_large(max_bytes: int) -> Answer:
    return error_answer(413, "BODY_TOO_LARGE", f"the body is larger than {max_bytes} bytes", close=True)


class Held:
    """How much of bodies that are still coming in is held in memory, for all clients together."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.now_bytes = 0

    def add(self, size_bytes: int) -> None:
        """Raises Refused 503 where that is too much."""
        if self.now_bytes + size_bytes > self.max_bytes:
            said = "too many large bodies are coming in at once"
            raise Refused(error_answer(503, "BUSY", said, headers=b"\r\nRetry-After: 5", close=True))
        self.now_bytes += size_bytes


async def read_body(request: BaseRequest, *, max_bytes: int, timeout_s: float, held: Held) -> bytes:
    """The body's bytes as they came. Raises Refused (408, 413, 400, 503), or ConnectionError where the client has gone."""
    content = request.content
    if content.is_eof():  # nearly always: a small body comes with its head
        raw = content.read_nowait()
        if len(raw) > max_bytes:
            raise Refused(too_large(max_bytes))
        return raw
    try:
        async with asyncio.timeout(timeout_s):
            return await _gather(content, max_bytes, held)
    except TimeoutError:
        raise Refused(error_answer(408, "TOO_SLOW", f"the body did not come within {timeout_s:g} s", close=True)) from None
    except (ConnectionError, Refused):
        raise
    except Exception as error:  # aiohttp raises what its parser met, of several trees
        answer = error_answer(400, "BAD_REQUEST", "the body is not well-formed HTTP/1.1", close=True)
        raise Refused(answer) from error


async def _gather(content: StreamReader, max_bytes: int, held: Held) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        while part := await content.readany():
            if size + len(part) > max_bytes:
                raise Refused(too_large(max_bytes))
            held.add(len(part))
            size += len(part)
            parts.append(part)
        return b"".join(parts)
    finally:
        held.now_bytes -= size


async def parse_body(raw: bytes, *, max_depth: int) -> Any:
    """parse_json, off the loop where it takes long: 1 MiB that orjson leaves to the standard library takes 80 ms."""
    if len(raw) <= MAX_ON_LOOP_BYTES:
        return parse_json(raw, max_depth=max_depth)
    return await asyncio.to_thread(parse_json, raw, max_depth=max_depth)


def parse_json(raw: bytes, *, max_depth: int) -> Any:
    """The JSON value of a body. Raises Refused 400 for what is no JSON, is nested too deep, or holds a number too large."""
    raw = raw.removeprefix(BOM)
    flat = raw.translate(_FLAT)
    try:
        value = _parse_exactly(raw) if _LONG_DIGITS in flat and _has_long_number(flat) else orjson.loads(raw)
    except orjson.JSONDecodeError:
        value = _parse_exactly(raw)  # it may still be JSON: lone surrogates are
    if flat.count(b"[") > max_depth and deeper_than(value, max_depth):
        raise Refused(_too_deep(max_depth))
    return value


def _has_long_number(flat: bytes) -> bool:
    return flat.startswith((_LONG_DIGITS, b"-" + _LONG_DIGITS)) or any(number in flat for number in _LONG_NUMBERS)


def _parse_exactly(raw: bytes) -> Any:
    """By the standard library: slower, keeps integers of any length and lone surrogates, and says what is wrong."""
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_no_constant, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise Refused(error_answer(400, "BAD_JSON", f"the body is not UTF-8: byte {error.start}")) from None
    except json.JSONDecodeError as error:
        said = f"the body is not JSON: {error.msg}, line {error.lineno}, column {error.colno}"
        raise Refused(error_answer(400, "BAD_JSON", said)) from None
    except RecursionError:
        raise Refused(_too_deep(None)) from None
    except ValueError as error:  # int() refuses more digits than MAX_INT_DIGITS
        said = str(error) if isinstance(error, _NumberError) else f"a number has more than {MAX_INT_DIGITS} digits"
        raise Refused(error_answer(400, "BAD_JSON", f"the body is not JSON: {said}")) from None


class _NumberError(ValueError):
    """A number that JSON does not have, or that no double holds."""


def _no_constant(name: str) -> Any:
    raise _NumberError(f"{name} is no JSON value")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise _NumberError("a number is larger than a double can hold")
    return value


def deeper_than(value: Any, limit: int) -> bool:
    """Whether objects and lists stand inside each other more than `limit` times; without recursion."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(limit):
        if not level:
            return False
        inner = (item for each in level for item in (each.values() if type(each) is dict else each))
        level = [item for item in inner if type(item) is dict or type(item) is list]
    return bool(level)


def _too_deep(limit: int | None) -> Answer:
    said = "the body is nested too deep" if limit is None else f"the body is nested deeper than {limit}"
    return error_answer(400, "BODY_TOO_DEEP", said)
