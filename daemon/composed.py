"""The daemon, composed: open everything in order, close everything in reverse. No logic of its own."""

from __future__ import annotations

import asyncio
import gc
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version

import structlog

from daemon.activation import NONE_INHERITED, Inherited
from daemon.admin import Behind, Bound, open_admin
from daemon.admin.unix_socket import make_way
from daemon.advice import Advice
from daemon.at_work import at_work, put_due
from daemon.chains.emitting import Emitter
from daemon.chains.follow import Follower
from daemon.chains.limits import ChainLimits
from daemon.chains.rounds import Rounds
from daemon.config import Config
from daemon.credentials import Credentials
from daemon.dispatch import DISPATCHES, Dispatch
from daemon.expiry import Expiry
from daemon.home.definitions import Definitions, Holder, with_suspended
from daemon.home.reloading import followed, reload_when
from daemon.home.versions import keep_versions
from daemon.home.whole import read_home
from daemon.intake import Intake
from daemon.kinds import configured_kinds, source_settings
from daemon.live import LiveDaemon
from daemon.measuring.counters import Counters
from daemon.measuring.measures import measuring
from daemon.notify import Notifier
from daemon.operations import Operations
from daemon.operations.switches import SUSPENDED, keep_lifting, read_suspensions
from daemon.source_state import StoredState
from daemon.sources import Sources
from daemon.steady import steadily
from daemon.store import Store, open_store
from daemon.store.home_lock import hold_home
from daemon.store.outputs import Outputs
from daemon.store.rows import Due
from daemon.stream import Stream
from daemon.waiting import Waits
from daemon.waiting.approvals import Approvals
from daemon.waiting.aside import PublicPages
from daemon.waiting.events import AwaitedEvents
from daemon.waiting.links import Links, read_key
from daemon.waiting.page import ApprovalPages
from daemon.waiting.pauses import PAUSED, Pauses
from daemon.waiting.resting import AtRest
from daemon.worker import Worker
from daemon.world import make_world
from flows.errors import DefinitionError
from flows.step import StepKind
from triggers.source import Source
from triggers.sources import source_class

log = structlog.get_logger()

SOCKET = "admin.sock"  # in the state folder


@dataclass(slots=True)
class Daemon:
    """All the parts, open."""

    config: Config
    holder: Holder
    store: Store
    dispatch: Dispatch
    worker: Worker
    intake: Intake
    sources: Sources
    admin: Bound
    notifier: Notifier
    waits: Waits
    at_rest: AtRest
    expiry: Expiry
    sockets: Inherited  # of the service manager, who keeps them when we end
    force: asyncio.Event = field(default_factory=asyncio.Event)  # a second signal came
    consuming: asyncio.Task[None] | None = None  # hands out runs; done before the end: a defect

    @property
    def url(self) -> str:
        """Where hooks are."""
        return str(self.sources.get("webhook").url)


@dataclass(frozen=True, slots=True)
class _Ground:
    """What everything stands on: the home's definitions and its store."""

    credentials: Credentials
    kinds: Mapping[str, StepKind]
    holder: Holder
    store: Store
    memory: StoredState  # of what operators suspended
    due: Sequence[Due]  # runs that an earlier process left


@dataclass(frozen=True, slots=True)
class _Line:
    """What an event goes through, from its source to the end of its run, and who is told of it."""

    dispatch: Dispatch
    worker: Worker
    intake: Intake
    sources: Sources
    stream: Stream
    counters: Counters
    waits: Waits
    at_rest: AtRest
    approvals: Approvals
    pauses: Pauses
    listeners: dict[str, str]  # what listens where; filled as they are bound
    expiry: Expiry


@asynccontextmanager
async def open_daemon(
    config: Config,
    *,
    notifier: Notifier | None = None,
    sockets: Inherited = NONE_INHERITED,
    reload_asked: asyncio.Event | None = None,
    keep_going: bool = False,
) -> AsyncIterator[Daemon]:
    """Open all parts in order; on leaving, close them in reverse. Each time `reload_asked` is set, the home is read again.

    Raises HomeInUse, StoreUnusable, DefinitionError (a broken home, unless `keep_going`), SourceError, HomeError, Conflict.
    """
    notifier = notifier or Notifier()
    async with AsyncExitStack() as stack:
        ground = await _ground(stack, config, keep_going=keep_going)
        line = await _line(stack, config, ground, sockets)
        live = _live(config, ground, line)
        operations = _operations(config, ground, line, live, notifier, keep_going=keep_going)
        admin = await _admin(stack, config, ground, line, operations, sockets)
        _name_listeners(live, admin)
        daemon = Daemon(
            config,
            ground.holder,
            ground.store,
            line.dispatch,
            line.worker,
            line.intake,
            line.sources,
            admin,
            notifier,
            line.waits,
            line.at_rest,
            line.expiry,
            sockets,
        )
        await stack.enter_async_context(at_work(daemon))
        await stack.enter_async_context(_up_to_date(config, operations, reload_asked or asyncio.Event()))
        put_due(daemon, ground.due)
        gc.collect()
        gc.set_threshold(50_000, 20, 50)
        gc.freeze()  # what is loaded stays: a full collection need not look at it again
        yield daemon


