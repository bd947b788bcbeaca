"""A listener for strangers: aiohttp's low-level server with limits on connections, heads and time, and errors as JSON.

How it closes, so that no request that was sent in full goes without its answer: from the beginning of the end every answer says
`Connection: close`; who is idle has a while to send what may be on its way; who is idle then is told by an end of stream, never
by a reset; and who is busy is waited for, up to a deadline.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import resource
import socket
import struct
import termios
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http_exceptions import BadHttpMethod, LineTooLong
from aiohttp.web_protocol import RequestHandler

from triggers.http_answer import GONE, Answer, error_answer
from triggers.http_wire import Wire, let_go
from triggers.source import SourceError

log = structlog.get_logger()

Handle = Callable[[web.BaseRequest], Awaitable[Answer]]

KEPT_DESCRIPTORS = 128  # for files and commands, when connections would take the last ones
TELL_S = 60.0  # how often it is said that descriptors are short
BACKLOG = 1024  # who may wait to be accepted; the kernel's own limit holds too
SWEEP_S = 1.0  # how exact the time limit of a head is, where the limit is not shorter still
LINGER_S = 2.0  # how long a refused body is read and thrown away, so that the client sees the refusal and not a reset
LAST_CALL_S = 0.1  # how long who is idle may still send, once nobody new is let in
NOTICE_S = 1.0  # how long before that, where somebody else holds the socket and our successor goes on with it, answers say so
LOOK_S = 0.1  # how often those are looked at who have become idle without being lost
SHUT_S = 0.5  # how long who was told of the end has to hang up
SHOWN_CHARACTERS = 40  # of one part of an address in the log
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


class Connection(Wire):
    """One client. Knows since when it owes the rest of a request's head."""

    __slots__ = ("begun", "deaf_since", "ended", "held_back", "owes_since", "shut")

    owes_since: float  # the loop's clock; 0: it owes nothing
    deaf_since: float  # as owes_since: since when it has not read what it was answered
    begun: bool  # a part of a head has come
    shut: bool  # it was told that we are done: what it sends now has no answer, and it knows
    ended: bool  # it has told us that it is done, and waits for what it asked
    held_back: bool  # reading was paused once: the parser may stop in the middle of any body from now on

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.owes_since = self._loop.time()
        self.deaf_since = 0.0
        self.begun = self.shut = self.ended = self.held_back = False
        # The parser stops at so many requests by its own count, which has one too many where a body came after its head was taken.
        self._max_msg_queue_size -= 1
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self.shut:
            return
        super().data_received(data)
        if self._messages or self._current_request is not None:
            self.owes_since = 0.0
            self.begun = False
        else:
            self.begun = True
            if not self.owes_since:
                self.owes_since = self._loop.time()

    def pause_reading(self) -> None:
        self.held_back = True
        super().pause_reading()

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002 - aiohttp's own
        """Called for each body that was read. Where nothing was ever held back there is nothing to parse again: 8 µs of an event."""
        if self.held_back:
            super().resume_reading(resume_parser)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.deaf_since = self._loop.time()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.deaf_since = 0.0

    def eof_received(self) -> bool:  # type: ignore[override]  # aiohttp's says nothing, and so closes at once
        """The client sends no more. What came in full is answered all the same: `nc -N` and many a script end their side first."""
        asked_in_full = self.body is not None and self.body.is_eof() and not self.idle
        if self.shut or self._force_close or not asked_in_full:
            return False
        self.ended = True
        if not self._messages:
            self.close()  # behind the answer that is being made
        return True

    @property
    def last(self) -> bool:
        """Nothing comes behind the request that is being answered."""
        return self.ended and not self._messages

    @property
    def idle(self) -> bool:
        """Nothing is being answered, and nothing waits to be."""
        return self._current_request is None and not self._messages and self._waiter is not None

    @property
    def between(self) -> bool:
        """Idle, and nothing of another request has come, not even into the kernel's buffer."""
        return self.idle and not self.begun and not _waiting_bytes(self.transport)

    def shut_down(self) -> None:
        """End the stream from our side and read on: to close at once would answer what is on its way with a reset."""
        self.shut = True
        if self.transport is not None:
            self.transport.write_eof()

    def _process_keepalive(self) -> None:
        """Idle for as long as we keep anyone. aiohttp would close at once, also with a request on its way."""
        if self._loop.time() < self._next_keepalive_close_time or not self.idle or not self._keepalive:
            super()._process_keepalive()  # not yet, or nothing to do
            return
        self._keepalive_handle = None
        if self.between:
            self.shut_down()
            self._loop.call_later(SHUT_S, self.force_close)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - aiohttp's words quote what the client sent
    ) -> Any:
        """An answer for what never reached our handler, or fell out of it. Says nothing of our insides."""
        if status == 500 and isinstance(exc, ConnectionError):
            raise exc  # aiohttp takes it as: the client has gone
        if self._manager is not None:  # None: the connection has ended
            self._manager.answered[4 if status != 500 else 5] += 1  # type: ignore[attr-defined]  # it is our Server
        if status != 500:
            return self._malformed(exc)
        log.error("http.request_failed", method=request.method, path=_shown(request.raw_path), exc_info=exc)
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
        self.answered = [0] * 6  # by the first digit of the status
        self._handle = handle
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._last_number = soft - min(KEPT_DESCRIPTORS, soft // 4)
        self._told_short_at = -TELL_S

    async def _answer(self, request: web.BaseRequest) -> Answer:
        try:
            answer = await self._handle(request)
        except ConnectionError:
            return GONE  # to raise it would have aiohttp keep it, with all frames it came through
        finally:
            let_go(request.content)
        self.answered[answer.status // 100] += 1
        if self.closing or request.protocol.last:  # type: ignore[attr-defined]  # it is our Connection
            answer.keep_alive = False
        return answer

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
        if len(self._connections) > self.limits.max_connections or self._short_of_descriptors(transport):
            transport.write(TOO_MANY.as_bytes())
            self.answered[5] += 1
            handler.force_close()

    def _short_of_descriptors(self, transport: asyncio.Transport) -> bool:
        """The last numbers are kept for files and commands. Numbers are given lowest first, so a high one tells that few are left."""
        number = transport.get_extra_info("socket").fileno()
        if number < self._last_number:
            return False
        now = self._loop.time()
        if now - self._told_short_at > TELL_S:
            self._told_short_at = now
            log.warning(
                "http.short_of_descriptors",
                limit=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
                connections=len(self._connections),
            )
        return True

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        if handler in self._connections:  # until its task has ended, of which the library is told first
            handler._task_handler.add_done_callback(lambda _: self.lost.set())  # type: ignore[union-attr]  # noqa: SLF001 - as it does
        else:
            self.lost.set()

    def sweep(self, now: float) -> None:
        """Send away who has begun a request, or a connection, and does not get on with it, and who does not read its answers."""
        for connection in self.connections:
            assert isinstance(connection, Connection)
            if connection.deaf_since and now - connection.deaf_since > self.limits.keepalive_timeout_s:
                if connection.transport is not None:
                    connection.transport.abort()  # what waits to be written would keep it open
                continue
            if connection.idle and connection.owes_since and now - connection.owes_since > self.limits.header_timeout_s:
                if connection.transport is not None:
                    connection.transport.write(TOO_SLOW.as_bytes())
                    self.answered[4] += 1
                connection.force_close()

    def shut_idle(self) -> int:
        """Tell who is between two requests that we are done. How many are still to be answered."""
        busy = 0
        for connection in self.connections:
            assert isinstance(connection, Connection)
            if connection.shut or connection.transport is None:
                continue
            if connection.between:
                connection.shut_down()
            else:
                busy += 1
        return busy

    async def one_lost(self, within_s: float) -> None:
        """Return when a connection has ended, or `within_s` have passed."""
        self.lost.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self.lost.wait()

    async def emptied(self, within_s: float) -> None:
        """Return when nobody is connected any more, or `within_s` have passed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self.connections:
                    await self.one_lost(within_s)


class Listener:
    """One bound address, or sockets that somebody bound for us. `close` answers what has come in, up to a deadline."""

    def __init__(self, handle: Handle, limits: Limits) -> None:
        self._server = Server(handle, limits)
        self._listening: list[asyncio.Server] = []
        self._sweeping: asyncio.TimerHandle | None = None
        self._adopted = False
        self.address: Any = None  # of the first socket, as getsockname() has it: (host, port, …), or a path

    def traffic(self) -> tuple[Sequence[int], int]:
        """Answers so far by the first digit of their status, and connections that are open."""
        return self._server.answered, len(self._server.connections)

    async def open(self, host: str, port: int) -> None:
        """Bind. Raises SourceError: a taken port, no right to it, an address that is not ours."""
        loop = asyncio.get_running_loop()
        try:
            listening = await loop.create_server(self._server, host, port, backlog=BACKLOG)
        except (OSError, OverflowError) as error:
            raise SourceError(_why_not_bound(host, port, error)) from error
        self._begin([listening])

    async def adopt(self, sockets: Sequence[socket.socket]) -> None:
        """Go on with sockets that listen already and that outlive us: who connects while nobody accepts waits in their queue."""
        loop = asyncio.get_running_loop()
        self._adopted = True
        listening = []
        for one in sockets:
            make = loop.create_unix_server if one.family == socket.AF_UNIX else loop.create_server
            listening.append(await make(self._server, sock=one, backlog=BACKLOG))
        self._begin(listening)

    def _begin(self, listening: list[asyncio.Server]) -> None:
        self._listening = listening
        self.address = listening[0].sockets[0].getsockname()
        self._sweep()

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        self._server.sweep(loop.time())
        self._sweeping = loop.call_later(
            min(SWEEP_S, self._server.limits.header_timeout_s / 2), self._sweep
        )  # one timer for all connections

    async def close(self, drain_s: float) -> None:
        if not self._listening:
            return
        server, until = self._server, asyncio.get_running_loop().time() + drain_s
        server.closing = True
        if self._adopted and server.connections:
            await asyncio.sleep(min(NOTICE_S, drain_s))
        self._stop_accepting()
        await server.emptied(min(LAST_CALL_S, drain_s))
        try:
            async with asyncio.timeout_at(until):
                # From now on every answer closes its connection, so who is busy is between requests or gone once it has been answered.
                while server.shut_idle():
                    await server.one_lost(LOOK_S)
        except TimeoutError:
            log.warning("http.drain_timed_out", connections=server.shut_idle())
        await server.emptied(SHUT_S)
        await server.shutdown(SHUTDOWN_S)

    def _stop_accepting(self) -> None:
        listening, self._listening = self._listening, []
        for one in listening:
            one.close()
        if self._sweeping is not None:
            self._sweeping.cancel()


def _shown(target: str) -> str:
    """An address for the log: without its query, and without parts that are long: they may be a right, as in an approval's link."""
    parts = target.partition("?")[0][:200].split("/")
    return "/".join(part if len(part) <= SHOWN_CHARACTERS else "…" for part in parts)


def _waiting_bytes(transport: asyncio.BaseTransport | None) -> int:
    """What the kernel has received of this client and we have not read."""
    connection = transport.get_extra_info("socket") if transport is not None else None
    if connection is None or connection.fileno() < 0:
        return 0
    return int(struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.FIONREAD, b"\0" * 4))[0])


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
TOO_SLOW = error_answer(408, "TOO_SLOW", "the request did not come in time", close=True)
