"""A rehearsal in this process: a flow of a home, or in a file, run with stand-ins or only looked at. It is kept nowhere."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from daemon import shapes
from daemon.cli.agent import AgentLines
from daemon.cli.execution import Shown, config_for, explain_absence, stopped_by_signals
from daemon.cli.local import close_kinds, definitions_of, world_of
from daemon.config import read_config
from daemon.errors import BadRequest
from daemon.home.beside import FlowsBeside
from daemon.kinds import configured_kinds
from daemon.live import queued_run
from daemon.log import set_up_logs
from daemon.store.rows import Run
from flows.attempt import Attempt
from flows.dry_run import resolve_steps
from flows.executor import World
from flows.flow import Flow
from flows.rehearsal import Plan, Rehearsed, rehearse, steps_of
from flows.suggest import did_you_mean
from flows.view import View


def dry_run(place: Path, home: Path | None, flow: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Every reference of every step, looked up in what is known before anything runs."""
    return asyncio.run(_dry_run(place, home, flow, inputs))


def rehearse_flow(
    place: Path, home: Path | None, flow: str, inputs: Mapping[str, Any], plan: Plan, lines: AgentLines | None
) -> Shown:
    """The run as `flow execute` shows it, `stopped` where it stopped as planned; and whether Ctrl-C ended it."""
    return asyncio.run(_rehearse(place, home, flow, inputs, plan, lines))


async def _dry_run(place: Path, home: Path | None, flow: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    async with _stage(place, home, flow) as (loaded, world):
        values = queued_run(loaded, inputs, owner=None).inputs
        names = View(values, {}, {}, dict(world.env), values).names()
        return {"flow": loaded.key, "dryRun": True, "inputs": values, "steps": await resolve_steps(loaded.graph, names)}


async def _rehearse(
    place: Path, home: Path | None, flow: str, inputs: Mapping[str, Any], plan: Plan, lines: AgentLines | None
) -> Shown:
    async with _stage(place, home, flow) as (loaded, world):
        _check(plan, loaded)
        run, attempts = queued_run(loaded, inputs, owner=None), list[Attempt]()

        def hear(attempt: Attempt) -> None:
            attempts.append(attempt)
            if lines is not None:
                lines.attempt(attempt)

        if lines is not None:
            lines.begun(loaded.key, len(loaded.graph.steps), mock=plan.mock_effects or bool(plan.answers))
        run.started_at = time.time()
        work = asyncio.ensure_future(rehearse(loaded, run.inputs, plan, run_id=run.id, world=world, told=hear))
        with stopped_by_signals(work) as stopped:
            await asyncio.wait((work,))
        shown = _shown(run, attempts, Rehearsed() if work.cancelled() else work.result(), plan, cancelled=work.cancelled())
        return shown, bool(stopped)


def _shown(run: Run, attempts: list[Attempt], came: Rehearsed, plan: Plan, *, cancelled: bool) -> dict[str, Any]:
    run.finished_at, run.attempts = time.time(), attempts
    if came.ended is not None:
        run.status = cast("Any", came.ended.status)
        run.output, run.error, run.code = came.ended.output, came.ended.error, came.ended.code
    else:
        run.status = cast("Any", "cancelled" if cancelled else "stopped")
    stopped = {"stoppedAfter": plan.stop_after} if run.status == cast("Any", "stopped") else {}
    return shapes.run_shown(run) | stopped | ({} if came.resolved is None else {"resolved": came.resolved})


def _check(plan: Plan, flow: Flow) -> None:
    """Raise for a step that is not there: else a long flow would run to find that out."""
    known = steps_of(flow.graph)
    if plan.stop_after is not None and plan.stop_after not in known:
        raise BadRequest(f"--stop-after: the flow has no step «{plan.stop_after}»", did_you_mean(plan.stop_after, known))
    for name in plan.answers:
        if name not in known and "/" not in name and "[" not in name:
            raise BadRequest(f"--mock: the flow has no step «{name}»", did_you_mean(name, known))


@asynccontextmanager
async def _stage(place: Path, home: Path | None, flow: str) -> AsyncIterator[tuple[Flow, World]]:
    """The flow, of the home or in the file at `place`, and what its steps may reach."""
    in_home = place.is_dir()  # noqa: ASYNC240 - before anything else runs
    config = read_config(place) if in_home else config_for(place, home)
    set_up_logs("error", config.log.format)
    kinds = configured_kinds(config)
    try:
        if not in_home:
            beside = FlowsBeside(place, kinds)
            yield beside.first, world_of(config, kinds, beside)
            return
        definitions = await asyncio.to_thread(definitions_of, config, kinds)
        if flow not in definitions.flows:
            explain_absence(flow, definitions.flows, definitions.refused)
        yield definitions.flows[flow], world_of(config, kinds, definitions.flows)
    finally:
        await close_kinds(kinds)
