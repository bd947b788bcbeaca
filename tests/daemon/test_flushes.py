"""What a run costs the disk: counted, not timed."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import ClassVar

import pytest
from pydantic import BaseModel

from daemon.alone import execute_once
from daemon.live import queued_run
from daemon.store import open_store
from flows.dialects import load_flow
from flows.executor import World
from flows.step import Output


class Spec(BaseModel):
    """No fields."""


class Touch:
    """A step with effects, quick or slow to come back."""

    name = section = "touch"
    effects: ClassVar[bool] = True
    container: ClassVar[bool] = False
    Settings: ClassVar[type[BaseModel]] = Spec
    Spec: ClassVar[type[BaseModel]] = Spec

    def __init__(self, turns: int, database=None) -> None:
        self.turns = turns
        self.database = database
        self.seen = []

    def prepare(self, spec, load):
        return None

    async def run(self, prepared, scope):
        for _ in range(self.turns):
            await asyncio.sleep(0)
        if self.database is not None:
            with closing(sqlite3.connect(self.database)) as stranger:
                self.seen.append(stranger.execute("SELECT path, status FROM attempts ORDER BY path").fetchall())
        return Output(1)

    async def close(self):
        return None


def touch(number, **given):
    return {"id": f"s{number}", "type": "touch", "touch": {}, **given}


async def flushes(folder, steps, turns=0, touch=None):
    world = World({"touch": touch or Touch(turns)}, None, None)
    flow = load_flow({"key": "f", "steps": steps}, key=None, folder=folder, kinds=world.kinds)
    async with open_store(folder / "camshaft.db", token="t") as store:
        await store.save_definitions("flow", [(flow, folder)])
        run = queued_run(flow, {}, owner="t")
        await store.enqueue(run)
        before = store.tally()[0]
        ended = await execute_once(flow, run, world=world, store=store)
        assert ended.status == "completed"
        return store.tally()[0] - before


@pytest.mark.parametrize("turns", [0, 3])
async def test_a_chain_of_forty_steps_with_effects_costs_at_most_forty_flushes(tmp_path, turns):
    assert await flushes(tmp_path, [touch(number) for number in range(40)], turns) <= 40


async def test_a_wave_of_steps_costs_one_flush_and_none_a_step(tmp_path):
    wave = [
        touch(0),
        *(touch(number, needs=["s0"]) for number in range(1, 201)),
        touch(201, needs=[f"s{n}" for n in range(1, 201)]),
    ]

    assert await flushes(tmp_path, wave) <= 6


async def test_a_step_that_must_not_run_twice_is_on_disk_before_it_starts_and_others_are_not(tmp_path):
    kind = Touch(0, tmp_path / "camshaft.db")

    await flushes(tmp_path, [touch(0), touch(1, onInterrupted="fail"), touch(2)], touch=kind)

    assert kind.seen == [[], [("s0", "success"), ("s1", "running")], [("s0", "success"), ("s1", "success")]]
