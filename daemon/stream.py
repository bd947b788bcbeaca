"""What happens, told as it happens to whoever listens: events, verdicts, runs and steps, as server-sent events.

Nothing is told while nobody listens, and then it costs one look at `tell`. Each listener has a bounded queue: who does not read
is dropped with a reason, and holds nothing. Who comes back names the last message it had: what came since is in a bounded ring,
or a `gap` says that it is not, and that the lists have to be read again. An event, its verdicts and a run's end are told when
they are on disk; that a run or a step begins, and that a step has ended, as it happens.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from triggers.source import Unavailable

KINDS = ("event", "verdict", "run", "step")
RING = 1000  # messages that who comes back can still have
WAITING = 1000  # messages that one listener may owe us to read
WAITING_BYTES = 1024 * 1024
LISTENERS = 100
LINGER_S = 60.0  # after the last one left: who comes back within it has missed nothing
LISTS = {"trigger": "verdicts", "run": "runs"}  # of an event: what it is about stands in a list

Facts = Mapping[str, Any]
Tell = Callable[[str, Facts], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a listener asks for. `about`: name → value, of flow, trigger, run, chain, source; all of them must fit."""

    kinds: Collection[str] = KINDS
    about: Mapping[str, str] = field(default_factory=dict)

    def fits(self, kind: str, facts: Facts) -> bool:
        return kind in self.kinds and all(_is_about(facts, name, value) for name, value in self.about.items())


def _is_about(facts: Facts, name: str, value: str) -> bool:
    return facts.get(name) == value or value in facts.get(LISTS.get(name, ""), ())


class Listener:
    """One client: what it has still to read. `gone`: whether its connection has ended, which no task of ours is told."""

    def __init__(self, wanted: Wanted, gone: Callable[[], bool] = lambda: False) -> None:
        self.wanted = wanted
        self.gone = gone
        self._ended = False  # True: what waits is the last
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()

    def offer(self, frame: bytes) -> None:
        if self._ended:
            return
        self._waiting.append(frame)
        self._bytes += len(frame)
        self._wake.set()
        if len(self._waiting) > WAITING or self._bytes > WAITING_BYTES:
            self._waiting.clear()
            self.end("slow")

    def end(self, reason: str) -> None:
        """One last message, and nothing after it."""
        if not self._ended:
            self._waiting.append(_frame("end", {"reason": reason}))
            self._ended = True
            self._wake.set()

    @property
    def done(self) -> bool:
        """The last message has been taken."""
        return self._ended and not self._waiting

    async def take(self, within_s: float) -> bytes:
        """All that waits, as soon as something does; nothing where nothing came within so long."""
        if not self._waiting:
            self._wake.clear()
            try:
                async with asyncio.timeout(within_s):
                    await self._wake.wait()
            except TimeoutError:
                return b""
        frames = b"".join(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        return frames


@dataclass(frozen=True, slots=True)
class Message:
    number: int
    kind: str
    facts: Facts
    frame: bytes


class Stream:
    """One of a daemon. `tell` is None while nobody listens."""

    def __init__(self, *, linger_s: float = LINGER_S) -> None:
        self._linger_s = linger_s
        self.tell: Tell | None = None
        self._boot = secrets.token_hex(4)  # numbers begin anew with each start
        self._last = 0
        self._ring: deque[Message] = deque(maxlen=RING)
        self._listeners: set[Listener] = set()
        self._quiet: asyncio.TimerHandle | None = None
        self._closed = False

    @contextmanager
    def listening(self, wanted: Wanted, last: str | None = None, gone: Callable[[], bool] = lambda: False) -> Iterator[Listener]:
        """Hear what fits, from now on or, where `last` is the id of a message, from the one after it. Raises Unavailable."""
        if self._closed:
            raise Unavailable("the daemon is stopping")
        if len(self._listeners) >= LISTENERS:
            self._let_go()
        if len(self._listeners) >= LISTENERS:
            raise Unavailable(f"{LISTENERS} listen already")
        listener = Listener(wanted, gone)
        self._greet(listener, last)
        self._listeners.add(listener)
        self._begin()
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
            if not self._listeners and not self._closed:
                self._quiet = asyncio.get_running_loop().call_later(self._linger_s, self._rest)

    def close(self) -> None:
        """Tell everyone that the daemon stops."""
        self._closed = True
        for listener in self._listeners:
            listener.end("stopping")
        self._rest()

    @property
    def listeners(self) -> int:
        return sum(not listener.gone() for listener in self._listeners)

    def _let_go(self) -> None:
        """Of those that have gone: a connection that ended is else found when something is sent, up to a heartbeat later."""
        for listener in [one for one in self._listeners if one.gone()]:
            listener.end("gone")
            self._listeners.discard(listener)

    def _greet(self, listener: Listener, last: str | None) -> None:
        """What it missed, or that it missed something; else where it begins."""
        missed = None if last is None else self._since(last)
        if missed is not None:
            for message in missed:
                if listener.wanted.fits(message.kind, message.facts):
                    listener.offer(message.frame)
            return
        hello = {"listening": True} if last is None else {"after": last}
        listener.offer(_frame("open" if last is None else "gap", hello, self._id(self._last)))

    def _since(self, last: str) -> list[Message] | None:
        """What was told after this message. None: it is not known any more."""
        boot, _, number = last.partition("-")
        if boot != self._boot or not (number.isascii() and number.isdigit()) or len(number) > 18 or self.tell is None:
            return None
        seen = int(number)
        oldest = self._ring[0].number if self._ring else self._last + 1
        return [message for message in self._ring if message.number > seen] if oldest - 1 <= seen <= self._last else None

    def _begin(self) -> None:
        if self._quiet is not None:
            self._quiet.cancel()
            self._quiet = None
        self.tell = self._tell

    def _rest(self) -> None:
        """Nobody has listened for a while: from now on nothing is told, and what was is forgotten."""
        self.tell = None
        self._quiet = None
        self._ring.clear()
        self._last += 1  # whoever had the last one misses what is not told now

    def _tell(self, kind: str, facts: Facts) -> None:
        self._last += 1
        frame = _frame(kind, facts, self._id(self._last))
        self._ring.append(Message(self._last, kind, facts, frame))
        for listener in self._listeners:
            if listener.wanted.fits(kind, facts):
                listener.offer(frame)

    def _id(self, number: int) -> str:
        return f"{self._boot}-{number}"


def _frame(kind: str, facts: Facts, message_id: str | None = None) -> bytes:
    """One message. JSON has no line of its own in it, so that `data` is one line."""
    head = f"id: {message_id}\n" if message_id is not None else ""
    return f"{head}event: {kind}\ndata: ".encode() + _json(facts) + b"\n\n"


def _json(facts: Facts) -> bytes:
    try:
        return orjson.dumps(facts)
    except TypeError:  # a lone surrogate
        return orjson.dumps({name: _plain(value) for name, value in facts.items()})


def _plain(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
