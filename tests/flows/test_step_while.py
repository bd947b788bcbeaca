"""`while`: once, then as long as the condition holds; what it gave so far is read by its condition and by its steps."""

from pathlib import Path

import pytest

from flows.dialects import load_flow
from flows.errors import DefinitionError
from flows.executor import World, execute
from flows.rehearsal import Plan, rehearse
from flows.step import Output
from flows.steps import make_kinds

KINDS = make_kinds()


def calc(step_id, expression="1", **given):
    return {"id": step_id, "type": "transform", "transform": {"expression": expression}, **given}


def again(step_id, condition, *steps, **section):
    return {"id": step_id, "type": "while", "while": {"condition": condition, "steps": list(steps), **section}}


def load(*steps, **given):
    return load_flow({"key": "main", "steps": list(steps), **given}, key=None, folder=Path(), kinds=KINDS)


async def run(*steps, inputs=None, recorded=(), record=lambda _attempt: None):
    return await execute(
        load(*steps), inputs or {}, run_id="run_1", world=World(KINDS, None, None), record=record, recorded=recorded
    )


PAGES = again(
    "pages",
    "$.steps.pages.output.lastResult.next != null",
    calc("page", "($.steps.pages.output.lastResult?.next ?? 0) + 1"),
    calc("answer", "({at: $.steps.page.output, next: $.steps.page.output < 4 ? $.steps.page.output : null})"),
    maxIterations=50,
)


async def test_a_while_goes_on_with_what_its_last_iteration_gave():
    ended = await run(PAGES)

    output = ended.steps["pages"]["output"]
    assert output["iteration"] == 4
    assert [each["at"] for each in output["results"]] == [1, 2, 3, 4]
    assert output["lastResult"] == {"at": 4, "next": None}
    assert ended.steps["pages"]["response"] == {"iterations": 4, "results": output["results"]}


async def test_the_first_iteration_runs_whatever_the_condition_says():
    ended = await run(again("once", "false", calc("a", "'ran'")))

    assert ended.steps["once"]["output"] == {"lastResult": "ran", "iteration": 1, "results": ["ran"]}


async def test_a_condition_that_walks_into_nothing_ends_it():
    ended = await run(again("once", "$.steps.once.output.lastResult.more.deep", calc("a")))

    assert ended.steps["once"]["output"]["iteration"] == 1


async def test_a_while_ends_after_its_most_iterations_a_hundred_where_nothing_is_said():
    ended = await run(again("many", "true", calc("a"), maxIterations=3), again("most", "true", calc("b")))

    assert ended.steps["many"]["output"]["iteration"] == 3
    assert ended.steps["most"]["output"]["iteration"] == 100


async def test_the_condition_reads_the_steps_of_the_iteration_before():
    ended = await run(again("count", "$.steps.n.output < 5", calc("n", "($.steps.count.output.iteration ?? 0) + 3")))

    assert ended.steps["count"]["output"]["results"] == [3, 3, 4, 5]


async def test_an_iteration_that_fails_is_named():
    ended = await run(again("w", "true", calc("bad", "$.steps.w.output.results.length === 2 ? $.input.no.where : 1")))

    assert ended.status == "failed"
    assert ended.error.startswith("step «w»: iteration 2: step «bad»: ")


async def test_a_while_inside_a_loop_has_results_of_its_own():
    each = {
        "id": "each",
        "type": "loop",
        "loop": {"over": [1, 2], "maxConcurrency": 2, "steps": [again("w", "$.steps.n.output < $.loop.item", calc("n", "1"))]},
    }

    ended = await run(each)

    counts = [iteration["w"]["output"]["iteration"] for iteration in ended.steps["each"]["response"]["iterations"]]
    assert counts == [1, 100]


async def test_a_while_cut_anywhere_goes_on_and_repeats_nothing():
    attempts = []
    whole = await run(PAGES, record=attempts.append)

    for cut in range(len(attempts)):
        again_recorded = []
        ended = await run(PAGES, recorded=attempts[:cut], record=again_recorded.append)
        assert ended.output == whole.output
        assert {each.path for each in again_recorded}.isdisjoint(each.path for each in attempts[:cut])


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (again("w", "$.steps.later.output", calc("a")), "step «later» has not run"),
        ({**again("w", "true", calc("a")), "if": "$.steps.w.output"}, "step «w» refers to itself"),
        (again("w", "true", calc("a"), maxIterations=0), "steps[0].while.maxIterations"),
        (again("w", "", calc("a")), "steps[0].while.condition"),
        ({"id": "w", "type": "while", "while": {"condition": "true"}}, "steps"),
    ],
)
def test_what_can_be_known_at_load_is_refused_there(step, said):
    with pytest.raises(DefinitionError) as caught:
        load(step, calc("later"))

    assert said in str(caught.value)


async def test_what_a_step_inside_gave_stays_as_it_was_when_the_while_goes_on():
    over = {"id": "over", "type": "loop", "loop": {"over": "$.steps.w.output.results", "steps": [calc("each", "$.loop.item")]}}
    attempts = []

    await run(again("w", "true", over, calc("n", "$.steps.w.output.results.length"), maxIterations=4), record=attempts.append)

    assert [each.output for each in attempts if each.step == "over"] == [[], [0], [0, 1], [0, 1, 2]]


async def test_a_rehearsal_shows_what_a_round_would_have_been_given_then():
    keep = {"id": "keep", "type": "file-write", "fileWrite": {"path": "x", "content": "$.steps.w.output.results"}}
    plan, world = Plan(mock_effects=True), World(KINDS, None, None)

    came = await rehearse(
        load(again("w", "true", keep, maxIterations=3)), {}, plan, run_id="run_1", world=world, told=lambda _: None
    )

    first, second, third = came.ended.steps["w"]["output"]["results"]
    assert (first["content"], second["content"], third["content"]) == ([], [first], [first, second])


class Look:
    """Keeps which list of results it is shown in each round."""

    name = section = "look"
    effects = container = False

    def __init__(self):
        self.Spec = KINDS["transform"].Spec
        self.seen = []

    def prepare(self, _spec, _load):
        return None

    def run(self, _prepared, scope):
        self.seen.append(scope.names["steps"]["w"]["output"]["results"])
        return Output(len(self.seen[-1]))


async def test_a_round_costs_the_same_however_many_went_before():
    look = Look()
    kinds = {**KINDS, "look": look}
    inside = {"id": "a", "type": "look", "look": {"expression": "1"}}
    flow = load_flow({"key": "k", "steps": [again("w", "true", inside, maxIterations=50)]}, key=None, folder=Path(), kinds=kinds)

    ended = await execute(flow, {}, run_id="run_1", world=World(kinds, None, None), record=lambda _attempt: None)

    assert ended.steps["w"]["output"]["results"] == list(range(50))
    assert {id(each) for each in look.seen} == {id(look.seen[0])}  # none was copied


async def test_later_steps_read_what_ran_inside():
    assert (await run(PAGES, calc("z", "$.steps.page.output"))).output == 4
