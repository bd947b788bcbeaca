"""Random loops back to a node against an interpreter that walks from node to node."""

import asyncio
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from flows.dialects import load_flow
from flows.executor import World, execute
from tests.flows.test_dialect_nodes import ask, calc, edge, flow
from tests.flows.test_nodes_loops import KINDS, back

DEPTH = 3  # of loops inside loops


@st.composite
def programs(draw):
    """Rows of nodes, some of which are loops around rows: numbers are counted up, asked about, and handed back."""
    random = draw(st.randoms(use_true_random=False))
    nodes, edges, names = [], [], iter(range(1000))

    def lead(ends, name):
        edges.extend(edge(source, name, answer) for source, answer in ends)

    def work(ends):
        name = f"n{next(names)}"
        nodes.append(calc(name, f"(typeof data === 'object' ? data.input : data) + {random.randrange(1, 4)}"))
        lead(ends, name)
        return name, [(name, None)]

    def loop(ends, depth):
        first, ends = work(ends)
        ends = rows(ends, random.randrange(3), depth - 1)
        leaves = random.random() < 0.5
        if leaves:
            name = f"c{next(names)}"
            nodes.append(ask(name, f"(typeof data === 'object' ? data.input : data) % {random.randrange(2, 9)} !== 0"))
            lead(ends, name)
            ends = [(name, "true")]
            if random.random() < 0.5:
                _, ends = work(ends)
        last = f"l{next(names)}"
        config = {"maxIterations": random.randrange(1, 6)}
        if random.random() < 0.5:
            config["condition"] = f"(typeof data === 'object' ? data.input : data) % {random.randrange(2, 9)} !== 1"
        nodes.append(back(last, first, **config))
        lead(ends, last)
        out = [(last, None)]
        if leaves:
            left = f"x{next(names)}"
            nodes.append(calc(left, "data.input + 1"))
            lead([(name, "false")], left)
            if depth < DEPTH or random.random() < 0.5:  # inside another loop what is left leads on to its loop node
                return [(left, None)]  # what stands behind the loop node itself is nothing
        return out

    def rows(ends, count, depth):
        for _ in range(count):
            ends = loop(ends, depth) if depth and random.random() < 0.6 else work(ends)[1]
        return ends

    start = "n" + str(next(names))
    nodes.append(calc(start, "0"))
    rows([(start, None)], draw(st.integers(1, 4)), DEPTH)
    random.shuffle(nodes)
    return flow(*nodes, edges=edges)


def walk(definition):
    """(node, what it gave) in order: one node after the other, along the edges, back along the loops."""
    nodes = {node["id"]: node for node in definition["nodes"]}
    edges = {(each["source"], each.get("condition")): each["target"] for each in definition["edges"]}
    led_to = {each["target"] for each in definition["edges"]}
    (name,) = [name for name in nodes if name not in led_to]
    data, rounds, trace = None, {}, []

    def number(value):
        return value["input"] if isinstance(value, dict) else value

    while name is not None:
        config = nodes[name]["config"]
        if "expression" in config:
            given = config["expression"]
            data = 0 if given == "0" else number(data) + int(given.rpartition("+ ")[2])
            following = edges.get((name, None))
        elif "targetNode" in config:
            rounds[name] = rounds.get(name, 0) + 1
            asked = config.get("condition")
            goes = asked is None or number(data) % int(asked.split("% ")[1].split(" ")[0]) != 1
            data = number(data)
            again = goes and rounds[name] < config["maxIterations"]
            if not again:
                rounds[name] = 0
            following = config["targetNode"] if again else edges.get((name, None))
        else:
            result = number(data) % int(config["condition"].split("% ")[1].split(" ")[0]) != 0
            asked, answer = config["condition"], str(result).lower()
            data = {"condition": asked, "result": result, "branch": edges.get((name, answer)), "input": data}
            following = edges.get((name, answer))
            if following is not None and following.startswith("x"):
                rounds = forgotten(definition, name, rounds)
        trace.append((name, data))
        name = following
    return trace


def forgotten(definition, condition, rounds):
    """A loop that is left by its condition begins anew when it is come to again."""
    edges = {(each["source"], each.get("condition")): each["target"] for each in definition["edges"]}
    name = edges[condition, "true"]
    while not name.startswith("l"):
        name = edges[name, None]
    return {**rounds, name: 0}


def perform(definition, recorded=()):
    loaded = load_flow(definition, key="k", folder=Path(), kinds=KINDS)
    attempts = []

    async def work():
        async with asyncio.timeout(30):
            return await execute(
                loaded, {}, run_id="r", world=World(KINDS, None, None), record=attempts.append, recorded=recorded
            )

    return asyncio.run(work()), attempts


@settings(max_examples=150, deadline=None)
@given(definition=programs())
def test_random_loops_agree_with_one_who_walks_from_node_to_node(definition):
    expected = walk(definition)

    ended, attempts = perform(definition)

    loops = {attempt.path for attempt in attempts if any(other.path.startswith(f"{attempt.path}[") for other in attempts)}
    came = [(attempt.step, attempt.output) for attempt in attempts if attempt.status == "success" and attempt.path not in loops]
    assert ended.status == "completed"
    assert came == expected


@settings(max_examples=15, deadline=None)
@given(definition=programs(), data=st.data())
def test_a_loop_that_was_cut_anywhere_comes_to_the_same_end_and_runs_nothing_recorded_again(definition, data):
    ended, attempts = perform(definition)
    every = (
        range(len(attempts) + 1)
        if len(attempts) < 25
        else sorted(data.draw(st.sets(st.integers(0, len(attempts)), min_size=8, max_size=16)))
    )

    for cut in every:
        again, more = perform(definition, attempts[:cut])

        assert again.status == ended.status
        assert again.output == ended.output
        assert {name: each["status"] for name, each in again.steps.items()} == {
            name: each["status"] for name, each in ended.steps.items()
        }
        assert not {one.path for one in attempts[:cut]} & {one.path for one in more}
        assert sorted(one.path for one in [*attempts[:cut], *more]) == sorted(one.path for one in attempts)
