"""Events that runs wait for: found by their address, matched, and looked for among those that came before.

Guarantee: an event that is on disk and fits a wait resolves it, whichever came first: the wait is registered before it is written,
and looks back when it is written, in this process and in each later one. A run takes an event once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Protocol

import structlog

from daemon.home.emit_check import awaited_events
from daemon.store.errors import StoreError
from daemon.store.rows import EventRow, Run
from daemon.store.waits import WaitRow
from daemon.waiting.waits import Entry, Waits
from flows.dialects.steps import ROOTS
from flows.errors import ExpressionError
from flows.expression import Expression, compile_expression
from flows.flow import Flow
from flows.steps.wait_for_event import EVENT
from triggers.event import Event

log = structlog.get_logger()

MOST_LOOKED_AT = 1000  # events before a wait: each is read whole
PAGE = 200
LOOKING = 8  # waits that look back at one time: after a restart all do
AGAIN_S = 1.0  # after the store could not be read

Address = tuple[str, str]  # source, address: ("event", "order.paid"), ("webhook", "/paid")


class Rows(Protocol):
    """What is needed of the store."""

    async def run(self, prefix: str) -> Run | None: ...
    async def waits_of(self, run: str | None = None) -> list[WaitRow]: ...
    async def events(self, **filters: Any) -> Any: ...
    async def event(self, prefix: str) -> EventRow | None: ...


class AwaitedEvents:
    """Composed once; `flows`: those in force, which may come to wait for what nobody waits for yet."""

    def __init__(self, waits: Waits, rows: Rows, flows: Callable[[], Mapping[str, Flow]]) -> None:
        self._waits = waits
        self._rows = rows
        self._flows = flows
        self._entries: dict[Address, list[Entry]] = {}
        self._looking: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(LOOKING)
        self._named: tuple[Mapping[str, Flow] | None, frozenset[str | None]] = (None, frozenset())
        waits.opened.append(self._opened)

    async def close(self) -> None:
        for task in self._looking:
            task.cancel()
        if self._looking:
            await asyncio.wait(self._looking)

    def wanted(self, name: str) -> bool:
        """Whether an event of this name has to be kept: a run waits for it, or a flow in force may."""
        if ("event", name) in self._entries:
            return True
        flows = self._flows()
        if flows is not self._named[0]:
            self._named = (flows, frozenset(awaited_events(flows)))
        return name in self._named[1] or None in self._named[1]

    def coming(self, event: Event) -> Callable[[], None] | None:
        """An event is about to be made durable: what to do when it is. None: nobody waits for such a one."""
        address = (event.source, event.address)
        if address not in self._entries or event.failed_auth:
            return None
        seen = shown(event.id, event.source, event.address, event.document)
        return lambda: self._came(address, seen)

    # Inside

    def _came(self, address: Address, seen: Mapping[str, Any]) -> None:
        for entry in self._open(address):
            if fits(entry.row, seen):
                self._waits.answer(entry, "event", taken(seen), str(seen["id"]))

    def _open(self, address: Address) -> list[Entry]:
        """Those that still wait; the others are let go of."""
        entries = [entry for entry in self._entries.get(address, ()) if entry.open]
        if entries:
            self._entries[address] = entries
        else:
            self._entries.pop(address, None)
        return list(entries)

    def _opened(self, entry: Entry) -> None:
        if entry.row.kind != "event":
            return
        address = address_of(entry.row)
        self._open(address)
        self._entries.setdefault(address, []).append(entry)
        task = asyncio.get_running_loop().create_task(self._look_back(entry, address), name=f"look back {entry.row.run}")
        self._looking.add(task)
        task.add_done_callback(self._looking.discard)

    async def _look_back(self, entry: Entry, address: Address) -> None:
        """When the wait is on disk: what was on its way there before it was registered is there then as well."""
        if entry.saved is not None:
            await asyncio.wait((entry.saved,))
        while entry.open:
            try:
                async with self._turns:
                    found = await self._found(entry, address)
            except StoreError as error:
                log.warning("wait.postponed", run_id=entry.row.run, step=entry.row.path, reason=str(error))
                await asyncio.sleep(AGAIN_S)
                continue
            if found is not None:
                self._waits.answer(entry, "event", taken(found), str(found["id"]))
            return

    async def _found(self, entry: Entry, address: Address) -> Mapping[str, Any] | None:
        """The first event that fits, of those that came since the run's start, or since the time that the step says."""
        run = await self._rows.run(entry.row.run)
        if run is None:
            return None
        had = {row.resolved_by for row in await self._rows.waits_of(run.id) if row.how == "event"} | {run.event}
        since = entry.row.detail.get("since")
        ids = await self._ids(address, run.created_at if since is None else since)
        for event_id in reversed(ids):  # the oldest first
            row = None if event_id in had or not entry.open else await self._rows.event(event_id)
            if row is None or any(said.verdict == "auth_failed" for said in row.verdicts):
                continue
            seen = shown(row.id, row.source, row.address, row.document)
            if fits(entry.row, seen):
                return seen
        return None

    async def _ids(self, address: Address, since: float) -> list[str]:
        source, name = address
        ids: list[str] = []
        before: str | None = None
        while len(ids) < MOST_LOOKED_AT:
            page = await self._rows.events(source=source, address=name, since=since, before=before, limit=PAGE)
            ids += [event.id for event in page]
            before = page.next
            if before is None:
                return ids
        log.warning("wait.looked_back_in_part", source=source, address=name, events=len(ids))
        return ids


def address_of(row: WaitRow) -> Address:
    webhook = row.detail.get("webhook")
    return ("webhook", webhook) if webhook is not None else ("event", str(row.detail.get("event")))


def shown(event_id: str, source: str, address: str, document: Any) -> dict[str, Any]:
    """What a match sees as `event`: the document, with `data` for its body and `name` for what it was addressed to."""
    seen = dict(document) if isinstance(document, dict) else {}
    return {**seen, "id": event_id, "name": address, "kind": source, "data": seen.get("body")}


def taken(seen: Mapping[str, Any]) -> dict[str, Any]:
    """What the step gives of an event: without what stands in it twice."""
    return {name: value for name, value in seen.items() if name not in {"body", "trigger"}}


def fits(row: WaitRow, seen: Mapping[str, Any]) -> bool:
    """Whether this event is the one. A match that cannot be evaluated fits nothing, and says so."""
    text = row.detail.get("match")
    if text is None:
        return True
    kept = row.detail.get("names") or {}
    root = {name: {} for name in ("input", "steps", "loop", "env")} | kept.get("$", {})
    names = {"$": root, **root, "data": kept.get("data"), "output": kept.get("output"), EVENT: seen}
    try:
        return _compiled(text).test(names)
    except ExpressionError as error:
        log.warning("wait.match_failed", run_id=row.run, step=row.path, event_id=seen["id"], reason=str(error)[:200])
        return False


@lru_cache(maxsize=1024)
def _compiled(text: str) -> Expression:
    return compile_expression(text, roots=ROOTS | {EVENT})
