"""A listener for strangers: aiohttp's low-level server with limits on connections, heads and time, and errors as JSON."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http_exceptions import BadHttpMethod, LineTooLong
from aiohttp.web_protocol import RequestHandler

from triggers.http_answer import Answer, error_answer
from triggers.source import SourceError

log = structlog.get_logger()

Handle = Callable[[web.BaseRequest], Awaitable[Answer]]

SWEEP_S = 1.0  # how exact the time limit of a head is, where the limit is not shorter still
LINGER_S = 2.0  # how long a refused body is read and thrown away, so that the client sees the refusal and not a reset
SHUTDOWN_S = 0.1  # what is left to a request whose time to drain is over, before its task is cancelled


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client, and all of them, may take."""

    header_timeout_s: float
    keepalive_timeout_s: float
    max_connections: int
    max_target_bytes: int
    max_header_bytes: int  # of one header field; never equal to max_target_bytes
    max_headers: int


class Connection(RequestHandler):
    """One client. Knows since when it owes the rest of a request's head."""

    __slots__ = ("owes_since",)

    owes_since: float  # the loop's clock; 0: it owes nothing

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.owes_since = self._loop.time()
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._messages or self._current_request is not None:
            self.owes_since = 0.0
        elif not self.owes_since:
            self.owes_since = self._loop.time()

    @property
    def idle(self) -> bool:
        """Nothing is being answered, and nothing waits to be."""
        return self._current_request is None and not self._messages and self._waiter is not None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - aiohttp's words quote what the client sent
    ) -> Any:
        """An answer for what never reached our handler, or fell out of it. Says nothing of our insides."""
        if status != 500:
            return self._malformed(exc)
        if isinstance(exc, ConnectionError):
            raise exc  # aiohttp takes it as: the client has gone
        log.error("http.request_failed", method=request.method, path=request.raw_path[:200], exc_info=exc)
        return error_answer(500, "INTERNAL", "this request met a fault of camshaft", "its log says more", close=True)

    def _malformed(self, exc: BaseException | None) -> Answer:
        if isinstance(exc, LineTooLong):
            # The two limits differ (Limits sees to it), and the parser names the one that was passed.
            if exc.args[1] == self.max_line_size:
                return error_answer(414, "TARGET_TOO_LONG", f"the address is longer than {exc.args[1]} bytes", close=True)
            return error_answer(431, "HEADER_TOO_LARGE", f"a header is longer than {exc.args[1]} bytes", close=True)
        if "Too many headers" in str(exc):
            return error_answer(431, "TOO_MANY_HEADERS", f"there are more than {self.max_headers} headers", close=True)
        hint = "this port speaks HTTP, not HTTPS" if isinstance(exc, BadHttpMethod) and "HTTPS" in str(exc) else None
        return error_answer(400, "BAD_REQUEST", "this is not a well-formed HTTP/1.1 request", hint, close=True)


class Server(web.Server):
    """The low-level server with our Connection and a limit on how many there are."""

    def __init__(self, handle: Handle, limits: Limits) -> None:
        super().__init__(self._answer)  # type: ignore[arg-type]  # Answer has what the server asks of an answer
        self.limits = limits
        self.closing = False
        self.lost = asyncio.Event()  # a connection has ended since this was cleared
        self._handle = handle

    async def _answer(self, request: web.BaseRequest) -> Answer:
        if self.is_closing():
            return CLOSING
        answer = await self._handle(request)
        if self.is_closing():  # it has begun meanwhile
            answer.keep_alive = False
        return answer

    def is_closing(self) -> bool:
        return self.closing

    def __call__(self) -> Connection:
        return Connection(
            self,
            loop=self._loop,
            access_log=None,  # type: ignore[arg-type]  # None is aiohttp's own way to have none; its stub forgets
            keepalive_timeout=self.limits.keepalive_timeout_s,
            lingering_time=LINGER_S,
            max_line_size=self.limits.max_target_bytes,
            max_field_size=self.limits.max_header_bytes,
            max_headers=self.limits.max_headers,
            auto_decompress=False,  # a signature is over what came, and a small body must not become a large one
        )

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if len(self._connections) > self.limits.max_connections:
            transport.write(TOO_MANY.as_bytes())
            handler.force_close()

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self.lost.set()

    def sweep(self, now: float) -> None:
        """Send away who has begun a request, or a connection, and does not get on with it."""
        for connection in self.connections:
            assert isinstance(connection, Connection)
            if connection.idle and connection.owes_since and now - connection.owes_since > self.limits.header_timeout_s:
                if connection.transport is not None:
                    connection.transport.write(TOO_SLOW.as_bytes())
                connection.force_close()

    def close_idle(self) -> int:
        """Close who is idle. How many are left."""
        for connection in self.connections:
            assert isinstance(connection, Connection)
            if connection.idle:
                connection.force_close()
        return sum(connection.transport is not None for connection in self.connections)


class Listener:
    """One bound address. `close` answers what has come in, up to a deadline, and then lets go of everyone."""

    def __init__(self, handle: Handle, limits: Limits) -> None:
        self._server = Server(handle, limits)
        self._listening: asyncio.Server | None = None
        self._sweeping: asyncio.TimerHandle | None = None
        self.host = ""
        self.port = 0

    async def open(self, host: str, port: int) -> None:
        """Bind. Raises SourceError: a taken port, no right to it, an address that is not ours."""
        loop = asyncio.get_running_loop()
        try:
            self._listening = await loop.create_server(self._server, host, port, backlog=1024)
        except (OSError, OverflowError) as error:
            raise SourceError(_why_not_bound(host, port, error)) from error
        self.host, self.port = self._listening.sockets[0].getsockname()[:2]
        self._sweep()

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        self._server.sweep(loop.time())
        self._sweeping = loop.call_later(
            min(SWEEP_S, self._server.limits.header_timeout_s / 2), self._sweep
        )  # one timer for all connections

    async def close(self, drain_s: float) -> None:
        if self._listening is None:
            return
        listening, self._listening = self._listening, None
        if self._sweeping is not None:
            self._sweeping.cancel()
        listening.close()
        self._server.closing = True
        try:
            async with asyncio.timeout(drain_s):
                # From now on every answer closes its connection, so who is busy is idle or gone once it has been answered.
                while self._server.close_idle():
                    self._server.lost.clear()
                    await self._server.lost.wait()
        except TimeoutError:
            log.warning("http.drain_timed_out", connections=self._server.close_idle())
        await self._server.shutdown(SHUTDOWN_S)


def _why_not_bound(host: str, port: int, error: Exception) -> str:
    where = address_text(host, port)
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        return f"{where} is taken: another program listens there. Stop it, or listen elsewhere (serve --listen HOST:PORT)"
    if number in (errno.EACCES, errno.EPERM):
        return f"{where}: this user may not listen there. Ports below 1024 need a right; take a higher one (serve --listen HOST:PORT)"
    if number == errno.EADDRNOTAVAIL:
        return f"{where}: this machine has no such address (serve --listen HOST:PORT)"
    return f"{where} cannot be listened on: {error}"


def address_text(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


TOO_MANY = error_answer(503, "TOO_MANY_CONNECTIONS", "too many clients are connected", headers=b"\r\nRetry-After: 5", close=True)
CLOSING = error_answer(503, "CLOSING", "camshaft is closing", headers=b"\r\nRetry-After: 5", close=True)
TOO_SLOW = error_answer(408, "TOO_SLOW", "the request did not come in time", close=True)
