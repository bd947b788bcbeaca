"""What every dispatch does: one suite over DISPATCHES."""

from __future__ import annotations

import asyncio

import pytest

from daemon.dispatch import DISPATCHES, Job


@pytest.fixture(params=sorted(DISPATCHES))
async def dispatch(request):
    made = DISPATCHES[request.param]()
    yield made
    await made.close(0)


class Handler:
    """Holds each job until it is let go; says when it has so many."""

    def __init__(self):
        self.jobs = []
        self.gates = {}
        self._changed = asyncio.Condition()

    async def __call__(self, job):
        gate = self.gates[job.run] = asyncio.Event()
        await self._note(job)
        await gate.wait()

    async def _note(self, job):
        self.jobs.append(job.run)
        async with self._changed:
            self._changed.notify_all()

    async def until(self, number):
        async with asyncio.timeout(5), self._changed:
            await self._changed.wait_for(lambda: len(self.jobs) >= number)


def consuming(dispatch, handler, concurrency=1):
    return asyncio.ensure_future(dispatch.consume("runs", concurrency, handler))


async def test_a_job_is_handed_out_once_however_often_it_is_put(dispatch):
    handler = Handler()
    dispatch.put([Job("a"), Job("a")])
    work = consuming(dispatch, handler, 5)
    await handler.until(1)
    dispatch.put([Job("b")])
    await handler.until(2)

    assert handler.jobs == ["a", "b"]
    for gate in handler.gates.values():
        gate.set()
    await dispatch.close(5)
    await work


async def test_no_more_than_the_concurrency_is_worked_on_and_priority_goes_first(dispatch):
    handler = Handler()
    dispatch.put([Job("low", priority=9), Job("first"), Job("second"), Job("high", priority=1)])
    work = consuming(dispatch, handler)

    for number, run in enumerate(("high", "first", "second", "low"), 1):
        await handler.until(number)
        assert handler.jobs[-1] == run
        assert len(handler.jobs) == number
        handler.gates[run].set()

    await dispatch.close(5)
    await work


async def test_a_job_put_again_while_it_is_worked_on_comes_again_when_that_ends(dispatch):
    handler = Handler()
    work = consuming(dispatch, handler, 5)
    dispatch.put([Job("a")])
    await handler.until(1)
    dispatch.put([Job("a", epoch=1)])
    assert handler.jobs == ["a"]

    handler.gates["a"].set()
    await handler.until(2)

    assert handler.jobs == ["a", "a"]
    handler.gates["a"].set()
    await dispatch.close(5)
    await work


async def test_a_handler_that_answers_at_once_takes_no_place(dispatch):
    done = []
    work = consuming(dispatch, lambda job: done.append(job.run), 1)
    await asyncio.sleep(0)

    dispatch.put([Job(str(number)) for number in range(500)])
    async with asyncio.timeout(5):
        while len(done) < 500:
            await asyncio.sleep(0)

    assert done == [str(number) for number in range(500)]
    assert dispatch.depth() == 0
    await dispatch.close(5)
    await work


async def test_a_delayed_job_comes_when_its_time_is_there_and_not_before(dispatch):
    loop = asyncio.get_running_loop()
    handler = Handler()
    work = consuming(dispatch, handler, 5)
    import time

    due = time.time() + 0.2
    dispatch.put([Job("later", not_before=due), Job("now")])
    await handler.until(1)
    assert (handler.jobs, dispatch.depth()) == (["now"], 1)

    await handler.until(2)

    assert time.time() >= due - 0.005  # the loop's clock has a resolution
    assert loop.is_running()
    for gate in handler.gates.values():
        gate.set()
    await dispatch.close(5)
    await work


async def test_a_discarded_job_never_comes_and_what_is_worked_on_cannot_be_discarded(dispatch):
    handler = Handler()
    work = consuming(dispatch, handler)
    dispatch.put([Job("a"), Job("b"), Job("c")])
    await handler.until(1)

    assert dispatch.has(["a", "b", "x"]) == {"a", "b"}
    assert not dispatch.discard("a")
    assert dispatch.discard("b")
    assert not dispatch.discard("b")
    handler.gates["a"].set()
    await handler.until(2)

    assert handler.jobs == ["a", "c"]
    handler.gates["c"].set()
    await dispatch.close(5)
    await work


async def test_a_paused_queue_hands_out_nothing_until_it_goes_on(dispatch):
    done = []
    work = consuming(dispatch, lambda job: done.append(job.run))
    await asyncio.sleep(0)
    dispatch.pause("runs")
    dispatch.put([Job("a")])
    assert (done, dispatch.depth()) == ([], 1)

    dispatch.pause("runs", paused=False)

    assert done == ["a"]
    await dispatch.close(5)
    await work


async def test_closing_lets_work_end_within_the_grace_and_keeps_what_waits(dispatch):
    handler = Handler()
    work = consuming(dispatch, handler)
    dispatch.put([Job("a"), Job("b")])
    await handler.until(1)
    closing = asyncio.ensure_future(dispatch.close(5))
    await asyncio.sleep(0)
    handler.gates["a"].set()

    assert await closing == 0
    await work
    assert handler.jobs == ["a"]
    assert dispatch.depth() == 1


async def test_closing_cancels_what_does_not_end_within_the_grace(dispatch):
    handler = Handler()
    work = consuming(dispatch, handler)
    dispatch.put([Job("a")])
    await handler.until(1)

    assert await dispatch.close(0) == 1
    await work


async def test_what_a_handler_raises_is_what_consume_raises(dispatch):
    async def broken(_job):
        raise LookupError("a defect")

    work = consuming(dispatch, broken)
    await asyncio.sleep(0)
    dispatch.put([Job("a")])

    with pytest.raises(LookupError, match="a defect"):
        await work
