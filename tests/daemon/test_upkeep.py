"""What is done now and then, over a real store."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import suppress
from datetime import UTC, datetime

import structlog

from daemon.live import queued_run
from daemon.steady import steadily
from daemon.store import open_store
from daemon.upkeep import keep_leased, keep_pruned, keep_rescuing, watch_overdue
from flows.dialects import load_flow
from flows.steps import make_kinds
from triggers.event import Event
from triggers.ids import first_id
from triggers.source import Unavailable


def a_run(tmp_path, owner):
    step = {"id": "say", "type": "transform", "transform": {"expression": "1"}}
    flow = load_flow({"key": "work", "steps": [step]}, key=None, folder=tmp_path, kinds=make_kinds())
    return queued_run(flow, {}, owner=owner)


async def stopped(task):
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_the_run_of_a_killed_command_is_taken_over_once_its_lease_has_run_out(tmp_path):
    path = tmp_path / "camshaft.db"
    async with open_store(path, token="command-1", leased=True) as command:
        run = a_run(tmp_path, "command-1")
        await command.enqueue(run)
    rescued = asyncio.Queue()

    async with open_store(path, token="daemon-1") as store:
        early = await store.rescue(now=run.created_at)
        watching = asyncio.create_task(keep_rescuing(store, rescued.put, clock=lambda: run.created_at + 61, every_s=0.01))
        async with asyncio.timeout(10):
            (due,) = await rescued.get()
        await stopped(watching)
        claimed = await store.claim(run.id)

    assert early == []
    assert (due.run, due.epoch) == (run.id, 1)
    assert claimed.owner == "daemon-1"


async def test_leases_are_renewed_for_as_long_as_their_process_lives(tmp_path):
    path = tmp_path / "camshaft.db"
    async with open_store(path, token="command-1", leased=True) as store:
        run = a_run(tmp_path, "command-1")
        await store.enqueue(run)
        before = lease(path)
        renewing = asyncio.create_task(keep_leased(store, every_s=0.01))
        async with asyncio.timeout(10):
            while lease(path) <= before:
                await asyncio.sleep(0.01)
        await stopped(renewing)

    assert lease(path) > before


def lease(path):
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT lease_until FROM runs").fetchone()[0]
    finally:
        connection.close()


async def test_old_events_are_pruned_at_start(tmp_path):
    async with open_store(tmp_path / "camshaft.db", token="daemon-1") as store:
        await store.accept(Event(first_id("evt", 1.0), "webhook", "/x", 1.0, {}), [])
        pruning = asyncio.create_task(keep_pruned(store, age_days=1, rows=None, clock=lambda: 200_000.0))
        async with asyncio.timeout(10):
            while await store.events():
                await asyncio.sleep(0.01)
        await stopped(pruning)

        assert await store.events() == []


async def test_upkeep_that_cannot_be_done_now_is_put_off_and_told():
    class Full:
        async def prune(self, **_):
            raise Unavailable("the disk is full")

    with structlog.testing.capture_logs() as lines:
        pruning = asyncio.create_task(keep_pruned(Full(), age_days=1, rows=None))
        async with asyncio.timeout(10):
            while not lines:
                await asyncio.sleep(0)
        await stopped(pruning)

    assert (lines[0]["event"], lines[0]["reason"]) == ("upkeep.postponed", "the disk is full")


async def test_a_schedule_that_should_have_fired_is_told(monkeypatch):
    monkeypatch.setattr("daemon.upkeep.OVERDUE_S", 0.01)
    due = datetime(2026, 11, 23, 9, tzinfo=UTC)

    with structlog.testing.capture_logs() as lines:
        watching = asyncio.create_task(watch_overdue(lambda by_s: {"daily": due}, by_s=120))
        async with asyncio.timeout(10):
            while not lines:
                await asyncio.sleep(0.01)
        await stopped(watching)

    assert (lines[0]["event"], lines[0]["trigger"], lines[0]["due"]) == ("schedule.overdue", "daily", "2026-11-23T09:00:00+00:00")


async def test_what_goes_on_beside_the_runs_begins_anew_after_a_defect_and_tells_it():
    begun = []
    again = asyncio.Event()

    async def work():
        begun.append(1)
        if len(begun) == 1:
            raise KeyError("a defect")
        again.set()
        await asyncio.Event().wait()

    with structlog.testing.capture_logs() as lines:
        task = steadily("pruning", work, again_s=0)
        async with asyncio.timeout(10):
            await again.wait()
        await stopped(task)

    assert task.cancelled()
    assert [(line["event"], line["part"]) for line in lines] == [("service.part_failed", "pruning")]
