"""How a body's bytes come in: within a size and a time, and within what all clients together may hold."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from triggers.bodies.refused import Refused
from triggers.http_answer import Answer, error_answer

if TYPE_CHECKING:
    from aiohttp import StreamReader
    from aiohttp.web import BaseRequest


def too_large(max_bytes: int, what: str = "the body") -> Answer:
    return error_answer(413, "BODY_TOO_LARGE", f"{what} is larger than {max_bytes} bytes", close=True)


class Held:
    """How much of bodies that are coming in, are verified or were inflated is held in memory, for all clients together."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.now_bytes = 0

    def add(self, size_bytes: int) -> None:
        """Raises Refused 503 where that is too much."""
        if self.now_bytes + size_bytes > self.max_bytes:
            said = "too many large bodies are coming in at once"
            raise Refused(error_answer(503, "BUSY", said, headers=b"\r\nRetry-After: 5", close=True))
        self.now_bytes += size_bytes

    @contextmanager
    def holding(self, size_bytes: int) -> Iterator[None]:
        """Raises Refused as add() does."""
        self.add(size_bytes)
        try:
            yield
        finally:
            self.now_bytes -= size_bytes


def check_transfer(codings: str) -> None:
    """Raises Refused 501. The parser undoes `chunked` and hands over what is inside: gzip, where that was done before it."""
    if codings.strip().lower() != "chunked":
        said = f"the transfer coding {codings[:40]} is not read"
        hint = "chunked is; compress with Content-Encoding"
        raise Refused(error_answer(501, "TRANSFER_ENCODING", said, hint, close=True))


async def read_body(request: BaseRequest, *, max_bytes: int, timeout_s: float, held: Held) -> bytes:
    """The body's bytes as they came. Raises Refused (408, 413, 400, 503), or ConnectionError where the client has gone."""
    content = request.content
    if content.is_eof():  # nearly always: a small body comes with its head
        raw = content.read_nowait()
        if len(raw) > max_bytes:
            raise Refused(too_large(max_bytes))
        return raw
    try:
        with well_formed():
            async with asyncio.timeout(timeout_s):
                return await _gather(content, max_bytes, held)
    except TimeoutError:
        raise Refused(error_answer(408, "TOO_SLOW", f"the body did not come within {timeout_s:g} s", close=True)) from None


@contextmanager
def well_formed() -> Iterator[None]:
    """Around reads of a body. Raises Refused 400 for chunks that are none: aiohttp raises what its parser met, of several trees."""
    try:
        yield
    except (ConnectionError, TimeoutError, Refused):
        raise
    except Exception as error:
        raise Refused(error_answer(400, "BAD_REQUEST", "the body is not well-formed HTTP/1.1", close=True)) from error


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
