"""Runs of flows in the nodes dialect: what follows what, what each node is given, and what failures do."""

import json

import pytest
from aiohttp import web

from flows.dialects import load_flow
from flows.executor import World, execute
from flows.steps import make_kinds
from flows.steps.http_request import Http, HttpSettings
from tests.flows.test_dialect_nodes import ask, calc, completed_example, edge, flow

FAILS = "data.nothing.at.all"


async def run(definition, folder, *, inputs=None, kinds=None, recorded=(), record=None):
    kinds = kinds or make_kinds()
    loaded = load_flow(definition, key="main", folder=folder, kinds=kinds)
    world = World(kinds, None, None)
    return await execute(
        loaded,
        inputs or {},
        run_id="run_1",
        world=world,
        record=record or (lambda _attempt: None),
        recorded=recorded,
    )


def outputs(ended):
    return {name: result["output"] for name, result in ended.steps.items() if "output" in result}


def states(ended):
    return {name: result["status"] for name, result in ended.steps.items()}


@pytest.mark.parametrize(
    ("times", "expected", "left_out"), [(6, 108, "prompt_2"), (1, "too short: Dear Ada, buy wool", "output_1")]
)
async def test_the_completed_example_of_the_specification_runs(tmp_path, times, expected, left_out):
    ended = await run(completed_example(), tmp_path, inputs={"name": "Ada", "times": times})

    assert (ended.status, ended.output) == ("completed", expected)
    assert states(ended)[left_out] == "skipped"


@pytest.mark.parametrize(("condition", "taken"), [("data > 1", "yes"), ("data > 9", "no")])
async def test_only_the_branch_of_the_answer_runs(tmp_path, condition, taken):
    nodes = (
        calc("n", "5"),
        ask("c", condition, trueBranch="yes", falseBranch="no"),
        calc("yes"),
        calc("no"),
        calc("after", "data"),
    )
    ended = await run(flow(*nodes, edges=[edge("n", "c"), edge("no", "after")]), tmp_path)

    assert {name for name in ("yes", "no") if states(ended)[name] == "success"} == {taken}
    assert states(ended)["after"] == ("success" if taken == "no" else "skipped")


async def test_a_condition_gives_what_it_asked_its_result_its_branch_and_its_input(tmp_path):
    nodes = (calc("n", "[5]"), ask("c", "length(data) > 0", trueBranch="yes"), calc("yes", "data.branch"))
    ended = await run(flow(*nodes, edges=[edge("n", "c")]), tmp_path)

    assert ended.steps["c"]["output"] == {"condition": "length(data) > 0", "result": True, "branch": "yes", "input": [5]}
    assert ended.output == "yes"


@pytest.mark.parametrize(
    ("condition", "answer"),
    [
        ("data.length > 3", True),
        ("output.length > 3", True),
        ("contains(data, 'ell')", True),
        ("length(data) === 5", True),
        ("isEmpty(data)", False),
        ("isEmpty(input.list)", True),
        ("input.n == 0 && data != 'x' || false", True),
        ("data.a.b.c > 1", False),
    ],
)
async def test_conditions_know_data_output_and_input_and_the_helpers(tmp_path, condition, answer):
    nodes = (calc("n", "'hello'"), ask("c", condition))
    ended = await run(flow(*nodes, edges=[edge("n", "c")]), tmp_path, inputs={"n": 0, "list": []})

    assert ended.steps["c"]["output"]["result"] is answer


@pytest.mark.parametrize("answer", ["gold", "data", "on-hold", "needs a look", "5 > 3", "v1.2", "a && b"])
async def test_an_edge_asks_for_any_answer_that_its_source_gives(tmp_path, answer):
    nodes = (calc("tier", "input.tier"), calc("this"), calc("silver"), calc("all"))
    drawn = [edge("tier", "this", answer), edge("tier", "silver", "silver"), edge("tier", "all")]

    ended = await run(flow(*nodes, edges=drawn), tmp_path, inputs={"tier": answer})

    assert states(ended) == {"tier": "success", "this": "success", "silver": "skipped", "all": "success"}


