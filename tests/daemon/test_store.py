"""The store's verbs: one suite over every database that the store speaks."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from time import time

import pytest

from daemon.store import open_store
from daemon.store.codec import plain
from daemon.store.errors import Ambiguous, Fenced
from daemon.store.rows import Candidate
from flows.usage import Usage
from tests.daemon.store_rows import a_run, accepted_run, an_attempt, an_event, dispatched, finish
from triggers.event import Cause
from triggers.verdict import Verdict


@pytest.fixture
async def store(location):
    async with open_store(location, token="daemon-1") as opened:
        yield opened


async def test_an_accepted_event_its_verdicts_and_its_run_are_there_when_accept_returns(store):
    event = an_event()
    run = a_run(event)
    not_fired = Candidate(Verdict("other", "filter_false", "`$.body.a` was false", {"values": {"$.body.a": 1}}))

    accepted = await store.accept(event, [dispatched(run), not_fired])
    kept = await store.event(event.id)
    kept_run = await store.run(run.id)

    assert accepted.runs == (run.id,)
    assert accepted.verdicts == {"auto": "dispatched", "other": "filter_false"}
    assert {row.trigger: (row.verdict, row.reason, row.run) for row in kept.verdicts} == {
        "auto": ("dispatched", None, run.id),
        "other": ("filter_false", "`$.body.a` was false", None),
    }
    assert kept.document == event.document
    assert kept_run == run


async def test_a_cause_makes_one_event_however_often_it_comes(store):
    cause = Cause("schedule:daily", "2026-11-23T09:00:00Z")
    first, second = an_event(cause=cause), an_event(cause=cause)

    one, two = await asyncio.gather(
        store.accept(first, [dispatched(a_run(first))]), store.accept(second, [dispatched(a_run(second))])
    )

    assert not one.duplicate
    assert (two.duplicate, two.event_id, two.runs) == (True, first.id, ())
    assert len(await store.events()) == 1
    assert len(await store.runs()) == 1


async def test_a_duplicate_cause_still_saves_the_sources_state(store):
    cause = Cause("schedule:daily", "slot")
    await store.accept(an_event(source="schedule", cause=cause), [])

    again = await store.accept(an_event(source="schedule", cause=cause, state={"daily": {"due": "next"}}), [])

    assert again.duplicate
    assert await store.load_state("schedule") == {"daily": {"due": "next"}}


async def test_a_cause_that_expired_may_come_again(store):
    cause = Cause("idempotency:auto", "key", ttl_s=60)
    await store.accept(an_event(cause=cause, time=1000.0), [])

    within = await store.accept(an_event(cause=cause, time=1059.0), [])
    after = await store.accept(an_event(cause=cause, time=1060.5), [])

    assert within.duplicate
    assert not after.duplicate


async def test_an_idempotency_key_that_was_seen_makes_that_triggers_verdict_a_duplicate_and_leaves_the_others(store):
    once = Cause("idempotency:auto", "delivery-7", ttl_s=3600)
    first, second = an_event(), an_event()
    await store.accept(first, [dispatched(a_run(first), once=once)])
    other = a_run(second, trigger="other")

    accepted = await store.accept(second, [dispatched(a_run(second), once=once), dispatched(other)])
    kept = await store.event(second.id)

    assert accepted.runs == (other.id,)
    assert accepted.verdicts == {"auto": "duplicate", "other": "dispatched"}
    assert first.id in next(row.reason for row in kept.verdicts if row.trigger == "auto")


async def test_a_run_is_finished_with_its_attempts_and_read_back_whole(store):
    run = await accepted_run(store)
    usage = Usage(8234, 3421, 37_000_000, ("claude",), 2, "proxy")
    attempts = [
        an_attempt(status="failed", output=None, error="status 503", code="HTTP_STATUS", final=False),
        an_attempt(number=2, usage=usage, cost_label="analysis", track=True),
    ]

    ended = replace(run, status="completed", started_at=1000.5, finished_at=1002.0, output={"n": 1}, attempts=tuple(attempts))
    await finish(store, ended, attempts)

    assert await store.run(run.id) == ended


async def test_an_attempt_that_began_and_then_ended_is_one_row_in_its_first_place(store):
    run = await accepted_run(store)
    begun, later = an_attempt("a", status="running", output=None, duration_ms=None), an_attempt("b")

    await store.record(run.id, [begun], starts_run_at=1000.5)
    await store.record(run.id, [later])
    await store.record(run.id, [an_attempt("a")])
    kept = await store.run(run.id)

    assert [(attempt.path, attempt.status) for attempt in kept.attempts] == [("a", "success"), ("b", "success")]
    assert (kept.status, kept.started_at) == ("running", 1000.5)


async def test_a_write_with_another_processs_token_changes_nothing_and_is_fenced(store):
    run = await accepted_run(store, owner="daemon-0")

    with pytest.raises(Fenced):
        await finish(store, replace(run, status="completed", finished_at=2.0), [])
    with pytest.raises(Fenced):
        await store.record(run.id, [an_attempt()])
    kept = await store.run(run.id)

    assert (kept.status, kept.attempts) == ("queued", ())


async def test_a_run_that_has_ended_cannot_end_again(store):
    run = await accepted_run(store)
    await finish(store, replace(run, status="completed", finished_at=1001.0), [])

    with pytest.raises(Fenced):
        await finish(store, replace(run, status="failed", finished_at=1002.0), [])

    assert (await store.run(run.id)).status == "completed"


async def test_a_poisoned_operation_fails_alone(store):
    good, bad = an_event(), an_event()
    twice = Candidate(Verdict("auto", "filter_false"))

    outcomes = await asyncio.gather(
        store.accept(good, [twice]),
        store.accept(bad, [twice, twice]),  # breaks the key: one verdict for an event and a trigger
        store.accept(an_event(), [twice]),
        return_exceptions=True,
    )

    assert [type(outcome).__name__ for outcome in outcomes] == ["Accepted", "Rejected", "Accepted"]
    assert await store.event(bad.id) is None
    assert len(await store.events()) == 2


async def test_an_operation_that_raises_anything_at_all_fails_alone_and_the_writer_goes_on(store):
    def broken(_connection):
        raise LookupError("a defect")

    outcomes = await asyncio.gather(
        store.accept(an_event(), []), store._writer.submit((), guard=broken), store.accept(an_event(), []), return_exceptions=True
    )

    assert [type(outcome).__name__ for outcome in outcomes] == ["Accepted", "LookupError", "Accepted"]
    assert len(await store.events()) == 2


async def test_what_gathers_while_a_commit_runs_shares_the_next_one(store):
    before = store.tally()[0]

    await asyncio.gather(*(store.accept(an_event(), []) for _ in range(500)))

    assert store.tally()[0] - before <= 3
    assert len(await store.events(limit=1000)) == 500


async def test_reconcile_takes_over_what_a_dead_daemon_left_and_nothing_that_ended_or_is_leased(location):
    async with open_store(location, token="daemon-1") as first:
        waiting = await accepted_run(first, priority=2)
        done = await accepted_run(first)
        await finish(first, replace(done, status="completed", finished_at=1.0), [])
    async with open_store(location, token="cli-1", leased=True) as command:
        leased = await accepted_run(command, owner="cli-1")

        async with open_store(location, token="daemon-2") as second:
            due = await second.reconcile(now=1000.0)
            claimed = await second.claim(waiting.id)

    assert [(found.run, found.epoch, found.priority, found.trigger) for found in due] == [(waiting.id, 1, 2, "auto")]
    assert (claimed.owner, claimed.epoch) == ("daemon-2", 1)
    assert leased.id not in {found.run for found in due}


async def test_what_a_later_process_records_comes_later_also_where_the_clock_was_set_back_meanwhile(location):
    async with open_store(location, token="daemon-1") as store:
        store._records.go_on_after((int(time()) + 10 * 86_400) * 1_000_000)  # its clock was ten days fast
        run = await accepted_run(store)
        await store.record(run.id, [an_attempt(status="interrupted"), an_attempt("other")])

    async with open_store(location, token="daemon-2") as store:
        await store.reconcile(now=2000.0)
        await store.record(run.id, [an_attempt(number=2)])
        found = await store.run(run.id)

    assert [(attempt.path, attempt.number) for attempt in found.attempts] == [("fetch", 1), ("other", 1), ("fetch", 2)]


async def test_a_lease_that_ran_out_is_taken_over_and_its_owner_is_fenced(location):
    async with open_store(location, token="cli-1", leased=True) as command:
        run = await accepted_run(command, owner="cli-1")
        async with open_store(location, token="daemon-2") as daemon:
            due = await daemon.reconcile(now=9_999_999_999.0)

        with pytest.raises(Fenced):
            await finish(command, replace(run, status="completed", finished_at=1.0), [])

    assert [found.run for found in due] == [run.id]


async def test_a_fresh_run_is_claimed_once_without_reading(store):
    run = await accepted_run(store)

    assert store.claim_fresh(run.id) == run
    assert store.claim_fresh(run.id) is None
    assert await store.claim(run.id) == run


async def test_a_run_of_another_owner_or_one_that_ended_is_not_claimed(store):
    foreign = await accepted_run(store, owner="daemon-0")
    ended = await accepted_run(store)
    await finish(store, replace(ended, status="failed", finished_at=1.0), [])

    assert await store.claim(foreign.id) is None
    assert await store.claim(ended.id) is None
    assert await store.claim("run_unknown") is None


async def test_a_unique_beginning_of_an_id_finds_its_row_and_an_ambiguous_one_names_the_candidates(store):
    event = an_event(id="evt_aaa1")
    await store.accept(event, [])
    await store.accept(an_event(id="evt_aaa2"), [])

    assert (await store.event("evt_aaa1")).id == "evt_aaa1"
    assert await store.event("evt_b") is None
    assert await store.event("") is None
    with pytest.raises(Ambiguous, match="evt_aaa1, evt_aaa2"):
        await store.event("evt_a")


async def test_lists_are_newest_first_filtered_and_paged(store):
    runs = [await accepted_run(store, flow=flow) for flow in ("a", "b", "a")]

    assert [run.id for run in await store.runs()] == [run.id for run in reversed(runs)]
    assert [run.id for run in await store.runs(flow="a", limit=1)] == [runs[2].id]
    assert [run.id for run in await store.runs(before=runs[1].id)] == [runs[0].id]
    assert len(await store.events(trigger="auto", verdict="dispatched")) == 3
    assert await store.events(verdict="duplicate") == []
    assert await store.unfinished() == ({"queued": 3}, 1000.0)


async def test_state_that_is_set_to_none_is_gone(store):
    await store.save_state("file-watch", {"a": {"size": 1}, "b": 2})
    await store.save_state("file-watch", {"a": None, "b": 3})

    assert await store.load_state("file-watch") == {"b": 3}
    assert await store.load_state("schedule") == {}


@pytest.mark.parametrize("letter", ["a", "ü", "😀", "\udcff", "\0"])
async def test_a_state_key_may_be_as_long_as_a_path_and_is_found_changed_and_gone_like_any_other(store, letter):
    path = "inbox:/" + "".join(f"{number:05}{letter}" for number in range(680))  # nothing in it that a database could pack
    other = path + "x"

    await store.save_state("file-watch", {path: {"size": 1}, other: {"key": "k", "value": 2}, "short": {"key": "k", "value": 3}})
    await store.save_state("file-watch", {path: {"size": 2}})
    kept = await store.load_state("file-watch")
    read = await (await store.reads()).state("file-watch")
    await store.save_state("file-watch", {path: None})

    assert kept == read == {plain(path): {"size": 2}, plain(other): {"key": "k", "value": 2}, "short": {"key": "k", "value": 3}}
    assert (await store.load_state("file-watch")).keys() == {plain(other), "short"}


@pytest.mark.parametrize("letter", ["a", "😀", "\udcff"])
async def test_a_cause_s_key_may_be_long_and_is_once_like_any_other(store, letter):
    key = "".join(f"{number:05}{letter}" for number in range(680))

    took = [await store.accept(an_event(cause=Cause("file:inbox", each)), []) for each in (key, key + "x", key)]

    assert [accepted.duplicate for accepted in took] == [False, False, True]


async def test_hostile_text_is_kept_in_a_form_that_every_database_takes(store):
    event = an_event(address="/a\ud800\0b", subject="\udcff", document={"body": "\ud800\0", "n": 10**30})
    verdict = Candidate(Verdict("auto", "filter_error", "bad \ud800\0"))

    await store.accept(event, [verdict])
    kept = await store.event(event.id)

    assert (kept.address, kept.subject) == ("/a\\ud800\\x00b", "\\udcff")
    assert kept.verdicts[0].reason == "bad \\ud800\\x00"
    assert kept.document["body"] == "\ud800\0"
    assert kept.document["n"] == 10**30
