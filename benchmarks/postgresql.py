"""A webhook to a recorded run with the store in PostgreSQL, against SQLite, in turns in one run.

Closed loop with 64 connections, counted until the last run is recorded. The server is the wheel's, on the same machine and disk,
with fsync; its own CPU is not counted.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
import uuid
from contextlib import contextmanager
from pathlib import Path

import psycopg

from benchmarks.hooks import CAMSHAFT, CONNECTIONS, camshaft, check, cpu_s, serving, spread, write_home
from benchmarks.load import closed_loop, percentile
from benchmarks.payload import push_event
from tests.postgresql_server import Server, fresh_schema

ROUNDS = 3
EVENTS = 4_000
LIVE = "SELECT count(*) FROM runs WHERE status IN ('queued', 'running', 'waiting', 'paused')"


def main() -> None:
    body = push_event()
    server = Server(Path(tempfile.gettempdir()) / f"camshaft-bench-{uuid.uuid4().hex[:8]}", fsync="on", full_page_writes="on")
    server.make()
    try:
        server.start()
        compare(body, server.url)
    finally:
        server.remove()


def compare(body: bytes, url: str) -> None:
    figures: dict[str, list[tuple[float, float, float]]] = {"sqlite": [], "postgresql": []}
    for _ in range(ROUNDS):
        for name, daemon in (("sqlite", camshaft), ("postgresql", lambda: on_postgresql(url))):
            with daemon() as (hooks, pid, recorded):
                figures[name].append(measured(body, hooks, pid, recorded))
    print(f"closed loop, {CONNECTIONS} connections    events/s   CPU µs/event   ack p99 ms")
    for name, rounds in figures.items():
        rate, cpu, p99 = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"  {name:28} {rate:8.0f}       {cpu:8.0f}     {p99:8.1f}")
    ratios = [theirs[0] / ours[0] for ours, theirs in zip(figures["sqlite"], figures["postgresql"], strict=True)]
    print(f"  ratio of events/s {statistics.median(ratios):.2f} (rounds {spread(ratios)})\n")


def measured(body: bytes, hooks: str, pid: int, recorded) -> tuple[float, float, float]:
    closed_loop(hooks, body, connections=CONNECTIONS, number=500)  # warm
    recorded(500)
    cpu, begun = cpu_s(pid), time.perf_counter()
    load, _ = closed_loop(hooks, body, connections=CONNECTIONS, number=EVENTS)
    recorded(500 + EVENTS)
    took = time.perf_counter() - begun
    check(load.statuses, EVENTS)
    return EVENTS / took, (cpu_s(pid) - cpu) / EVENTS * 1e6, percentile(load.latencies, 0.99) * 1e3


@contextmanager
def on_postgresql(url: str):
    """A daemon as hooks.camshaft() makes it, with a schema of its own."""
    with tempfile.TemporaryDirectory() as folder, fresh_schema(url) as schema:
        home = Path(folder)
        write_home(home)
        (home / "camshaft.toml").write_text(f"[store]\nurl = {json.dumps(schema)}\n")
        with serving([CAMSHAFT, "serve", "--home", str(home), "--listen", "127.0.0.1:0"]) as (hooks, pid):
            yield f"{hooks}/push", pid, lambda number: wait_recorded(schema, number)


def wait_recorded(schema: str, number: int) -> None:
    deadline = time.monotonic() + 60
    with psycopg.connect(schema, autocommit=True) as connection:
        while connection.execute(LIVE).fetchone() != (0,):
            if time.monotonic() > deadline:
                raise SystemExit("runs did not end within a minute")
            time.sleep(0.005)
        found = connection.execute("SELECT count(*) FROM runs WHERE status = 'completed'").fetchone()
    if found != (number,):
        raise SystemExit(f"{found} runs completed, not {number}")


if __name__ == "__main__":
    main()
