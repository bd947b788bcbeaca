"""`camshaft` with a heart: a timer in the daemon's loop that writes down when it beat late. `python -m benchmarks.heartbeat FILE serve …`.

`python -m benchmarks.heartbeat FILE alone`: the same heart in a process that does nothing else. What it misses is the machine's.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import asynccontextmanager

import uvloop

import daemon.service
from daemon.cli.main import main

BEAT_S = 0.005
LATE_S = 0.005


def watched(file: str) -> None:
    """Have each daemon of this process beat. A line is an instant and by how much a beat was late, in seconds."""
    original = daemon.service.open_daemon

    @asynccontextmanager
    async def open_daemon(*arguments, **named):
        async with original(*arguments, **named) as opened:
            beating = asyncio.create_task(beat(file))
            yield opened
            beating.cancel()

    daemon.service.open_daemon = open_daemon


async def beat(file: str) -> None:
    with open(file, "w", buffering=1) as out:
        due = time.monotonic() + BEAT_S
        while True:
            await asyncio.sleep(due - time.monotonic())
            now = time.monotonic()
            if now - due > LATE_S:
                out.write(f"{now} {now - due}\n")
            due = now + BEAT_S


if __name__ == "__main__":
    if sys.argv[2:] == ["alone"]:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(beat(sys.argv[1]))
    watched(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
