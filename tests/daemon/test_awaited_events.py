"""Events that runs wait for: early, late, over restarts; each taken once, and kept where somebody may wait for it."""

from __future__ import annotations

import asyncio

import pytest

from daemon.intake import Intake
from daemon.store.waits import WaitRow
from daemon.waiting.events import AwaitedEvents, fits, shown
from tests.daemon.test_waiting import a_flow, calc, note, open_bench, pause  # noqa: F401 - a fixture
from triggers.event import Event
from triggers.ids import new_id
from triggers.match import TriggerSet


def awaits(step="paid", event="order.paid", **section):
    more = section.pop("step", {})
    section = {"event": event, "match": "event.data.order === $.input.order", **section}
    return {"id": step, "type": "wait_for_event", "waitForEvent": {k: v for k, v in section.items() if v is not None}, **more}


class Rules:
    set = TriggerSet([])
    flows: dict = {}  # noqa: RUF012 - nothing changes it


def with_events(bench):
    """The same bench with a door for events."""
    bench.intake = Intake(bench.store, Rules, bench.dispatch.put, bench.worker.queued)
    bench.awaited = AwaitedEvents(bench.waits, bench.store, lambda: bench.flows)
    bench.intake.coming = bench.awaited.coming
    return bench


async def send(bench, order, name="order.paid", *, source="event", **more):
    event_id = new_id("evt")
    document = {"id": event_id, "type": name, "body": {"order": order, "big": 2**70}}
    event = Event(event_id, source, name, bench.clock(), document, **more)
    await bench.intake.accept(event)
    return event_id


async def listening(bench, run, path="paid"):
    await bench.until_open(run, path)
    await bench.store.drained()
    while bench.awaited._looking:
        await asyncio.wait(bench.awaited._looking)


@pytest.fixture
async def start(open_bench, tmp_path):  # noqa: F811
    """start(step, …): a bench with events and a run of these steps, which waits at `paid`; start.again(): a restart of it."""
    state = {}

    async def begin(*steps, order="A1", wait=True):
        state["flow"] = a_flow(tmp_path, *steps)
        bench = with_events(await open_bench(state["flow"]))
        state["bench"] = bench
        run = await bench.live.start(state["flow"], {"order": order})
        if wait:
            await listening(bench, run)
        return bench, run

    async def again():
        await state["bench"].awaited.close()
        await open_bench.close()
        bench = state["bench"] = with_events(await open_bench(state["flow"], token="daemon-2"))
        for entry in bench.waits.all_open():  # composed, it hears of them as they are loaded
            bench.awaited._opened(entry)
        return bench

    begin.again = again
    yield begin
    await state["bench"].awaited.close()


async def test_the_event_that_fits_ends_the_wait_and_others_do_not(start):
    bench, run = await start(awaits(), calc("said", "$.steps.paid.output.data.order + $.steps.paid.output.event.name"))

    await send(bench, "B2")
    await send(bench, "A1", name="order.lost")
    still = [entry.row.path for entry in bench.waits.of(run)]
    event = await send(bench, "A1")
    ended = await bench.ended(run)

    assert still == ["paid"]
    assert (ended.status, ended.output) == ("completed", "A1order.paid")
    (paid,) = (a for a in ended.attempts if a.path == "paid")
    assert (paid.output["received"], paid.output["event"]["id"], paid.output["data"]) == (
        True,
        event,
        {"order": "A1", "big": 2**70},
    )
    assert [(row.run, row.path) for row in await bench.store.waits_by(event)] == [(run, "paid")]


async def test_an_event_that_came_before_the_step_but_not_before_the_run_is_found(start):
    bench, run = await start(pause("first", "1h"), awaits(), wait=False)
    await bench.until_at_rest(run)
    await send(bench, "B2")
    early = await send(bench, "A1")
    await send(bench, "A1")

    bench.set_clock(3601)
    ended = await bench.ended(run)

    assert ended.status == "completed"
    assert ended.output["event"]["id"] == early


async def test_look_back_reaches_as_far_as_the_step_says(start, tmp_path):
    bench, run = await start(pause("first", "1h"), awaits(lookBack="0s", timeout="1d", onTimeout="continue"), wait=False)
    await bench.until_at_rest(run)
    await send(bench, "A1")

    bench.set_clock(3601)
    await listening(bench, run)
    still = [entry.row.path for entry in bench.waits.of(run)]
    bench.set_clock(3601 + 86_401)
    ended = await bench.ended(run)

    assert still == ["paid"]
    assert (ended.status, ended.output["received"], ended.output["data"]) == ("completed", False, None)


