"""Random flows that are cancelled, lose their process or are done again at random moments: nothing starts that should not, and what is left is the same."""

import asyncio
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from flows.again import Again, taken_over
from flows.control import Control
from flows.dialects import load_flow
from flows.errors import StepError
from flows.executor import World, execute
from flows.references import all_steps
from flows.step import Output
from flows.steps import make_kinds

HANDLERS = ("onFailure", "onCancel", "finally")


class WorkSpec(BaseModel):
    pauses: int
    fails: bool  # until it is mended
    always: bool  # whatever is done
    reads: list[str]


class Work:
    """Pauses, then fails or gives its name and what the steps it reads gave: so that a wrong order is another output."""

    name = section = "work"
    effects, container = True, False
    Settings, Spec = BaseModel, WorkSpec

    def __init__(self):
        self.started = []
        self.mended = False
        self.moment = None  # (number of starts, what is done then)

    def prepare(self, spec, _load):
        return spec

    async def run(self, prepared, scope):
        self.started.append(scope.path)
        if self.moment is not None and len(self.started) == self.moment[0]:
            self.moment[1]()
        for _ in range(prepared.pauses):
            await asyncio.sleep(0)
        if prepared.always or (prepared.fails and not self.mended):
            raise StepError("boom", code="BOOM", retryable=True)
        steps = scope.names["steps"]
        item = scope.names["loop"].get("item", "")
        return Output([scope.path.rpartition("/")[2], item, *(steps.get(name, {}).get("output") for name in prepared.reads)])

    async def close(self):
        """Nothing is held."""


class Drawn:
    """Draws one flow, with the sub-flows that it calls."""

    def __init__(self, random, *, handlers):
        self.random = random
        self.handlers = handlers
        self.flows = {}
        self.count = 0

    def flow(self, depth=0):
        random = self.random
        steps = self.steps(depth, random.randint(1, 4))
        drawn = {"steps": steps}
        for name in HANDLERS if self.handlers else ():
            if random.random() < 0.5:
                drawn[name] = [self.leaf([], fails=0.1) for _ in range(random.randint(1, 2))]
        return drawn

    def steps(self, depth, most, *, beside=False):
        random = self.random
        by_needs, steps = beside or random.random() < 0.5, []
        for _ in range(most):
            names = [step["id"] for step in steps]
            needs = random.sample(names, random.randint(0, min(2, len(names)))) if by_needs else names[-1:]
            step = self.container(depth) if depth < 2 and random.random() < 0.35 else self.leaf(needs)
            if by_needs:
                step["needs"] = needs
            steps.append(step)
        return steps

    def leaf(self, reads, fails=0.2):
        random = self.random
        self.count += 1
        work = {"pauses": random.randrange(4), "fails": random.random() < fails, "always": False, "reads": list(reads)}
        step = {"id": f"n{self.count}", "type": "work", "work": work}
        if random.random() < 0.15:
            work |= {"always": True, "fails": False}
            step["onError"] = {"strategy": "continue"}
        elif random.random() < 0.3:
            step["onError"] = {"strategy": "retry", "retries": 1, "retryDelayMs": random.choice([0, 1])}
        if random.random() < 0.1:
            step["if"] = "false"
        return step

    def container(self, depth):
        random = self.random
        self.count += 1
        name, kind = f"c{self.count}", random.choice(["parallel", "loop", "condition", "flow"])
        if kind == "flow":
            key = f"sub{self.count}"
            self.flows[key] = {"key": key, **self.flow(depth + 1)}
            return {"id": name, "type": "flow", "flow": {"key": key}}
        inner = self.steps(depth + 1, random.randint(1, 3), beside=kind == "parallel")
        section = {
            "parallel": {"steps": inner},
            "loop": {"over": ["x", "y", "z"][: random.randint(0, 3)], "maxConcurrency": random.choice([1, 2]), "steps": inner},
            "condition": {"expression": "true", "then": inner},
        }[kind]
        return {"id": name, "type": kind, kind: section}


@st.composite
def flows(draw, *, handlers=False):
    drawing = Drawn(draw(st.randoms(use_true_random=False)), handlers=handlers)
    return drawing.flow(), drawing.flows


class Stage:
    """One drawn flow, executed as often as one likes. What is recorded stays."""

    def __init__(self, drawn):
        main, others = drawn
        self.work = Work()
        self.kinds = {**make_kinds(), "work": self.work}
        loaded = {}
        for key, each in others.items():  # inner ones come first
            flow = load_flow(each, key=None, folder=Path(), kinds=self.kinds)
            object.__setattr__(flow, "pinned", {name: loaded[name] for name in flow.subflows})
            loaded[key] = flow
        self.flow = load_flow({"key": "main", **main}, key=None, folder=Path(), kinds=self.kinds)
        object.__setattr__(self.flow, "pinned", {name: loaded[name] for name in self.flow.subflows})
        self.world = World(self.kinds, loaded.__getitem__, None)
        self.attempts = []
        self.endings = []
        self.heard_after = None  # so many had started when a cancel was heard

    async def execute(self, *, at=0, then=None, **said):
        """`then`: «cancel» or «crash», at the start of the `at`th step. None: it lost its process."""
        leaving = []

        async def keep(ending):
            self.endings.append(ending)

        control = Control(keep=keep, leaving=lambda: bool(leaving), **said)

        def note(attempt):
            if attempt.status != "cancelled" or not leaving:
                self.attempts.append(attempt)

        work = execute(
            self.flow, {}, run_id="r", world=self.world, record=note, recorded=tuple(self.attempts), control=control
        )  # fmt: skip
        task = asyncio.ensure_future(work)

        def strike():
            if then == "crash":
                leaving.append(True)
            elif then == "cancel":
                control.cancelled = "enough"
            task.cancel()
            asyncio.get_running_loop().call_soon(heard)

        def heard():
            """What was to start in the very turn of the loop in which it was cancelled has started."""
            self.heard_after = len(self.work.started)

        self.work.moment = None if then is None else (len(self.work.started) + at, strike)
        try:
            async with asyncio.timeout(20):  # a run that hangs
                return await task
        except asyncio.CancelledError:
            return None

    def unended(self):
        """Tries that have begun and have no end."""
        ends = {(attempt.path, attempt.number) for attempt in self.attempts if attempt.status != "running"}
        return [attempt.path for attempt in self.attempts if (attempt.path, attempt.number) not in ends]


