"""A server that answers as a test says, and what a test needs to ask it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from flows.errors import StepError
from flows.step import Load

SECRET = 'tok"en+s3cr&t/ü'


class Server:
    """A server that remembers what it was sent and answers as it is told."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.answers: list[web.StreamResponse] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(
            {
                "method": request.method,
                "target": request.raw_path,
                "headers": {name.lower(): value for name, value in request.headers.items()},
                "body": await request.read(),
            }
        )
        return self.answers.pop(0) if self.answers else web.json_response({"ok": True})


async def started(server: Server) -> web.AppRunner:
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", server.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    return runner


def load(warnings: list[Any] | None = None) -> Load:
    def warn(*said: Any) -> None:
        if warnings is not None:
            warnings.append(said)

    return Load(Path(), lambda _steps, _path: pytest.fail("no body"), frozenset({"$"}), warn)


async def failure(awaited: Any) -> StepError:
    with pytest.raises(StepError) as raised:
        await awaited
    return raised.value


async def listening(answer: Any) -> tuple[asyncio.Server, str]:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
