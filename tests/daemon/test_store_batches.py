"""Events that stand or fall together, over every database that the store speaks; and lists of them, page by page."""

from __future__ import annotations

import pytest

from daemon.store import open_store
from daemon.store.rows import Candidate, Run
from triggers.event import Cause, Event
from triggers.ids import new_id
from triggers.verdict import Verdict


@pytest.fixture
async def store(location):
    async with open_store(location, token="daemon-1") as opened:
        yield opened


def an_event(copy_of, queued):
    """An event that is once for its cause, with a run; what is told of it goes to `queued`."""
    event = Event(new_id("evt"), "webhook", "/orders", 1000.0, {"body": copy_of}, cause=Cause("cloudevents", copy_of))
    run = Run(new_id("run"), "deal", "f" * 64, "queued", {}, 1000.0, event=event.id, trigger="auto", owner="daemon-1")
    return event, [Candidate(Verdict("auto", "dispatched", run=run.id), "t" * 64, run)], queued.extend


async def test_of_two_copies_in_one_batch_the_second_is_the_duplicate_and_each_other_has_its_run(store):
    queued = []
    batch = [an_event(name, queued) for name in ("a", "b", "a")]

    first = await store.accept_all(batch)
    again = await store.accept_all([an_event("b", queued), an_event("c", queued)])

    assert [accepted.duplicate for accepted in (*first, *again)] == [False, False, True, True, False]
    assert (first[2].event_id, again[0].event_id) == (first[0].event_id, first[1].event_id)
    assert [run.id for run in queued] == [run for accepted in (*first, *again) for run in accepted.runs]
    assert {run.id for run in await store.runs()} == {run.id for run in queued}


async def test_a_batch_of_which_one_cannot_be_kept_keeps_none(store):
    queued = []
    kept = an_event("a", queued)
    await store.accept_all([kept])

    with pytest.raises(Exception, match=r"(?i)unique"):
        await store.accept_all([an_event("b", queued), (Event(kept[0].id, "webhook", "/x", 1.0, {}), [], queued.extend)])

    assert [event.id for event in await store.events()] == [kept[0].id]
    assert len(queued) == 1


async def test_pages_of_filtered_lists_hold_each_row_once(store):
    queued = []
    for number in range(7):
        await store.accept_all([an_event(str(number), queued)])
    found, before = [], None
    while True:
        page = await store.events(trigger="auto", verdict="dispatched", limit=3, before=before)
        found += [event.id for event in page]
        before = page.next
        if before is None:
            break

    assert found == [run.event for run in reversed(queued)]
