"""What is SQLite's alone: a file that shrinks, a stranger's lock, a disk that is full, a path of any letters."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing

import pytest
import structlog

from daemon.store import compiled, open_store
from daemon.store.errors import StoreError
from daemon.store.sqlite.connection import hint_for
from daemon.store.sqlite.database import SqliteConnection
from triggers.event import Event
from triggers.ids import new_id
from triggers.source import Unavailable


@pytest.fixture
async def store(tmp_path):
    async with open_store(tmp_path / "state" / "camshaft.db", token="daemon-1") as opened:
        yield opened


def an_event(body=None):
    return Event(new_id("evt"), "webhook", "/deal-created", 1000.0, {"body": body})


async def test_a_pruned_database_gives_its_space_back(store):
    await asyncio.gather(*(store.accept(an_event("x" * 4000), []) for _ in range(400)))
    checkpoint(store.location)
    before = store.location.stat().st_size

    await store.prune(age_days=None, rows=1, now=2000.0)
    checkpoint(store.location)

    assert store.location.stat().st_size < before / 3


def checkpoint(path):
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


async def test_a_locked_database_is_waited_for_and_the_loop_goes_on(store):
    holder = sqlite3.connect(store.location, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    event = an_event()

    accepting = asyncio.ensure_future(store.accept(event, []))
    turns = 0
    for _ in range(50):
        await asyncio.sleep(0)
        turns += 1
    held = accepting.done()
    holder.execute("COMMIT")
    holder.close()
    await accepting

    assert (turns, held) == (50, False)
    assert (await store.event(event.id)).id == event.id


class Full(SqliteConnection):
    """The connection, on a disk that is full for a while: SQLite's own error, at the statement where it comes."""

    full = True

    def command(self, text):
        if self.full and text == "BEGIN IMMEDIATE":
            raise sqlite3.OperationalError("database or disk is full")
        super().command(text)


async def test_a_store_that_could_not_write_asks_the_disk_until_it_can_again(tmp_path):
    async with open_store(tmp_path / "camshaft.db", token="t") as store:
        store._database._connection = disk = Full(store._database._connection.connection)
        with pytest.raises(Unavailable):
            await store.accept(an_event(), [])
        was_failing = store.failing
        disk.full = False
        async with asyncio.timeout(10):
            while store.failing:
                await asyncio.sleep(0.01)

        assert was_failing


async def test_while_nothing_can_be_written_who_need_not_wait_is_refused_at_once_and_all_else_is_kept(tmp_path):
    async with open_store(tmp_path / "camshaft.db", token="t") as store:
        store._database._connection = disk = Full(store._database._connection.connection)
        kept = store.record("run_1", [])
        waiting = store.accept(an_event(), [])
        async with asyncio.timeout(10):
            while store.tally()[2] < 2:  # the first failure may have been a matter of a moment
                await asyncio.sleep(0.01)

        refused = store.accept(an_event(), [])
        at_once = (waiting.done(), refused.done(), kept.done())
        disk.full = False
        await kept
        await store.accept(an_event(), [])

        assert at_once == (True, True, False)
        for told in (waiting, refused):
            assert isinstance(told.exception(), Unavailable)


async def test_a_store_that_is_closed_while_it_cannot_write_says_what_it_gives_up(tmp_path, monkeypatch):
    monkeypatch.setattr("daemon.store.writer.CLOSE_S", 0.3)
    with structlog.testing.capture_logs() as lines:
        async with open_store(tmp_path / "camshaft.db", token="t") as store:
            store._database._connection = Full(store._database._connection.connection)
            store.record("run_1", [])

    given_up = [line for line in lines if line["event"] == "store.given_up"]
    assert [(line["operations"], line["error"]) for line in given_up] == [(1, f"{store.location}: database or disk is full")]


async def test_a_store_that_cannot_write_and_has_nothing_left_to_write_is_closed_at_once(tmp_path):
    with structlog.testing.capture_logs() as lines:
        async with open_store(tmp_path / "camshaft.db", token="t") as store:
            store._database._connection = Full(store._database._connection.connection)
            with pytest.raises(Unavailable):
                await store.accept(an_event(), [])
            began = asyncio.get_running_loop().time()
        took_s = asyncio.get_running_loop().time() - began

    assert took_s < 2.0  # it would be waited for CLOSE_S
    assert [line["event"] for line in lines] == ["store.unavailable"]


async def test_a_store_with_nothing_to_write_finds_out_when_it_is_asked_that_nothing_can_be(store):
    before = await store.writes()
    store._writer._well_at -= 60.0  # a minute without an event
    aside = store.location.parent.rename(store.location.parent.with_name("aside"))
    gone = await store.writes()
    aside.rename(store.location.parent)
    async with asyncio.timeout(10):
        while not (back := await store.writes()):
            await asyncio.sleep(0.01)

    assert (before, gone, back) == (True, False, True)


