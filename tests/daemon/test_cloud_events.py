"""CloudEvents from the real SDK to rows on disk: three modes, copies, batches that stand or fall together."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import aiohttp
import pytest
from cloudevents.core.bindings import http as sdk
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from daemon.intake import AT_A_TIME, Intake
from daemon.store import open_store
from daemon.stream import Stream
from flows.dialects import load_flow
from flows.steps import make_kinds
from triggers.load import load_trigger
from triggers.match import TriggerSet
from triggers.sources.webhook import WebhookSource

BATCHED = "application/cloudevents-batch+json"
TRIGGER = {
    "key": "one",
    "trigger": {"type": "webhook", "path": "/events", "filter": "$.type === 'order.paid' && $.cloudEvent.region === 'eu'"},
    "flow": "work",
    "inputMapping": {"order": "$.body.order", "subject": "$.subject"},
}


class World:
    def __init__(self, store, source, client, told):
        self.store, self.source, self.client, self.told = store, source, client, told

    async def post(self, body, headers):
        async with self.client.post(f"{self.source.url}/events", data=body, headers=headers) as response:
            return response.status, await response.json()

    async def rows(self):
        return await self.store.events(limit=1000), await self.store.runs(limit=1000)


@pytest.fixture
async def world(tmp_path):
    """A listener, an intake and a store, as the daemon composes them."""
    flow = load_flow(
        {"key": "work", "steps": [{"id": "a", "type": "transform", "transform": {"expression": "1"}}]},
        key=None,
        folder=tmp_path,
        kinds=make_kinds(),
    )
    triggers = TriggerSet([load_trigger(TRIGGER, key=None, file=None)])
    rules = SimpleNamespace(set=triggers, flows={"work": flow})
    source = WebhookSource(WebhookSource.Settings(listen="127.0.0.1:0"), secret=lambda _: b"")
    source.update(triggers.triggers)
    async with open_store(tmp_path / "camshaft.db", token="daemon-1") as store:
        stream = Stream()
        told = []
        stream.tell = lambda kind, facts: told.append((kind, facts))
        intake = Intake(store, lambda: rules, lambda _: None, lambda _: None, stream=stream)
        async with source.open(intake), aiohttp.ClientSession() as client:
            yield World(store, source, client, told)


def event(number=1, **more):
    attributes = {"id": f"order-{number}", "source": "/shop", "type": "order.paid", "subject": f"orders/{number}", "region": "eu"}
    return CloudEvent({**attributes, **more}, {"order": number})


def in_batch(*events):
    return b"[" + b",".join(sdk.to_structured(one, JSONFormat()).body for one in events) + b"]"


@pytest.mark.parametrize("write", [sdk.to_structured, sdk.to_binary], ids=["structured", "binary"])
async def test_what_the_sdk_sends_starts_a_run_with_what_it_said(world, write):
    message = write(event(more="x"), JSONFormat())

    status, said = await world.post(message.body, message.headers)
    (listed,), (run,) = await world.rows()
    stored = await world.store.event(listed.id)

    assert (status, said["event"], said["runs"]) == (202, stored.id, [run.id])
    assert run.inputs == {"order": 1, "subject": "orders/1"}
    assert (stored.subject, stored.document["id"], stored.document["chain"]["id"]) == ("orders/1", "order-1", stored.id)


async def test_a_copy_of_an_event_is_a_duplicate_in_whichever_mode_it_comes(world):
    structured, binary = sdk.to_structured(event(), JSONFormat()), sdk.to_binary(event(), JSONFormat())

    _, first = await world.post(structured.body, structured.headers)
    again, second = await world.post(binary.body, binary.headers)
    in_a_batch, third = await world.post(in_batch(event(), event(2), event(2)), {"Content-Type": BATCHED})
    events, runs = await world.rows()

    assert (again, second["event"], second["runs"]) == (200, first["event"], [])
    assert (in_a_batch, third["events"][0]["event"]) == (202, first["event"])
    assert third["events"][1]["event"] == third["events"][2]["event"]
    assert [len(one["runs"]) for one in third["events"]] == [0, 1, 0]
    assert (len(events), len(runs)) == (2, 2)


async def test_a_batch_is_one_transaction(world):
    await world.store.drained()
    before = world.store.tally()[0]

    status, said = await world.post(in_batch(*map(event, range(200))), {"Content-Type": BATCHED})
    events, runs = await world.rows()

    assert (status, len(said["events"]), len(events), len(runs)) == (202, 200, 200, 200)
    assert world.store.tally()[0] == before + 1
    assert [kind for kind, _ in world.told] == ["event", "verdict", "run"] * 200
    assert [one["event"] for one in said["events"]] == sorted(stored.id for stored in events)
    assert len(said["events"]) > AT_A_TIME  # it was decided in more than one go


async def test_a_batch_that_cannot_be_written_is_503_and_its_repetition_doubles_nothing(world):
    await world.post(in_batch(event(1)), {"Content-Type": BATCHED})
    batch = in_batch(event(1), event(2), event(3))
    world.store._database._connection.command("PRAGMA query_only = 1")

    refused, _ = await world.post(batch, {"Content-Type": BATCHED})
    nothing_new = len((await world.rows())[0])
    world.store._database._connection.command("PRAGMA query_only = 0")
    async with asyncio.timeout(30):
        while (answer := await world.post(batch, {"Content-Type": BATCHED}))[
            0
        ] == 503:  # until the store has asked the disk again
            await asyncio.sleep(0.02)
    status, said = answer
    events, runs = await world.rows()

    assert (refused, nothing_new) == (503, 1)
    assert (status, [len(one["runs"]) for one in said["events"]]) == (202, [0, 1, 1])
    assert (len(events), len(runs)) == (3, 3)


async def test_events_that_the_filter_refuses_are_on_disk_with_their_reason(world):
    status, said = await world.post(in_batch(event(1, region="us"), event(2)), {"Content-Type": BATCHED})

    assert status == 202
    assert [one["verdicts"] for one in said["events"]] == [{"one": "filter_false"}, {"one": "dispatched"}]
    assert json.loads(json.dumps(said))["events"][0]["runs"] == []
