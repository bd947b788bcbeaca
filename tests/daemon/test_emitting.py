"""What steps emit, over a real store: handed in once for each step, in the chain of its run, and when it can be made durable."""

from __future__ import annotations

import asyncio

import pytest

from daemon.chains.emitting import Emitter
from daemon.chains.limits import ChainLimits
from daemon.home.emit_check import absent_hooks, never_given, unheard_events
from daemon.intake import Intake
from daemon.store import open_store
from daemon.store.rows import Run
from flows.dialects import load_flow
from flows.emission import Emission, Emitted
from flows.errors import StepError
from flows.steps import make_kinds
from triggers.load import load_trigger
from triggers.match import TriggerSet
from triggers.source import Unavailable
from triggers.sources.flow_spec import FlowSettings

KINDS = make_kinds()


class Rules:
    def __init__(self, triggers, flows):
        self.set = TriggerSet(triggers)
        self.flows = flows


class Failing:
    """A store that takes nothing at first."""

    def __init__(self, store, times):
        self.token, self.times, self._store = store.token, times, store
        self.failed = asyncio.Event()

    def accept(self, *given):
        if self.times:
            self.times -= 1
            self.failed.set()
            raise Unavailable("the disk is full")
        return self._store.accept(*given)


def hears(name="e", key="next", then="a", **section):
    return load_trigger({"key": key, "trigger": {"type": "event", "name": name, **section}, "flow": then}, key=None, file=None)


def flow_of(folder, key="a", *steps):
    calc = {"id": "a", "type": "transform", "transform": {"expression": "1"}}
    return load_flow({"steps": list(steps) or [calc]}, key=key, folder=folder, kinds=KINDS)


def an_emission(**more):
    given = {"name": "e", "data": {"n": 1}, "subject": None, "run": "run_1", "step": "tell", "idempotency_key": "run_1:tell"}
    return Emission(**(given | more))


@pytest.fixture
async def store(location):
    async with open_store(location, token="daemon-1") as opened:
        yield opened


@pytest.fixture
def emitter_of(store, tmp_path):
    def make(*triggers, failing=0, depth=0, **settings):
        rules = Rules(triggers, {"a": flow_of(tmp_path)})
        behind = Failing(store, failing) if failing else store
        made.queued = []
        made.intake = Intake(behind, lambda: rules, lambda jobs: made.queued.extend(jobs), lambda trigger: None)
        made.store = behind
        run = Run("run_1", "deals", "f" * 64, "running", {}, 1.0, chain="evt_0", depth=depth)
        limits = ChainLimits(FlowSettings(**settings), {})
        return Emitter(made.intake, lambda: rules.set, limits, {"run_1": run}.__getitem__, store, again_s=0.001)

    made = make
    return make


async def test_an_event_is_durable_with_its_verdicts_and_runs_when_the_step_has_it(emitter_of, store):
    emit = emitter_of(hears(), hears(key="still", filter="$.body.n > 5"), depth=2)

    emitted = await emit(an_emission())

    event, (run,) = await store.event(emitted.event), emitted.runs
    assert {said.trigger: (said.verdict, said.run) for said in event.verdicts} == {
        "next": ("dispatched", run),
        "still": ("filter_false", None),
    }
    assert [job.run for job in emitter_of.queued] == [run]
    kept = await store.run(run)
    assert (kept.inputs, kept.chain, kept.depth, kept.event) == ({"n": 1}, "evt_0", 3, emitted.event)


async def test_the_same_step_gives_one_event_however_often_it_runs_and_is_told_the_same(emitter_of, store):
    emit = emitter_of(hears(), hears(key="too"))

    first = await emit(an_emission())
    again = await asyncio.gather(*(emit(an_emission(data={"n": 2})) for _ in range(3)))
    other = await emit(an_emission(idempotency_key="run_1:other"))

    assert [(one.event, set(one.runs)) for one in again] == [(first.event, set(first.runs))] * 3
    assert other.event != first.event
    assert len(await store.events(source="event")) == 2
    assert len(emitter_of.queued) == 4


async def test_what_comes_twice_counts_once_against_the_chains_limit(emitter_of):
    emit = emitter_of(hears(), max_runs=2)

    for _ in range(5):
        await emit(an_emission())
    second = await emit(an_emission(idempotency_key="run_1:2"))
    third = await emit(an_emission(idempotency_key="run_1:3"))

    assert (len(second.runs), third.event is not None, third.runs) == (1, True, ())


