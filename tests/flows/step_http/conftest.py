"""Servers, and an `http` step that asks them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest_asyncio

from flows.step import Output, Scope
from flows.steps.http_request import Http, HttpSettings, HttpSpec
from tests.flows.step_http.exchanging import SECRET, Server, load, started


@pytest_asyncio.fixture
async def server():
    async with serving() as made:
        yield made


@pytest_asyncio.fixture
async def other():
    async with serving() as made:
        yield made


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    made = Server()
    runner = await started(made)
    try:
        yield made
    finally:
        await runner.cleanup()


@pytest_asyncio.fixture
async def http():
    kinds: list[Http] = []

    async def run(section: dict[str, Any], dollar: Any = None, *, secret: str = SECRET, **settings: Any) -> Output:
        kind = Http(HttpSettings(**settings))
        kinds.append(kind)
        prepared = kind.prepare(HttpSpec.model_validate(section), load())
        unused: Any = None
        names = {"$": dollar or {}}
        return await kind.run(prepared, Scope(names, "run_1", "s", 1, "key-1", Path(), unused, unused, lambda _name: secret))

    yield run
    for kind in kinds:
        await kind.close()
