"""Events, runs and attempts as the store's suites write them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from daemon.store.rows import Candidate, Run
from flows.attempt import Attempt
from triggers.event import Event
from triggers.ids import new_id
from triggers.verdict import Verdict


def an_event(**changes):
    base = Event(new_id("evt"), "webhook", "/deal-created", 1000.0, {"body": {"company": "Acme"}})
    return replace(base, **changes)


def a_run(event, **changes):
    base = Run(
        id=new_id("run"),
        flow="deal-process",
        flow_digest="f" * 64,
        status="queued",
        inputs={"companyName": "Acme"},
        created_at=1000.0,
        event=event.id,
        trigger="auto",
        trigger_digest="t" * 64,
        owner="daemon-1",
        chain=event.id,
    )
    return replace(base, **changes)


def dispatched(run, **changes):
    verdict = Verdict(run.trigger, "dispatched", run=run.id)
    return Candidate(verdict, "t" * 64, run, **changes)


def an_attempt(path="fetch", number=1, status="success", **changes):
    base = Attempt(path, path, "http", number, status, 1001.0, 12, {"ok": True}, effects=True)
    return replace(base, **changes)


def finish(store, run, attempts):
    """How a run ended, awaited."""
    done = asyncio.get_running_loop().create_future()
    store.finish(run, attempts, lambda error: done.set_result(None) if error is None else done.set_exception(error))
    return done


async def accepted_run(store, **changes):
    event = an_event()
    run = a_run(event, **changes)
    await store.accept(event, [dispatched(run)])
    return run
