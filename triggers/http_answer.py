"""An HTTP answer, written in one piece: JSON, small, and the same form for every error.

aiohttp's Response builds a dict of headers and serialises it: 10 µs of an event's 150. Its server asks an answer for no more
than `prepare`, `write_eof` and `keep_alive`, and that is what stands here.
"""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from time import time
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from aiohttp.web import BaseRequest

_STATUS = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_DATE = b"Date: "
_TYPE = b"Content-Type: %b\r\n" + _DATE
_JSON = _TYPE % b"application/json"
_LENGTH = b"\r\nContent-Length: "
_END = b"\r\n\r\n"
_CLOSE = b"\r\nConnection: close"
_KEEP = b"\r\nConnection: keep-alive"


class Answer:
    """What aiohttp's server is given back. `headers` are ready lines, each begun by the line break before it."""

    __slots__ = ("body", "headers", "keep_alive", "status", "type_line")

    def __init__(
        self, status: int, body: bytes | None, headers: bytes = b"", *, close: bool = False, media: bytes | None = None
    ) -> None:
        """`body` None: there is none, and nothing is said of it. An answer to HEAD need not know what GET would be told. `media` None: JSON."""
        self.type_line = _JSON if media is None else _TYPE % media
        self.status = status
        self.body = body
        self.headers = headers
        self.keep_alive = not close

    async def prepare(self, request: BaseRequest) -> None:
        """Write it all. Raises ConnectionError where nobody is there any more, which the server takes as such."""
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has gone")
        self.keep_alive = self.keep_alive and request.keep_alive
        transport.write(self.as_bytes(head_only=request.method == "HEAD", old=request.version < (1, 1)))
        if request.protocol.writing_paused:  # a client that pipelines and never reads must not fill our memory
            await request.writer.drain()

    async def write_eof(self) -> None:
        """Nothing is left to write."""

    def as_bytes(self, *, head_only: bool = False, old: bool = False) -> bytes:
        """The answer as it goes over the wire. `old`: to an HTTP/1.0 client, which must be told of keep-alive."""
        connection = (_KEEP if old else b"") if self.keep_alive else _CLOSE
        if self.body is None:
            return b"".join((_STATUS[self.status], _DATE, _date(), self.headers, connection, _END))
        length = b"%d" % len(self.body)
        head = (_STATUS[self.status], self.type_line, _date(), _LENGTH, length, self.headers, connection, _END)
        return b"".join(head) if head_only else b"".join((*head, self.body))


class _Gone(Answer):
    """For a client that is not there any more: it writes nothing, and the server takes it as such."""

    __slots__ = ()

    async def prepare(self, request: BaseRequest) -> None:  # noqa: ARG002 - the seam of answers
        raise ConnectionResetError("the client has gone")


GONE = _Gone(400, None)


def error_answer(
    status: int, code: str, message: str, hint: str | None = None, *, headers: bytes = b"", close: bool = False
) -> Answer:
    """`{"error": {"code", "message", "hint"}}`: all that a stranger is told."""
    # A header's bytes that are no UTF-8 come as lone surrogates, which no JSON of ours may hold.
    error: dict[str, Any] = {"code": code, "message": message.encode("utf-8", "replace").decode()}
    if hint is not None:
        error["hint"] = hint
    return Answer(status, orjson.dumps({"error": error}) + b"\n", headers, close=close)


def reworded(answer: Answer, reword: Callable[[str], str]) -> Answer:
    """An answer of error_answer() with another message."""
    assert answer.body is not None
    error = orjson.loads(answer.body)["error"]
    message, hint = reword(error["message"]), error.get("hint")
    return error_answer(answer.status, error["code"], message, hint, headers=answer.headers, close=not answer.keep_alive)


_dated = (0, b"")


def _date() -> bytes:
    """The Date header's value, made once a second."""
    global _dated  # noqa: PLW0603 - a cache of one value
    now = int(time())
    if _dated[0] != now:
        _dated = (now, formatdate(now, usegmt=True).encode())
    return _dated[1]
