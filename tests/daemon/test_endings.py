"""Who waits for the end of a run is told when it is on disk, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import weakref
from contextlib import suppress

import pytest

from daemon.endings import Endings
from daemon.store.errors import StoreError
from daemon.store.rows import Run

RUN = Run("run_1", "flow", "digest", "completed", {}, 0.0)


async def test_everyone_who_waits_is_told_when_the_end_is_on_disk_and_not_before():
    endings = Endings()
    waiters = [endings.of(RUN.id) for _ in range(3)]

    endings.begin(RUN.id)
    before = RUN.id in endings, [waiter.done() for waiter in waiters]
    endings.finish(RUN, None)

    assert before == (True, [False] * 3)
    assert RUN.id not in endings
    assert await asyncio.gather(*waiters) == [RUN] * 3


async def test_an_end_that_cannot_be_written_is_told_as_that():
    endings = Endings()
    waiter = endings.of(RUN.id)

    endings.begin(RUN.id)
    endings.finish(RUN, StoreError("the disk is gone"))

    with pytest.raises(StoreError, match="the disk is gone"):
        await waiter


async def test_all_is_settled_when_the_last_end_is_on_disk():
    endings = Endings()
    await endings.settled()
    endings.begin("run_0")
    endings.begin(RUN.id)
    settled = asyncio.create_task(endings.settled())
    await asyncio.sleep(0)

    endings.finish(RUN, None)
    await asyncio.sleep(0)
    early = settled.done()
    endings.finish(Run("run_0", "flow", "digest", "failed", {}, 0.0), None)
    await settled

    assert not early


async def test_who_gives_up_leaves_nothing_behind_and_who_stays_is_told():
    endings = Endings()
    stays = endings.of(RUN.id)

    given_up = [await one_that_gives_up(endings) for _ in range(100)]
    await asyncio.sleep(0)
    left = [each for each in given_up if each() is not None]
    endings.finish(RUN, None)

    assert left == []
    assert await stays is RUN


async def one_that_gives_up(endings):
    """As a client that asks every second after a run that waits for days."""
    waiter = endings.of(RUN.id)
    with suppress(TimeoutError):
        async with asyncio.timeout(0):
            await waiter
    return weakref.ref(waiter)
