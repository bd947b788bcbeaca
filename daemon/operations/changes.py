"""How a set of definitions is changed: one change at a time, checked as a whole, in force whole or not at all."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from daemon import shapes
from daemon.errors import HomeError
from daemon.home.definitions import Definitions, Keys, difference, let_go
from daemon.home.scan import Scan, is_away
from daemon.home.whole import read_home, uncollected
from daemon.operations.given import Given
from flows.errors import DefinitionError
from triggers.source import Unavailable

log = structlog.get_logger()

GIVE_WAY_S = 0.0002  # Python's own 5 ms, waited for at each turn of the loop, make a webhook wait for 50
LET_GO_PAUSE_S = 0.0005  # between two pieces of a set that is not in force any more


class Changes(Given):
    """What every change of definitions goes through."""

    __slots__ = ()

    async def reload(self, *, gone: Collection[Path] | None = None) -> dict[str, Any]:
        """Read the home again and put it in force: all of it, or nothing. The answer says what changed.

        `gone`: files that are not there are waited for, except these; None: they are removed. Raises DefinitionError where the
        home is refused (with `keep_going` the problems stand in the answer), HomeError, SourceError, Unavailable.
        """
        self._live()
        async with self._changing:
            try:
                with self.reloading(), giving_way():
                    told = await self._reload(gone)
            except DefinitionError:
                self.reloaded("refused")
                raise
            except Exception:
                self.reloaded("failed")
                raise
            self.reloaded("ok")
            return told

    async def _reload(self, gone: Collection[Path] | None) -> dict[str, Any]:
        began = time.monotonic()
        self.seen.unfinished = True
        after = await asyncio.to_thread(self._read, gone)
        kept = bool(after.refused) and not self.keep_going
        await asyncio.to_thread(self.seen.tell, after, kept=kept)
        if kept:
            self.seen.unfinished = False
            raise DefinitionError(*after.refused)
        changed = await asyncio.to_thread(difference, self.definitions.current, after)
        await self._swap(after)
        self.seen.unfinished = False
        _tell(changed, after, time.monotonic() - began)
        return {
            **{noun: each.shown() for noun, each in changed.items()},
            "problems": [shapes.problem_shown(problem) for problem in after.refused],
            "warnings": [shapes.problem_shown(problem) for problem in after.problems if problem.warning],
        }

    def knows(self, scan: Scan) -> bool:
        """Whether a scan shows what was read already. In a thread."""
        return self.seen.shows(scan, self.definitions.current)

    def missing(self) -> Collection[Path]:
        """Files that were not there when the home was read last, and that are waited for."""
        return () if self.seen.found is None else self.seen.found.missing

    async def _look_again(self) -> None:
        """Somebody asks for what is not known: perhaps its file is new. A home that is refused stays as it is in force."""
        async with self._changing:
            after = await asyncio.to_thread(self._read, ())
            if self.keep_going or not after.refused:
                await self._swap(after)

    def _read(self, gone: Collection[Path] | None = None) -> Definitions:
        """The home as it is on disk, checked. In a thread. Raises HomeError.

        A change of one trigger gives `()` for `gone`: files that are written anew in this very moment are not its business.
        """
        current = self.definitions.current
        if current.files and is_away(self.home):
            raise HomeError(f"{self.home} is not there, or nothing is in it", "what was in force stays until it is back")
        with uncollected():
            after = read_home(
                self.home,
                self.kinds,
                timezone=self.timezone,
                previous=self.seen.found or current,
                before=current,
                keep_good=self.keep_going,
                gone=gone,
            )
            self.made()
        before, self.seen.found = [self.seen.found or current], after
        self.seen.look_at_config(self.home)
        let_go(before)
        return after

    async def _must_write(self) -> None:
        """Before a file is changed: what could not come in force must not be in the home. Raises Unavailable."""
        if not await self.writes():
            raise Unavailable("nothing can be written now, so nothing was changed: the daemon's log says why")

    async def _swap(self, after: Definitions) -> None:
        """Put a set in force. Raises what keeps it out; everything is as it was then."""
        swap = await self.on_change(after) if self.on_change is not None else None
        before, self.definitions.current = [self.definitions.current], after
        if swap is not None:
            swap()  # in one turn of the loop with the line above: no event sees a half of each set
        asyncio.get_running_loop().run_in_executor(None, let_go, before, LET_GO_PAUSE_S)  # nobody waits for that

    def _refuse(self, after: Definitions, file: Path, *, alone: bool = False) -> None:
        """Raise where the trigger in `file`, or the home as a whole, is refused. `alone`: never mind the rest of the home."""
        own = [problem for problem in after.refused if problem.file == str(file)]
        others = [problem for problem in after.refused if problem not in own and not (alone or self.keep_going)]
        if own or others:  # its own are told without the file: it is not there
            raise DefinitionError(*(replace(problem, file=None, line=None, column=None) for problem in own), *others)


@contextmanager
def giving_way() -> Iterator[None]:
    """Inside, a thread that computes hands Python to the loop soon after the loop asks for it."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(GIVE_WAY_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _tell(changed: dict[str, Keys], after: Definitions, took_s: float) -> None:
    if not any(changed.values()):
        return
    counts = {word: sum(len(getattr(keys, word)) for keys in changed.values()) for word in ("added", "changed", "removed")}
    log.info(
        "definitions.reloaded",
        triggers=len(after.triggers),
        flows=len(after.flows),
        **counts,
        duration_ms=round(took_s * 1000),
    )
