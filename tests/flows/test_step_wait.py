"""`wait`: for how long, until when, what is refused, and what its time counts from."""

import asyncio
from datetime import UTC, datetime

import pytest

from flows.dialects import load_flow
from flows.errors import DefinitionError, StepError
from flows.executor import World, execute
from flows.instant import parse_instant, write_instant
from flows.rest import Rest
from flows.steps import make_kinds
from flows.waiting import Place, Resolution, Wait, until_over, wait_here

KINDS = make_kinds()
NOON = datetime(2026, 12, 1, 12, tzinfo=UTC).timestamp()


class Keeper:
    """Ends every wait at once, as it is told to."""

    def __init__(self, how="due", at=NOON, since=NOON - 60):
        self.ended = Resolution(how, at, since)
        self.asked = []

    async def __call__(self, place, wait):
        self.asked.append((place, wait))
        return self.ended


@pytest.fixture
def run(tmp_path):
    async def run_steps(*steps, keeper=wait_here, inputs=None, attempts=None, clock=None):
        flow = load_flow({"key": "later", "steps": list(steps)}, key=None, folder=tmp_path, kinds=KINDS)
        more = {} if clock is None else {"clock": clock}
        world = World(KINDS, None, None, wait=keeper, **more)
        record = (lambda _attempt: None) if attempts is None else attempts.append
        return await execute(flow, inputs or {}, run_id="run_1", world=world, record=record)

    return run_steps


def pause(**section):
    return {"id": "w", "type": "wait", "wait": {"for": "20ms", **section} if "until" not in section else section}


async def test_a_step_waits_so_long_and_the_next_one_follows(run):
    ended = await run(pause(), {"id": "b", "type": "transform", "transform": {"expression": "$.steps.w.output.waitedMs >= 15"}})

    assert (ended.status, ended.output) == ("completed", True)


async def test_what_is_past_is_not_waited_for(run):
    ended = await run(pause(until="2001-02-03T04:05:06Z"))

    assert ended.status == "completed"
    assert ended.output["waitedMs"] < 1000


async def test_how_long_and_until_when_may_come_from_values(run):
    keeper = Keeper()
    when = "2026-12-01T13:00:00+01:00"

    await run(pause(until="$.input.at"), keeper=keeper, inputs={"at": when})
    await run(pause(**{"for": "{{$.input.hours}}h"}), keeper=keeper, inputs={"hours": 2})

    (_, until), (_, length) = keeper.asked
    assert until == Wait("timer", due=NOON)
    assert length.due == pytest.approx(datetime.now(UTC).timestamp() + 7200, abs=60)


async def test_the_output_says_when_it_was_over_and_how_long_it_took_since_it_began(run):
    attempts = []

    ended = await run(pause(), keeper=Keeper(), attempts=attempts, clock=lambda: NOON)

    assert ended.output == {"until": "2026-12-01T12:00:00Z", "waitedMs": 60_000}
    assert [(attempt.status, attempt.started_at, attempt.duration_ms) for attempt in attempts] == [("success", NOON - 60, 60_000)]
    assert ended.steps["w"]["durationMs"] == 60_000


async def test_a_wait_begins_no_attempt_that_a_crash_could_interrupt(run):
    attempts = []

    await run(pause(), attempts=attempts)

    assert [attempt.status for attempt in attempts] == ["success"]


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({}, "a wait has one of «for» and «until»"),
        ({"for": "1s", "until": "2026-12-01T09:00:00Z"}, "a wait has one of «for» and «until»"),
        ({"for": "soon"}, "«soon» is no duration"),
        ({"for": "5"}, "the duration «5» has no unit"),
        ({"for": "-1h"}, "the duration «-1h» is negative"),
        ({"for": "11000d"}, "longer than ten years"),
        ({"for": 5}, "for is 5, and must be text"),
        ({"until": "tomorrow"}, "«tomorrow» is no instant"),
        ({"until": "2026-12-01T09:00:00"}, "does not say whose clock is meant"),
        ({"until": "2026-13-01T09:00:00Z"}, "is no instant"),
        ({"for": "$.input["}, "for"),
        ({"untill": "2026-12-01T09:00:00Z"}, "untill is not known here"),
    ],
)
def test_what_says_no_time_is_refused_at_load(section, said, tmp_path):
    with pytest.raises(DefinitionError) as refused:
        load_flow({"key": "k", "steps": [{"id": "w", "type": "wait", "wait": section}]}, key=None, folder=tmp_path, kinds=KINDS)

    assert said in str(refused.value)
    assert "wait" in str(refused.value)


@pytest.mark.parametrize("given", [5, None, [], {"a": 1}, "x" * 100_000, "\x00", "2h; rm -rf", "99999999999h", True])
async def test_a_value_that_says_no_time_fails_the_step_and_is_not_tried_again(run, given):
    step = pause(**{"for": "$.input.x"}) | {"onError": {"strategy": "retry", "retries": 3, "retryDelayMs": 0}}
    attempts = []

    ended = await run(step, inputs={"x": given}, attempts=attempts)

    assert (ended.status, ended.code) == ("failed", "WAIT_TIME")
    assert len(attempts) == 1
    assert len(ended.error) < 500


