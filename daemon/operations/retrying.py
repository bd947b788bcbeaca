"""Runs are done again: a new run, with its own end, that takes over what need not be done twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from daemon.errors import BadRequest, Conflict, DaemonError, NotFound
from daemon.operations.given import MAX_LISTED
from daemon.operations.stopping import Stopping
from daemon.store.outputs import as_resumed
from daemon.store.rows import LIVE, Run
from flows.again import Again, taken_over
from flows.errors import DefinitionError, Problem
from triggers.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flows.attempt import Attempt
    from flows.flow import Flow

START, FAILED = "start", "failed"
ENDED = ("completed", "failed", "cancelled")
MAX_RETRIED = 1000  # runs in one bulk: each is read and written whole


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a run is to be done again."""

    from_: str | None = None  # start, failed, or a step's id; None: failed where it did not complete, else start
    definition: Literal["pinned", "current"] | None = None  # None: current from the start, else pinned
    inputs: Mapping[str, Any] = field(default_factory=dict)  # in the place of the run's own of these names


class Retrying(Stopping):
    """What can be asked of runs that have ended."""

    __slots__ = ()

    async def retry_run(self, run: str, wanted: Wanted = Wanted()) -> dict[str, Any]:
        """Queue a new run that does this one again. Raises NotFound, Conflict (it has not ended), DefinitionError (its version, its
        inputs, or what is to be taken over do not fit).
        """
        live = self._live()
        found = await self._run(run)
        if found.status in LIVE:
            raise Conflict(f"{found.id} has not ended: it is {found.status}", "wait for its end, or camshaft run cancel")
        from_ = wanted.from_ or (START if found.status == "completed" else FAILED)
        definition = wanted.definition or ("current" if from_ == START else "pinned")
        pinned = await live.version_of(found)
        flow = self._in_force(found) if definition == "current" else _there(found, pinned)
        attempts = await self._taken_over(found, from_, flow, pinned, edited=bool(wanted.inputs))
        again = self._again(found, flow, _inputs(found, flow, wanted, fitted=definition == "pinned"))
        await live.start_again(again, attempts)
        copied = {attempt.path for attempt in attempts}
        return {
            "run": again.id,
            "retryOf": found.id,
            "from": from_,
            "definition": definition,
            "flowDigest": again.flow_digest,
            "copied": len(copied),
        }

    async def retry_runs(self, *, limit: int = 100, dry: bool = False, wanted: Wanted = Wanted(), **which: Any) -> dict[str, Any]:
        """The same for runs that ended so (`status`), of a `flow` or a `trigger`, `since` or `until`: the newest first, and none
        that was done again before. `dry`: only say which.
        """
        self._live()
        if which.get("flow") is None and which.get("trigger") is None:
            raise BadRequest("say which runs: those of a flow, or of a trigger", "--flow, --trigger")
        if not 1 <= limit <= MAX_RETRIED:
            raise BadRequest(f"limit is a number from 1 to {MAX_RETRIED}")
        if not set(which["status"]) <= set(ENDED):
            raise BadRequest("only runs that have ended are done again", f"status is one of {', '.join(ENDED)}")
        found = await self._to_retry(limit, which)
        retried, refused = [], []
        for run in () if dry else found:
            try:
                retried.append(await self.retry_run(run, wanted))
            except (DefinitionError, DaemonError) as error:
                refused.append({"run": run, "problem": str(error)})
        return {"found": found, "retried": retried, "refused": refused}

    async def _to_retry(self, limit: int, which: Mapping[str, Any]) -> list[str]:
        found: list[str] = []
        narrowed = {name: value for name, value in which.items() if value is not None}
        before = None
        while self.store is not None:
            page = await self.store.runs(**narrowed, limit=MAX_LISTED, before=before)
            for run in page:
                if not await self._retries(run.id):
                    found.append(run.id)
                if len(found) == limit:
                    return found
            before = page.next
            if before is None:
                break
        return found

    async def _taken_over(
        self, run: Run, from_: str, flow: Flow, pinned: Flow | str, *, edited: bool
    ) -> Sequence[Attempt]:  # fmt: skip
        if from_ == START:
            return ()
        step = None if from_ == FAILED else from_
        again, attempts = Again(_there(run, pinned), flow, step, edited=edited), as_resumed(run.attempts)
        return await asyncio.to_thread(taken_over, again, attempts)  # of a loop over 100,000 items that takes seconds

    def _in_force(self, run: Run) -> Flow:
        flow = self.definitions.current.flows.get(run.flow)
        if flow is None:
            raise NotFound(f"there is no flow «{run.flow}» any more", "--definition pinned takes the version that the run had")
        return flow

    def _again(self, run: Run, flow: Flow, inputs: dict[str, Any]) -> Run:
        """Of the same event, trigger and chain, and with as much time; it waits for its start as long as it must."""
        return Run(
            id=new_id("run"),
            flow=flow.key,
            flow_digest=flow.digest,
            status="queued",
            inputs=inputs,
            created_at=time.time(),
            event=run.event,
            trigger=run.trigger,
            trigger_digest=run.trigger_digest,
            priority=run.priority,
            chain=run.chain,
            depth=run.depth,
            finish_within=run.finish_within,
            retry_of=run.id,
        )


def _there(run: Run, pinned: Flow | str) -> Flow:
    if isinstance(pinned, str):
        hint = "--from start --definition current takes the version in force"
        raise DefinitionError(Problem(("definition",), f"{run.id} cannot be done again as it was: {pinned}", hint, code="RETRY"))
    return pinned


def _inputs(run: Run, flow: Flow, wanted: Wanted, *, fitted: bool) -> dict[str, Any]:
    """The run's own with those in their place, as the flow declares them."""
    if fitted and not wanted.inputs:
        return run.inputs
    values, problems = flow.inputs.coerce({**run.inputs, **wanted.inputs})
    if problems:
        raise DefinitionError(*(Problem(("inputs",), problem, code="INPUT_INVALID") for problem in problems))
    return values
