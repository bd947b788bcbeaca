"""The seam between the world and the daemon: a Source turns what happens into Events and hands them to `emit`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel

from triggers.event import Event
from triggers.trigger import Trigger


@dataclass(slots=True)  # nothing changes it; each event makes one, and frozen it takes a microsecond more
class Accepted:
    """What came of an event. When the caller has it, all of it is on disk."""

    event_id: str
    runs: tuple[str, ...]  # ids of the runs that were queued
    verdicts: Mapping[str, str]  # trigger key → verdict
    duplicate: bool = False  # True: its cause was seen before; event_id is the earlier event's


class Unavailable(Exception):  # noqa: N818 - a state, told as HTTP 503
    """Nothing can be made durable right now. The caller keeps the event (a slot, a file) or says 503."""

    def __init__(self, reason: str, *, retry_after_s: int = 5) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(reason)


class SourceError(Exception):
    """A source cannot be opened: a port is taken, a folder is not there. The message says who, what and a way out."""


class Emit(Protocol):
    """Hand events in. Returns when they are durable; raises Unavailable when they cannot be made so."""

    def __call__(self, event: Event) -> Awaitable[Accepted]:
        """One event."""
        ...

    def together(self, events: Sequence[Event]) -> Awaitable[Sequence[Accepted]]:
        """Several that stand or fall together: all of them are durable, or none is. What came of each, in order."""
        ...


Model = type[BaseModel]  # named here, for inside Source `type` is the word of a definition


class State(Protocol):
    """A source's memory: small JSON values by key, on disk. Saved with an Event where that must be one transaction."""

    async def load(self) -> dict[str, Any]:
        """All of this source's keys."""
        ...

    async def save(self, changes: Mapping[str, Any]) -> None:
        """Set keys; None deletes. Returns when it is on disk."""
        ...


class Source(Protocol):
    """One kind of trigger. Instances live as long as the daemon; `update` swaps the triggers they listen for."""

    type: ClassVar[str]  # the word in a trigger's `type`
    Spec: ClassVar[Model]  # its section of a trigger, as written; `type` and the filter stand beside it
    Settings: ClassVar[Model]  # its section of camshaft.toml: [sources.<type with _>]

    def update(self, triggers: Sequence[Trigger]) -> None:
        """From now on these are the triggers of this type, enabled and disabled. Never fails: they were checked at load."""
        ...

    def open(self, emit: Emit) -> AbstractAsyncContextManager[None]:
        """Bind, watch, arm. Raises SourceError. On leaving, takes nothing new and has handed over all it had taken."""
        ...

    async def run(self) -> None:
        """Work until cancelled, or return at once where the loop calls back by itself."""
        ...


@runtime_checkable
class Plans(Protocol):
    """A source for which it takes time to work out what its triggers mean: with ten thousand of them the loop would stand still."""

    def plan(self, triggers: Sequence[Trigger]) -> Callable[[], None]:
        """The work of update(), in a thread; calling the result on the loop puts these triggers in force, at once."""
        ...