async def test_a_wait_ends_with_its_own_timeout_which_whoever_keeps_the_wait_holds(run):
    keeper, attempts = Keeper("limit"), []

    ended = await run(pause(**{"for": "2h"}) | {"timeoutMs": 60_000}, keeper=keeper, attempts=attempts, clock=lambda: NOON)

    assert (ended.status, ended.code) == ("failed", "TIMEOUT")
    assert [attempt.status for attempt in attempts] == ["timeout"]
    assert keeper.asked[0][0] == Place("run_1", "w", 1)
    assert keeper.asked[0][1].limit == NOON + 60


async def test_a_timeout_shorter_than_the_wait_ends_it_in_one_process_too(run):
    ended = await run(pause(**{"for": "1h"}) | {"timeoutMs": 20})

    assert (ended.status, ended.code) == ("failed", "TIMEOUT")


async def test_each_try_is_another_wait(run):
    keeper = Keeper("limit")
    step = pause() | {"timeoutMs": 10, "onError": {"strategy": "retry", "retries": 1, "retryDelayMs": 0}}

    await run(step, keeper=keeper)

    assert [place.attempt for place, _ in keeper.asked] == [1, 2]


async def test_a_clock_that_is_set_forward_ends_a_wait_and_one_that_is_set_back_prolongs_it(monkeypatch):
    monkeypatch.setattr("flows.waiting.LOOK_S", 0.001)
    times = iter([100.0, 100.0, 100.0, 40.0, 40.0, 40.0, 100.5, 100.5, 7000.0, 7000.0, 7000.0])

    ended = await until_over(Wait("timer", due=101.0), clock=lambda: next(times))

    assert (ended.how, ended.since, ended.at) == ("due", 100.0, 7000.0)


async def test_nobody_answers_where_nothing_is_kept():
    with pytest.raises(StepError) as refused:
        await wait_here(Place("run_1", "a", 1), Wait("approval"))

    assert refused.value.code == "WAIT_UNAVAILABLE"


async def test_a_run_says_when_all_of_it_waits_and_when_something_works_again(tmp_path):
    told, released = [], asyncio.Event()

    async def keeper(place, wait):
        await released.wait()
        return Resolution("due", 1.0, 0.0)

    steps = [{"id": "both", "type": "parallel", "parallel": {"steps": [pause(), {**pause(), "id": "v"}]}}]
    flow = load_flow({"key": "k", "steps": steps}, key=None, folder=tmp_path, kinds=KINDS)
    world = World(KINDS, None, None, wait=keeper)
    work = asyncio.ensure_future(
        execute(flow, {}, run_id="run_1", world=world, record=lambda _attempt: None, rest=Rest(told.append))
    )
    while not told:
        await asyncio.sleep(0)
    released.set()
    await work

    assert told[:2] == [True, False]


@pytest.mark.parametrize("body", ["parallel", "loop"])
async def test_a_run_does_not_rest_while_a_time_limit_runs_that_only_this_process_knows(tmp_path, body):
    told = []
    inner = {"steps": [pause()]} | ({"over": [1]} if body == "loop" else {})
    flow = load_flow(
        {"key": "k", "steps": [{"id": "b", "type": body, body: inner, "timeoutMs": 60_000}]},
        key=None,
        folder=tmp_path,
        kinds=KINDS,
    )

    ended = await execute(
        flow, {}, run_id="run_1", world=World(KINDS, None, None), record=lambda _attempt: None, rest=Rest(told.append)
    )

    assert ended.status == "completed"
    assert True not in told


async def test_a_node_waits_as_a_step_does(tmp_path):
    nodes = [
        {"id": "w", "type": "wait", "config": {"for": "10ms"}},
        {"id": "t", "type": "transform", "config": {"expression": "1"}},
    ]
    definition = {"version": "1.0", "nodes": nodes, "edges": [{"id": "e", "source": "w", "target": "t"}]}
    flow = load_flow(definition, key="k", folder=tmp_path, kinds=KINDS)

    ended = await execute(flow, {}, run_id="run_1", world=World(KINDS, None, None), record=lambda _attempt: None)

    assert (ended.status, ended.output) == ("completed", 1)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-12-01T12:00:00Z", NOON),
        ("2026-12-01t13:00:00.500+01:00", NOON + 0.5),
        ("2026-12-01 12:00Z", NOON),
        (" 2026-12-01T06:30-0530 ", NOON),
    ],
)
def test_an_instant_is_read_with_its_offset(text, seconds):
    assert parse_instant(text) == seconds


def test_an_instant_is_written_in_utc():
    assert [write_instant(NOON), write_instant(NOON + 0.25)] == ["2026-12-01T12:00:00Z", "2026-12-01T12:00:00.250Z"]
