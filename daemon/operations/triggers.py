"""Triggers: list, show, add and remove."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import time
from typing import Any

from daemon import shapes
from daemon.errors import Conflict, DaemonError, NotFound
from daemon.home.definitions import Definitions, with_suspended, with_trigger, without_trigger
from daemon.home.files import remove_trigger, write_trigger
from daemon.operations.changes import Changes
from flows.suggest import did_you_mean
from triggers.load import load_trigger
from triggers.suspension import Suspension
from triggers.trigger import Trigger


class Triggers(Changes):
    """What can be asked of triggers."""

    __slots__ = ()

    def list_triggers(self) -> list[dict[str, Any]]:
        now = time()
        return [
            self._trigger_listed(trigger, now)
            for trigger in sorted(self.definitions.current.triggers, key=lambda trigger: trigger.key)
        ]

    def show_trigger(self, key: str) -> dict[str, Any]:
        trigger = self._trigger(key)
        return self._told(trigger) | {"digest": trigger.digest, "definition": trigger.definition}

    async def add_trigger(self, definition: Any, *, key: str = "", overwrite: bool = False) -> dict[str, Any]:
        """Check a definition, write its file, and put it in force. Nothing is changed where anything is refused.

        `key` is the trigger's where the definition names none. Raises DefinitionError, Conflict, HomeError.
        """
        async with self._changing:
            trigger = load_trigger(definition, key=key, file=None, default_timezone=self.timezone)
            await self._must_write()
            after = await asyncio.to_thread(self._written, trigger, overwrite=overwrite)
            await self._swap(after)
        added = after.trigger(trigger.key)
        if added is None:  # a home with --keep-going: checked, so only a change of the files meanwhile can do this
            raise Conflict(f"the trigger «{trigger.key}» was written and does not load", "camshaft validate")
        return self._told(added)

    async def remove_trigger(self, key: str) -> dict[str, Any]:
        """Remove a trigger and its file. Runs that it started go on. Raises NotFound."""
        async with self._changing:
            await self._must_write()
            before = await asyncio.to_thread(self._read, ())
            file = await asyncio.to_thread(remove_trigger, before, key)
            after = await asyncio.to_thread(self._read, (file,))
            if after.refused and not self.keep_going:  # a file elsewhere is broken: what is in force stays, but for this trigger
                after = without_trigger(self.definitions.current, key)
            await self._swap(after)
            if key in after.suspended and self.memory is not None:
                await self._set_suspended({name: one for name, one in after.suspended.items() if name != key}, {key: None})
        return {"key": key, "file": str(file), "removed": True}

    def _written(self, trigger: Trigger, *, overwrite: bool) -> Definitions:
        """Check the home as it would be, write the file, and read the home as it is. In a thread."""
        now = self._read(())
        file = self.home / "triggers" / f"{trigger.key}.json"
        taken = now.trigger(trigger.key)
        if taken is not None and taken.file in now.missing:  # it was removed a moment ago, to be added anew
            now, taken = self._read((taken.file,)), None
        if taken is not None and not overwrite:
            raise Conflict(f"there is a trigger «{trigger.key}» already", "remove it first, or add with --replace")
        if taken is not None and taken.file != file:
            raise Conflict(f"the trigger «{trigger.key}» stands in {taken.file}", "change that file, or remove the trigger first")
        self._refuse(with_trigger(now, trigger, file), file)
        write_trigger(self.home, with_key(trigger), key=trigger.key, overwrite=overwrite)
        return self._read(())

    async def _set_suspended(self, suspended: Mapping[str, Suspension], changes: Mapping[str, Any]) -> None:
        """On return the operator's switches are on disk, and in force."""
        if self.memory is None:
            raise DaemonError("there is no database to keep a suspension in")
        await self.memory.save(changes)
        self.definitions.current = await asyncio.to_thread(with_suspended, self.definitions.current, suspended)
        self.suspended.set()

    def _trigger(self, key: str) -> Trigger:
        current = self.definitions.current
        trigger = current.trigger(key)
        if trigger is None:
            raise NotFound(
                f"there is no trigger «{key}»",
                did_you_mean(key, (one.key for one in current.triggers)) or "camshaft trigger list",
            )
        return trigger

    def _trigger_listed(self, trigger: Trigger, now: float) -> dict[str, Any]:
        suspension = self.definitions.current.suspended.get(trigger.key)
        return {
            "key": trigger.key,
            "type": trigger.type,
            "flow": trigger.flow,
            "enabled": trigger.enabled,
            "state": "disabled" if not trigger.enabled else "enabled" if suspension is None else suspension.sentence,
            "suspended": None if suspension is None else _suspended(suspension),
            "next": self.advice.next_times(trigger, now) if trigger.enabled else [],
        }

    def _told(self, trigger: Trigger) -> dict[str, Any]:
        """A trigger, and what is needed to try it: a hook's URL and curl line, a schedule's next times."""
        return {
            **self._trigger_listed(trigger, time()),
            "description": trigger.description,
            "file": str(trigger.file) if trigger.file is not None else None,
            **self.advice.of(trigger, self.definitions.current.flows.get(trigger.flow)),
        }


def _suspended(suspension: Suspension) -> dict[str, Any]:
    since, until = shapes.instant(suspension.since), shapes.instant(suspension.until)
    return {"since": since, "until": until, "reason": suspension.reason}


def with_key(trigger: Trigger) -> dict[str, Any]:
    """The definition as written, with its key in it, so that it does not hang on the file's name."""
    written: dict[str, Any] = dict(trigger.definition)
    return written if {"key", "id", "name"} & written.keys() else {"key": trigger.key, **written}
