"""execute(): one run of a flow, from its inputs to how it ended, each attempt recorded as it happens."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from flows.control import Control
from flows.execution import Execution
from flows.view import View
from flows.whole import run_whole
from flows.world import Run, World

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flows.attempt import Attempt, Record
    from flows.flow import Flow
    from flows.rest import Rest
    from flows.step import Ended

__all__ = ["World", "execute"]


async def execute(
    flow: Flow,
    inputs: Mapping[str, Any],
    *,
    run_id: str,
    world: World,
    record: Record,
    recorded: Sequence[Attempt] = (),
    control: Control | None = None,
    rest: Rest | None = None,
) -> Ended:
    """Run a flow to its end. Raises what `record` raised, and CancelledError after all is cancelled.

    `inputs` are coerced already. `recorded` is what an earlier process recorded of this run, in order: what is final there is
    not run again. `control` is what the world outside wants of it. A cancelled run with handlers ends, as cancelled, after them;
    one without raises.

    What `record` returns is a Future, or another awaitable that runs by itself: it is awaited only where a step that touched
    the world must be on disk before others start. `rest` tells when all that is under way only waits, so that the run may be
    left (cancelled, and executed again from its records), and can hold it back.
    """
    run = Run(run_id, world, record, recorded, control, rest)
    given = dict(inputs)  # expressions walk through dicts, and through nothing else
    execution = Execution(run, flow.graph, View(given, {}, {}, dict(world.env), given), subflows=flow.pinned)
    try:
        if control is None and flow.graph.handlers is None:
            ended = await execution.run()
        else:
            ended = await run_whole(execution, run.control)
    except asyncio.CancelledError:
        if recorded and not run.control.leaving():
            run.note_interrupted()
        raise
    except BaseException:  # a RecordError, or a group of them
        if run.record_failure is not None:
            raise run.record_failure from None
        raise
    if recorded:
        run.note_interrupted()
    return ended
