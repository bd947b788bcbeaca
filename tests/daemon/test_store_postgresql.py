"""What is PostgreSQL's alone: connections that are cut, a server that is away, a lock for one daemon, schemas of others."""

from __future__ import annotations

import asyncio
import re

import psycopg
import pytest
import structlog

from daemon.location import PostgresqlUrl
from daemon.store import open_store
from daemon.store.errors import HomeInUse, StoreError, StoreUnusable
from daemon.store.postgresql import database as postgresql_database
from daemon.store.postgresql.session import KEY
from daemon.store.rows import Candidate, Run
from tests.line import a_line
from tests.postgresql_server import PASSWORD
from triggers.event import Event
from triggers.ids import new_id
from triggers.source import Unavailable
from triggers.verdict import Verdict

PATIENCE_S = 30.0


@pytest.fixture
async def store(postgresql):
    async with open_store(PostgresqlUrl(postgresql), token="daemon-1") as opened:
        yield opened


def an_event():
    return Event(new_id("evt"), "webhook", "/deal-created", 1000.0, {"body": 1})


def with_a_run(event):
    run = Run(new_id("run"), "deal", "f" * 64, "queued", {}, 1000.0, event=event.id, trigger="auto", owner="daemon-1")
    return run, [Candidate(Verdict("auto", "dispatched", run=run.id), "t" * 64, run)]


async def until(condition):
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)


def do(url, statement):
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def ask(url, query, *values):
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query, values).fetchall()


# By the lock that this schema is served under: other tests' daemons are on the same server.
END_WRITER = f"""
SELECT pg_terminate_backend(pid) FROM pg_locks
WHERE locktype = 'advisory' AND granted AND ((classid::bigint << 32) | objid::bigint) = {KEY}
"""


@pytest.mark.parametrize("how", ["before", "after"])
async def test_a_commit_that_gets_no_answer_is_asked_after_and_told_as_it_was(postgresql, how):
    async with a_line(postgresql) as (line, url), open_store(PostgresqlUrl(url), token="daemon-1") as store:
        event = an_event()
        run, candidates = with_a_run(event)
        queued = []
        line.at_commit = how

        accepting = store.accept(event, candidates, queued.extend)
        if how == "after":
            accepted = await accepting
            assert accepted.runs == (run.id,)
        else:
            with pytest.raises(Unavailable):
                await accepting
        await store.accept(an_event(), [])

    assert line.cut == 1
    assert ([one.id for one in queued], ask(postgresql, "SELECT id FROM runs")) == (
        ([run.id], [(run.id,)]) if how == "after" else ([], [])
    )


async def test_a_commit_that_happened_is_followed_up_though_its_sender_was_told_to_come_again(postgresql):
    async with a_line(postgresql) as (line, url), open_store(PostgresqlUrl(url), token="daemon-1") as store:
        event = an_event()
        run, candidates = with_a_run(event)
        queued = []
        line.at_commit, line.goes_down = "after", True  # the server cannot be asked for a while

        with pytest.raises(Unavailable):
            await store.accept(event, candidates, queued.extend)
        with pytest.raises(Unavailable):
            await store.accept(an_event(), [])
        early = list(queued)
        line.down = False
        await until(lambda: queued)

        assert early == []
        assert store.claim_fresh(run.id) == run
        await until(lambda: not store.failing)


async def test_a_run_s_end_whose_commit_got_lost_is_written_once(postgresql):
    async with a_line(postgresql) as (line, url), open_store(PostgresqlUrl(url), token="daemon-1") as store:
        event = an_event()
        run, candidates = with_a_run(event)
        await store.accept(event, candidates)
        for how in ("before", "after"):
            told = asyncio.get_running_loop().create_future()
            line.at_commit = how
            run.status, run.finished_at = "completed", 1001.0
            store.finish(run, [], told.set_result)
            ended = await told
            if how == "before":
                assert ended is None
                do(postgresql, "UPDATE runs SET status = 'queued', finished_at = NULL")

    assert (line.cut, ended) == (2, None)
    assert ask(postgresql, "SELECT status FROM runs") == [("completed",)]


async def test_a_session_that_is_killed_is_told_and_comes_again_by_itself(store, postgresql):
    await store.accept(an_event(), [])
    (ended,) = ask(postgresql, END_WRITER)

    with structlog.testing.capture_logs() as lines:
        with pytest.raises(Unavailable, match="terminating connection"):
            await store.accept(an_event(), [])
        await until(lambda: not store.failing)
        await store.accept(an_event(), [])

    assert ended == (True,)
    assert [line["event"] for line in lines] == ["store.unavailable", "store.recovered"]
    assert len(await store.events()) == 2


async def test_a_network_that_says_nothing_is_broken_off_and_what_runs_did_is_kept(postgresql, monkeypatch):
    monkeypatch.setattr(postgresql_database, "STALL_S", 0.3)
    async with a_line(postgresql) as (line, url), open_store(PostgresqlUrl(url), token="daemon-1") as store:
        event = an_event()
        run, candidates = with_a_run(event)
        await store.accept(event, candidates)
        line.silent = True
        told = asyncio.get_running_loop().create_future()
        run.status, run.finished_at = "completed", 1001.0

        store.finish(run, [], told.set_result)
        with pytest.raises(Unavailable, match="did not answer"):
            await store.accept(an_event(), [])
        waited = told.done()
        line.silent = False
        error = await told

    assert (waited, error) == (False, None)
    assert ask(postgresql, "SELECT status FROM runs") == [("completed",)]


