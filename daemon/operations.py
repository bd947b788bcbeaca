"""What a person or a tool can ask of a home: the admin API and the commands without a daemon are thin faces of this."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any, Protocol

from daemon import shapes
from daemon.advice import Advice
from daemon.errors import BadRequest, Conflict, NotFound, Unreachable
from daemon.home import Definitions, Holder, Kinds, read_home, remove_trigger, with_trigger, without_trigger, write_trigger
from flows.errors import DefinitionError
from flows.flow import Flow
from flows.suggest import did_you_mean
from triggers.load import load_trigger
from triggers.trigger import Trigger

if TYPE_CHECKING:
    from daemon.store.rows import EventRow, Run

MAX_LISTED = 1000  # rows in one answer; `before` asks for the next


class Rows(Protocol):
    """What is kept, to be read: the Store, or its readers alone."""

    async def runs(
        self,
        *,
        flow: str | None = None,
        status: str | None = None,
        trigger: str | None = None,
        event: str | None = None,
        limit: int = 50,
        before: str | None = None,
    ) -> list[Run]: ...
    async def run(self, prefix: str) -> Run | None: ...
    async def events(
        self,
        *,
        source: str | None = None,
        trigger: str | None = None,
        verdict: str | None = None,
        limit: int = 50,
        before: str | None = None,
    ) -> list[EventRow]: ...
    async def event(self, prefix: str) -> EventRow | None: ...
    async def counts(self) -> dict[str, int]: ...


class Live(Protocol):
    """What only a running daemon can do. The service provides it."""

    async def start(self, flow: Flow, inputs: Mapping[str, Any]) -> str:
        """Queue a run by hand; its id, when it is on disk. Raises DefinitionError where the flow refuses the inputs."""
        ...

    async def ended(self, run: str, timeout_s: float) -> bool:
        """Wait until the run is in its last state and on disk. False: it still goes on after `timeout_s`."""
        ...

    async def cancel(self, run: str) -> bool:
        """Ask a run to stop; it ends as `cancelled`. False: it is not under way."""
        ...

    def so_far(self, run: Run) -> Run:
        """A run as it stands in the store, with what the daemon knows and has not written yet."""
        ...

    def status(self) -> dict[str, Any]:
        """What the daemon does right now, as JSON: version, started, depth of the queue, …"""
        ...


@dataclass(slots=True)
class Operations:
    """One home. `store` None: it has no database yet. `live` None: no daemon runs, and definitions are all there is."""

    home: Path
    definitions: Holder
    kinds: Kinds
    advice: Advice
    timezone: str = "UTC"  # of schedules that name none
    store: Rows | None = None
    live: Live | None = None
    on_change: Callable[[Definitions], Awaitable[None]] | None = None  # told just before a new set is in force
    keep_going: bool = False  # True: a broken file elsewhere in the home does not stop a change
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    # Triggers

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
            after = await asyncio.to_thread(self._written, trigger, overwrite=overwrite)
            await self._swap(after)
        added = after.trigger(trigger.key)
        if added is None:  # a home with --keep-going: checked, so only a change of the files meanwhile can do this
            raise Conflict(f"the trigger «{trigger.key}» was written and does not load", "camshaft validate")
        return self._told(added)

    async def remove_trigger(self, key: str) -> dict[str, Any]:
        """Remove a trigger and its file. Runs that it started go on. Raises NotFound."""
        async with self._changing:
            before = await asyncio.to_thread(self._read)
            file = await asyncio.to_thread(remove_trigger, before, key)
            after = await asyncio.to_thread(self._read)
            if after.refused and not self.keep_going:  # a file elsewhere is broken: what is in force stays, but for this trigger
                after = without_trigger(self.definitions.current, key)
            await self._swap(after)
        return {"key": key, "file": str(file), "removed": True}

    # Flows

    def list_flows(self) -> list[dict[str, Any]]:
        flows = self.definitions.current.flows
        return [shapes.flow_listed(flows[key], self._starts(key)) for key in sorted(flows)]

    def show_flow(self, key: str) -> dict[str, Any]:
        return shapes.flow_shown(self.flow(key), self._starts(key))

    def flow(self, key: str) -> Flow:
        """Raises NotFound."""
        flows = self.definitions.current.flows
        if key not in flows:
            raise NotFound(f"there is no flow «{key}»", did_you_mean(key, flows))
        return flows[key]

    async def execute_flow(self, key: str, inputs: Mapping[str, Any], *, wait_s: float = 0) -> dict[str, Any]:
        """Queue a run and, up to `wait_s`, wait for its end. Answers the run as `run show` does."""
        live = self._live()
        if key not in self.definitions.current.flows:
            await self._look_again()
        run = await live.start(self.flow(key), inputs)
        return await self.show_run(run, wait_s=wait_s)

    # Runs and events

    async def list_runs(self, **which: Any) -> list[dict[str, Any]]:
        """`flow`, `status`, `trigger`, `event`, `before` narrow it; `limit` at most MAX_LISTED; the newest first."""
        asked = _limited(which)
        if self.store is None:
            return []
        return [shapes.run_listed(self._so_far(run)) for run in await self.store.runs(**asked)]

    async def show_run(self, run: str, *, wait_s: float = 0) -> dict[str, Any]:
        """A run by its id or a unique beginning of it. With `wait_s` its end is waited for. Raises NotFound, Ambiguous."""
        found = await self._run(run)
        if wait_s > 0 and self.live is not None and await self.live.ended(found.id, wait_s):
            found = await self._run(found.id)
        return shapes.run_shown(found)

    async def cancel_run(self, run: str) -> dict[str, Any]:
        found = await self._run(run)
        return {"run": found.id, "cancelled": await self._live().cancel(found.id)}

    async def list_events(self, **which: Any) -> list[dict[str, Any]]:
        """`source`, `trigger`, `verdict`, `before` narrow it; `limit` at most MAX_LISTED; the newest first."""
        asked = _limited(which)
        if self.store is None:
            return []
        return [shapes.event_listed(event) for event in await self.store.events(**asked)]

    async def show_event(self, event: str) -> dict[str, Any]:
        return shapes.event_shown(await self._event(event))

    async def explain_event(self, event: str) -> dict[str, Any]:
        return shapes.event_explained(await self._event(event))

    async def status(self) -> dict[str, Any]:
        current = self.definitions.current
        return {
            "home": str(self.home),
            "triggers": len(current.triggers),
            "flows": len(current.flows),
            "problems": [str(problem) for problem in current.problems],
            "rows": dict(await self.store.counts()) if self.store is not None else {},
            **(self.live.status() if self.live is not None else {}),
        }

    # Inside

    def _written(self, trigger: Trigger, *, overwrite: bool) -> Definitions:
        """Check the home as it would be, write the file, and read the home as it is. In a thread."""
        now = self._read()
        file = self.home / "triggers" / f"{trigger.key}.json"
        taken = now.trigger(trigger.key)
        if taken is not None and not overwrite:
            raise Conflict(f"there is a trigger «{trigger.key}» already", "remove it first, or add with --replace")
        if taken is not None and taken.file != file:
            raise Conflict(f"the trigger «{trigger.key}» stands in {taken.file}", "change that file, or remove the trigger first")
        self._refuse(with_trigger(now, trigger, file), file)
        write_trigger(self.home, with_key(trigger), key=trigger.key, overwrite=overwrite)
        return read_home(self.home, self.kinds, timezone=self.timezone, previous=now)

    def _refuse(self, after: Definitions, file: Path) -> None:
        """Raise where the trigger in `file`, or the home as a whole, is refused."""
        own = [problem for problem in after.refused if problem.file == str(file)]
        others = [problem for problem in after.refused if problem not in own and not self.keep_going]
        if own or others:  # its own are told without the file: it is not there
            raise DefinitionError(*(replace(problem, file=None, line=None, column=None) for problem in own), *others)

    async def _look_again(self) -> None:
        """Somebody asks for what is not known: perhaps its file is new. A home that is refused stays as it is in force."""
        async with self._changing:
            after = await asyncio.to_thread(self._read)
            if self.keep_going or not after.refused:
                await self._swap(after)

    def _read(self) -> Definitions:
        return read_home(self.home, self.kinds, timezone=self.timezone, previous=self.definitions.current)

    async def _swap(self, after: Definitions) -> None:
        if self.on_change is not None:
            await self.on_change(after)
        self.definitions.current = after

    def _trigger(self, key: str) -> Trigger:
        current = self.definitions.current
        trigger = current.trigger(key)
        if trigger is None:
            raise NotFound(f"there is no trigger «{key}»", did_you_mean(key, (one.key for one in current.triggers)))
        return trigger

    def _trigger_listed(self, trigger: Trigger, now: float) -> dict[str, Any]:
        return {
            "key": trigger.key,
            "type": trigger.type,
            "flow": trigger.flow,
            "enabled": trigger.enabled,
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

    def _starts(self, flow: str) -> list[str]:
        return sorted(trigger.key for trigger in self.definitions.current.triggers if trigger.flow == flow)

    def _live(self) -> Live:
        if self.live is None:
            raise Unreachable("no daemon runs for this home", f"camshaft serve --home {self.home}")
        return self.live

    async def _run(self, run: str) -> Run:
        found = await self.store.run(run) if self.store is not None and run else None
        if found is None:
            raise NotFound(f"there is no run «{run}»", "camshaft run list")
        return self._so_far(found)

    def _so_far(self, run: Run) -> Run:
        return run if self.live is None else self.live.so_far(run)

    async def _event(self, event: str) -> EventRow:
        found = await self.store.event(event) if self.store is not None and event else None
        if found is None:
            raise NotFound(f"there is no event «{event}»", "camshaft event list")
        return found


def with_key(trigger: Trigger) -> dict[str, Any]:
    """The definition as written, with its key in it, so that it does not hang on the file's name."""
    written: dict[str, Any] = dict(trigger.definition)
    return written if {"key", "id", "name"} & written.keys() else {"key": trigger.key, **written}


def _limited(which: Mapping[str, Any]) -> dict[str, Any]:
    limit = which.get("limit", 50)
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MAX_LISTED:
        raise BadRequest(f"limit is a number from 1 to {MAX_LISTED}")
    return {name: value for name, value in which.items() if value is not None}
