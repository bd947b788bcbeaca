"""Triggers tried out: their own tests, events made by hand that start nothing, and such that do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import time
from typing import Any

from daemon.errors import BadRequest, NotFound
from daemon.intake import fitted
from daemon.operations.events import Events
from daemon.operations.runs import Runs
from daemon.operations.triggers import Triggers
from daemon.shapes import MEANINGS
from flows.errors import DefinitionError
from flows.suggest import did_you_mean
from triggers.by_hand import check_event, manual_event
from triggers.match import TriggerSet, match
from triggers.trigger import Trigger
from triggers.verdict import Verdict

# What is recorded is an event of its own, also where it is made of an earlier one's document.
NOT_OF_A_NEW_EVENT = ("id", "chain")
MEANINGS_NOW = {**MEANINGS, "dispatched": "a run would be queued"}


@dataclass(frozen=True, slots=True)
class _Tried:
    """What an event would mean to a trigger."""

    verdict: Verdict
    inputs: dict[str, Any] | None  # None: it does not fire

    def as_json(self) -> dict[str, Any]:
        verdict = self.verdict
        return {
            "fires": self.inputs is not None,
            "verdict": verdict.verdict,
            "reason": verdict.reason or MEANINGS_NOW.get(verdict.verdict, verdict.verdict.replace("_", " ")),
            "detail": None if verdict.detail is None else dict(verdict.detail),
            "inputs": self.inputs,
        }


class Trials(Triggers, Runs, Events):
    """What can be tried of triggers."""

    __slots__ = ()

    async def test_triggers(self, keys: Sequence[str] = ()) -> dict[str, Any]:
        """Run the tests of these triggers' definitions, or of all that have some. Nothing is stored or started. Raises NotFound."""
        current = self.definitions.current
        chosen = [self._trigger(key) for key in keys] or sorted(current.triggers, key=lambda trigger: trigger.key)
        # In a thread: a home may have thousands of them, and events come in meanwhile.
        results = await asyncio.to_thread(lambda: [result for trigger in chosen for result in self._results(trigger)])
        passed = sum(result["passed"] for result in results)
        untested = [trigger.key for trigger in chosen if not trigger.tests]
        return {"passed": passed, "failed": len(results) - passed, "results": results, "untested": untested}

    async def test_trigger(self, key: str, event: Mapping[str, Any]) -> dict[str, Any]:
        """What would become of this event for one trigger. Nothing is stored or started. Raises NotFound, DefinitionError."""
        trigger = self._trigger(key)
        tried = await asyncio.to_thread(self._try, trigger, _checked(event))
        return {"trigger": key, "enabled": trigger.enabled, **tried.as_json()}

    async def fire_trigger(self, key: str, event: Mapping[str, Any], *, wait_s: float = 0) -> dict[str, Any]:
        """Make an event for one trigger, as its source would have made it: recorded, with its verdict and its run.

        With `wait_s` the run's end is waited for. Raises Unreachable, NotFound, DefinitionError, and Unavailable.
        """
        live = self._live()
        if self.definitions.current.trigger(key) is None:
            await self._look_again()
        trigger = self._trigger(key)
        given = {name: value for name, value in _checked(event).items() if name not in NOT_OF_A_NEW_EVENT}
        accepted = await live.accept(manual_event(trigger, given, now=time()))
        return await self._told_of(accepted.event_id, wait_s)

    async def send_event(self, path: str, given: Mapping[str, Any], *, wait_s: float = 0) -> dict[str, Any]:
        """Hand in a request to a hook, for all triggers there, without asking for their auth. Raises as fire_trigger() does."""
        live, given = self._live(), _checked(given)
        try:
            event = live.request(path, given)
        except LookupError as methods:
            raise BadRequest(f"the hook {path} does not take {given['method']}", f"it takes {methods}") from methods
        if event is None:
            hooks = self.definitions.current.set.addresses("webhook")
            raise NotFound(f"nothing listens at {path}", did_you_mean(path, hooks) or "camshaft trigger list")
        accepted = await live.accept(event)
        return await self._told_of(accepted.event_id, wait_s)

    async def _told_of(self, event: str, wait_s: float) -> dict[str, Any]:
        """What became of an event that was just handed in: its verdicts in words, its runs, and how these ended."""
        explained = await self.explain_event(event)
        runs = [line["run"] for line in explained["explanations"] if line["run"] is not None]
        ended = [await self.show_run(run, wait_s=wait_s) for run in runs] if wait_s > 0 else []
        return {"event": event, "verdicts": explained["explanations"], "runs": runs, "ended": ended}

    def _results(self, trigger: Trigger) -> list[dict[str, Any]]:
        results = []
        for test in trigger.tests:
            tried = self._try(trigger, test.event)
            differences = test.differences(tried.verdict, tried.inputs)
            results.append(
                {
                    "trigger": trigger.key,
                    "test": test.name,
                    "passed": not differences,
                    "differences": differences,
                    **tried.as_json(),
                }
            )
        return results

    def _try(self, trigger: Trigger, event: Mapping[str, Any]) -> _Tried:
        """Matching and coercion as intake has them. A trigger that is switched off is tried as if it were on."""
        made = manual_event(trigger, event, now=time())
        (found,) = match(TriggerSet([replace(trigger, enabled=True)]), made)
        if found.inputs is None:
            return _Tried(found.verdict, None)
        return _Tried(*fitted(found.verdict, found.inputs, self.definitions.current.flows[trigger.flow]))


def _checked(event: Any) -> Mapping[str, Any]:
    """Raises BadRequest or DefinitionError for what is no part of an event's document."""
    if not isinstance(event, Mapping):
        raise BadRequest("an event is an object: the part of its document that matters", '{"body": {…}}')
    problems = check_event(event)
    if problems:
        raise DefinitionError(*problems)
    return event
