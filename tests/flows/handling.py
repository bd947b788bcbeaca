"""What tests of handlers share: kinds that say, hang and fail, and a stage on which a flow is run, cancelled and resumed."""

import asyncio
from pathlib import Path

import pytest

from flows.control import Control
from flows.dialects import load_flow
from flows.errors import StepError
from flows.executor import World, execute
from flows.step import Output
from flows.steps import make_kinds
from flows.value import compile_value
from tests.flows.kind import Kind


class Say(Kind):
    """Gives what it is told to say, made as a value; and keeps it in order."""

    name = section = "say"

    def __init__(self):
        self.said = []
        self.Spec = make_kinds()["transform"].Spec

    def prepare(self, spec, _load):
        return compile_value(spec.expression, lenient=True)

    async def run(self, prepared, scope):
        self.said.append(prepared.make(scope.names))
        return Output(self.said[-1])


class Hang(Kind):
    """Tells that it began and waits for ever, or until it is let go."""

    name = section = "hang"

    def __init__(self):
        self.begun = asyncio.Semaphore(0)
        self.go_on = asyncio.Event()

    async def run(self, _prepared, _scope):
        self.begun.release()
        await self.go_on.wait()
        return Output("went on")


class Boom(Kind):
    name = section = "boom"

    async def run(self, _prepared, _scope):
        raise StepError("boom", code="BOOM", retryable=False)


class Stage:
    """One flow with its kinds, executed once or, over a crash, several times."""

    def __init__(self, definition, **flows):
        self.say, self.hang = Say(), Hang()
        self.kinds = {**make_kinds(), "say": self.say, "hang": self.hang, "boom": Boom()}
        self.flow = self._load({"key": "main", **definition})
        found = {key: self._load({"key": key, **each}) for key, each in flows.items()}
        self.world = World(self.kinds, found.__getitem__, None)
        self.attempts = []
        self.endings = []

    def _load(self, definition):
        return load_flow(definition, key=None, folder=Path(), kinds=self.kinds)

    async def _keep(self, ending):
        self.endings.append(ending)

    def control(self, **said):
        return Control(keep=self._keep, **said)

    def start(self, control=None):
        """A task; what was recorded before is what it begins with."""
        recorded, self.attempts = list(self.attempts), list(self.attempts)
        control = control or self.control()
        work = execute(
            self.flow,
            {"who": "Ada"},
            run_id="run_1",
            world=self.world,
            record=self._note(control),
            recorded=recorded,
            control=control,
        )
        return asyncio.create_task(work)

    def _note(self, control):
        def note(attempt):
            if attempt.status != "cancelled" or not control.leaving():  # as the recorder does: it stays as it began
                self.attempts.append(attempt)

        return note

    async def run(self, control=None):
        async with asyncio.timeout(5):
            return await self.start(control)

    async def crash(self, control=None):
        """Execute until a step hangs, then lose the process: nothing more is recorded."""
        leaving = False
        control = control or self.control()
        control.leaving = lambda: leaving
        task = self.start(control)
        async with asyncio.timeout(5):
            await self.hang.begun.acquire()
        leaving = True
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    @property
    def ends(self):
        """path → the status of its last attempt."""
        return {attempt.path: attempt.status for attempt in self.attempts}


def say(name, text, **more):
    return {"id": name, "type": "say", "say": {"expression": text}, **more}


def hang(name, **more):
    return {"id": name, "type": "hang", "hang": {"expression": "1"}, **more}


def boom(name, **more):
    return {"id": name, "type": "boom", "boom": {"expression": "1"}, **more}


def call(name, key, **more):
    return {"id": name, "type": "flow", "flow": {"key": key}, **more}


ENDING = "{{$.status}} {{$.error | json}}"

ALL = {
    "onFailure": [say("failed", "onFailure " + ENDING)],
    "onCancel": [say("cancelled", "onCancel " + ENDING)],
    "finally": [say("last", "finally " + ENDING)],
}
