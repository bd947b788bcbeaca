"""aiohttp's server side of a connection, where it deals with what is no HTTP: both listeners stand on it."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import StreamReader
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler, RequestPayloadError


class Wire(RequestHandler):
    """What a stranger breaks is told to who reads it, and is no fault of ours in the log. `handle_error` is left to say how it is answered."""

    __slots__ = ("body",)

    body: StreamReader | None  # of the newest request; None: there was no request yet

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.body = None
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._messages:
            newest, body = self._messages[-1]
            if not isinstance(newest, RawRequestMessage) and self.body is not None and not self.body.is_eof():
                # The parser met what is no chunk. It tells us, and not who reads that body: he would wait until his time is over.
                self.body.set_exception(RequestPayloadError("the body is malformed"))
            if isinstance(newest, RawRequestMessage):
                self.body = body
            else:
                newest.exc.__traceback__ = None  # the frames that it came through know it themselves, and us

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._keepalive_handle = None

    async def start(self) -> None:
        try:
            await super().start()
        finally:
            # What leads back to us is let go of: else each connection, with its last body, would wait for the garbage collector.
            self._messages.clear()  # of who asked for several things and did not stay: nobody answers them any more
            if self.body is not None:
                let_go(self.body)
                self.body = None

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """The library also reads on what is left of a body. Its lines would quote what the client sent: a token, it may be."""
        if not isinstance(kw.get("exc_info"), RequestPayloadError | HttpProcessingError):
            super().log_exception(*args, **kw)


def let_go(body: StreamReader) -> None:
    """Nobody reads this body any more. Where it broke off, what it raised knows the frames that read it, which hold what had come.

    These know what was raised: a megabyte would wait for the collector. The body is at its end, for the library would read on.
    """
    raised = body.exception()
    if raised is not None:
        raised.__traceback__ = None
        body.feed_eof()
