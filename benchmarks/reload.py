"""A reload of ten thousand triggers while webhooks come in: how long it takes, and for how long the daemon's loop stands still.

Beside it a heart beats that does nothing else: where it is as late as the daemon's, the machine stood still and not the loop.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from benchmarks.hooks import CAMSHAFT, FLOW, TRIGGER, check, serving
from benchmarks.load import open_loop, percentile
from benchmarks.payload import push_event

TRIGGERS = 10_000
ROUNDS = 3
RATE = 200  # webhooks a second meanwhile
CONNECTIONS = 32
LIMIT_S = 3.0
LIMIT_LATE_MS = 50


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        write_home(home)
        beats = Path(folder) / "beats"
        heart = [sys.executable, "-m", "benchmarks.heartbeat", str(beats)]
        alone = Path(folder) / "alone"
        serve = [*heart, "serve", "--home", str(home), "--listen", "127.0.0.1:0"]
        with beating_alone(alone), serving(serve) as (url, pid):
            loading = Loading(f"{url}/push", beats, alone, pid)
            print(f"{TRIGGERS:,} triggers, {RATE} webhooks/s meanwhile, {ROUNDS} rounds, medians")
            print(f"limits: {LIMIT_S:g} s, and no beat of the loop more than {LIMIT_LATE_MS} ms late\n")
            print(f"{'':30} {'seconds':>16} {'CPU s':>8} {'worst late beat ms':>20} {'of a heart alone':>18} {'ack p99 ms':>12}")
            everything = range(TRIGGERS)
            tell("no reload", [loading.during(lambda: time.sleep(3)) for _ in range(ROUNDS)])
            tell("nothing is changed", [loading.during(lambda: change(home, range(0), 0)) for _ in range(ROUNDS)])
            tell("all are touched, none changed", [loading.during(lambda: touch(home)) for _ in range(ROUNDS)])
            tell("one is changed", [loading.during(lambda n=n: change(home, range(1), 10 + n)) for n in range(ROUNDS)])
            tell("all inputs are changed", [loading.during(lambda n=n: change(home, everything, n)) for n in range(ROUNDS)])
            tell("all filters are changed", [loading.during(lambda n=n: change(home, everything, n, n)) for n in range(ROUNDS)])


def write_home(home: Path) -> None:
    for name in ("triggers", "flows"):
        (home / name).mkdir(parents=True)
    (home / "camshaft.toml").write_text('[reload]\nwatch = "off"\n')  # so that what is measured begins when we say so
    (home / "flows/note.json").write_text(json.dumps(FLOW))
    (home / "triggers/push.json").write_text(json.dumps(TRIGGER))
    rewrite(home, range(TRIGGERS), -1)


def rewrite(home: Path, numbers: range, version: int, filters: int = -1) -> None:
    for number in numbers:
        definition = a_trigger(number, version, filters)
        (home / f"triggers/t{number:05}.json").write_text(json.dumps(definition, indent=2))


def a_trigger(number: int, version: int, filters: int) -> dict:
    """One of many as people have them: hooks with a filter of their own, some with auth or an idempotency key; a tenth schedules."""
    mapping = {"version": version, "repository": "$.body.repository.full_name", "own": f"$.body.fields.f{number}"}
    definition = {"key": f"t{number:05}", "flow": "note", "inputMapping": mapping}
    if number % 10 == 0:
        section = {"type": "schedule", "cron": f"{number % 60} {number % 24} * * *", "timezone": "Europe/Berlin"}
        mapping.pop("repository")
        return {**definition, "trigger": section}
    test = f"$.body.ref === 'refs/heads/b{number}' && $.headers['X-GitHub-Event'] === 'push' && $.body.n > {filters}"
    section = {"type": "webhook", "path": f"/other/{number}", "filter": test}
    if number % 10 == 1:
        section["auth"] = {"type": "bearer", "secret": {"env": "TOKEN"}}
    if number % 4 == 2:
        definition["idempotency"] = {"key": "$.headers['X-GitHub-Delivery']"}
    return {**definition, "trigger": section}


def touch(home: Path) -> float:
    """As git does on the way to another branch and back."""
    for file in (home / "triggers").iterdir():
        file.write_bytes(file.read_bytes())
    return reload(home, 0)


def change(home: Path, numbers: range, version: int, filters: int = -1) -> float:
    rewrite(home, numbers, version, filters)
    return reload(home, len(numbers))


def reload(home: Path, changed: int) -> float:
    """Seconds that it takes, as who asks for it sees them."""
    begun = time.perf_counter()
    done = subprocess.run([CAMSHAFT, "reload", "--home", str(home), "-o", "json"], capture_output=True, text=True, check=True)
    took = time.perf_counter() - begun
    if len(json.loads(done.stdout)["triggers"]["changed"]) != changed:
        raise SystemExit("not what was written was reloaded")
    return took


class Loading:
    """Webhooks at an even rate for as long as something is done."""

    def __init__(self, url: str, beats: Path, alone: Path, pid: int) -> None:
        self._url = url
        self._beats = beats
        self._alone = alone
        self._pid = pid

    def during(self, do) -> tuple[float, float, float, float, float]:
        """In seconds: how long it took, the daemon's CPU time, the worst late beat of its loop and of the heart alone, ack p99."""
        loads, ended = [], threading.Event()
        thread = threading.Thread(target=self._load, args=(loads, ended))
        thread.start()
        time.sleep(0.5)
        before, worked = time.monotonic(), self._cpu_s()
        took = do()
        after, worked = time.monotonic(), self._cpu_s() - worked
        ended.set()
        thread.join()
        late = [worst(file, before, after + 1) for file in (self._beats, self._alone)]
        latencies = [each for load in loads for each in load.latencies]
        return took or after - before, worked, *late, percentile(latencies, 0.99)

    def _load(self, loads: list, ended: threading.Event) -> None:
        while not ended.is_set():
            load, _ = open_loop(self._url, push_event(), rate=RATE, number=RATE, connections=CONNECTIONS)
            check(load.statuses, RATE)
            loads.append(load)

    def _cpu_s(self) -> float:
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def beating_alone(beats: Path):
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.heartbeat", str(beats), "alone"])
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def worst(beats: Path, since: float, until: float) -> float:
    """By how much a beat was late at worst, in seconds."""
    lines = beats.read_text().splitlines()
    return max((float(by) for at, by in map(str.split, lines) if since <= float(at) <= until), default=0.0)


def tell(what: str, rounds: list[tuple[float, float, float, float, float]]) -> None:
    took, worked, late, alone, p99 = (statistics.median(column) for column in zip(*rounds, strict=True))
    took_most, _, late_most, alone_most, _ = (max(column) for column in zip(*rounds, strict=True))
    seconds = f"{took:.2f} (max {took_most:.2f})"
    beat, other = f"{late * 1e3:.0f} (max {late_most * 1e3:.0f})", f"{alone * 1e3:.0f} (max {alone_most * 1e3:.0f})"
    print(f"{what:30} {seconds:>16} {worked:8.2f} {beat:>20} {other:>18} {p99 * 1e3:12.0f}", flush=True)


if __name__ == "__main__":
    main()
