"""Random graphs in the nodes dialect, loaded from JSON, agree with a tiny interpreter of the specification's sentences."""

import asyncio
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from flows.dialects import load_flow
from flows.errors import StepError
from flows.executor import World, execute
from flows.step import Output
from flows.steps import make_kinds


class WorkSpec(BaseModel):
    fails: bool
    pauses: int


class Work:
    """A node that pauses as often as it is told, then fails or gives its own name and what it was given."""

    name = section = "work"
    effects, container = True, False
    Settings, Spec = BaseModel, WorkSpec

    def __init__(self):
        self.started = []  # (node, those that had settled)
        self.under_way = self.most = 0
        self.strike = None  # (number of starts, what is done then)

    def prepare(self, spec, _load):
        return spec

    async def run(self, prepared, scope):
        self.started.append((scope.path, set(scope.names["steps"])))
        if self.strike is not None and len(self.started) == self.strike[0]:
            self.strike[1]()
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            for _ in range(prepared.pauses):
                await asyncio.sleep(0)
        finally:
            self.under_way -= 1
        if prepared.fails:
            raise StepError("boom", code="BOOM")
        return Output(scope.path)

    async def close(self):
        """Nothing is held."""


@st.composite
def definitions(draw, most):
    """Up to `most` nodes; each is led to by earlier ones, in any order of the list."""
    count = draw(st.integers(1, most))
    random = draw(st.randoms(use_true_random=False))
    nodes, edges = [], []
    for number in range(count):
        if random.random() < 0.3:
            config = {"condition": random.choice(["true", "false"])}
            node = {"id": f"n{number}", "type": "condition", "config": config}
        else:
            config = {"fails": random.random() < 0.1, "pauses": random.randrange(3)}
            node = {"id": f"n{number}", "type": "work", "config": config}
        for source in random.sample(nodes, min(len(nodes), random.choice([0, 1, 1, 1, 2, 3]))):
            _lead(source, node["id"], edges, random)
        nodes.append(node)
    random.shuffle(nodes)
    random.shuffle(edges)
    return {
        "nodes": nodes,
        "edges": edges,
        "settings": {
            "errorHandling": random.choice(["stop", "continue"]),
            "maxConcurrentNodes": random.choice([1, 3, 200]),
            "retryPolicy": {"maxAttempts": random.choice([1, 2]), "initialDelay": 0},
        },
    }


def _lead(source, target, edges, random):
    """An edge from a source: from a condition with or without an answer, drawn or by its branch, one for each answer."""
    if source["type"] != "condition":
        edges.append({"source": source["id"], "target": target})
        return
    answer = random.choice([None, "true", "false"])
    taken = source["config"].get(f"{answer}Branch") or any(
        edge["source"] == source["id"] and edge.get("condition") == answer for edge in edges
    )
    if answer is None or taken:
        edges.append({"source": source["id"], "target": target})
    elif random.random() < 0.5:
        source["config"][f"{answer}Branch"] = target
    else:
        edges.append({"source": source["id"], "target": target, "condition": answer})


def interpret(definition):
    """name → (status, output) where failures stop nothing but what they alone feed."""
    nodes = {node["id"]: node for node in definition["nodes"]}
    edges = [(edge["source"], edge.get("condition"), edge["target"]) for edge in definition["edges"]]
    for name, node in nodes.items():
        for answer in ("true", "false"):
            if f"{answer}Branch" in node["config"]:
                edges.append((name, answer, node["config"][f"{answer}Branch"]))
    known = {}

    def live(source, asked):
        status, output = outcome(source)
        return status == "success" and (asked is None or asked == str(output["result"]).lower())

    def outcome(name):
        if name not in known:
            known[name] = decide(name, [(source, asked) for source, asked, target in edges if target == name])
        return known[name]

    def decide(name, leading):
        alive = [(number, source) for number, (source, asked) in enumerate(leading) if live(source, asked)]
        if leading and not alive:
            return "skipped", None
        data = {} if not leading else {f"input_{number}": outcome(source)[1] for number, source in alive}
        node = nodes[name]
        if node["type"] == "work":
            return ("failed", None) if node["config"]["fails"] else ("success", name)
        result = node["config"]["condition"] == "true"
        leads = {asked: target for source, asked, target in edges if source == name and asked is not None}
        return "success", {
            "condition": node["config"]["condition"],
            "result": result,
            "branch": leads.get(str(result).lower()),
            "input": outcome(leading[0][0])[1] if len(leading) == 1 else data,
        }

    for name in reversed(list(nodes)):  # recursion is as deep as the graph is long
        outcome(name)
    return known, edges