async def test_nothing_is_kept_of_what_nobody_hears(emitter_of, store):
    assert await emitter_of(hears("other"))(an_emission()) == Emitted(None)
    assert await store.events() == []


async def test_an_event_that_only_a_disabled_trigger_hears_is_kept_with_the_verdict(emitter_of, store):
    off = load_trigger(
        {"key": "off", "enabled": False, "trigger": {"type": "event", "name": "e"}, "flow": "a"}, key=None, file=None
    )

    emitted = await emitter_of(off)(an_emission())

    assert emitted.runs == ()
    assert [said.verdict for said in (await store.event(emitted.event)).verdicts] == ["disabled"]


async def test_a_step_waits_while_nothing_can_be_made_durable_and_the_limit_is_not_used_up(emitter_of, store):
    emit = emitter_of(hears(), failing=3, max_runs=1)

    emitted = await emit(an_emission())

    assert len(emitted.runs) == 1
    assert len(await store.events()) == 1


async def test_a_step_that_waits_can_be_cancelled(emitter_of, store):
    emit = emitter_of(hears(), failing=10**9)

    waiting = asyncio.create_task(emit(an_emission()))
    await emitter_of.store.failed.wait()
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await store.events() == []


async def test_an_event_that_comes_when_the_door_is_closed_fails_with_a_stable_code(emitter_of):
    emit = emitter_of(hears())
    emitter_of.intake.closed = True

    with pytest.raises(StepError) as failed:
        await emit(an_emission())

    assert (failed.value.code, failed.value.retryable) == ("EVENT_UNAVAILABLE", True)


async def test_lists_know_the_chain_of_an_event_until_its_run_is_pruned(emitter_of, store):
    await store.enqueue(Run("run_1", "deals", "f" * 64, "queued", {}, 1.0, owner="daemon-1", chain="evt_0", depth=1))
    emitted = await emitter_of(hears(), depth=1)(an_emission())

    (listed,) = await store.events(chain="evt_0")

    assert (listed.id, listed.chain, listed.depth) == (emitted.event, "evt_0", 2)


# -- names that one side knows and the other does not


def emits(name, step="e"):
    return {"id": step, "type": "emit", "emit": {"event": name}}


def test_a_literal_name_that_no_trigger_hears_is_warned_of_and_one_made_at_run_is_not(tmp_path):
    flow = flow_of(tmp_path, "a", emits("deal.lost", "x"), emits("deal.won", "y"), emits("{{$.input.name}}", "z"))

    found = unheard_events({"a": flow}, [hears("deal.won")])

    assert [(key, problem.path, problem.warning) for key, problem in found] == [("a", ("steps", 0, "emit", "event"), True)]


def awaits(step="w", **section):
    return {"id": step, "type": "wait_for_event", "waitForEvent": section}


def test_an_event_that_a_flow_waits_for_is_heard(tmp_path):
    flows = {
        "a": flow_of(tmp_path, "a", emits("deal.lost", "x"), emits("deal.won", "y")),
        "b": flow_of(tmp_path, "b", awaits(event="deal.lost")),
    }

    found = unheard_events(flows, [])
    made_at_run = unheard_events({**flows, "c": flow_of(tmp_path, "c", awaits(event="deal.{{$.input.x}}"))}, [])

    assert [problem.path for _, problem in found] == [("steps", 1, "emit", "event")]
    assert made_at_run == []


def test_a_hook_that_a_flow_waits_for_and_no_trigger_has_is_warned_of_at_its_place(tmp_path):
    inside = {"id": "p", "type": "parallel", "parallel": {"steps": [awaits(webhook="/paid"), awaits("v", webhook="/sent")]}}
    flow = flow_of(tmp_path, "a", inside)
    paid = load_trigger({"trigger": {"type": "webhook", "path": "/paid"}, "flow": "a", "enabled": False}, key="t", file=None)

    found = absent_hooks({"a": flow}, [paid])

    assert [(key, problem.path, problem.warning) for key, problem in found] == [
        ("a", ("steps", 0, "parallel", "steps", 1, "waitForEvent", "webhook"), True)
    ]
    assert "/sent" in found[0][1].problem


def test_a_trigger_is_told_of_names_that_no_flow_gives_unless_one_may_be_made_at_run(tmp_path):
    trigger = hears(["deal.won", "deal.lost"])
    flows = {"a": flow_of(tmp_path, "a", emits("deal.won"))}

    assert never_given(trigger, flows) == ["deal.lost"]
    assert never_given(trigger, {**flows, "b": flow_of(tmp_path, "b", emits("deal.{{$.input.x}}"))}) == []
