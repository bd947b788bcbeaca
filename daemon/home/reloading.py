"""When the home is read again: its files were touched, SIGHUP came, or somebody asked. A broken home is told, and changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import structlog

from daemon.errors import DaemonError
from daemon.home.scan import Scan
from daemon.home.watch import HomeWatch
from daemon.steady import steadily
from flows.errors import DefinitionError
from triggers.source import SourceError, Unavailable

log = structlog.get_logger()


class Reloads(Protocol):
    """What this needs of the operations."""

    async def reload(self, *, gone: Collection[Path] | None = None) -> Any: ...
    def missing(self) -> Collection[Path]: ...
    def knows(self, scan: Scan) -> bool: ...


@asynccontextmanager
async def followed(operations: Reloads, home: Path, *, watch: str, poll_s: float) -> AsyncIterator[None]:
    """Inside, each change of the files comes in force. `watch`: auto, poll or off."""
    if watch == "off":
        yield
        return
    attempts = Attempts(operations)

    async def look(gone: Collection[Path]) -> Collection[Path] | None:
        return operations.missing() if await attempts.reload(gone) else None

    home_watch = HomeWatch(home, poll=watch == "poll", poll_s=poll_s, known=operations.knows)
    await home_watch.open()
    following = steadily("home watch", lambda: home_watch.run(look))
    try:
        yield
    finally:
        following.cancel()
        await asyncio.wait((following,))
        await home_watch.close()


async def reload_when(asked: asyncio.Event, operations: Reloads) -> None:
    """Until cancelled, reload at once whenever asked to: SIGHUP."""
    attempts = Attempts(operations)
    while True:
        await asked.wait()
        asked.clear()
        await attempts.reload(None)


class Attempts:
    """Reloads that nobody waits for: what keeps one from happening is told, once."""

    def __init__(self, operations: Reloads) -> None:
        self._operations = operations
        self._told: str | None = None

    async def reload(self, gone: Collection[Path] | None) -> bool:
        """False: something else than the definitions was in the way; it is worth trying again."""
        try:
            await self._operations.reload(gone=gone)
        except DefinitionError:
            pass  # each problem is told already
        except (DaemonError, SourceError, Unavailable) as error:
            if str(error) != self._told:
                log.warning("definitions.not_reloaded", reason=str(error))
            self._told = str(error)
            return False
        except Exception:  # a defect of ours, or of a plug-in: the daemon goes on with what it has
            log.warning("definitions.not_reloaded", reason="a defect of camshaft", exc_info=True)
            return False
        self._told = None
        return True
