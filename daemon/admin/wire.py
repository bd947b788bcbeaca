"""The admin listener's connections: what is no HTTP is answered in the API's form."""

from __future__ import annotations

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from daemon.admin.refusal import refusal
from triggers.http_wire import Wire


class Connection(Wire):
    """One client."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Of what never reached a handler nothing is quoted."""
        if status != 400:
            return super().handle_error(request, status, exc, message)
        hint = f"an address or a header is longer than {exc.args[1]} bytes" if isinstance(exc, LineTooLong) else None
        answer = refusal(400, "BAD_REQUEST", "this is not a well-formed HTTP/1.1 request", hint)
        answer.force_close()
        return answer


class Server(web.Server):
    """aiohttp's, with our Connection."""

    def __call__(self) -> Connection:
        return Connection(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """aiohttp's, with our Server."""

    async def _make_server(self) -> Server:
        made = await super()._make_server()
        return Server(made.request_handler, request_factory=made.request_factory, loop=made._loop, **made._kwargs)  # noqa: SLF001 - it has no other way in


async def expected(request: web.Request) -> web.Response | None:
    """Answer what a client expects before it sends its body. A response: what it expects cannot be."""
    if request.headers.get("Expect", "").lower() != "100-continue":
        return refusal(400, "BAD_REQUEST", "nothing but 100-continue can be expected", None)
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    return None