async def test_a_root_is_given_the_inputs_of_the_run_and_one_edge_the_output_of_its_source(tmp_path):
    nodes = (calc("root", "data"), calc("next", "data"))
    ended = await run(flow(*nodes, edges=[edge("root", "next")]), tmp_path, inputs={"a": 1})

    assert outputs(ended) == {"root": {"a": 1}, "next": {"a": 1}}


async def test_several_edges_are_merged_by_their_order_and_dead_ones_left_out(tmp_path):
    nodes = (calc("a", "'A'"), ask("c", "false", trueBranch="b"), calc("b", "'B'"), calc("d", "'D'"), calc("all", "data"))
    drawn = [edge("d", "all"), edge("b", "all"), edge("a", "all")]

    ended = await run(flow(*nodes, edges=drawn), tmp_path)

    assert ended.steps["all"]["output"] == {"input_0": "D", "input_2": "A"}


async def test_a_node_waits_until_all_its_sources_have_settled(tmp_path):
    nodes = (
        {"id": "slow", "type": "bash", "config": {"command": "sleep 0.2; echo slow"}},
        calc("fast", "'fast'"),
        calc("all", "data"),
    )
    ended = await run(flow(*nodes, edges=[edge("fast", "all"), edge("slow", "all")]), tmp_path)

    assert ended.output == {"input_0": "fast", "input_1": "slow"}


async def test_texts_are_filled_in_from_the_input_of_the_node_and_then_from_the_inputs_of_the_run(tmp_path):
    text = "{{customer.name}} {{a.b}} {{zero}} {{no}} {{region}} {{list}}"
    nodes = (
        calc("n", "{customer: {name: 'Ada'}, 'a.b': 'dotted', zero: 0, no: false, list: [1]}"),
        {"id": "keep", "type": "file-write", "config": {"path": "out.txt", "content": text}},
    )
    await run(flow(*nodes, edges=[edge("n", "keep")]), tmp_path, inputs={"region": "eu", "zero": 7})

    assert (tmp_path / "out.txt").read_text() == "Ada dotted 0 false eu [1]"


ROWS = "[{name: 'a', n: 1, at: {city: 'X'}}, {name: 'b', n: 5}, {name: 'c', n: 7, at: {city: 'Z'}}, {name: 'd', n: 9}]"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"filter": "data.n > 4"}, ["b", "c", "d"]),
        ({"filter": "item.at.city === 'Z'"}, ["c"]),
        ({"filter": "item.n > input.least", "limit": 2, "map": "item.name"}, ["b", "c"]),
        ({"limit": 1, "map": {"who": "name", "twice": "data.n * 2", "fix": 1, "in": {"where": "at.city"}}},
         [{"who": "a", "twice": 2, "fix": 1, "in": {"where": "X"}}]),
        ({"map": {"city": "at.city"}, "filter": "item.name === 'b'"}, [{"city": None}]),
    ],
)  # fmt: skip
async def test_a_transform_filters_maps_and_limits_rows(tmp_path, config, expected):
    nodes = (calc("rows", ROWS), {"id": "pick", "type": "transform", "config": config})
    ended = await run(flow(*nodes, edges=[edge("rows", "pick")]), tmp_path, inputs={"least": 3})

    found = ended.output if "map" in config else [row["name"] for row in ended.output]
    assert found == expected


async def test_rows_behind_the_limit_are_not_looked_at(tmp_path):
    nodes = (calc("rows", "[{n: [1]}, {}]"), {"id": "pick", "type": "transform", "config": {"map": "item.n.length", "limit": 1}})
    ended = await run(flow(*nodes, edges=[edge("rows", "pick")]), tmp_path)

    assert ended.output == [1]