async def test_a_run_takes_an_event_once_and_two_runs_may_take_the_same(start):
    bench, run = await start(
        awaits(match=None),
        awaits("more", match=None),
        calc("both", "[$.steps.paid.output.event.id, $.steps.more.output.event.id]"),
    )
    other = await bench.live.start(bench.flows["later"], {"order": "A1"})
    await listening(bench, other)

    first = await send(bench, 1)
    await listening(bench, run, "more")
    await listening(bench, other, "more")
    second = await send(bench, 2)
    ends = [await bench.ended(one) for one in (run, other)]

    assert [ended.output for ended in ends] == [[first, second]] * 2
    assert len(await bench.store.waits_by(first)) == 2


async def test_a_wait_goes_on_after_a_restart_and_finds_what_came_meanwhile(start):
    bench, run = await start(awaits(), note("after"))
    await bench.until_at_rest(run)
    bench.awaited._entries.clear()  # as if the process had ended between the event and the wait
    missed = await send(bench, "A1")

    bench = await start.again()
    ended = await bench.ended(run)

    assert ended.status == "completed"
    assert next(a.output["event"]["id"] for a in ended.attempts if a.path == "paid") == missed
    assert {a.number for a in ended.attempts} == {1}


async def test_a_run_at_rest_after_a_restart_is_matched_without_being_read(start):
    bench, run = await start(awaits())
    await bench.until_at_rest(run)
    bench = await start.again()
    await listening(bench, run)

    await send(bench, "B2")
    resting = run in bench.at_rest
    await send(bench, "A1")
    ended = await bench.ended(run)

    assert (resting, ended.status) == (True, "completed")


async def test_a_request_to_a_hook_is_waited_for_and_one_whose_auth_failed_is_not(start):
    bench, run = await start(awaits(event=None, webhook="/paid"))

    await send(bench, "A1", "/paid", source="webhook", failed_auth={"hook": "no signature"})
    still = len(bench.waits.of(run))
    event = await send(bench, "A1", "/paid", source="webhook")
    ended = await bench.ended(run)

    assert still == 1
    assert (ended.status, ended.output["event"]["id"]) == ("completed", event)


async def test_events_are_lost_at_no_moment_between_the_step_and_its_wait(start):
    bench, run = await start(awaits("first", match=None), awaits(match="event.data.order === 7"), wait=False)
    await bench.until_open(run, "first")

    for order in range(40):
        await send(bench, order)
    ended = await bench.ended(run)

    assert ended.status == "completed"
    assert ended.output["data"]["order"] == 7


async def test_no_event_in_time_fails_the_step_or_goes_on(start):
    bench, run = await start(awaits(timeout="1h"))
    await bench.until_at_rest(run)

    bench.set_clock(3601)
    ended = await bench.ended(run)

    assert (ended.status, ended.code) == ("failed", "EVENT_TIMEOUT")


async def test_an_event_is_kept_where_a_flow_in_force_may_wait_for_it(start, tmp_path):
    bench, _run = await start(awaits())

    wanted = [bench.awaited.wanted(name) for name in ("order.paid", "order.lost")]
    bench.flows = {"other": a_flow(tmp_path, awaits(event="deal.{{$.input.order}}"), key="other")}
    any_name = bench.awaited.wanted("order.lost")

    assert (wanted, any_name) == ([True, False], True)


@pytest.mark.parametrize(
    ("match", "answer"),
    [
        ("event.data.order === $.input.order", True),
        ("event.data.gone.deep === 1", False),
        ("event.data.order.repeat(1e9) === 'x'", False),
        ("event.name === 'order.paid' && event.kind === 'event'", True),
        ("$.steps.x.output === 1", False),
    ],
)
def test_a_match_is_a_condition_and_what_cannot_be_evaluated_fits_nothing(match, answer):
    row = WaitRow("run_1", "paid", 1, "event", 1.0, detail={"match": match, "names": {"$": {"input": {"order": "A1"}}}})

    assert fits(row, shown("evt_1", "event", "order.paid", {"body": {"order": "A1"}})) is answer