async def test_a_database_is_served_by_one_daemon_and_commands_work_beside_it(store, postgresql, monkeypatch):
    monkeypatch.setattr("daemon.store.postgresql.session.LOCK_PATIENCE_S", 0.2)

    with pytest.raises(HomeInUse, match="served by another daemon") as caught:
        async with open_store(PostgresqlUrl(postgresql), token="daemon-2"):
            pass
    async with open_store(PostgresqlUrl(postgresql), token="command-1", leased=True) as command:
        await command.accept(an_event(), [])

    assert "search_path" in caught.value.hint
    assert PASSWORD not in str(caught.value)


async def test_a_daemon_whose_database_was_taken_over_meanwhile_writes_nothing_more_and_says_who_has_it(postgresql):
    async with a_line(postgresql) as (line, url), open_store(PostgresqlUrl(url), token="daemon-1") as store:
        await store.accept(an_event(), [])
        line.down = True
        line.break_all()
        async with open_store(PostgresqlUrl(postgresql), token="daemon-2") as other:
            line.down = False
            with pytest.raises(Unavailable):
                await store.accept(an_event(), [])
            async with asyncio.timeout(PATIENCE_S):
                lost = await store.lost

            assert "served by another daemon" in str(lost)
            assert len(await other.events()) == 1


async def test_a_server_that_is_away_for_a_while_loses_nothing(own_postgresql):
    server = own_postgresql
    server.start()
    try:
        async with open_store(PostgresqlUrl(server.url), token="daemon-1") as store:
            event = an_event()
            run, candidates = with_a_run(event)
            await store.accept(event, candidates)
            with structlog.testing.capture_logs() as lines:
                await asyncio.to_thread(server.stop)
                told = asyncio.get_running_loop().create_future()
                run.status, run.finished_at = "completed", 1001.0
                store.finish(run, [], told.set_result)
                with pytest.raises(Unavailable):
                    await store.accept(an_event(), [])
                with pytest.raises(StoreError):
                    await store.runs()
                failing, waited = store.failing, told.done()
                await asyncio.to_thread(server.start)
                error = await told
                await store.accept(an_event(), [])

            assert (failing, waited, error) == (True, False, None)
            assert [line["event"] for line in lines if line["event"].startswith("store.")] == [
                "store.unavailable",
                "store.recovered",
            ]
            assert PASSWORD not in str(lines)
            assert [one.status for one in await store.runs()] == ["completed"]
    finally:
        server.stop()


async def test_a_stranger_s_lock_on_a_table_is_told_and_waited_for(store, postgresql):
    stranger = psycopg.connect(postgresql)
    stranger.execute("LOCK TABLE events")
    accepting = asyncio.ensure_future(store.accept(an_event(), []))
    await until(lambda: ask(postgresql, "SELECT 1 FROM pg_locks WHERE NOT granted"))

    stranger.rollback()
    stranger.close()
    await accepting

    assert len(await store.events()) == 1


async def test_a_read_that_a_stranger_s_lock_holds_up_gives_its_thread_back(store, postgresql, monkeypatch):
    monkeypatch.setattr(postgresql_database, "LOCK_TIMEOUT", "SET lock_timeout = '100ms'")
    with psycopg.connect(postgresql) as stranger:
        stranger.execute("LOCK TABLE source_state")
        with pytest.raises(StoreError, match="lock timeout"):
            await store.load_state("schedule")


async def test_a_read_that_gets_no_answer_at_all_is_cut_off(store, postgresql, monkeypatch):
    monkeypatch.setattr(postgresql_database, "READ_S", 0.3)
    monkeypatch.setattr(postgresql_database, "LOCK_TIMEOUT", "SET lock_timeout = 0")
    with psycopg.connect(postgresql) as stranger:
        stranger.execute("LOCK TABLE source_state")  # as good as a server that has stopped to answer
        with pytest.raises(StoreError):
            await store.load_state("schedule")


async def test_a_schema_of_a_newer_program_and_one_of_others_are_refused_and_left_as_they_are(postgresql):
    async with open_store(PostgresqlUrl(postgresql), token="t"):
        pass
    do(postgresql, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreUnusable, match="9999"):
        async with open_store(PostgresqlUrl(postgresql), token="t"):
            pass
    do(postgresql, "ALTER TABLE alembic_version RENAME TO customers")

    with pytest.raises(StoreUnusable, match="not camshaft's") as caught:
        async with open_store(PostgresqlUrl(postgresql), token="t"):
            pass

    assert "CREATE SCHEMA" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda url: re.sub(r":\d+/", ":1/", url, count=1), "refused"),
        (lambda url: re.sub(r"/postgres\?.*", "/nowhere", url), "nowhere"),
        (lambda url: url + "&sslmode=perhaps", "sslmode|libpq"),
        (lambda url: re.sub(r"options=.*", "options=-csearch_path%3Dnowhere", url), "no schema"),
    ],
    ids=["port", "database", "option", "schema"],
)
async def test_an_address_that_leads_nowhere_is_refused_with_a_way_out_and_without_its_password(postgresql, change, said):
    with pytest.raises(StoreUnusable, match=said) as caught:
        async with open_store(PostgresqlUrl(change(postgresql)), token="t"):
            pass

    assert caught.value.hint
    assert PASSWORD not in f"{caught.value} {caught.value.hint} {caught.value.__cause__}"


async def test_normal_durability_is_asynchronous_commit_and_full_is_never_less_than_on(postgresql):
    found = {}
    for word in ("full", "normal"):
        async with open_store(PostgresqlUrl(postgresql), token="t", synchronous=word) as store:
            found[word] = await store._inside(
                lambda connection: connection.connection.execute("SHOW synchronous_commit").fetchone()[0]
            )

    assert found == {"full": "on", "normal": "off"}