async def test_a_database_that_somebody_holds_for_long_does_not_write(store):
    holder = sqlite3.connect(store.location, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    async with asyncio.timeout(4):  # sooner than SQLite itself says so
        held = await store.writes()
    holder.close()

    assert held is False
    await store.accept(an_event(), [])


async def test_a_database_that_was_removed_is_told_with_a_way_out_and_made_anew_by_nobody(store):
    event = an_event()
    await store.accept(event, [])
    await store.event(event.id)
    aside = store.location.with_name("aside.db")
    store.location.rename(aside)

    with structlog.testing.capture_logs() as lines:
        with pytest.raises(Unavailable, match="removed or replaced"):
            await store.accept(an_event(), [])
        with pytest.raises(StoreError, match="cannot be read"):
            await store.load_state("schedule")
        await store._reads.close()  # its connection that was open reads on
        with pytest.raises(StoreError, match="cannot be read"):
            await store.events()
        made = store.location.exists()
        aside.rename(store.location)
        async with asyncio.timeout(10):
            while store.failing:
                await asyncio.sleep(0.01)

    assert not made
    assert (lines[0]["event"], lines[0]["hint"]) == ("store.unavailable", "put it back, or start the daemon anew")
    assert [row.id for row in await store.events()] == [event.id]


@pytest.mark.parametrize("gone", [("-wal",), ("-shm",), ("-wal", "-shm")], ids=" and ".join)
async def test_a_log_that_was_removed_beside_the_database_loses_nothing_and_is_made_anew(store, tmp_path, gone):
    before, after = an_event(), an_event()
    await store.accept(before, [])
    await store.event(before.id)  # somebody has read: that connection holds on to what is removed
    for end in gone:
        store.location.with_name(store.location.name + end).unlink()

    with structlog.testing.capture_logs() as lines:
        with pytest.raises(Unavailable, match=r"-wal or camshaft\.db-shm was removed under the daemon"):
            await store.accept(an_event(), [])
        async with asyncio.timeout(10):
            while store.failing:
                await asyncio.sleep(0.01)
    await store.accept(after, [])
    killed = shutil.copytree(store.location.parent, tmp_path / "killed")  # what is on the disk if it ended now
    with closing(sqlite3.connect(killed / store.location.name)) as stranger:
        kept = [row[0] for row in stranger.execute("SELECT id FROM events ORDER BY id")]
        whole = stranger.execute("PRAGMA integrity_check").fetchone()

    assert kept == [before.id, after.id]
    assert whole == ("ok",)
    assert [row.id for row in await store.events()] == [after.id, before.id]
    assert [line["event"] for line in lines] == ["store.unavailable", "store.recovered"]
    assert "what they held is in the database now" in lines[0]["hint"]


async def test_a_log_that_somebody_else_has_written_meanwhile_is_touched_by_nobody(store):
    await store.accept(an_event(), [])
    log = store.location.with_name("camshaft.db-wal")
    log.unlink()
    log.write_bytes(b"of another program")

    with pytest.raises(Unavailable, match="another program has written since"):
        await store.accept(an_event(), [])

    assert log.read_bytes() == b"of another program"


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        ("SQLITE_FULL", "make room"),
        ("SQLITE_BUSY", "close it"),
        ("SQLITE_CORRUPT_INDEX", "damaged"),
        ("SQLITE_IOERR_WRITE", "disk"),
    ],
)
def test_what_sqlite_says_has_a_way_out(error, hint):
    told = sqlite3.OperationalError("no")
    told.sqlite_errorname = error

    assert hint in hint_for(told)


async def test_a_database_s_path_may_hold_what_an_address_may_not(tmp_path):
    folder = tmp_path / "we?ird #1%41 ü"
    folder.mkdir()
    async with open_store(folder / "camshaft.db", token="t") as store:
        event = an_event()
        await store.accept(event, [])

        found = await store.event(event.id)

    assert found.id == event.id


def test_no_row_of_an_event_makes_a_table_of_its_own():
    connection = sqlite3.connect(":memory:")
    for statement in compiled.SCHEMA:
        connection.execute(statement)
    hot = (compiled.INSERT_EVENT, compiled.INSERT_VERDICT, compiled.INSERT_RUN, compiled.RECORD_PLAIN, compiled.START_RUN)

    made = {
        (statement.sqlite, opcode)
        for statement in (*hot, compiled.FINISH_RUN)
        for _, opcode, *_ in connection.execute(f"EXPLAIN {statement.sqlite}", (1,) * len(statement.names))
        if opcode in {"OpenEphemeral", "OpenAutoindex", "SorterOpen"}
    }

    assert made == set()


@pytest.mark.parametrize("name", ["RECONCILE", "RESCUE", "LAPSED"])
def test_runs_that_have_not_ended_are_found_by_their_own_index(name):
    connection = sqlite3.connect(":memory:")
    for statement in compiled.SCHEMA:
        connection.execute(statement)
    hot = getattr(compiled, name)

    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {hot.sqlite}", (1,) * len(hot.names))]

    assert plan == ["SCAN runs USING INDEX runs_live"]
