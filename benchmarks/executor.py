"""What a step costs: graphs of steps that do nothing, run by the executor, and the same graphs in plain asyncio.

The raw run has what any executor must have: a counter of open edges for each node, and one task a node. Recorded means that every
attempt is in SQLite with synchronous=FULL when the run has ended, as the daemon keeps it. Small graphs run several at once, a
thousand steps in each round: a run alone waits for its commit, and how long that takes is the disk's affair.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar

import uvloop
from pydantic import BaseModel, ConfigDict

from daemon.alone import execute_once
from daemon.live import queued_run
from daemon.log import set_up_logs
from daemon.store import open_store
from flows.attempt import Attempt
from flows.dialects import load_flow
from flows.executor import World, execute
from flows.flow import Flow
from flows.step import Output

ROUNDS = 15
STEPS = 1000  # of one round


class Nothing(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NoOp:
    """A step that does nothing, and says so at once."""

    name: ClassVar[str] = "noop"
    section: ClassVar[str] = "noop"
    effects: ClassVar[bool] = False
    container: ClassVar[bool] = False
    Settings: ClassVar[type[BaseModel]] = Nothing
    Spec: ClassVar[type[BaseModel]] = Nothing

    def prepare(self, spec: Any, load: Any) -> None:
        return None

    def run(self, prepared: Any, scope: Any) -> Output:
        return Output(1)

    async def close(self) -> None:
        return None


WORLD = World({"noop": NoOp()}, {}.__getitem__, {}.__getitem__)  # type: ignore[dict-item]


def steps(edges: dict[str, list[str]]) -> list[dict[str, Any]]:
    return [{"id": name, "type": "noop", "noop": {}, "needs": needs} for name, needs in edges.items()]


def chain(length: int) -> dict[str, list[str]]:
    return {f"s{number}": [f"s{number - 1}"] if number else [] for number in range(length)}


def layers(depth: int, width: int) -> dict[str, list[str]]:
    """Each node needs two of the layer before it."""
    return {
        f"s{layer}_{number}": [f"s{layer - 1}_{number}", f"s{layer - 1}_{(number + 1) % width}"] if layer else []
        for layer in range(depth)
        for number in range(width)
    }


def fan(width: int) -> dict[str, list[str]]:
    middle = [f"s{number}" for number in range(width)]
    return {"first": [], **{name: ["first"] for name in middle}, "last": middle}


GRAPHS = {"40 in a row": chain(40), "10 layers of 100": layers(10, 100), "1 → 1,000 → 1": fan(1000)}


def main() -> None:
    set_up_logs("error")
    print("µs a step; given are at most 30 with recording off and 80 recorded")
    print(f"{'':18}{'raw':>10}{'recording off':>16}{'recorded':>12}   (times raw)")
    for name, edges in GRAPHS.items():
        flow = load_flow({"key": "bench", "steps": steps(edges)}, key=None, folder=Path(), kinds=WORLD.kinds)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            raw, ours, recorded = runner.run(measured(flow, edges))
        print(f"{name:18}{raw:10.1f}{ours:16.1f}{recorded:12.1f}   ({ours / raw:.1f}, {recorded / raw:.1f})")
    print()


async def measured(flow: Flow, edges: dict[str, list[str]]) -> list[float]:
    """Microseconds a step: raw, ours, ours recorded. Rounds alternate, so that the machine's moods meet all of them."""
    at_once = max(1, STEPS // len(edges))
    took: dict[str, list[float]] = {"raw": [], "ours": [], "recorded": []}
    with tempfile.TemporaryDirectory() as place:
        async with open_store(Path(place) / "bench.db", token="bench") as store:
            await store.save_definitions("flow", [(flow, flow.folder)])
            for _ in range(ROUNDS):
                runs = [queued_run(flow, {}, owner="bench") for _ in range(at_once)]
                await asyncio.gather(*(store.enqueue(run) for run in runs))
                took["raw"].append(await timed([raw_run(edges) for _ in runs]))
                took["ours"].append(
                    await timed([execute(flow, {}, run_id=run.id, world=WORLD, record=unrecorded) for run in runs])
                )
                took["recorded"].append(await timed([execute_once(flow, run, world=WORLD, store=store) for run in runs]))
    return [statistics.median(times) / len(edges) / at_once * 1e6 for times in took.values()]


def unrecorded(_attempt: Attempt) -> None:
    """Recording is off."""


async def timed(work: list[Any]) -> float:
    gc.collect()
    begun = time.perf_counter()
    await asyncio.gather(*work)
    return time.perf_counter() - begun


async def raw_run(edges: dict[str, list[str]]) -> None:
    """In-degree counters, one task a node."""
    loop = asyncio.get_running_loop()
    waiting = {name: len(needs) for name, needs in edges.items()}
    targets: dict[str, list[str]] = {name: [] for name in edges}
    for name, needs in edges.items():
        for need in needs:
            targets[need].append(name)
    left, done, tasks = len(edges), loop.create_future(), set()

    async def noop() -> int:
        return 1

    async def work(name: str) -> None:
        nonlocal left
        await noop()
        left -= 1
        for target in targets[name]:
            waiting[target] -= 1
            if not waiting[target]:
                start(target)
        if not left:
            done.set_result(None)

    def start(name: str) -> None:
        task = loop.create_task(work(name))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    for name, needs in edges.items():
        if not needs:
            start(name)
    await done


if __name__ == "__main__":
    main()
