"""The daemon, composed: open everything, run until told to stop, close everything in reverse. No logic of its own.

On SIGTERM or SIGINT: nothing new is taken, what was taken is handed over, runs under way have `drain_s` to end and are then
left for the next start. A second signal does not wait for them.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version

import structlog
import uvloop

from daemon.activation import NONE_INHERITED, Inherited, inherited
from daemon.admin import Behind, Bound, open_admin
from daemon.advice import Advice
from daemon.config import Config
from daemon.counters import Counters
from daemon.credentials import Credentials
from daemon.definitions import Definitions, Holder, with_suspended
from daemon.dispatch import Job
from daemon.dispatch.local import LocalDispatch
from daemon.follow import Follower
from daemon.home import read_home
from daemon.intake import Intake
from daemon.kinds import configured_kinds, source_settings
from daemon.live import LiveDaemon
from daemon.measures import measuring
from daemon.notify import Notifier, extended
from daemon.operations import Operations
from daemon.operations.switches import SUSPENDED, keep_lifting, read_suspensions
from daemon.reloading import followed, reload_when
from daemon.source_state import StoredState
from daemon.sources import Sources
from daemon.store import Store, open_store
from daemon.store.home_lock import hold_home
from daemon.store.rows import Due
from daemon.stream import Stream
from daemon.upkeep import keep_pruned, keep_rescuing, watch_overdue
from daemon.versions import keep_versions
from daemon.watchdog import Asked, Owes, Progress, keep_watch
from daemon.worker import Worker
from daemon.world import make_world
from flows.errors import DefinitionError
from flows.step import StepKind
from triggers.source import Source
from triggers.sources import source_class

log = structlog.get_logger()

DESCRIPTORS = 16_384  # a thousand connections, and room for files and children


@dataclass(slots=True)
class Daemon:
    """All the parts, open."""

    config: Config
    holder: Holder
    store: Store
    dispatch: LocalDispatch
    worker: Worker
    intake: Intake
    sources: Sources
    admin: Bound
    notifier: Notifier
    sockets: Inherited  # of the service manager, who keeps them when we end
    force: asyncio.Event = field(default_factory=asyncio.Event)  # a second signal came
    consuming: asyncio.Task[None] | None = None  # hands out runs; done before the end: a defect

    @property
    def url(self) -> str:
        """Where hooks are."""
        return str(self.sources.get("webhook").url)


def serve(config: Config, *, keep_going: bool = False) -> int:
    """Serve until a signal. Returns the exit status; raises what open_daemon() raises."""
    sockets = inherited()
    with closing(Notifier.from_environment()) as notifier, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(config, notifier, sockets, keep_going=keep_going))


async def _serve(config: Config, notifier: Notifier, sockets: Inherited, *, keep_going: bool) -> int:
    _raise_descriptor_limit()
    stop, force, reload = asyncio.Event(), asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: force.set() if stop.is_set() else stop.set())
    loop.add_signal_handler(signal.SIGHUP, partial(_hang_up, stop, reload, terminal=os.isatty(0)))
    async with AsyncExitStack() as stack:
        daemon = await stack.enter_async_context(
            open_daemon(config, notifier=notifier, sockets=sockets, reload_asked=reload, keep_going=keep_going)
        )
        daemon.force = force
        _say(daemon)
        stopping = asyncio.create_task(stop.wait())
        assert daemon.consuming is not None  # open_daemon() began it
        ends = (stopping, daemon.sources.broken, daemon.consuming, daemon.store.lost)
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        failed = not stop.is_set()
        if daemon.store.lost.done():
            log.error("store.lost", error=str(daemon.store.lost.result()))
        runs = len(daemon.worker.under_way())
        log.info("service.stopping", runs=runs)
        notifier.stopping(f"stopping; {runs} runs may end within {config.worker.drain_s:g} s")
        async with extended(notifier):
            await stack.aclose()
    log.info("service.stopped")
    return 1 if failed else 0


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
        stack.enter_context(hold_home(config.state / "lock"))
        credentials = Credentials(config.home)
        kinds = configured_kinds(config)
        holder = Holder(_definitions(config, kinds, keep_going=keep_going))
        token = f"daemon-{secrets.token_hex(8)}"
        store = await stack.enter_async_context(open_store(config.database, token=token, synchronous=config.store.synchronous))
        due = await store.reconcile(time.time())
        await keep_versions(store, holder.current)
        memory = StoredState(store, SUSPENDED)
        holder.current = with_suspended(holder.current, read_suspensions(await memory.load(), time.time()))
        dispatch, stream, counters = LocalDispatch(), Stream(), Counters()
        world = make_world(kinds, lambda: holder.current.flows, credentials, config.env_values)
        worker = Worker(store, world, lambda: holder.current.flows, stream=stream, counters=counters)
        store.while_committing(dispatch.pump)
        intake = Intake(store, lambda: holder.current, dispatch.put, worker.queued, stream=stream, counters=counters)
        sources = Sources(partial(_make_source, config, store, credentials, worker, sockets), intake, always=("webhook",))
        worker.run_ended = sources.run_ended
        grown = await store.chain_sizes() if due else {}
        worker.follow = Follower(intake, lambda: holder.current.set, source_settings(config, "flow"), grown)
        worker.followed = intake.followed
        stack.push_async_callback(_close_kinds, kinds)
        await sources.start(holder.current.triggers)
        stack.push_async_callback(sources.close)
        live = LiveDaemon(
            store,
            dispatch,
            worker,
            intake.accept,
            lambda path, given: sources.get("webhook").handed_in(path, given),
            started_at=time.monotonic(),
            version=version("camshaft"),
            stream=stream,
            sources=sources,
            counters=counters,
            listeners={"hooks": sources.get("webhook").url},
            state=config.state,
        )
        operations = Operations(
            home=config.home,
            definitions=holder,
            kinds=kinds,
            advice=Advice(lambda: config.http.public_url or sources.get("webhook").url.removesuffix("/hooks")),
            timezone=config.timezone,
            store=store,
            live=live,
            on_change=partial(_prepared, store, sources, holder),
            memory=memory,
            made=gc.freeze,
            reloading=notifier.reloading,
            reloaded=counters.reload,
            keep_going=keep_going,
        )
        measures = stack.enter_context(measuring(counters, store, dispatch, worker, sources, holder, stream))
        admin = await stack.enter_async_context(
            open_admin(
                Behind(
                    operations,
                    lambda: {"store": not store.failing, "sources": not sources.broken.done()},
                    stream,
                    measures,
                    config.http.open_metrics,
                ),
                socket_path=config.state / "admin.sock",
                tcp=config.http.admin,
                inherited=sockets.admin,
            )
        )
        live.listeners["admin"] = str(admin.socket)
        if admin.tcp is not None:
            live.listeners["adminTcp"] = f"http://{admin.tcp}"
        daemon = Daemon(config, holder, store, dispatch, worker, intake, sources, admin, notifier, sockets)
        await stack.enter_async_context(_at_work(daemon))
        await stack.enter_async_context(_up_to_date(config, operations, reload_asked or asyncio.Event()))
        _put_due(dispatch, worker, due)
        gc.collect()
        gc.set_threshold(50_000, 20, 50)
        gc.freeze()  # what is loaded stays: a full collection need not look at it again
        yield daemon


@asynccontextmanager
async def _at_work(daemon: Daemon) -> AsyncIterator[None]:
    """Hand out runs and keep the store small; on leaving, drain."""
    config, dispatch, worker = daemon.config, daemon.dispatch, daemon.worker
    consuming = asyncio.create_task(dispatch.consume("runs", config.worker.concurrency, worker.handle), name="worker")
    daemon.consuming = consuming
    asked = Asked(daemon.store.answers)
    parts: dict[str, Owes] = {"writer": asked, "schedules": daemon.sources.stalled_s, "dispatch": Progress(dispatch.progress)}
    watching = asyncio.create_task(
        keep_watch(parts, daemon.notifier.alive, limit_s=daemon.notifier.watchdog_s), name="watchdog"
    )  # until the very end: a drain that is stuck is no drain
    keeping = [
        asyncio.create_task(
            keep_pruned(daemon.store, age_days=config.retention.age_days, rows=config.retention.rows), name="pruning"
        ),
        asyncio.create_task(keep_rescuing(daemon.store, partial(_put_due, dispatch, worker)), name="rescue"),
        asyncio.create_task(watch_overdue(daemon.sources.overdue), name="overdue watch"),
    ]
    try:
        yield
    finally:
        # What comes in by a socket that outlives us is still made durable while runs drain: our successor carries it out.
        await daemon.sources.close(but=("webhook",) if daemon.sockets.hooks else ())
        worker.leave()
        for task in keeping:
            task.cancel()
        await _drain(daemon)
        await daemon.sources.close()
        daemon.intake.closed = True
        watching.cancel()
        asked.close()
        await asyncio.wait((*keeping, watching, consuming))
        if (error := consuming.exception()) is not None:
            log.error("worker.failed", exc_info=error)


@asynccontextmanager
async def _up_to_date(config: Config, operations: Operations, asked: asyncio.Event) -> AsyncIterator[None]:
    """Follow the home's files; on leaving, the set in force stays what it is."""
    operations.seen.begin(config.home, operations.definitions.current)
    async with followed(operations, config.home, watch=config.reload.watch, poll_s=config.reload.poll_s):
        tasks = [
            asyncio.create_task(reload_when(asked, operations), name="reload"),
            asyncio.create_task(keep_lifting(operations), name="suspensions"),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


def _hang_up(stop: asyncio.Event, reload: asyncio.Event, *, terminal: bool) -> None:
    """SIGHUP: reload. Where it comes because the terminal has gone, there is nobody left to serve for."""
    if terminal and not os.isatty(0):
        stop.set()
    else:
        reload.set()


def _put_due(dispatch: LocalDispatch, worker: Worker, due: Sequence[Due]) -> None:
    """Runs that another process left are worked on like any other."""
    for found in due:
        worker.queued(found.trigger)
    dispatch.put(Job(found.run, found.epoch, priority=found.priority) for found in due)


async def _drain(daemon: Daemon) -> None:
    """Let runs end for a while, then leave them. A second signal ends the while."""
    closing = asyncio.create_task(daemon.dispatch.close(daemon.config.worker.drain_s))
    forced = asyncio.create_task(daemon.force.wait())
    await asyncio.wait((closing, forced), return_when=asyncio.FIRST_COMPLETED)
    forced.cancel()
    if not closing.done():
        log.warning("service.forced")
        await daemon.dispatch.close(0)
    left = await closing
    if left:
        log.warning("service.left_runs", runs=left)
    with suppress(TimeoutError):  # a disk that stays full: what could not be written is found again by recovery
        await asyncio.wait_for(daemon.worker.settled(), timeout=max(5.0, daemon.config.worker.drain_s))


def _raise_descriptor_limit() -> None:
    """Connections, children and files share the soft limit, which is 1,024 in most places.

    Commands inherit it, and some walk all that they may have open: so not the whole of a hard limit of millions.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError):  # a system call filter may forbid it
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


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


def _make_source(config: Config, store: Store, credentials: Credentials, worker: Worker, sockets: Inherited, kind: str) -> Source:
    """Each source with its own section and what it asks for."""
    chosen = source_class(kind)
    settings = source_settings(config, kind)
    if kind == "webhook":
        settings = settings.model_copy(update={"listen": str(config.http.listen)})
        return chosen(settings, secret=credentials.resolve, sockets=sockets.hooks)  # type: ignore[no-any-return]
    if kind == "flow":
        return chosen(settings)  # type: ignore[no-any-return]
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


def _say(daemon: Daemon) -> None:
    """Standard output, for people and for tools that asked for port 0: what listens where; the log, and the service manager."""
    print(f"hooks {daemon.url}", flush=True)  # noqa: T201 - the one thing that serve prints
    if daemon.admin.tcp is not None:
        print(f"admin http://{daemon.admin.tcp}", flush=True)  # noqa: T201 - as above
    triggers, flows = len(daemon.holder.current.triggers), len(daemon.holder.current.flows)
    daemon.notifier.ready(f"{triggers} triggers, {flows} flows, hooks at {daemon.url}")
    log.info(
        "service.started",
        home=str(daemon.config.home),
        hooks=daemon.url,
        admin=str(daemon.admin.socket),
        triggers=triggers,
        flows=flows,
        resumed=daemon.dispatch.depth() + len(daemon.worker.under_way()),
    )
