"""`wait_for_event`: what is refused at load, and what of its run a wait keeps."""

import pytest

from flows.dialects import load_flow
from flows.errors import DefinitionError
from flows.executor import World, execute
from flows.steps import make_kinds
from flows.waiting import Resolution

KINDS = make_kinds()


def load(folder, section, *before):
    step = {"id": "paid", "type": "wait_for_event", "waitForEvent": section}
    return load_flow({"key": "k", "steps": [*before, step]}, key=None, folder=folder, kinds=KINDS)


async def asked_by(flow, inputs=None):
    asked = []

    async def keeper(place, wait):
        asked.append(wait)
        return Resolution("event", 1.0, 0.0, {"id": "evt_1", "data": 5})

    world = World(KINDS, None, None, wait=keeper)
    ended = await execute(flow, inputs or {}, run_id="run_1", world=world, record=lambda _attempt: None)
    return ended, asked


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({}, "it waits for one of «event» and «webhook»"),
        ({"event": "a", "webhook": "/a"}, "it waits for one of «event» and «webhook»"),
        ({"event": "two words"}, "event: «two words» is no name of an event"),
        ({"webhook": "paid"}, "webhook"),
        ({"event": "a", "match": "event.data ==="}, "match"),
        ({"event": "a", "match": "evnt.data"}, "match"),
        ({"event": "a", "match": "$.steps.gone.output"}, "there is no step «gone»"),
        ({"event": "a", "timeout": "soon"}, "timeout: «soon» is no duration"),
        ({"event": "a", "lookBack": "yesterday"}, "lookBack"),
        ({"event": "a", "onTimeout": "continue"}, "onTimeout: without «timeout» there is none"),
        ({"event": "a", "onTimeout": "approve", "timeout": "1h"}, "onTimeout"),
        ({"event": "a", "mach": "1"}, "mach is not known here"),
    ],
)
def test_what_cannot_be_waited_for_is_refused_at_load(section, said, tmp_path):
    with pytest.raises(DefinitionError) as refused:
        load(tmp_path, section)

    assert said in str(refused.value)


async def test_a_wait_keeps_what_its_match_reads_of_the_run_and_no_more(tmp_path):
    before = {"id": "make", "type": "transform", "transform": {"expression": "({id: 7, big: 'x'.repeat(1000)})"}}
    section = {"event": "paid.{{$.input.kind}}", "match": "event.data.id === $.steps.make.output.id && input.kind !== event.name"}

    ended, asked = await asked_by(load(tmp_path, section, before), {"kind": "card", "secret": "s"})

    (wait,) = asked
    assert (wait.kind, wait.detail["event"], wait.detail["match"]) == ("event", "paid.card", section["match"])
    assert set(wait.detail["names"]["$"]) == {"steps", "input"}
    assert wait.detail["names"]["$"]["input"] == {"kind": "card"}
    assert wait.detail["names"]["$"]["steps"]["make"]["output"]["id"] == 7
    assert ended.steps["paid"]["output"] == {
        "received": True,
        "at": "1970-01-01T00:00:01Z",
        "event": {"id": "evt_1", "data": 5},
        "data": 5,
    }


@pytest.mark.parametrize(
    ("inputs", "code"), [({"x": "y" * 70_000}, "WAIT_TOO_LARGE"), ({"x": 1, "name": "two words"}, "EVENT_NAME")]
)
async def test_values_that_make_no_wait_fail_the_step(inputs, code, tmp_path):
    section = {"event": "{{$.input.name}}" if "name" in inputs else "a", "match": "event.data === $.input.x"}

    ended, asked = await asked_by(load(tmp_path, section), inputs)

    assert (ended.status, ended.code, asked) == ("failed", code, [])


def test_its_type_is_written_with_hyphens_as_well(tmp_path):
    step = {"id": "paid", "type": "wait-for-event", "waitForEvent": {"event": "a"}}

    flow = load_flow({"key": "k", "steps": [step]}, key=None, folder=tmp_path, kinds=KINDS)

    assert [each.kind for each in flow.graph.steps] == ["wait_for_event"]
