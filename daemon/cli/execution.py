"""A run in this process, without a daemon: a flow of a home, kept in its database, or a file, kept nowhere."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from daemon import shapes
from daemon.beside import FlowsBeside
from daemon.cli.local import close_kinds, definitions_of, told_plainly, world_of
from daemon.cli.options import home_around, likely_home
from daemon.config import Config, read_config
from daemon.errors import NotFound
from daemon.home import Kinds, flow_name
from daemon.kinds import configured_kinds
from daemon.live import queued_run
from daemon.log import set_up_logs
from daemon.store import open_store
from daemon.store.rows import Run
from daemon.store.store import LEASE_S
from daemon.upkeep import keep_leased
from daemon.worker import RunStore, execute_once
from flows.errors import DefinitionError, Problem
from flows.flow import Flow
from flows.suggest import did_you_mean

Shown = tuple[dict[str, Any], bool]  # the run, and whether Ctrl-C stopped it


def run_key(home: Path, key: str, inputs: Mapping[str, Any]) -> Shown:
    """Execute a flow of a home. The run stands in its database, for `run show`."""
    return asyncio.run(_run_key(home, key, inputs))


def run_file(file: Path, home: Path | None, inputs: Mapping[str, Any]) -> Shown:
    """Execute the flow in a file. Settings are those of --home, or of the home that the file stands in, or the defaults."""
    return asyncio.run(_run_file(file, home, inputs))


async def _run_key(home: Path, key: str, inputs: Mapping[str, Any]) -> Shown:
    config = read_config(home)
    kinds = configured_kinds(config)
    try:
        definitions = await asyncio.to_thread(definitions_of, config, kinds)
        if key not in definitions.flows:
            _explain_absence(key, definitions.flows, definitions.refused)
        flow = definitions.flows[key]
        async with told_plainly():
            return await _recorded(config, kinds, flow, definitions.flows, inputs)
    finally:
        await close_kinds(kinds)


async def _recorded(config: Config, kinds: Kinds, flow: Flow, flows: Mapping[str, Flow], inputs: Mapping[str, Any]) -> Shown:
    token = f"command-{os.getpid()}-{secrets.token_hex(4)}"
    run = queued_run(flow, inputs, owner=token)
    config.state.mkdir(mode=0o700, exist_ok=True)
    # With a lease, so that a daemon which starts meanwhile leaves the run to us, and takes it over if we are killed.
    async with open_store(config.database, token=token, leased=True) as store:
        await store.save_definitions("flow", [(one, one.folder) for one in flows.values()])
        await store.enqueue(run)
        leasing = asyncio.create_task(keep_leased(store, every_s=LEASE_S / 3))
        try:
            return await _executed(config, kinds, flow, flows, run, store)
        finally:
            leasing.cancel()


async def _run_file(file: Path, home: Path | None, inputs: Mapping[str, Any]) -> Shown:
    config = _config_for(file, home)
    kinds = configured_kinds(config)
    try:
        flows = FlowsBeside(file, kinds)
        flow = flows.first
        run = queued_run(flow, inputs, owner=None)
        return await _executed(config, kinds, flow, flows, run, None)
    finally:
        await close_kinds(kinds)


async def _executed(
    config: Config, kinds: Kinds, flow: Flow, flows: Mapping[str, Flow], run: Run, store: RunStore | None
) -> Shown:
    """Run to the end; the first Ctrl-C or SIGTERM cancels the run, and it ends with what it did so far."""
    set_up_logs(config.log.level if config.log.level != "info" else "error", config.log.format)  # the result tells the rest
    work = asyncio.ensure_future(execute_once(flow, run, world=world_of(config, kinds, flows), store=store))
    stopped: list[int] = []

    def stop(number: int) -> None:
        if not stopped:
            stopped.append(number)
            work.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    try:
        return shapes.run_shown(await work), bool(stopped)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _config_for(file: Path, home: Path | None) -> Config:
    if home is not None:
        return read_config(home)
    around = home_around(file)
    if around is not None:
        return read_config(around)
    likely = likely_home(None)
    return read_config(likely) if likely.is_dir() else Config(home=file.absolute().parent)


def _explain_absence(key: str, flows: Mapping[str, Flow], refused: tuple[Problem, ...]) -> None:
    """Raise why a home has no such flow: it is refused, or it is not there."""
    own = [problem for problem in refused if problem.file is not None and flow_name(Path(problem.file)) == key]
    if own:
        raise DefinitionError(*own)
    raise NotFound(f"there is no flow «{key}»", did_you_mean(key, flows) or "camshaft flow list")
