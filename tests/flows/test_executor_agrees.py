"""Random graphs: the executor agrees with an interpreter of forty lines, starts nothing too early, and never hangs."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from flows.errors import StepError
from flows.executor import World, execute
from flows.expression import compile_expression
from flows.flow import Flow
from flows.graph import Edge, Graph, Step
from flows.inputs import Inputs
from flows.retry import RetryPolicy
from flows.step import Output

ROOTS = frozenset({"$"})


@dataclass
class Node:
    name: str
    answer: bool = True
    fails: bool = False
    on_error: str = "fail"
    wanted: bool = True  # what its `if` says
    plain: bool = True
    tries: int = 1
    pauses: int = 0
    sources: dict = field(default_factory=dict)  # name → condition


@st.composite
def graphs(draw):
    nodes = []
    for number in range(draw(st.integers(1, 12))):
        node = Node(
            f"n{number}",
            draw(st.booleans()),
            draw(st.sampled_from([False, False, False, True])),
            draw(st.sampled_from(["fail", "continue"])),
            draw(st.sampled_from([True, True, True, False])),
            draw(st.booleans()),
            draw(st.integers(1, 2)),
            draw(st.integers(0, 3)),
        )
        for source in draw(st.lists(st.sampled_from(nodes), max_size=3, unique_by=lambda each: each.name)) if nodes else ():
            node.sources[source.name] = draw(st.sampled_from([None, None, "true", "false"]))
        nodes.append(node)
    return draw(st.permutations(nodes))


def interpret(nodes):
    """What each node comes to where failures stop nothing but what they feed: name → (status, live, answer, code)."""
    known = {}
    by_name = {node.name: node for node in nodes}

    def outcome(name):
        if name not in known:
            known[name] = decide(by_name[name])
        return known[name]

    def is_live(source, condition):
        _, live, answer, _ = outcome(source)
        return live and (condition is None or condition == answer)

    def decide(node):
        if node.sources and not any(is_live(*edge) for edge in node.sources.items()):
            by_failure = any(outcome(source)[3] == "BY_FAILURE" for source in node.sources)
            return "skipped", False, None, "BY_FAILURE" if by_failure else "NOT_TAKEN"
        if not node.wanted:
            return "skipped", True, None, "IF_FALSE"
        if node.fails:
            return ("failed", True, None, None) if node.on_error == "continue" else ("failed", False, None, "BY_FAILURE")
        return "success", True, str(node.answer).lower(), None

    return {node.name: outcome(node.name) for node in nodes}


class Acting:
    section = "acting"
    container = False

    def __init__(self, effects, log):
        self.name = "work" if effects else "call"
        self.effects = effects
        self.log = log
        if effects:
            self.run = self.work

    def run(self, node, scope):
        self.log.append(("start", node.name, set(scope.names["steps"])))
        if node.fails:
            raise StepError("boom", code="BOOM")
        return Output(node.answer)

    async def work(self, node, scope):
        self.log.append(("start", node.name, set(scope.names["steps"])))
        for _ in range(node.pauses):
            await asyncio.sleep(0)
        if node.fails:
            raise StepError("boom", code="BOOM")
        return Output(node.answer)


def perform(nodes, on_failure, max_concurrent=None):
    log, attempts = [], []
    steps = tuple(
        Step(
            node.name,
            "call" if node.plain else "work",
            node,
            when=None if node.wanted else compile_expression("$.steps.never.output.x", roots=ROOTS),
            on_error=node.on_error,
            retry=RetryPolicy(tries=node.tries, first_delay_s=0),
        )
        for node in nodes
    )
    edges = tuple(Edge(source, node.name, condition) for node in nodes for source, condition in node.sources.items())
    graph = Graph(steps, edges, Path(), on_failure=on_failure, max_concurrent=max_concurrent)
    flow = Flow("k", "steps", graph, Inputs({}), Path(), None, "")
    world = World({"call": Acting(False, log), "work": Acting(True, log)}, None, None)

    async def run():
        async with asyncio.timeout(10):
            return await execute(flow, {}, run_id="r", world=world, record=attempts.append)

    return asyncio.run(run()), log, attempts


@settings(max_examples=150, deadline=None)
@given(nodes=graphs(), max_concurrent=st.sampled_from([None, 1, 2]))
def test_a_graph_that_goes_on_after_failures_agrees_with_the_interpreter(nodes, max_concurrent):
    expected = interpret(nodes)

    ended, _, attempts = perform(nodes, "continue", max_concurrent)

    assert {name: result["status"] for name, result in ended.steps.items()} == {name: each[0] for name, each in expected.items()}
    failed = any(node.fails and node.on_error == "fail" and expected[node.name][0] == "failed" for node in nodes)
    assert ended.status == ("failed" if failed else "completed")
    codes = {
        attempt.step: attempt.code.replace("SOURCE_FAILED", "BY_FAILURE") for attempt in attempts if attempt.status == "skipped"
    }
    assert codes == {name: each[3] for name, each in expected.items() if each[0] == "skipped"}


@settings(max_examples=100, deadline=None)
@given(nodes=graphs())
def test_a_graph_that_stops_at_a_failure_does_a_part_of_the_same(nodes):
    expected = interpret(nodes)

    ended, _, _ = perform(nodes, "stop")

    assert all(expected[name][0] == result["status"] for name, result in ended.steps.items())
    if ended.status == "completed":
        assert set(ended.steps) == set(expected)
    else:
        name = ended.error.split("«")[1].split("»")[0]
        assert ended.steps[name]["status"] == "failed"


@settings(max_examples=100, deadline=None)
@given(nodes=graphs(), on_failure=st.sampled_from(["stop", "continue"]))
def test_no_step_starts_before_its_sources_settled_and_none_more_often_than_its_tries(nodes, on_failure):
    by_name = {node.name: node for node in nodes}

    ended, log, _ = perform(nodes, on_failure)

    for _, name, settled in log:
        assert set(by_name[name].sources) <= settled
    for node in nodes:
        starts = sum(name == node.name for _, name, _ in log)
        status = ended.steps.get(node.name, {}).get("status", "skipped")
        assert starts == {"success": 1, "failed": node.tries, "skipped": 0}[status]