def plain(value):
    """Results without what takes time or counts tries."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items() if name not in {"durationMs", "attempts", "retries"}}
    return [plain(each) for each in value] if isinstance(value, list) else value


def of_handlers(paths):
    return [path for path in paths if any(f"/{path}".find(f"/{name}/") >= 0 for name in HANDLERS)]


@settings(max_examples=30, deadline=None)
@given(drawn=flows(handlers=True), at=st.integers(1, 12))
def test_after_a_cancel_nothing_starts_but_handlers_and_every_try_has_an_end(drawn, at):
    stage = Stage(drawn)

    ended = asyncio.run(stage.execute(at=at, then="cancel"))

    assert stage.unended() == []
    if stage.heard_after is not None and (ended is None or ended.status == "cancelled"):
        after = stage.work.started[stage.heard_after :]
        assert of_handlers(after) == after
    handlers = stage.flow.graph.handlers
    if handlers is not None and handlers.final is not None:
        assert any(path.startswith("finally/") for path in (attempt.path for attempt in stage.attempts))
    else:
        assert ended is None or ended.status in {"completed", "failed", "cancelled"}


@settings(max_examples=30, deadline=None)
@given(drawn=flows(handlers=True), at=st.integers(1, 12))
def test_a_run_that_is_to_stop_and_has_lost_its_process_starts_nothing_but_handlers(drawn, at):
    stage = Stage(drawn)
    ended = asyncio.run(stage.execute(at=at, then="crash"))
    if ended is not None:
        return  # it ended before
    stage.work.started.clear()
    kept = stage.endings[-1] if stage.endings else None

    ended = asyncio.run(stage.execute(cancelled="enough", ending=kept))

    assert ended is not None
    assert ended.status == "cancelled"
    assert stage.unended() == []
    assert of_handlers(stage.work.started) == stage.work.started


@settings(max_examples=25, deadline=None)
@given(drawn=flows(handlers=True), moments=st.lists(st.integers(1, 8), min_size=1, max_size=3))
def test_a_run_that_loses_its_process_again_and_again_comes_out_as_if_it_had_not(drawn, moments):
    whole, stage = Stage(drawn), Stage(drawn)
    expected = asyncio.run(whole.execute())

    for at in moments:
        if asyncio.run(stage.execute(at=at, then="crash", ending=stage.endings[-1] if stage.endings else None)) is not None:
            return
    ended = asyncio.run(stage.execute(ending=stage.endings[-1] if stage.endings else None))

    assert ended.status == expected.status
    if expected.status == "completed":
        assert plain(ended.output) == plain(expected.output)
        assert plain(ended.steps) == plain(expected.steps)
    assert stage.unended() == []


@settings(max_examples=30, deadline=None)
@given(drawn=flows())
def test_doing_a_failed_run_again_from_any_step_gives_what_it_gives_without_the_failure(drawn):
    whole, failed = Stage(drawn), Stage(drawn)
    whole.work.mended = True
    expected = asyncio.run(whole.execute())
    asyncio.run(failed.execute())

    for name in (None, *(step.id for step in all_steps(failed.flow.graph))):
        again = Stage(drawn)
        again.work.mended = True
        again.attempts = taken_over(Again(again.flow, again.flow, name), failed.attempts)
        kept = {attempt.path for attempt in again.attempts if attempt.kind == "work"}

        ended = asyncio.run(again.execute())

        assert (ended.status, plain(ended.output)) == (expected.status, plain(expected.output))
        assert plain(ended.steps) == plain(expected.steps)
        assert kept.isdisjoint(again.work.started)
        if name is not None and name.startswith("n"):
            assert name not in {path.rpartition(".")[2] for path in kept if "/" not in path}


@settings(max_examples=25, deadline=None)
@given(drawn=flows(), at=st.integers(1, 10))
def test_doing_a_cancelled_run_again_gives_what_it_gives_when_nobody_cancels(drawn, at):
    whole, cancelled, again = Stage(drawn), Stage(drawn), Stage(drawn)
    whole.work.mended = again.work.mended = True
    expected = asyncio.run(whole.execute())
    asyncio.run(cancelled.execute(at=at, then="cancel"))
    again.attempts = taken_over(Again(again.flow, again.flow), cancelled.attempts)

    ended = asyncio.run(again.execute())

    assert (ended.status, plain(ended.output)) == (expected.status, plain(expected.output))
    assert plain(ended.steps) == plain(expected.steps)
