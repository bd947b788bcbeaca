"""What the process costs: from the command to the first accepted webhook, memory when idle, one command against it."""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from benchmarks.hooks import CAMSHAFT, serving, write_home
from benchmarks.payload import push_event

ROUNDS = 7


def main() -> None:
    starts, sizes, commands = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        write_home(home)
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            with serving([CAMSHAFT, "serve", "--home", str(home), "--listen", "127.0.0.1:0"]) as (url, pid):
                post(f"{url}/push")
                starts.append(time.perf_counter() - begun)
                sizes.append(rss_mb(pid))
                commands.append(took([CAMSHAFT, "trigger", "list", "--home", str(home)]))
                assert not imported(pid, "anthropic")
    print(f"start to the first accepted webhook {statistics.median(starts):.2f} s ({min(starts):.2f} to {max(starts):.2f})")
    print(f"resident memory, idle {statistics.median(sizes):.0f} MB")
    print(
        f"camshaft trigger list, whole command {statistics.median(commands):.2f} s ({min(commands):.2f} to {max(commands):.2f})\n"
    )


def post(url: str) -> None:
    request = urllib.request.Request(url, push_event(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 202


def took(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def rss_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def imported(pid: int, name: str) -> bool:
    """Whether a compiled part of the package is mapped into the process."""
    return f"/{name}/" in Path(f"/proc/{pid}/maps").read_text()


if __name__ == "__main__":
    main()
