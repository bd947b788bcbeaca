"""Large outputs in files beside the store: one suite over every database that the store speaks."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
from dataclasses import replace

import pytest
import structlog

from daemon.store import open_store
from daemon.store.outputs import GRACE_S, Outputs
from daemon.store.rows import FollowUp
from flows.attempt import Attempt
from tests.daemon.store_rows import a_run, accepted_run, an_attempt, an_event, dispatched, finish
from triggers.source import Unavailable

OVER = 2048
LARGE = {"text": "ä" * 5000}
LIKE_A_REFERENCE = {"$spilled": "a" * 64, "bytes": 5}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "state" / "outputs"


@pytest.fixture
async def store(location, folder):
    async with open_store(location, token="daemon-1", outputs=Outputs(folder, OVER)) as opened:
        yield opened


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "lock")


def later():
    return time.time() + GRACE_S + 60


async def test_a_large_output_stands_in_a_file_under_its_digest_and_is_read_whole(store, folder):
    run = await accepted_run(store)

    await store.record(run.id, [an_attempt(output=LARGE, response={"raw": "x" * 3000})])
    kept = await store.run(run.id)
    claimed = await store.claim(run.id)

    assert (kept.attempts[0].output, kept.attempts[0].response) == (LARGE, {"raw": "x" * 3000})
    assert claimed.attempts == kept.attempts
    found = files(folder)
    assert len(found) == 2
    for path in found:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert (path.parent.name, path.name) == (digest[:2], f"{digest}.json")
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
    assert folder.stat().st_mode & 0o777 == 0o700


async def test_a_plain_steps_and_a_runs_output_are_spilled_too_and_one_value_makes_one_file(store, folder):
    run = await accepted_run(store)
    plain = Attempt("t", "t", "transform", 1, "success", 1001.0, 1, LARGE)

    await finish(store, _ended(run, LARGE), [plain, an_attempt("fetch", output=LARGE)])
    kept = await store.run(run.id)
    listed = await store.runs()

    assert (kept.output, [attempt.output for attempt in kept.attempts]) == (LARGE, [LARGE, LARGE])
    assert len(files(folder)) == 1
    assert listed[0].output is None  # a list reads no file


async def test_what_follows_from_a_run_is_written_with_its_large_end(store, folder):
    run = await accepted_run(store)
    event = an_event()
    done = asyncio.get_running_loop().create_future()

    store.finish(_ended(run, LARGE), [], done.set_result, [FollowUp(event, [dispatched(a_run(event))])])

    assert await done is None
    assert (await store.run(run.id)).output == LARGE
    assert (await store.event(event.id)).verdicts[0].verdict == "dispatched"


@pytest.mark.parametrize("value", [LIKE_A_REFERENCE, json.dumps(LIKE_A_REFERENCE), '{ "$spilled":"' + "a" * 64 + '","bytes":5}'])
async def test_a_value_that_looks_like_a_reference_is_a_value(store, value):
    run = await accepted_run(store)

    await finish(store, _ended(run, value), [an_attempt(output=value, response=value)])
    kept = await store.run(run.id)

    assert (kept.output, kept.attempts[0].output, kept.attempts[0].response) == (value, value, value)
    assert kept.code is None


async def test_small_outputs_touch_no_folder(store, folder):
    run = await accepted_run(store)

    await finish(store, _ended(run, {"ok": True}), [an_attempt()])

    assert not folder.exists()


@pytest.mark.parametrize("harm", ["removed", "damaged"])
async def test_an_output_that_is_lost_is_an_error_of_its_step_and_the_rest_is_readable(store, folder, harm):
    run = await accepted_run(store)
    await store.record(run.id, [an_attempt("big", output=LARGE), an_attempt("small")])
    (path,) = files(folder)
    if harm == "removed":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes().replace(b"x", b"y") + b" ")

    kept = await store.run(run.id)
    claimed = await store.claim(run.id)

    big, small = kept.attempts
    assert (big.status, big.code, big.output) == ("success", "OUTPUT_LOST", None)
    assert str(path) in big.error
    assert (small.output, small.code) == ({"ok": True}, None)
    assert (claimed.attempts[0].status, claimed.attempts[0].final) == ("failed", True)


async def test_files_go_with_the_rows_that_refer_to_them_and_not_before(store, folder):
    first, second = await accepted_run(store), await accepted_run(store)
    await finish(store, _ended(first, LARGE), [])
    await finish(store, _ended(second, LARGE), [])

    await store.prune(age_days=None, rows=1, now=later())
    shared = files(folder)
    await store.prune(age_days=None, rows=0, now=time.time())
    young = files(folder)
    await store.prune(age_days=None, rows=0, now=later())

    assert len(shared) == 1
    assert young == shared
    assert files(folder) == []


async def test_the_files_of_runs_by_hand_go_with_them(store, folder):
    run = _ended(replace(a_run(an_event()), event=None, trigger=None, trigger_digest=None), LARGE)
    run.status = "queued"
    await store.enqueue(run)
    run.status = "completed"
    await finish(store, run, [])

    await store.prune(age_days=0.01, rows=None, now=later())

    assert await store.runs() == []
    assert files(folder) == []


async def test_what_a_kill_left_is_swept_after_a_while_and_nothing_else(store, folder):
    run = await accepted_run(store)
    await store.record(run.id, [an_attempt(output=LARGE)])
    (kept,) = files(folder)
    orphan = folder / "ab" / f"{'ab' * 32}.json"
    half = folder / "ab" / f"{'ab' * 32}.json.0123abcd.tmp"
    stranger = folder / "ab" / "notes.txt"
    orphan.parent.mkdir(exist_ok=True)
    for path in (orphan, half, stranger):
        path.write_text("1")

    await store.prune(age_days=None, rows=None, now=time.time())
    at_once = files(folder)
    await store.prune(age_days=None, rows=None, now=later())

    assert at_once == sorted([kept, orphan, half, stranger])
    assert files(folder) == sorted([kept, stranger])


async def test_a_file_that_is_used_again_is_young_again_and_a_damaged_one_is_made_anew(store, folder):
    first, second = await accepted_run(store), await accepted_run(store)
    await store.record(first.id, [an_attempt(output=LARGE)])
    (path,) = files(folder)
    os.utime(path, (1, 1))

    await store.record(second.id, [an_attempt(output=LARGE)])
    young = path.stat().st_mtime
    path.write_bytes(bytes(path.stat().st_size))
    await store.record(second.id, [an_attempt("other", output=LARGE)])

    assert young > 1
    assert (await store.run(first.id)).attempts[0].output == LARGE


async def test_switched_off_everything_stays_in_the_row_and_earlier_files_are_still_read(location, folder):
    async with open_store(location, token="daemon-1", outputs=Outputs(folder, OVER)) as store:
        run = await accepted_run(store)
        await store.record(run.id, [an_attempt("early", output=LARGE)])

    async with open_store(location, token="daemon-1", outputs=Outputs(folder)) as store:
        await store.record(run.id, [an_attempt("late", output=LARGE | {"n": 1})])
        kept = await store.run(run.id)

    assert [attempt.output for attempt in kept.attempts] == [LARGE, LARGE | {"n": 1}]
    assert len(files(folder)) == 1


async def test_while_a_file_cannot_be_written_events_are_refused_and_the_record_waits(store, folder):
    run = await accepted_run(store)
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("in the way")

    with structlog.testing.capture_logs() as lines:
        recorded = store.record(run.id, [an_attempt(output=LARGE)])
        with pytest.raises(Unavailable):
            await store.accept(an_event(), [])
        failing = store.failing
        folder.unlink()
        await recorded

    assert failing
    assert [line["event"] for line in lines] == ["store.unavailable", "store.recovered"]
    assert (await store.run(run.id)).attempts[0].output == LARGE


def _ended(run, output):
    run.status, run.started_at, run.finished_at, run.output = "completed", 1001.0, 1002.0, output
    return run