def perform(definition):
    work = Work()
    kinds = {**make_kinds(), "work": work}
    loaded = load_flow(definition, key="k", folder=Path(), kinds=kinds)
    world = World(kinds, None, None)

    async def run():
        async with asyncio.timeout(30):  # a run that hangs
            return await execute(loaded, {}, run_id="r", world=world, record=lambda _attempt: None)

    return asyncio.run(run()), work


def agree(definition):
    expected, edges = interpret(definition)
    conditions = definition["settings"]

    ended, work = perform(definition)

    failed = any(status == "failed" for status, _ in expected.values())
    assert ended.status == ("failed" if failed else "completed")
    came = {name: (result["status"], result.get("output")) for name, result in ended.steps.items()}
    if conditions["errorHandling"] == "continue" or not failed:
        assert came == expected
    else:
        assert all(expected[name] == each for name, each in came.items())
    assert work.most <= conditions["maxConcurrentNodes"]
    for name, settled in work.started:
        assert {source for source, _, target in edges if target == name} <= settled
    tries = conditions["retryPolicy"]["maxAttempts"]
    starts = [name for name, _ in work.started]
    for name, (status, _) in came.items():
        if name in starts:
            assert starts.count(name) == (tries if status == "failed" else 1)


@settings(max_examples=80, deadline=None)
@given(definition=definitions(12))
def test_small_graphs_agree_with_the_interpreter(definition):
    agree(definition)


@settings(max_examples=25, deadline=None)
@given(definition=definitions(200))
def test_graphs_of_up_to_two_hundred_nodes_agree_with_the_interpreter(definition):
    agree(definition)


def struck(definition, at):
    """The flow, cancelled at the start of its `at`th node: what was recorded, what started, and how many had when it was heard."""
    work, recorded, heard = Work(), [], []
    kinds = {**make_kinds(), "work": work}
    loaded = load_flow(definition, key="k", folder=Path(), kinds=kinds)
    world = World(kinds, None, None)

    async def run():
        task = asyncio.ensure_future(execute(loaded, {}, run_id="r", world=world, record=recorded.append))

        def strike():
            task.cancel()
            asyncio.get_running_loop().call_soon(lambda: heard.append(len(work.started)))

        work.strike = (at, strike)
        async with asyncio.timeout(30):  # a run that hangs
            try:
                return await task
            except asyncio.CancelledError:
                return None

    return asyncio.run(run()), recorded, [name for name, _ in work.started], heard, work


@settings(max_examples=25, deadline=None)
@given(definition=definitions(200), at=st.integers(1, 60))
def test_a_graph_that_is_cancelled_at_any_moment_has_done_a_part_of_the_same_and_begins_nothing_more(definition, at):
    expected, edges = interpret(definition)

    ended, recorded, started, heard, work = struck(definition, at)

    assert work.under_way == 0
    if heard and ended is None:
        assert len(started) == heard[0]
    begun = {(one.path, one.number) for one in recorded if one.status == "running"}
    assert begun <= {(one.path, one.number) for one in recorded if one.status != "running"}
    for one in recorded:
        if one.status in {"success", "skipped", "failed"}:
            assert one.status == expected[one.path][0]
    for name, settled in work.started:
        assert {source for source, _, target in edges if target == name} <= settled
