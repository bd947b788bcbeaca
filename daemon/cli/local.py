"""A home without its daemon: the same operations, in this process. Heavy, so imported when no daemon answers."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from daemon.advice import Advice
from daemon.cli.output import say
from daemon.config import Config, read_config
from daemon.credentials import Credentials
from daemon.errors import BadRequest, DaemonError
from daemon.home.definitions import Definitions, Holder, with_suspended
from daemon.home.whole import Kinds, read_home
from daemon.kinds import configured_kinds
from daemon.operations import Operations
from daemon.operations.switches import SUSPENDED, read_suspensions
from daemon.store import open_store
from daemon.store.errors import Ambiguous, StoreError
from daemon.store.outputs import Outputs
from daemon.store.reading import readable
from daemon.store.reads import Reads
from daemon.world import make_world
from flows.executor import World
from flows.flow import Flow
from flows.waiting import WaitFor, wait_here

Answer = TypeVar("Answer")


def work(home: Path, do: Callable[[Operations], Awaitable[Answer]]) -> Answer:
    """Open the home for reading, do one thing with it, close it."""
    return asyncio.run(_work(home, do))


async def _work(home: Path, do: Callable[[Operations], Awaitable[Answer]]) -> Answer:
    config = read_config(home)
    kinds = configured_kinds(config)
    try:
        async with told_plainly(), _opened(config, kinds) as operations:
            return await do(operations)
    finally:
        await close_kinds(kinds)


async def close_kinds(kinds: Kinds) -> None:
    for kind in kinds.values():
        await kind.close()


def definitions_of(config: Config, kinds: Kinds) -> Definitions:
    return read_home(config.home, kinds, timezone=config.timezone)


def world_of(config: Config, kinds: Kinds, flows: Mapping[str, Flow], wait: WaitFor = wait_here) -> World:
    """What runs in this process may reach."""
    return make_world(kinds, lambda: flows, Credentials(config.home), config.env_values, wait=wait)


@asynccontextmanager
async def _opened(config: Config, kinds: Kinds) -> AsyncIterator[Operations]:
    definitions = await asyncio.to_thread(definitions_of, config, kinds)
    if definitions.refused:
        say(f"{len(definitions.refused)} problems keep definitions out (camshaft validate {config.home})")
    operations = Operations(config.home, Holder(definitions), kinds, Advice(lambda: base_url(config)), timezone=config.timezone)
    operations.memory = Switchboard(config)
    if not await asyncio.to_thread(readable(config.database).exists):
        yield operations
        return
    operations.store = rows = Reads(config.database, Outputs(config.outputs))
    try:
        operations.definitions.current = with_suspended(definitions, read_suspensions(await rows.state(SUSPENDED), time.time()))
        yield operations
    finally:
        await rows.close()


@dataclass(frozen=True, slots=True)
class Switchboard:
    """Where suspensions are kept, opened when one is written."""

    config: Config

    async def load(self) -> dict[str, Any]:
        return {}  # they are read with the other rows

    async def save(self, changes: Mapping[str, Any]) -> None:
        self.config.state.mkdir(mode=0o700, exist_ok=True)
        async with open_store(self.config.database, token=f"command-{os.getpid()}", leased=True) as store:
            await store.save_state(SUSPENDED, changes)


def base_url(config: Config) -> str:
    """Where hooks will be once the daemon serves."""
    if config.http.public_url:
        return config.http.public_url
    host, port = config.http.listen
    host = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - a name, no bind
    return f"http://{host}:{port or 'PORT'}"


@asynccontextmanager
async def told_plainly() -> AsyncIterator[None]:
    """What the store refuses, as the errors that commands tell."""
    try:
        yield
    except Ambiguous as error:
        raise BadRequest(str(error), error.hint) from error
    except StoreError as error:
        raise DaemonError(str(error), error.hint) from error
