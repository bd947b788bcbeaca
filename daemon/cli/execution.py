"""A run in this process, without a daemon: a flow of a home, kept in its database, or a file, kept nowhere."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from daemon import shapes
from daemon.alone import Unrecorded, Wish, execute_once
from daemon.cli.agent import AgentLines
from daemon.cli.asking import wait_asking
from daemon.cli.local import close_kinds, definitions_of, told_plainly, world_of
from daemon.cli.options import home_around, likely_home
from daemon.config import Config, read_config
from daemon.errors import NotFound
from daemon.home.beside import FlowsBeside
from daemon.home.scan import flow_name
from daemon.home.versions import keep_flows
from daemon.home.whole import Kinds
from daemon.kinds import configured_kinds
from daemon.live import queued_run
from daemon.log import set_up_logs
from daemon.store import Store, open_store
from daemon.store.outputs import Outputs
from daemon.store.rows import Follows, Run
from daemon.store.store import LEASE_S
from daemon.upkeep import keep_leased
from daemon.worker import RunStore
from flows.attempt import Attempt
from flows.errors import DefinitionError, Problem
from flows.flow import Flow
from flows.suggest import did_you_mean

LOOK_S = 1.0  # how often a run without a daemon is asked for in the database: whether it is to stop
Shown = tuple[dict[str, Any], bool]  # the run, and whether Ctrl-C stopped it


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person wants of one run."""

    inputs: Mapping[str, Any]
    lines: AgentLines | None = None  # told of what happens
    finish_within: float | None = None  # seconds that it may take


def run_key(home: Path, key: str, wanted: Wanted) -> Shown:
    """Execute a flow of a home. The run stands in its database, for `run show`."""
    return asyncio.run(_run_key(home, key, wanted))


def run_file(file: Path, home: Path | None, wanted: Wanted) -> Shown:
    """Execute the flow in a file. Settings are those of --home, or of the home that the file stands in, or the defaults."""
    return asyncio.run(_run_file(file, home, wanted))


async def _run_key(home: Path, key: str, wanted: Wanted) -> Shown:
    config = read_config(home)
    kinds = configured_kinds(config)
    try:
        definitions = await asyncio.to_thread(definitions_of, config, kinds)
        if key not in definitions.flows:
            explain_absence(key, definitions.flows, definitions.refused)
        async with told_plainly():
            return await _recorded(config, kinds, definitions.flows[key], definitions.flows, wanted)
    finally:
        await close_kinds(kinds)


async def _recorded(config: Config, kinds: Kinds, flow: Flow, flows: Mapping[str, Flow], wanted: Wanted) -> Shown:
    token = f"command-{os.getpid()}-{secrets.token_hex(4)}"
    run = queued_run(flow, wanted.inputs, owner=token, finish_within=wanted.finish_within)
    config.state.mkdir(mode=0o700, exist_ok=True)
    # With a lease, so that a daemon which starts meanwhile leaves the run to us, and takes it over if we are killed.
    async with open_store(
        config.database, token=token, leased=True, outputs=Outputs(config.outputs, config.store.spill_bytes)
    ) as store:
        await keep_flows(store, flows.values())
        await store.enqueue(run)
        leasing = asyncio.create_task(keep_leased(store, every_s=LEASE_S / 3))
        try:
            telling = _telling(store, flow, wanted.lines)
            return await _executed(config, kinds, flow, flows, run, telling, stop=partial(_stop_asked, store, run.id))
        finally:
            leasing.cancel()


async def _stop_asked(store: Store, run: str) -> Wish:
    """Return when somebody has asked the daemon, which does not work on our run, to stop it."""
    while True:
        await asyncio.sleep(LOOK_S)  # another process writes it: nothing here could tell
        if (wish := await store.stop_asked(run)) is not None:
            return wish


async def _run_file(file: Path, home: Path | None, wanted: Wanted) -> Shown:
    config = config_for(file, home)
    kinds = configured_kinds(config)
    try:
        flows = FlowsBeside(file, kinds)
        flow = flows.first
        run = queued_run(flow, wanted.inputs, owner=None, finish_within=wanted.finish_within)
        return await _executed(config, kinds, flow, flows, run, _telling(Unrecorded(), flow, wanted.lines))
    finally:
        await close_kinds(kinds)


async def _executed(
    config: Config,
    kinds: Kinds,
    flow: Flow,
    flows: Mapping[str, Flow],
    run: Run,
    store: RunStore,
    stop: Callable[[], Awaitable[Wish]] | None = None,
) -> Shown:
    """Run to the end; the first Ctrl-C or SIGTERM cancels the run, and it ends with what it did so far."""
    set_up_logs(config.log.level if config.log.level != "info" else "error", config.log.format)  # the result tells the rest
    world = world_of(config, kinds, flows, wait_asking)
    work = asyncio.ensure_future(
        execute_once(flow, run, world=world, store=store, cleanup_s=config.worker.cleanup_s, stop=stop)
    )  # fmt: skip
    with stopped_by_signals(work) as stopped:
        return shapes.run_shown(await work), bool(stopped)


@contextmanager
def stopped_by_signals(work: asyncio.Future[Any]) -> Iterator[list[int]]:
    """The first Ctrl-C or SIGTERM cancels the work, and stands in the list that this gives."""
    stopped: list[int] = []

    def stop(number: int) -> None:
        if not stopped:
            stopped.append(number)
            work.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    try:
        yield stopped
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _telling(store: RunStore, flow: Flow, lines: AgentLines | None) -> RunStore:
    if lines is None:
        return store
    lines.begun(flow.key, len(flow.graph.steps))
    return TellingStore(store, lines.attempt)


class TellingStore:
    """A store that passes on what it is given to record, as it comes."""

    def __init__(self, store: RunStore, told: Callable[[Attempt], None]) -> None:
        self.claim_fresh, self.claim, self.definition = store.claim_fresh, store.claim, store.definition
        self.save_ending = store.save_ending
        self._store, self._told = store, told

    def record(self, run_id: str, attempts: list[Attempt], *, starts_run_at: float | None = None) -> asyncio.Future[None]:
        self._tell(attempts)
        return self._store.record(run_id, attempts, starts_run_at=starts_run_at)

    def finish(
        self,
        run: Run,
        attempts: list[Attempt],
        told: Callable[[BaseException | None], Any],
        follow_ups: Sequence[Follows],
        then: Callable[[Sequence[Run]], None],
    ) -> None:
        self._tell(attempts)
        self._store.finish(run, attempts, told, follow_ups, then)

    def _tell(self, attempts: list[Attempt]) -> None:
        for attempt in attempts:
            self._told(attempt)


def config_for(file: Path, home: Path | None) -> Config:
    if home is not None:
        return read_config(home)
    around = home_around(file)
    if around is not None:
        return read_config(around)
    likely = likely_home(None)
    return read_config(likely) if likely.is_dir() else Config(home=file.absolute().parent)


def explain_absence(key: str, flows: Mapping[str, Flow], refused: tuple[Problem, ...]) -> None:
    """Raise why a home has no such flow: it is refused, or it is not there."""
    own = [problem for problem in refused if problem.file is not None and flow_name(Path(problem.file)) == key]
    if own:
        raise DefinitionError(*own)
    raise NotFound(f"there is no flow «{key}»", did_you_mean(key, flows) or "camshaft flow list")
