"""A webhook to a recorded run, against the raw limit, in turns in one run.

Closed loop with 64 connections: events a second, counted until the last run is recorded, and CPU an event of the server.
Open loop at 200 and 1,000 events a second: the time from when a request was due to its durable answer.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from benchmarks.load import closed_loop, open_loop, percentile
from benchmarks.payload import push_event

CAMSHAFT = str(Path(sys.executable).parent / "camshaft")
CONNECTIONS = 64
ROUNDS = 5
EVENTS = 8_000
TRIGGER = {
    "key": "push",
    "trigger": {"type": "webhook", "path": "/push", "filter": "$.body.ref === 'refs/heads/main'"},
    "flow": "note",
    "inputMapping": {
        "repository": "$.body.repository.full_name",
        "pusher": "$.body.pusher.name",
        "after": "$.body.after",
        "message": "$.body.head_commit.message",
        "branch": "$.body.repository.default_branch",
    },
}
FLOW = {
    "key": "note",
    "steps": [{"id": "first", "type": "transform", "transform": {"expression": "$.input.repository"}}],
}


def main() -> None:
    body = push_event()
    print(f"body {len(body)} bytes, synchronous=FULL, {ROUNDS} rounds in turns, medians")
    print("limits: events/s at least 0.45 of raw's, ack p99 at most 2 of raw's\n")
    closed(body)
    for rate in (200, 1000):
        opened(body, rate)


def closed(body: bytes) -> None:
    figures: dict[str, list[tuple[float, float, float]]] = {"camshaft": [], "raw": []}
    for _ in range(ROUNDS):
        for name, serving in (("camshaft", camshaft), ("raw", raw)):
            with serving() as (url, pid, recorded):
                closed_loop(url, body, connections=CONNECTIONS, number=500)  # warm
                recorded(500)
                cpu, begun = cpu_s(pid), time.perf_counter()
                load, _ = closed_loop(url, body, connections=CONNECTIONS, number=EVENTS)
                recorded(500 + EVENTS)
                took = time.perf_counter() - begun
                check(load.statuses, EVENTS)
                figures[name].append((EVENTS / took, (cpu_s(pid) - cpu) / EVENTS * 1e6, percentile(load.latencies, 0.99) * 1e3))
    print(f"closed loop, {CONNECTIONS} connections    events/s   CPU µs/event   ack p99 ms")
    for name, rounds in figures.items():
        rate, cpu, p99 = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"  {name:28} {rate:8.0f}       {cpu:8.0f}     {p99:8.1f}")
    ratios = [ours[0] / theirs[0] for ours, theirs in zip(figures["camshaft"], figures["raw"], strict=True)]
    costs = [ours[1] / theirs[1] for ours, theirs in zip(figures["camshaft"], figures["raw"], strict=True)]
    print(
        f"  ratio of events/s {statistics.median(ratios):.2f} (rounds {spread(ratios)}); of CPU {statistics.median(costs):.2f}\n"
    )


def opened(body: bytes, rate: int) -> None:
    figures: dict[str, list[tuple[float, float]]] = {"camshaft": [], "raw": []}
    number = rate * 4
    for _ in range(ROUNDS):
        for name, serving in (("camshaft", camshaft), ("raw", raw)):
            with serving() as (url, _pid, recorded):
                closed_loop(url, body, connections=CONNECTIONS, number=500)
                load, _ = open_loop(url, body, rate=rate, number=number)
                recorded(500 + number)
                check(load.statuses, number)
                figures[name].append((percentile(load.latencies, 0.5) * 1e3, percentile(load.latencies, 0.99) * 1e3))
    print(f"open loop, {rate} events/s          ack p50 ms   ack p99 ms")
    for name, rounds in figures.items():
        p50, p99 = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"  {name:28} {p50:10.2f}   {p99:10.2f}")
    ratios = [ours[1] / theirs[1] for ours, theirs in zip(figures["camshaft"], figures["raw"], strict=True)]
    print(f"  ratio of ack p99 {statistics.median(ratios):.2f} (rounds {spread(ratios)})\n")


def spread(ratios: list[float]) -> str:
    return f"{min(ratios):.2f} to {max(ratios):.2f}"


def check(statuses: dict[int, int], number: int) -> None:
    if statuses != {202: number}:
        raise SystemExit(f"not every event was accepted: {statuses}")


@contextmanager
def camshaft():
    """A daemon with one trigger and one flow; `recorded(n)` returns when n runs have their end on disk."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        write_home(home)
        command = [CAMSHAFT, "serve", "--home", str(home), "--listen", "127.0.0.1:0"]
        with serving(command) as (url, pid):
            yield f"{url}/push", pid, lambda number: wait_recorded(home / "state" / "camshaft.db", number)


def write_home(home: Path) -> None:
    for folder in ("triggers", "flows"):
        (home / folder).mkdir()
    (home / "camshaft.toml").write_text("")  # the defaults: one log line for each run
    (home / "triggers" / "push.json").write_text(json.dumps(TRIGGER))
    (home / "flows" / "note.json").write_text(json.dumps(FLOW))


@contextmanager
def raw():
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.raw", str(Path(folder) / "raw.db")]
        with serving(command) as (url, pid):
            yield f"{url}/push", pid, lambda _number: None  # it answers when all is recorded


@contextmanager
def serving(command: list[str]):
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        line = process.stdout.readline().split()
        if not line:
            raise SystemExit(f"{command} did not start")
        yield line[-1], process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        process.stdout.close()


def wait_recorded(path: Path, number: int) -> None:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    deadline = time.monotonic() + 60
    while connection.execute("SELECT count(*) FROM runs WHERE status IN ('queued', 'running', 'waiting', 'paused')").fetchone()[
        0
    ]:
        if time.monotonic() > deadline:
            raise SystemExit("runs did not end within a minute")
        time.sleep(0.005)
    found = connection.execute("SELECT count(*) FROM runs WHERE status = 'completed'").fetchone()[0]
    connection.close()
    if found != number:
        raise SystemExit(f"{found} runs completed, not {number}")


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
