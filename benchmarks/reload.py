"""A reload of ten thousand triggers while webhooks come in: how long it takes, and for how long the daemon's loop stands still."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.hooks import CAMSHAFT, FLOW, TRIGGER, check, serving
from benchmarks.load import open_loop, percentile
from benchmarks.payload import push_event

TRIGGERS = 10_000
ROUNDS = 3
RATE = 200  # webhooks a second meanwhile


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        write_home(home)
        beats = Path(folder) / "beats"
        command = [
            sys.executable,
            "-m",
            "benchmarks.heartbeat",
            str(beats),
            "serve",
            "--home",
            str(home),
            "--listen",
            "127.0.0.1:0",
        ]
        with serving(command) as (url, _pid):
            loading = Loading(f"{url}/push")
            print(
                f"{TRIGGERS:,} triggers, {RATE} webhooks/s meanwhile, {ROUNDS} rounds, medians    seconds   worst late beat ms   ack p99 ms"
            )
            tell("nothing is changed", [loading.during(beats, lambda: time.sleep(3)) for _ in range(ROUNDS)])
            tell("all are changed", [loading.during(beats, lambda n=n: change(home, range(TRIGGERS), n)) for n in range(ROUNDS)])
            tell("one is changed", [loading.during(beats, lambda n=n: change(home, range(1), 10 + n)) for n in range(ROUNDS)])


def write_home(home: Path) -> None:
    for name in ("triggers", "flows"):
        (home / name).mkdir(parents=True)
    (home / "camshaft.toml").write_text('[reload]\nwatch = "off"\n')  # so that what is measured begins when we say so
    (home / "flows/note.json").write_text(json.dumps(FLOW))
    (home / "triggers/push.json").write_text(json.dumps(TRIGGER))
    rewrite(home, range(TRIGGERS), -1)


def rewrite(home: Path, numbers: range, version: int) -> None:
    for number in numbers:
        section = {
            "type": "webhook",
            "path": f"/other/{number}",
            "filter": f"$.body.ref === 'refs/heads/main' && $.body.n > {number}",
        }
        mapping = {"repository": "$.body.repository.full_name", "pusher": "$.body.pusher.name", "version": version}
        definition = {"key": f"t{number:05}", "trigger": section, "flow": "note", "inputMapping": mapping}
        (home / f"triggers/t{number:05}.json").write_text(json.dumps(definition))


def change(home: Path, numbers: range, version: int) -> float:
    """Seconds that the reload takes, as who asks for it sees them."""
    rewrite(home, numbers, version)
    begun = time.perf_counter()
    done = subprocess.run([CAMSHAFT, "reload", "--home", str(home), "-o", "json"], capture_output=True, text=True, check=True)
    took = time.perf_counter() - begun
    if len(json.loads(done.stdout)["triggers"]["changed"]) != len(numbers):
        raise SystemExit("not what was written was reloaded")
    return took


class Loading:
    """Webhooks at an even rate while something is done."""

    def __init__(self, url: str) -> None:
        self._url = url

    def during(self, beats: Path, do) -> tuple[float, float, float]:
        """How long it took, the worst late beat meanwhile, and the 99th percentile of the answers, in seconds."""
        body, seconds = push_event(), 6
        loads = []
        thread = threading.Thread(target=lambda: loads.append(open_loop(self._url, body, rate=RATE, number=RATE * seconds)[0]))
        thread.start()
        time.sleep(0.5)
        before = time.monotonic()
        took = do() or 0.0
        after = time.monotonic()
        thread.join()
        check(loads[0].statuses, RATE * seconds)
        late = [float(by) for at, by in map(str.split, beats.read_text().splitlines()) if before <= float(at) <= after + 1]
        return took, max(late, default=0.0), percentile(loads[0].latencies, 0.99)


def tell(what: str, rounds: list[tuple[float, float, float]]) -> None:
    took, late, p99 = (statistics.median(column) for column in zip(*rounds, strict=True))
    worst = max(one for _, one, _ in rounds)
    print(f"  {what:66} {took:12.2f}   {late * 1e3:9.0f} (max {worst * 1e3:.0f})   {p99 * 1e3:8.0f}")


if __name__ == "__main__":
    main()
