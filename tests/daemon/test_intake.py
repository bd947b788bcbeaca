"""The one door, over a real store and real definitions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from daemon.intake import Intake
from daemon.store import open_store
from flows.dialects import load_flow
from flows.steps import make_kinds
from triggers.event import Event
from triggers.ids import new_id
from triggers.load import load_trigger
from triggers.match import TriggerSet
from triggers.source import Unavailable

KINDS = make_kinds()


@dataclass
class Rules:
    set: TriggerSet
    flows: dict[str, Any]


@dataclass
class Door:
    """An intake, and what it told the dispatch and the worker."""

    intake: Intake
    store: Any
    jobs: list = field(default_factory=list)
    queued: list = field(default_factory=list)


@pytest.fixture
async def door(tmp_path):
    """door(trigger, …): an intake for these triggers; each starts the flow «work», which wants a number `n`."""
    async with open_store(tmp_path / "camshaft.db", token="daemon-1") as store:

        def make(*definitions):
            flow = load_flow(
                {
                    "key": "work",
                    "inputs": {"n": {"type": "number"}},
                    "steps": [{"id": "a", "type": "transform", "transform": {"expression": "$.input.n"}}],
                },
                key=None,
                folder=tmp_path,
                kinds=KINDS,
            )
            rules = Rules(TriggerSet(load_trigger(one, key=None, file=None) for one in definitions), {"work": flow})
            made = Door(None, store)
            made.intake = Intake(store, lambda: rules, made.jobs.extend, made.queued.append, clock=lambda: 5.0)
            return made

        yield make


def a_trigger(key="one", only_if=None, **more):
    section = {"type": "webhook", "path": "/x"} | ({"filter": only_if} if only_if else {})
    return {"key": key, "trigger": section, "flow": "work", "inputMapping": {"n": "$.body.n"}} | more


def an_event(body, **more):
    return Event(new_id("evt"), "webhook", "/x", 4.0, {"body": body}, **more)


async def test_a_matching_event_queues_a_run_with_coerced_inputs_and_wakes_the_dispatch(door):
    made = door(a_trigger(priority=2))

    accepted = await made.intake.accept(an_event({"n": "7"}))
    (run,) = await made.store.runs()

    assert accepted.runs == (run.id,)
    assert (run.inputs, run.trigger, run.created_at, run.priority) == ({"n": 7}, "one", 5.0, 2)
    assert [(job.run, job.priority) for job in made.jobs] == [(run.id, 2)]
    assert made.queued == ["one"]


async def test_inputs_that_the_flow_refuses_are_a_verdict_and_no_run(door):
    made = door(a_trigger())

    accepted = await made.intake.accept(an_event({"n": "many"}))
    (verdict,) = (await made.store.event(accepted.event_id)).verdicts

    assert (accepted.runs, made.jobs, made.queued) == ((), [], [])
    assert verdict.verdict == "input_invalid"
    assert "n" in verdict.reason
    assert "many" in verdict.reason


async def test_each_candidate_has_its_verdict_and_only_one_of_them_its_run(door):
    made = door(
        a_trigger("fires"),
        a_trigger("false", only_if="$.body.n > 100"),
        a_trigger("broken", only_if="$.body.n()"),
        a_trigger("missing", inputMapping={"n": "$.body.absent"}),
        a_trigger("off", enabled=False),
    )

    accepted = await made.intake.accept(an_event({"n": 7}))

    assert accepted.verdicts == {
        "fires": "dispatched",
        "false": "filter_false",
        "broken": "filter_error",
        "missing": "mapping_error",
        "off": "disabled",
    }
    assert len(await made.store.runs()) == 1


async def test_groups_that_an_index_ruled_out_are_rows_with_names_of_their_own(door):
    kinds = [a_trigger(f"kind{number}", only_if=f"$.body.kind === 'k{number}'") for number in range(40)]
    states = [a_trigger(f"state{number}", only_if=f"$.body.state === 's{number}'") for number in range(40)]
    made = door(*kinds, *states)

    accepted = await made.intake.accept(an_event({"n": 1, "kind": "k3", "state": "none"}))

    assert accepted.verdicts == {"kind3": "dispatched", "*": "filter_false", "*2": "filter_false"}


async def test_an_idempotency_key_that_was_seen_makes_no_second_run(door):
    made = door(a_trigger(idempotency={"key": "$.body.id", "ttl": "1h"}))

    first = await made.intake.accept(an_event({"n": 1, "id": "a"}))
    second = await made.intake.accept(an_event({"n": 1, "id": "a"}))
    other = await made.intake.accept(an_event({"n": 1, "id": "b"}))

    assert [accepted.verdicts["one"] for accepted in (first, second, other)] == ["dispatched", "duplicate", "dispatched"]
    assert len(made.jobs) == 2


async def test_a_door_that_is_closed_takes_nothing(door):
    made = door(a_trigger())
    made.intake.closed = True

    with pytest.raises(Unavailable):
        await made.intake.accept(an_event({"n": 1}))

    assert await made.store.events() == []


async def test_an_event_that_nobody_waits_for_is_kept_without_verdicts(door):
    made = door()

    accepted = await made.intake.accept(an_event({"n": 1}))

    assert (accepted.runs, accepted.verdicts) == ((), {})
    assert (await made.store.event(accepted.event_id)).verdicts == ()


async def test_a_run_belongs_to_the_chain_of_its_event(door):
    opened = door(a_trigger())
    first = an_event({"n": 1})
    later = an_event({"n": 1})
    later.document["chain"] = {"id": "evt_first", "depth": 3}

    began = (await opened.intake.accept(first)).runs[0]
    went_on = (await opened.intake.accept(later)).runs[0]

    runs = [await opened.store.run(run) for run in (began, went_on)]
    assert [(run.chain, run.depth) for run in runs] == [(first.id, 0), ("evt_first", 3)]