async def _ground(stack: AsyncExitStack, config: Config, *, keep_going: bool) -> _Ground:
    stack.enter_context(hold_home(config.state / "lock"))
    make_way(config.state / SOCKET)  # also where the lock was removed: to open the store is to take its runs over
    credentials = Credentials(config.home)
    kinds = configured_kinds(config)
    holder = Holder(_definitions(config, kinds, keep_going=keep_going))
    token = f"daemon-{secrets.token_hex(8)}"
    store = await stack.enter_async_context(
        open_store(
            config.database,
            token=token,
            synchronous=config.store.synchronous,
            outputs=Outputs(config.outputs, config.store.spill_bytes),
        )
    )
    due = await store.reconcile(time.time())
    await keep_versions(store, holder.current)
    memory = StoredState(store, SUSPENDED)
    if suspended := read_suspensions(await memory.load(), time.time()):
        holder.current = await asyncio.to_thread(with_suspended, holder.current, suspended)
    return _Ground(credentials, kinds, holder, store, memory, due)


async def _line(stack: AsyncExitStack, config: Config, ground: _Ground, sockets: Inherited) -> _Line:
    holder, store = ground.holder, ground.store
    dispatch, stream, counters = DISPATCHES["local"](), Stream(), Counters()
    pauses = Pauses(StoredState(store, PAUSED))
    await pauses.load()
    waits, at_rest = Waits(store.waits), AtRest(dispatch.put, store.waits.rest, pauses)
    expiry = Expiry(dispatch, at_rest)
    stack.callback(expiry.close)
    waits.wake = at_rest.wake
    listeners: dict[str, str] = {}
    links = Links(read_key(config.state / "link.key"), partial(_pages_base, config, listeners))
    approvals = Approvals(waits, store, links)
    stack.callback(waits.close)
    world = make_world(
        ground.kinds,
        lambda: holder.current.flows,
        ground.credentials,
        config.env_values,
        lambda emission: emitter(emission),  # noqa: PLW0108 - it is made below: it needs the worker, who needs the world
        waits,
        links,
    )
    worker = Worker(store, world, lambda: holder.current.flows, stream=stream, counters=counters, waits=waits, at_rest=at_rest)
    worker.cleanup_s = config.worker.cleanup_s
    pauses.changed = worker.look_at_pauses
    store.while_committing(dispatch.pump)
    intake = Intake(store, lambda: holder.current, expiry.put, worker.queued, stream=stream, counters=counters)
    sources = Sources(
        partial(_make_source, config, store, ground.credentials, worker, sockets, approvals), intake, always=("webhook",)
    )
    worker.run_ended = sources.run_ended
    grown = await store.chain_sizes() if ground.due else {}
    chains = source_settings(config, "flow")
    limits = ChainLimits(chains, grown)
    rounds = Rounds(lambda: holder.current, worker.flow_of, limits, store.token)
    follower = Follower(intake, lambda: holder.current.set, limits, max_value_bytes=chains.max_value_bytes)
    worker.follow = lambda run: (*rounds(run), *follower(run))
    awaited = AwaitedEvents(waits, store, lambda: holder.current.flows)
    stack.push_async_callback(awaited.close)
    intake.coming = awaited.coming
    emitter = Emitter(intake, lambda: holder.current.set, limits, worker.executing, store, wanted=awaited.wanted)
    await waits.load()
    worker.followed = intake.followed
    stack.push_async_callback(_close_kinds, ground.kinds)
    await sources.start(holder.current.triggers)
    stack.push_async_callback(sources.close)
    listeners["hooks"] = sources.get("webhook").url
    return _Line(dispatch, worker, intake, sources, stream, counters, waits, at_rest, approvals, pauses, listeners, expiry)


def _live(config: Config, ground: _Ground, line: _Line) -> LiveDaemon:
    return LiveDaemon(
        ground.store,
        line.dispatch,
        line.worker,
        line.intake.accept,
        lambda path, given: line.sources.get("webhook").handed_in(path, given),
        started_at=time.monotonic(),
        version=version("camshaft"),
        stream=line.stream,
        sources=line.sources,
        counters=line.counters,
        at_rest=line.at_rest,
        asked=line.approvals,
        held=line.pauses,
        listeners=line.listeners,
        put=line.expiry.put,
        state=config.state,
    )


