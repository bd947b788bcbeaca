"""A client that costs little: one prepared request over keep-alive connections; closed loop, or open loop from due times."""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter
from urllib.parse import urlsplit

import uvloop


class Client(asyncio.Protocol):
    """One connection. Tells `idle` when an answer is complete."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.buffer = b""
        self.sent_at = 0.0
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def send(self, due_at: float) -> None:
        self.sent_at = due_at
        self.transport.write(self.load.request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(rest) < length:
            return
        self.buffer = b""
        self.load.answered(self, int(head[9:12]), perf_counter())

    def connection_lost(self, exc: Exception | None) -> None:
        self.load.lost(exc)


class Load:
    """`latencies` in seconds, from the due time; `statuses` counts answers."""

    def __init__(self, url: str, body: bytes) -> None:
        place = urlsplit(url)
        self.host, self.port = place.hostname, place.port
        head = f"POST {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.request = head.encode() + body
        self.latencies: list[float] = []
        self.statuses: dict[int, int] = {}
        self.idle: deque[Client] = deque()
        self.left = 0
        self.due: deque[float] = deque()
        self.closing = False
        self.done = asyncio.Event()

    async def connect(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(number):
            _, client = await loop.create_connection(lambda: Client(self), self.host, self.port)
            self.idle.append(client)

    async def closed(self, connections: int, number: int) -> float:
        """Each connection sends its next request when it has its answer. Seconds from first to last."""
        await self.connect(connections)
        self.left, self.unanswered = number - connections, number
        begun = perf_counter()
        for _ in range(connections):
            self.idle.popleft().send(perf_counter())
        await self.done.wait()
        took = perf_counter() - begun
        self.close()
        return took

    async def open(self, connections: int, rate: float, number: int) -> float:
        """Requests are due at even times, whether or not earlier ones were answered."""
        await self.connect(connections)
        self.left, self.unanswered = 0, number
        begun = perf_counter() + 0.05
        for count in range(number):
            due_at = begun + count / rate
            pause = due_at - perf_counter()
            if pause > 0.0005:
                await asyncio.sleep(pause)
            if self.idle:
                self.idle.popleft().send(due_at)
            else:
                self.due.append(due_at)
        await self.done.wait()
        took = perf_counter() - begun
        self.close()
        return took

    def answered(self, client: Client, status: int, now: float) -> None:
        self.latencies.append(now - client.sent_at)
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.unanswered -= 1
        if not self.unanswered:
            self.done.set()
        if self.left:
            self.left -= 1
            client.send(now)
        elif self.due:
            client.send(self.due.popleft())
        else:
            self.idle.append(client)

    def lost(self, exc: Exception | None) -> None:
        if not self.closing:
            raise SystemExit(f"the server closed a connection: {exc}")

    def close(self) -> None:
        self.closing = True
        for client in self.idle:
            client.transport.close()


def closed_loop(url: str, body: bytes, *, connections: int, number: int) -> tuple[Load, float]:
    return _run(url, body, lambda load: load.closed(connections, number))


def open_loop(url: str, body: bytes, *, rate: float, number: int, connections: int = 256) -> tuple[Load, float]:
    return _run(url, body, lambda load: load.open(connections, rate, number))


def _run(url, body, drive):
    async def main():
        load = Load(url, body)
        return load, await drive(load)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


def percentile(values: list[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