@pytest.mark.parametrize(
    ("rows", "code", "said"),
    [
        ("'text'", "ROWS_INPUT", "what the step is given is «text»"),
        ("null", "ROWS_INPUT", "what the step is given is null"),
        ("[{n: [1]}, {}]", "EXPRESSION_TYPE", "row 1: "),
        ("Array.from('x'.repeat(100001))", "ROWS_LIMIT", "100,001 rows"),
    ],
)
async def test_rows_that_cannot_be_gone_over_fail_the_node(tmp_path, rows, code, said):
    nodes = (calc("rows", rows), {"id": "pick", "type": "transform", "config": {"map": "item.n.length"}})
    ended = await run(flow(*nodes, edges=[edge("rows", "pick")]), tmp_path)

    assert (ended.status, ended.code) == ("failed", code)
    assert said in ended.error


@pytest.mark.parametrize(("most", "expected"), [(1, [1] * 6), (2, [2, 2])])
async def test_no_more_nodes_than_the_settings_say_run_at_one_time(tmp_path, most, expected):
    """Each command leaves a mark while it runs, and counts the marks."""
    command = "touch on.$$; sleep 0.05; ls on.* | wc -l; rm on.$$"
    nodes = [{"id": f"n{number}", "type": "bash", "config": {"command": command}} for number in range(6)]

    ended = await run(flow(*nodes, settings={"maxConcurrentNodes": most}), tmp_path)

    seen = [int(output) for output in outputs(ended).values()]
    assert len(seen) == 6
    assert max(seen) <= most


async def test_a_run_that_takes_longer_than_its_timeout_fails(tmp_path):
    node = {"id": "a", "type": "bash", "config": {"command": "sleep 60"}}

    ended = await run(flow(node, settings={"timeout": 0.2}), tmp_path)

    assert (ended.status, ended.code) == ("failed", "FLOW_TIMEOUT")


def failing_in_the_middle(handling):
    """`bad` fails; `beside` waits for another; `behind` waits for both, `only` for the one that fails."""
    nodes = (calc("bad", FAILS), calc("good"), calc("beside", "data"), calc("only"), calc("behind", "data"))
    drawn = [edge("good", "beside"), edge("bad", "only"), edge("bad", "behind"), edge("beside", "behind")]
    return flow(*nodes, edges=drawn, settings={"errorHandling": handling})


async def test_stop_starts_nothing_new_after_a_final_failure(tmp_path):
    ended = await run(failing_in_the_middle("stop"), tmp_path)

    assert (ended.status, states(ended)["bad"]) == ("failed", "failed")
    assert not {"beside", "only", "behind"} & {name for name, state in states(ended).items() if state == "success"}
    assert ended.error.startswith("step «bad»: ")


async def test_continue_skips_what_only_the_failed_node_feeds_and_the_run_ends_failed(tmp_path):
    ended = await run(failing_in_the_middle("continue"), tmp_path)

    assert ended.status == "failed"
    assert states(ended) == {"bad": "failed", "good": "success", "beside": "success", "only": "skipped", "behind": "success"}
    assert ended.steps["behind"]["output"] == {"input_1": 1}


async def test_a_chain_of_fallbacks_is_tried_in_order_and_the_nodes_behind_are_given_what_it_gave(tmp_path):
    nodes = (
        {**calc("first", FAILS), "fallbackNode": "second"},
        {**calc("second", FAILS), "fallbackNode": "third"},
        calc("third", "'third was given ' + data.who"),
        calc("behind", "data + '!'"),
    )
    ended = await run(
        flow(*nodes, edges=[edge("first", "behind")], settings={"errorHandling": "fallback"}), tmp_path, inputs={"who": "Ada"}
    )

    assert (ended.status, ended.output) == ("completed", "third was given Ada!")
    assert states(ended) == {"first": "failed", "second": "failed", "third": "success", "behind": "success"}


async def test_a_fallback_that_fails_as_well_stops_the_run_and_one_that_nobody_needs_is_skipped(tmp_path):
    chained = {"errorHandling": "fallback"}
    bad = await run(flow({**calc("a", FAILS), "fallbackNode": "b"}, calc("b", FAILS), settings=chained), tmp_path)
    good = await run(flow({**calc("a"), "fallbackNode": "b"}, calc("b", FAILS), settings=chained), tmp_path)

    assert (bad.status, bad.error.split(":")[0]) == ("failed", "step «a»")
    assert (good.status, states(good)) == ("completed", {"a": "success", "b": "skipped"})


