"""The process: serve a home until told to stop, and say so to whoever started it.

On SIGTERM or SIGINT: nothing new is taken, what was taken is handed over, runs under way have `drain_s` to end and are then
left for the next start. A second signal does not wait for them.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from contextlib import AsyncExitStack, closing, suppress
from functools import partial

import structlog
import uvloop

from daemon.activation import Inherited, inherited
from daemon.composed import Daemon, open_daemon
from daemon.config import Config
from daemon.notify import Notifier, extended

log = structlog.get_logger()

DESCRIPTORS = 16_384  # a thousand connections, and room for files and children


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
        daemon.dispatch.pause("runs")  # nothing new begins, also while what feeds it is still being closed
        runs = len(daemon.worker.under_way())
        log.info("service.stopping", runs=runs)
        notifier.stopping(f"stopping; {runs} runs may end within {config.worker.drain_s:g} s")
        async with extended(notifier):
            await stack.aclose()
    log.info("service.stopped")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # all is done: one more must not change the exit status
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_IGN)
    return 1 if failed else 0


def _hang_up(stop: asyncio.Event, reload: asyncio.Event, *, terminal: bool) -> None:
    """SIGHUP: reload. Where it comes because the terminal has gone, there is nobody left to serve for."""
    if terminal and not os.isatty(0):
        stop.set()
    else:
        reload.set()


def _raise_descriptor_limit() -> None:
    """Connections, children and files share the soft limit, which is 1,024 in most places.

    Commands inherit it, and some walk all that they may have open: so not the whole of a hard limit of millions.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError):  # a system call filter may forbid it
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _status(daemon: Daemon) -> str:
    current = daemon.holder.current
    return f"{len(current.triggers)} triggers, {len(current.flows)} flows, hooks at {daemon.url}"


def _say(daemon: Daemon) -> None:
    """Standard output, for people and for tools that asked for port 0: what listens where; the log, and the service manager."""
    _print([f"hooks {daemon.url}", *([f"admin http://{daemon.admin.tcp}"] if daemon.admin.tcp is not None else [])])
    daemon.notifier.ready(partial(_status, daemon))
    current = daemon.holder.current
    log.info(
        "service.started",
        home=str(daemon.config.home),
        hooks=daemon.url,
        admin=str(daemon.admin.socket),
        triggers=len(current.triggers),
        flows=len(current.flows),
        resumed=daemon.dispatch.depth() + len(daemon.worker.under_way()),
    )


def _print(lines: list[str]) -> None:
    """The one thing that serve prints. Who reads it may have gone, and a full disk takes none: the log says the same."""
    try:
        print("\n".join(lines), flush=True)  # noqa: T201 - as said
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)  # what is left is written once more at the end
        os.close(nowhere)
