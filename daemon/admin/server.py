"""The admin listener: it binds, lets in, calls the route, and turns every failure into JSON."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe

import structlog
from aiohttp import web

from daemon.admin.guard import check, from_here, read_token
from daemon.admin.refusal import json_response, refusal, refused
from daemon.admin.route import Behind, Route, answer
from daemon.admin.routes import ROUTES
from daemon.admin.unix_socket import bound, is_there
from daemon.admin.wire import Runner, expected
from daemon.config import Address
from daemon.errors import Conflict, DaemonError, HomeError
from daemon.store.errors import StoreError
from flows.errors import DefinitionError
from triggers.source import Unavailable

log = structlog.get_logger()

MAX_BODY_BYTES = 16 * 1024 * 1024  # as large as a definition's file may be
LOOK_S = 2.0  # how often it is looked whether the socket's file is there
CLOSE_S = 2.0  # how long answers under way may take when the daemon stops


@dataclass(frozen=True, slots=True)
class Bound:
    """Where the admin API answers."""

    socket: Path
    tcp: Address | None  # with the port that was taken where 0 was asked for


@asynccontextmanager
async def open_admin(
    behind: Behind,
    *,
    socket_path: Path,
    tcp: Address | None = None,
    inherited: Sequence[socket.socket] = (),  # they listen already; served beside the others
    token: str | None = None,  # None: the one in admin.token beside the socket, made where there is none; only TCP asks for it
) -> AsyncIterator[Bound]:
    """Serve the admin API inside the block.

    Raises Conflict when a daemon runs for this home already, HomeError when an address cannot be bound.
    """
    with bound(socket_path) as listening:
        over_tcp = tcp is not None or any(one.family != socket.AF_UNIX for one in inherited)
        secret = token or (read_token(socket_path.parent / "admin.token") if over_tcp else token_urlsafe())
        runner = Runner(
            _application(behind, secret),
            access_log=None,
            logger=logging.getLogger("aiohttp.server.admin"),  # where aiohttp tells what went wrong around our handlers
            shutdown_timeout=CLOSE_S,
            handle_signals=False,
        )
        await runner.setup()
        try:
            assert runner.server is not None  # set by setup()
            local = await asyncio.get_running_loop().create_unix_server(runner.server, sock=listening)
            keeping = asyncio.create_task(_keep_there(socket_path, runner.server), name="admin socket")
            try:
                for one in inherited:
                    await web.SockSite(runner, one).start()
                yield Bound(socket_path, await _bind(runner, tcp) if tcp is not None else _tcp_of(inherited))
            finally:
                behind.stream.close()  # who listens would hold up the rest
                keeping.cancel()
                await asyncio.wait((keeping,))
                local.close()
        finally:
            await runner.cleanup()


async def _keep_there(path: Path, server: web.Server) -> None:
    """Until cancelled: where the socket's file was removed, by a cleaner of old files, listen there again."""
    while True:
        await asyncio.sleep(LOOK_S)
        if is_there(path):
            continue
        try:
            with bound(path) as listening:
                again = await asyncio.get_running_loop().create_unix_server(server, sock=listening)
                log.warning("admin.socket_restored", socket=str(path))
                try:
                    while is_there(path):  # noqa: ASYNC110 - who removes a file tells nobody
                        await asyncio.sleep(LOOK_S)
                finally:
                    again.close()
        except (HomeError, Conflict) as error:
            log.warning("admin.socket_lost", socket=str(path), reason=error.message)


async def _bind(runner: web.AppRunner, tcp: Address) -> Address:
    site = web.TCPSite(runner, tcp.host, tcp.port)
    try:
        await site.start()
    except OSError as error:
        why = "the port is taken" if error.errno == errno.EADDRINUSE else error.strerror
        raise HomeError(f"cannot listen for the admin API at {tcp}: {why}", "--admin HOST:PORT, or port 0 for any") from error
    assert site._server is not None  # noqa: SLF001 - start() made it; runner.addresses has those of other sites too
    host, port = site._server.sockets[0].getsockname()[:2]  # type: ignore[attr-defined]  # noqa: SLF001 - as above
    return Address(host, port)


def _tcp_of(inherited: Sequence[socket.socket]) -> Address | None:
    addresses = [Address(*one.getsockname()[:2]) for one in inherited if one.family != socket.AF_UNIX]
    return addresses[0] if addresses else None


def _application(behind: Behind, token: str) -> web.Application:
    application = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_guarded])

    def handler_of(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            opened = route.opened and behind.open_metrics and from_here(request)
            check(request, token, public=route.public or opened)
            reply = await answer(route, request, behind)
            return reply if isinstance(reply, web.StreamResponse) else json_response(reply.value, reply.status, reply.headers)

        return handle

    for route in ROUTES:
        application.router.add_route(route.method, route.path, handler_of(route), expect_handler=expected)
    return application


@web.middleware
async def _guarded(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    try:
        return await handler(request)
    except (DaemonError, DefinitionError, StoreError, Unavailable) as error:
        return refused(error)
    except web.HTTPRequestEntityTooLarge:
        return refusal(413, "TOO_LARGE", f"the body is larger than {MAX_BODY_BYTES} bytes", None)
    except web.HTTPException as error:  # an unknown path, a method that a path does not have
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        said = f"{request.method} {request.path}: {error.reason}"
        return refusal(error.status, error.reason.upper().replace(" ", "_"), said, None, headers=headers)
    except Exception:  # a mistake of ours must not end the connection without a word
        log.exception("admin.request_failed", method=request.method, path=request.path)
        return refusal(500, "INTERNAL", "the daemon made a mistake; its log says which", None)