@pytest.fixture
async def answering():
    """A server that gives its answers in order, the last one for ever."""
    seen, answers = [], []

    async def handle(request):
        seen.append(request.path)
        status, headers = answers.pop(0) if len(answers) > 1 else answers[0]
        return web.json_response({"n": len(seen)}, status=status, headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/", answers, seen
    await runner.cleanup()


POLICY = {"maxAttempts": 4, "backoff": "linear", "initialDelay": 1, "maxDelay": 5}


@pytest.mark.parametrize(
    ("answers", "tries", "status"),
    [
        ([(503, {}), (429, {"Retry-After": "0"}), (200, {})], 3, "completed"),
        ([(503, {})], 4, "failed"),
        ([(400, {})], 1, "failed"),
        ([(503, {}), (404, {})], 2, "failed"),
    ],
)
async def test_requests_are_tried_again_by_the_class_of_their_error(tmp_path, answering, answers, tries, status):
    address, given, seen = answering
    given.extend(answers)
    kinds = {**make_kinds(), "http": Http(HttpSettings(allow_private=True))}
    node = {"id": "get", "type": "http", "config": {"url": address}}

    ended = await run(flow(node, settings={"retryPolicy": POLICY}), tmp_path, kinds=kinds)
    await kinds["http"].close()

    assert (ended.status, len(seen)) == (status, tries)


async def test_retries_come_before_what_errorHandling_says(tmp_path):
    command = "echo x >> tries; test $(wc -l < tries) -ge 3"
    nodes = ({"id": "a", "type": "bash", "config": {"command": command}}, calc("b", "'done'"))

    ended = await run(flow(*nodes, edges=[edge("a", "b")], settings={"retryPolicy": POLICY, "errorHandling": "stop"}), tmp_path)

    assert (ended.status, ended.output, ended.steps["a"]["attempts"]) == ("completed", "done", 3)


async def test_a_resumed_run_takes_the_branch_that_was_recorded_and_runs_nothing_again(tmp_path):
    nodes = (calc("n", "5"), ask("c", "data > 1", trueBranch="yes", falseBranch="no"), calc("yes", "data.branch"), calc("no"))
    definition = flow(*nodes, calc("all", "data"), edges=[edge("n", "c"), edge("yes", "all"), edge("no", "all")])
    first, again = [], []
    await run(definition, tmp_path, record=first.append)
    kept = [attempt for attempt in first if attempt.step in {"n", "c"}]

    ended = await run(definition, tmp_path, recorded=kept, record=again.append)

    assert {attempt.step: attempt.status for attempt in again} == {"yes": "success", "no": "skipped", "all": "success"}
    assert ended.output == {"input_0": "yes"}


async def test_the_output_is_what_the_last_node_gave_or_what_the_flow_says(tmp_path):
    nodes = (calc("last", "data + 1"), calc("first", "1"))
    drawn = [edge("first", "last")]

    plain = await run(flow(*nodes, edges=drawn), tmp_path)
    said = await run(flow(*nodes, edges=drawn, output={"one": "$.steps.first.output"}), tmp_path)

    assert (plain.output, said.output) == (2, {"one": 1})


async def test_an_output_behind_conditions_writes_what_they_were_given(tmp_path):
    save = {"id": "save", "type": "output", "config": {"destination": "file", "path": "kept.json"}}
    nodes = (calc("letter", "({to: 'Ada'})"), ask("long", "data.to.length > 2"), ask("sure", "data.result"), save)

    ended = await run(
        flow(*nodes, edges=[edge("letter", "long"), edge("long", "sure", "true"), edge("sure", "save", "true")]), tmp_path
    )

    assert ended.status == "completed"
    assert json.loads((tmp_path / "kept.json").read_text()) == {"to": "Ada"}
