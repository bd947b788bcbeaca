"""Triggers switched on and off: in their definition's file, or by an operator's switch that is kept in the store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import structlog

from daemon.errors import BadRequest, Conflict
from daemon.home.definitions import Definitions, with_trigger
from daemon.home.files import read_text, replace_text
from daemon.home.read import in_file
from daemon.home.switch_text import switched
from daemon.operations.given import checked_reason
from daemon.operations.triggers import Triggers
from flows.document import locate, read_document
from flows.duration import parse_duration
from flows.errors import DefinitionError
from triggers.load import load_trigger
from triggers.source import Unavailable
from triggers.suspension import Suspension
from triggers.trigger import Trigger

log = structlog.get_logger()

SUSPENDED = "suspended"  # the name in the store under which they are kept
EXPIRY_S = 60.0  # a clock that is set is noticed after so long


class Switches(Triggers):
    """What can be done to a trigger that is there."""

    __slots__ = ()

    async def enable_trigger(self, key: str) -> dict[str, Any]:
        """Switch it on: in its file where that says otherwise, and lift a suspension."""
        async with self._changing:
            await self._edit(key, lambda text, suffix: switched(text, suffix, on=True))
            await self._suspend(key, None)
        return self._told(self._trigger(key))

    async def disable_trigger(self, key: str) -> dict[str, Any]:
        """Switch it off in its file, with the smallest edit. Its suspension, if there is one, stays."""
        async with self._changing:
            await self._edit(key, lambda text, suffix: switched(text, suffix, on=False))
        return self._told(self._trigger(key))

    async def suspend_trigger(self, key: str, *, duration: str | None = None, reason: str | None = None) -> dict[str, Any]:
        """Let it fire nothing until it is enabled again, or for so long. Survives restarts; its file is not touched."""
        said = checked_reason(reason)
        now = time.time()
        until = None if duration is None else now + _seconds(duration)
        async with self._changing:
            await self._suspend(key, Suspension(now, until, said))
        return self._told(self._trigger(key))

    async def trigger_source(self, key: str) -> dict[str, Any]:
        """Its definition's text as it stands in its file."""
        file = self._file(key)
        text = await asyncio.to_thread(read_text, file)
        return {"key": key, "file": str(file), "text": text, "sha256": _sum(text)}

    async def replace_source(self, key: str, text: str, was: str) -> dict[str, Any]:
        """Put another text in the place of the one whose digest is `was`. Nothing is changed where anything is refused.

        Raises DefinitionError with places in the new text, Conflict where the file is another meanwhile.
        """

        def replaced(before: str, suffix: str) -> str:
            if _sum(before) != was:
                raise Conflict("the file was changed meanwhile", "edit it again")
            self._check(key, text, suffix)
            return text

        async with self._changing:
            await self._edit(key, replaced)
        return self._told(self._trigger(key))

    async def lift_expired(self, now: float) -> float:
        """Lift suspensions whose time is over. Answers in how many seconds to come again."""
        async with self._changing:
            suspended = self.definitions.current.suspended
            over = [key for key, one in suspended.items() if one.over(now)]
            for key in over:
                await self._suspend(key, None)
                log.info("trigger.resumed", trigger=key, why="the time of its suspension is over")
        waits = [one.until - now for key, one in suspended.items() if one.until is not None and key not in over]
        return max(0.05, min([EXPIRY_S, *waits]))

    # Inside

    async def _edit(self, key: str, edit: Callable[[str, str], str]) -> None:
        await self._must_write()
        after = await asyncio.to_thread(self._edited, key, edit)
        await self._swap(after)

    def _edited(self, key: str, edit: Callable[[str, str], str]) -> Definitions:
        """Change the trigger's file, and read the home as it is. In a thread."""
        file = self._file(key)
        before = read_text(file)
        try:
            self._check(key, before, file.suffix)  # it may be broken, and an older one in force: then nothing is written
            after = edit(before, file.suffix)
        except DefinitionError as error:
            raise in_file(error, file) from error
        if after != before:
            replace_text(file, before, after)
        found = self._read(())
        if found.refused and not self.keep_going:  # a file elsewhere is broken: what is in force stays, but for this trigger
            return with_trigger(self.definitions.current, self._loaded(key, after, file), file)
        return found

    def _check(self, key: str, text: str, suffix: str) -> None:
        """Raise where this text would be refused as the definition of this trigger."""
        document = read_document(text, suffix=suffix)
        try:
            trigger = load_trigger(document.value, key=key, file=None, default_timezone=self.timezone)
            if trigger.key != key:
                raise DefinitionError.at(("key",), f"the key was «{key}» and is «{trigger.key}» now", "add it as another trigger")
            file = self._file(key)
            found = with_trigger(self.definitions.current, trigger, file)
            self._refuse(found, file, alone=True)
        except DefinitionError as error:
            raise DefinitionError(*(locate(problem, document, None) for problem in error.problems)) from error

    def _loaded(self, key: str, text: str, file: Path) -> Trigger:
        document = read_document(text, suffix=file.suffix)
        return load_trigger(document.value, key=key, file=file, default_timezone=self.timezone)

    def _file(self, key: str) -> Path:
        file = self._trigger(key).file
        if file is None:
            raise Conflict(f"the trigger «{key}» has no file")
        return file

    async def _suspend(self, key: str, suspension: Suspension | None) -> None:
        """On return it is on disk and in force."""
        current = self.definitions.current
        if suspension is not None:
            self._trigger(key)
        elif key not in current.suspended:
            return
        suspended = {name: one for name, one in current.suspended.items() if name != key}
        if suspension is not None:
            suspended[key] = suspension
        await self._set_suspended(suspended, {key: None if suspension is None else suspension.to_json()})


def read_suspensions(rows: Mapping[str, Any], now: float) -> dict[str, Suspension]:
    """Those that are kept and not over."""
    found = {key: Suspension.from_json(row) for key, row in rows.items()}
    return {key: one for key, one in found.items() if one is not None and not one.over(now)}


async def keep_lifting(operations: Switches, *, clock: Callable[[], float] = time.time) -> None:
    """Until cancelled, lift each suspension when its time is over."""
    while True:
        operations.suspended.clear()
        try:
            wait_s = await operations.lift_expired(clock())
        except Unavailable as error:
            log.warning("trigger.not_resumed", reason=str(error))
            wait_s = error.retry_after_s
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await operations.suspended.wait()


def _seconds(duration: str) -> float:
    try:
        seconds = parse_duration(duration)
    except DefinitionError as error:
        problem = error.problems[0]
        raise BadRequest(f"for how long: {problem.problem}", problem.hint) from error
    if seconds <= 0:
        raise BadRequest("a suspension of no length does nothing")
    return seconds


def _sum(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