def _operations(
    config: Config, ground: _Ground, line: _Line, live: LiveDaemon, notifier: Notifier, *, keep_going: bool
) -> Operations:
    return Operations(
        home=config.home,
        definitions=ground.holder,
        kinds=ground.kinds,
        advice=Advice(lambda: config.http.public_url or line.sources.get("webhook").url.removesuffix("/hooks")),
        timezone=config.timezone,
        store=ground.store,
        live=live,
        on_change=partial(_prepared, ground.store, line.sources, ground.holder),
        memory=ground.memory,
        writes=ground.store.writes,
        made=gc.freeze,
        reloading=notifier.reloading,
        reloaded=line.counters.reload,
        keep_going=keep_going,
    )


async def _admin(
    stack: AsyncExitStack, config: Config, ground: _Ground, line: _Line, operations: Operations, sockets: Inherited
) -> Bound:
    store, sources = ground.store, line.sources
    measures = stack.enter_context(
        measuring(line.counters, store, line.dispatch, line.worker, sources, ground.holder, line.stream)
    )
    behind = Behind(
        operations,
        partial(_ready, store, sources),
        line.stream,
        measures,
        config.http.open_metrics,
        ApprovalPages(line.approvals),
    )
    return await stack.enter_async_context(
        open_admin(behind, socket_path=config.state / SOCKET, tcp=config.http.admin, inherited=sockets.admin)
    )


async def _ready(store: Store, sources: Sources) -> Mapping[str, bool]:
    return {"store": await store.writes(), "sources": sources.taking}


def _name_listeners(live: LiveDaemon, admin: Bound) -> None:
    live.listeners["admin"] = str(admin.socket)
    if admin.tcp is not None:
        live.listeners["adminTcp"] = f"http://{admin.tcp}"


@asynccontextmanager
async def _up_to_date(config: Config, operations: Operations, asked: asyncio.Event) -> AsyncIterator[None]:
    """Follow the home's files; on leaving, the set in force stays what it is."""
    operations.seen.begin(config.home, operations.definitions.current)
    async with followed(operations, config.home, watch=config.reload.watch, poll_s=config.reload.poll_s):
        tasks = [
            steadily("reload", lambda: reload_when(asked, operations)),
            steadily("suspensions", lambda: keep_lifting(operations)),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


def _definitions(config: Config, kinds: Mapping[str, StepKind], *, keep_going: bool) -> Definitions:
    definitions = read_home(config.home, kinds, timezone=config.timezone)
    if definitions.refused and not keep_going:
        raise DefinitionError(*definitions.refused)
    for problem in definitions.problems:
        log.warning(
            "definition.warned" if problem.warning else "definition.refused",
            where=problem.where,
            problem=problem.problem,
            hint=problem.hint,
        )
    return definitions


def _pages_base(config: Config, listeners: Mapping[str, str]) -> str | None:
    """Where the pages of approvals are reached."""
    if config.http.approvals:
        return (config.http.public_url or listeners.get("hooks", "").removesuffix("/hooks")) or None
    return listeners.get("adminTcp")


def _make_source(
    config: Config,
    store: Store,
    credentials: Credentials,
    worker: Worker,
    sockets: Inherited,
    approvals: Approvals,
    kind: str,
) -> Source:
    """Each source with its own section and what it asks for."""
    chosen = source_class(kind)
    settings = source_settings(config, kind)
    if kind == "webhook":
        settings = settings.model_copy(update={"listen": str(config.http.listen)})
        aside = PublicPages(ApprovalPages(approvals)) if config.http.approvals else None
        return chosen(settings, secret=credentials.resolve, sockets=sockets.hooks, aside=aside)  # type: ignore[no-any-return]
    if kind in {"flow", "event"}:
        return chosen()  # type: ignore[no-any-return]
    state = StoredState(store, kind)
    if kind == "schedule":
        return chosen(settings, state=state, running=lambda trigger: worker.by_trigger[trigger])  # type: ignore[no-any-return]
    return chosen(settings, state=state, home=config.home)  # type: ignore[no-any-return]


async def _prepared(store: Store, sources: Sources, holder: Holder, definitions: Definitions) -> Callable[[], None]:
    """A new set is about to be in force: sources are ready for it, and its versions are kept, so that runs can pin them."""
    prepared = await sources.prepare(definitions.triggers)
    try:
        await keep_versions(store, definitions, holder.current)
    except BaseException:
        await prepared.abandon()
        raise
    return prepared.swap


async def _close_kinds(kinds: Mapping[str, StepKind]) -> None:
    for kind in kinds.values():
        await kind.close()
