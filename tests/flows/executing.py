"""What tests of the executor share: kinds that are functions of the test, and a run of a graph with them."""

import asyncio
from itertools import pairwise
from pathlib import Path

from flows.errors import StepError
from flows.executor import World, execute
from flows.flow import Flow
from flows.graph import Edge, Graph
from flows.inputs import Inputs
from flows.step import Output
from flows.steps import make_kinds
from tests.flows.kind import Kind


class Call(Kind):
    """A plain kind: what it prepared is a function of the scope."""

    name = section = "call"
    effects = False

    def run(self, prepared, scope):
        return Output(prepared(scope))


class Work(Kind):
    """A kind with effects: what it prepared is a coroutine function of the scope."""

    name = section = "work"

    async def run(self, prepared, scope):
        return Output(await prepared(scope))


KINDS = {**make_kinds(), "call": Call(), "work": Work()}


def world(**changes):
    return World(KINDS, changes.pop("find_flow", None), changes.pop("secret", None), **changes)


def flow_of(steps, edges=(), **settings):
    graph = Graph(tuple(steps), tuple(edges), Path(), **settings)
    return Flow("test", "steps", graph, Inputs({}), Path(), None, "")


async def run(flow, inputs=None, record=None, **given):
    attempts = []

    def note(attempt):
        attempts.append(attempt)
        return None if record is None else record(attempt)

    async with asyncio.timeout(10):
        ended = await execute(flow, inputs or {}, run_id="run_1", world=given.pop("world", world()), record=note, **given)
    return ended, attempts


def row(*steps):
    return [Edge(source.id, target.id) for source, target in pairwise(steps)]


def gives(value):
    return lambda _scope: value


def fails(message="boom", **given):
    def raise_it(_scope):
        raise StepError(message, **{"code": "BOOM", **given})

    return raise_it


def failing_work(times, then="done", **given):
    """Fails so often, then gives a value."""
    left = [times]

    async def work(_scope):
        if left[0]:
            left[0] -= 1
            raise StepError("boom", **{"code": "BOOM", **given})
        return then

    return work


def told(attempts):
    return [(attempt.path, attempt.number, attempt.status) for attempt in attempts]
