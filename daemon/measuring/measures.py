"""What /metrics reads: the counters, and the parts that are asked how they are at the moment of a scrape."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Protocol

from daemon.measuring.counters import Counters

if TYPE_CHECKING:
    from daemon.dispatch import Dispatch
    from daemon.home.definitions import Holder
    from daemon.stream import Stream
    from daemon.worker import Worker

LOOK_S = 1.0  # how often the loop is asked whether it is late


class MeasuredStore(Protocol):
    """What is measured of the store."""

    @property
    def failing(self) -> bool: ...
    def tally(self) -> tuple[int, int, int]:
        """Transactions committed, operations that they made durable, transactions that failed."""
        ...


class MeasuredSources(Protocol):
    """What is measured of the sources; empty, where a source is not open."""

    def next_due(self) -> Mapping[str, datetime]: ...
    def overdue(self, by_s: float) -> Mapping[str, datetime]: ...
    def watched(self) -> Mapping[str, int]: ...
    def traffic(self) -> tuple[Sequence[int], int]:
        """Of the public listener: answers by the first digit of their status, and open connections."""
        ...


class Lag:
    """How late the loop was, at worst, since it was asked last: one timer a second."""

    def __init__(self) -> None:
        self._worst_s = 0.0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        loop = asyncio.get_running_loop()
        self._due = loop.time() + LOOK_S
        self._timer = loop.call_at(self._due, self._look)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def taken(self) -> float:
        worst_s, self._worst_s = self._worst_s, 0.0
        return worst_s

    def _look(self) -> None:
        self._worst_s = max(self._worst_s, asyncio.get_running_loop().time() - self._due)
        self.begin()


class Counted(Protocol):
    """Something that says how many there are now."""

    def __call__(self) -> int: ...


@dataclass(slots=True)
class Measures:
    """Of one daemon."""

    version: str
    counters: Counters
    store: MeasuredStore
    sources: MeasuredSources
    queued: Counted
    running: Counted
    triggers: Counted
    flows: Counted
    problems: Counted
    listeners: Counted  # of the stream
    lag: Lag = field(default_factory=Lag)
    _exposition: Any = None

    async def text(self) -> bytes:
        """The text format of Prometheus. Its library is loaded by the first who asks, in a thread: events go on meanwhile."""
        if self._exposition is None:
            module = await asyncio.to_thread(import_module, "daemon.measuring.exposition")
            self._exposition = self._exposition or module.Exposition(self)  # type: ignore[redundant-expr]  # another may have
        text: bytes = self._exposition.text()
        return text


@contextmanager
def measuring(
    counters: Counters,
    store: MeasuredStore,
    dispatch: Dispatch,
    worker: Worker,
    sources: MeasuredSources,
    holder: Holder,
    stream: Stream,
) -> Iterator[Measures]:
    """The measures of these parts; inside, the loop's lag is looked at."""
    measures = Measures(
        version=version("camshaft"),
        counters=counters,
        store=store,
        sources=sources,
        queued=dispatch.depth,
        running=lambda: len(worker.under_way()),
        triggers=lambda: len(holder.current.triggers),
        flows=lambda: len(holder.current.flows),
        problems=lambda: len(holder.current.problems),
        listeners=lambda: stream.listeners,
    )
    measures.lag.begin()
    try:
        yield measures
    finally:
        measures.lag.end()
