"""`emit`: what a step hands out, under which name, once; and what becomes of it where nobody listens."""

from __future__ import annotations

import pytest

from flows.dialects import load_flow
from flows.emission import NAME, Emitted
from flows.errors import DefinitionError, StepError
from flows.executor import World, execute
from flows.steps import make_kinds
from flows.steps.emit import EmitSettings

KINDS = make_kinds({"emit": EmitSettings(max_bytes=100)})


class Hearing:
    """Keeps what it is given; fails as often as it is told to."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.given = []

    async def __call__(self, emission):
        self.given.append(emission)
        if self.errors:
            raise self.errors.pop()
        return Emitted("evt_1", ("run_2",))


def a_step(step_id="e", **section):
    more = section.pop("step", {})
    return {"id": step_id, "type": "emit", "emit": {"event": "deal.enriched", **section}, **more}


def calc(step_id, expression):
    return {"id": step_id, "type": "transform", "transform": {"expression": expression}}


@pytest.fixture
def run(tmp_path):
    async def run_steps(*steps, hearing=None, inputs=None):
        flow = load_flow({"key": "deals", "steps": list(steps)}, key=None, folder=tmp_path, kinds=KINDS)
        given = {} if hearing is None else {"emit": hearing}
        world = World(KINDS, None, None, **given)
        return await execute(flow, inputs or {}, run_id="run_1", world=world, record=lambda _attempt: None)

    return run_steps


@pytest.fixture
def load(tmp_path):
    return lambda *steps: load_flow({"key": "deals", "steps": list(steps)}, key=None, folder=tmp_path, kinds=KINDS)


async def test_an_event_is_handed_out_with_its_values_and_the_step_shows_what_came_of_it(run):
    hearing = Hearing()

    ended = await run(
        a_step(data={"who": "$.input.who", "said": "{{$.input.who}}!", "gone": "$.input.gone"}, subject="deal {{$.input.n}}"),
        hearing=hearing,
        inputs={"who": {"name": "Ada"}, "n": 5},
    )

    (given,) = hearing.given
    assert ended.output == {"event": "evt_1", "runs": ["run_2"]}
    assert (given.name, given.data) == ("deal.enriched", {"who": {"name": "Ada"}, "said": '{"name":"Ada"}!'})
    assert (given.subject, given.run, given.step, given.idempotency_key) == ("deal 5", "run_1", "e", "run_1:e")


async def test_where_nobody_listens_the_step_succeeds_and_says_that_there_is_no_event(run):
    ended = await run(a_step())

    assert (ended.status, ended.output) == ("completed", {"event": None, "runs": []})


async def test_every_try_of_a_step_has_the_same_key_and_a_failure_is_retried(run):
    hearing = Hearing(StepError("not now", code="EVENT_UNAVAILABLE"))
    retried = {"onError": {"strategy": "retry", "retries": 1, "retryDelayMs": 0}}

    ended = await run(a_step(step=retried), hearing=hearing)

    assert ended.status == "completed"
    assert [given.idempotency_key for given in hearing.given] == ["run_1:e", "run_1:e"]


async def test_each_iteration_gives_an_event_of_its_own(run):
    hearing = Hearing()

    await run({"id": "each", "type": "loop", "loop": {"over": [1, 2], "steps": [a_step(data="$.loop.item")]}}, hearing=hearing)

    assert [(given.data, given.idempotency_key) for given in hearing.given] == [(1, "run_1:each[0].e"), (2, "run_1:each[1].e")]


async def test_what_was_handed_out_does_not_grow_with_the_run(run):
    hearing = Hearing()

    await run(calc("a", "1"), a_step(data="$.steps"), calc("b", "2"), hearing=hearing)

    assert list(hearing.given[0].data) == ["a"]


@pytest.mark.parametrize(
    ("value", "seen"), [(2**70, 2**70), ("half \ud800", "half \ud800"), (float("nan"), None), (None, None), ([], [])]
)
async def test_any_json_value_may_be_the_data(run, value, seen):
    hearing = Hearing()

    ended = await run(a_step(data="$.input.x"), hearing=hearing, inputs={"x": value})

    assert ended.status == "completed", ended.error
    assert hearing.given[0].data == seen


async def test_a_path_that_leads_nowhere_fails_where_it_is_the_whole_data_and_is_no_subject(run):
    hearing = Hearing()

    failed = await run(a_step(data="$.input.gone"), hearing=hearing)
    await run(a_step(subject="$.input.gone"), hearing=hearing)

    assert failed.code == "PATH_MISSING"
    assert [given.subject for given in hearing.given] == [None]


def deep(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("section", "x", "code"),
    [
        ({"event": "$.input.x"}, "a b", "EVENT_NAME"),
        ({"event": "$.input.x"}, 5, "EVENT_NAME"),
        ({"event": "$.input.x"}, "", "EVENT_NAME"),
        ({"event": "deal.{{$.input.x}}"}, "*", "EVENT_NAME"),
        ({"event": "deal.{{$.input.x}}"}, "x" * 300, "EVENT_NAME"),
        ({"event": "$.input.gone"}, None, "PATH_MISSING"),
        ({"data": "$.input.x"}, "x" * 99, "EVENT_TOO_LARGE"),
        ({"subject": "$.input.x"}, "x" * 1001, "EVENT_TOO_LARGE"),
        ({"data": "$.input.x"}, deep(100_000), "EVENT_DATA"),
    ],
    ids=range(9),
)
async def test_what_cannot_be_an_event_fails_the_step_and_is_not_handed_out(run, section, x, code):
    hearing = Hearing()

    ended = await run(a_step(**section), hearing=hearing, inputs={"x": x})

    assert (ended.status, ended.code, hearing.given) == ("failed", code, [])


async def test_data_may_be_as_large_as_the_setting_says(run):
    hearing = Hearing()

    await run(a_step(data="$.input.x"), hearing=hearing, inputs={"x": "x" * 98})

    assert len(hearing.given) == 1


@pytest.mark.parametrize(
    ("section", "place"),
    [
        ({"event": "a b"}, ("emit", "event")),
        ({"event": "deal.*"}, ("emit", "event")),
        ({"event": ""}, ("emit", "event")),
        ({"event": None}, ("emit", "event")),
        ({"event": "{{$.input.x"}, ("emit", "event")),
        ({"data": {"a": ["$.input["]}}, ("emit", "data", "a", 0)),
        ({"subject": 5}, ("emit", "subject")),
        ({"dta": 1}, ("emit", "dta")),
    ],
)
def test_what_is_wrong_with_an_emit_step_is_told_at_load_with_its_place(load, section, place):
    with pytest.raises(DefinitionError) as refused:
        load(a_step(**section))

    assert ("steps", 0, *place) in [problem.path for problem in refused.value.problems]


def test_a_flow_knows_the_names_of_its_events_at_every_depth(load):
    inner = {"id": "each", "type": "loop", "loop": {"over": [1], "steps": [a_step("in", event="{{$.input.x}}")]}}

    assert load(a_step(), inner).events == (
        ("deal.enriched", ("steps", 0, "emit", "event")),
        (None, ("steps", 1, "loop", "steps", 0, "emit", "event")),
    )


@pytest.mark.parametrize("name", ["a", "deal.enriched", "com.example/Deal:v1_x-2", "x" * 200])
def test_names_are_words_as_cloudevents_have_them(name):
    assert NAME.fullmatch(name)


@pytest.mark.parametrize("name", ["", ".", "a.", "-a", "a b", "é", "a\n", "a*", "x" * 201])
def test_what_is_no_name(name):
    assert not NAME.fullmatch(name)
