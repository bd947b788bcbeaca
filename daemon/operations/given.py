"""What operations are given of one home, and the seams behind it: the rows to read, and the daemon that runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from daemon.advice import Advice
from daemon.errors import BadRequest, NotFound, Unreachable
from daemon.home.definitions import Definitions, Holder
from daemon.home.whole import Kinds
from daemon.operations.seen import Seen
from flows.flow import Flow
from triggers.source import State

if TYPE_CHECKING:
    from daemon.store.lists import Page
    from daemon.store.rows import EventRow, Run, Version
    from daemon.store.waits import WaitRow
    from daemon.waiting.approvals import Approvals
    from daemon.waiting.pauses import Pauses
    from flows.attempt import Attempt
    from triggers.event import Cause, Event
    from triggers.source import Accepted

MAX_LISTED = 1000  # rows in one answer; `before` asks for the next
MAX_REASON = 500  # characters: a sentence that stands beside a run or in each verdict, and no document
IDS = frozenset({"event", "chain", "retry_of"})  # of what narrows a list: those that are ids
WHOLE_ID = len("run_") + 26


class Rows(Protocol):
    """What is kept, to be read: the Store, or its readers alone."""

    async def runs(self, *, limit: int = 50, before: str | None = None, **filters: Any) -> Page[Run]:
        """The newest first; store.lists.narrowed_runs has the filters."""
        ...

    async def run(self, prefix: str) -> Run | None: ...
    async def events(self, *, limit: int = 50, before: str | None = None, **filters: Any) -> Page[EventRow]:
        """The newest first; store.lists.narrowed_events has the filters."""
        ...

    async def event(self, prefix: str) -> EventRow | None: ...
    async def waits_of(self, run: str | None = None) -> list[WaitRow]:
        """What a run waits for, or has waited for; None: what is open of all runs."""
        ...

    async def waits_by(self, event: str) -> list[WaitRow]:
        """What an event ended."""
        ...

    async def unfinished(self) -> tuple[dict[str, int], float | None]: ...
    async def versions(self, noun: str, key: str) -> list[tuple[str, float]]: ...
    async def definition(self, digest: str) -> Version | None: ...


@dataclass(frozen=True, slots=True)
class Started:
    """What became of a run that is to be started once."""

    run: str  # its id; of a duplicate the earlier one's
    asked: Run  # what would have been queued
    duplicate: bool


class Live(Protocol):
    """What only a running daemon can do. The service provides it."""

    async def start(self, flow: Flow, inputs: Mapping[str, Any], *, finish_within: float | None = None) -> str:
        """Queue a run by hand; its id, when it is on disk. `finish_within`: seconds that it may take. Raises DefinitionError where the flow refuses the inputs."""
        ...

    async def start_once(self, flow: Flow, inputs: Mapping[str, Any], cause: Cause) -> Started:
        """The same where no run was started for this cause before; else tell which one was."""
        ...

    async def accept(self, event: Event) -> Accepted:
        """Take in an event that a person made. Raises Unavailable."""
        ...

    def request(self, path: str, given: Mapping[str, Any]) -> Event | None:
        """The event of a request that the owner hands in to a hook. None: nobody listens there. Raises LookupError: its methods."""
        ...

    async def ended(self, run: str, timeout_s: float) -> bool:
        """Wait until the run is in its last state and on disk. False: it still goes on after `timeout_s`."""
        ...

    async def cancel(self, runs: Sequence[str], reason: str | None = None) -> list[str]:
        """Have runs stop, by their whole ids: each ends as `cancelled`, whatever becomes of the process. Returns those to which
        that is new: not those that have ended or were to stop before. Raises Unavailable.
        """
        ...

    async def version_of(self, run: Run) -> Flow | str:
        """The version of the flow that a run pins; or the sentence why it cannot be had."""
        ...

    async def start_again(self, run: Run, attempts: Sequence[Attempt]) -> None:
        """Queue a run that does another one again, with what it takes over. Raises Unavailable."""
        ...

    def so_far(self, run: Run) -> Run:
        """A run as it stands in the store, with what the daemon knows and has not written yet."""
        ...

    @property
    def approvals(self) -> Approvals:
        """What is asked of people."""
        ...

    @property
    def pauses(self) -> Pauses:
        """What is held back."""
        ...

    def status(self) -> dict[str, Any]:
        """What the daemon does right now, as JSON: version, started, depth of the queue, …"""
        ...


def _nothing() -> None:
    pass


async def _yes() -> bool:
    return True


def _ignore(_: str) -> None:
    pass


@dataclass(slots=True)
class Given:
    """One home. `store` None: it has no database yet. `live` None: no daemon runs, and definitions are all there is."""

    home: Path
    definitions: Holder
    kinds: Kinds
    advice: Advice
    timezone: str = "UTC"  # of schedules that name none
    store: Rows | None = None
    live: Live | None = None
    on_change: Callable[[Definitions], Awaitable[Callable[[], None]]] | None = None
    """Gets ready for a new set, or raises what keeps it out of force; what it gives is called when the set is in force."""
    writes: Callable[[], Awaitable[bool]] = _yes  # whether the versions of a new set could be made durable now
    made: Callable[[], None] = _nothing  # told in the thread that has made a set, before garbage is looked for again
    reloading: Callable[[], AbstractContextManager[None]] = nullcontext  # around each reload: for a service manager
    reloaded: Callable[[str], None] = _ignore  # told what came of each: ok, refused, failed
    memory: State | None = None  # where suspensions are kept; None: nowhere
    suspended: asyncio.Event = field(default_factory=asyncio.Event)  # set when a suspension came or went
    seen: Seen = field(default_factory=Seen)
    keep_going: bool = False  # True: a broken file elsewhere in the home does not stop a change
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def _whole(self, which: Mapping[str, Any]) -> dict[str, Any]:
        """What narrows a list, with the ids in it whole. Raises NotFound and Ambiguous for the beginning of none or of several."""
        whole = dict(which)
        for name in IDS & which.keys():
            given = which[name]
            if self.store is None or len(given) >= WHOLE_ID:
                continue
            found = await (self.store.event(given) if given.startswith("evt_") else self.store.run(given))
            if found is None:
                raise NotFound(f"{name} «{given}» is no id of an event or a run, nor the beginning of one")
            whole[name] = found.id
        return whole

    def _live(self) -> Live:
        if self.live is None:
            raise Unreachable("no daemon runs for this home", f"camshaft serve --home {self.home}")
        return self.live


@dataclass(frozen=True, slots=True)
class Listed:
    """Some of a list. `next`: the rest are older than this id; None: that was all."""

    rows: list[dict[str, Any]]
    next: str | None = None


def limited(which: Mapping[str, Any], noun: str) -> dict[str, Any]:
    """What narrows a list of ids that begin with `noun`, without what was not said. Raises BadRequest."""
    limit = which.get("limit", 50)
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MAX_LISTED:
        raise BadRequest(f"limit is a number from 1 to {MAX_LISTED}")
    before = which.get("before")
    if before is not None and not before.startswith(noun):
        raise BadRequest(f"before «{before:.60}» is no id of this list", f"its ids begin with {noun}")
    return {name: value for name, value in which.items() if value is not None}


def checked_reason(reason: str | None) -> str | None:
    """Why something is suspended, held back or stopped. None: nothing was said. Raises BadRequest."""
    if reason is not None and len(reason) > MAX_REASON:
        raise BadRequest(f"a reason has at most {MAX_REASON} characters")
    return reason or None
