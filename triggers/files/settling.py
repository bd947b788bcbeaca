"""Files that something happened to, until they have held still: one heap of deadlines, nothing polled."""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass
from typing import NamedTuple

from triggers.files.ledger import Version


class Place(NamedTuple):
    """A file of a trigger."""

    trigger: str
    path: str


@dataclass(slots=True)
class Waiting:
    """One file on its way to be looked at."""

    deadline: float  # monotonic seconds: not before
    seen: Version | None = None  # at the last look; None: not looked at since something was told
    writing: bool = False  # written to since it was last closed
    fresh: bool = False  # made by opening it, and not yet closed: as long as it is empty its writer is at work
    moved_to: str | None = None  # a rename was told of: where the file is now
    tries: int = 0  # times that its event could not be made durable
    busy: bool = False  # taken by `due`, and neither done nor put back
    told: bool = False  # something was told of it since it was taken


class Settling:
    """Who waits, and until when."""

    def __init__(self) -> None:
        self._waiting: dict[Place, Waiting] = {}
        self._heap: list[tuple[float, int, Place]] = []  # one item for each that waits, perhaps with too early a time
        self._order = itertools.count()
        self._inodes: dict[tuple[str, int], str] = {}  # (trigger, inode) → path, of those that were seen

    def __len__(self) -> int:
        return len(self._waiting)

    def get(self, place: Place) -> Waiting | None:
        return self._waiting.get(place)

    def wait(self, place: Place, deadline: float) -> Waiting:
        """Look at the file at the deadline: something was told of it."""
        waiting = self._waiting.get(place)
        if waiting is None:
            waiting = self._waiting[place] = Waiting(deadline)
            self._push(place, waiting)
            return waiting
        sooner = deadline < waiting.deadline
        waiting.deadline = deadline
        waiting.told, waiting.seen = True, None
        if sooner and not waiting.busy:
            self._push(place, waiting)
        return waiting

    def saw(self, place: Place, version: Version | None) -> None:
        """What a look gave: the next one compares with it."""
        waiting = self._waiting.get(place)
        if waiting is not None:
            waiting.seen = version
            if version is not None:
                self._inodes[place.trigger, version.inode] = place.path

    def path_of(self, trigger: str, inode: int) -> str | None:
        """Where a waiting file with this inode was seen."""
        path = self._inodes.get((trigger, inode))
        waiting = self._waiting.get(Place(trigger, path)) if path is not None else None
        return path if waiting is not None and waiting.seen is not None and waiting.seen.inode == inode else None

    def done(self, place: Place) -> None:
        """It has been dealt with. Where something was told since it was taken, it waits again."""
        waiting = self._waiting.get(place)
        if waiting is None:
            return
        if waiting.busy and waiting.told:
            waiting.busy, waiting.seen, waiting.tries = False, None, 0
            self._push(place, waiting)
            return
        del self._waiting[place]
        if waiting.seen is not None:
            self._inodes.pop((place.trigger, waiting.seen.inode), None)

    def drop(self, trigger: str) -> None:
        """Nothing of this trigger waits any more."""
        self._waiting = {place: waiting for place, waiting in self._waiting.items() if place.trigger != trigger}
        self._inodes = {key: path for key, path in self._inodes.items() if key[0] != trigger}

    def next_deadline(self) -> float | None:
        """When there is something to look at; None: not before something happens."""
        self._tidy()
        return self._heap[0][0] if self._heap else None

    def due(self, now: float, limit: int) -> list[Place]:
        """At most `limit` whose deadline has come. They wait on until they are `done` or put back by `again`."""
        found: list[Place] = []
        while len(found) < limit:
            self._tidy()
            if not self._heap or self._heap[0][0] > now:
                break
            place = heapq.heappop(self._heap)[2]
            waiting = self._waiting[place]
            waiting.busy, waiting.told = True, False
            found.append(place)
        return found

    def again(self, place: Place, deadline: float) -> None:
        """One that was taken is not done: look at it then, or when something was told meanwhile."""
        waiting = self._waiting.get(place)
        if waiting is not None:
            waiting.deadline = waiting.deadline if waiting.told else deadline
            waiting.busy = False
            self._push(place, waiting)

    def put_back(self, deadline: float) -> None:
        """All that were taken and not dealt with wait again: whoever took them was stopped."""
        for place in [place for place, waiting in self._waiting.items() if waiting.busy]:
            self.again(place, deadline)

    def _push(self, place: Place, waiting: Waiting) -> None:
        heapq.heappush(self._heap, (waiting.deadline, next(self._order), place))

    def _tidy(self) -> None:
        """Bring the first item's time up to date; leave out those that are done or taken."""
        while self._heap:
            deadline, _, place = self._heap[0]
            waiting = self._waiting.get(place)
            if waiting is None or waiting.busy or waiting.deadline < deadline:
                heapq.heappop(self._heap)
            elif waiting.deadline > deadline:
                heapq.heapreplace(self._heap, (waiting.deadline, next(self._order), place))
            else:
                return
