"""Opening a store: a new database, somebody else's, a damaged one, one of another version."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.store import open_store, statements
from daemon.store.errors import HomeInUse, StoreUnusable
from daemon.store.home_lock import hold_home
from daemon.store.migrate import upgrade
from daemon.store.sqlite.connection import connect
from daemon.store.sqlite.migration import BEGIN, engine_over
from daemon.store.sqlite.schema import prepare


async def test_a_database_of_a_newer_program_is_refused_and_left_as_it_is(tmp_path):
    path = tmp_path / "camshaft.db"
    async with open_store(path, token="t"):
        pass
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    with pytest.raises(StoreUnusable, match="9999") as caught:
        async with open_store(path, token="t"):
            pass

    assert "newer camshaft" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "message"), [(b"no database at all" * 100, "not a database"), (None, "cannot be opened|unable to open")]
)
async def test_what_is_no_database_is_refused_with_a_way_out(tmp_path, content, message):
    path = tmp_path / "camshaft.db"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)

    with pytest.raises(StoreUnusable, match=message) as caught:
        async with open_store(path, token="t"):
            pass

    assert caught.value.hint


async def test_somebody_elses_database_is_refused(tmp_path):
    path = tmp_path / "camshaft.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE customers (id)")
    connection.close()

    with pytest.raises(StoreUnusable, match="customers"):
        async with open_store(path, token="t"):
            pass


def test_the_migrations_make_the_schema_that_a_new_database_gets(tmp_path):
    fresh, migrated = connect(tmp_path / "fresh.db", synchronous="full"), connect(tmp_path / "migrated.db", synchronous="full")
    prepare(fresh, tmp_path / "fresh.db")
    upgrade(engine_over(migrated), BEGIN)

    assert schema(migrated) == schema(fresh)
    assert migrated.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    fresh.close()
    migrated.close()


def schema(connection):
    tables = [
        row[0]
        for row in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name"
        )
    ]
    return {table: [row[1:] for row in connection.execute(f"PRAGMA table_info({table})")] for table in tables} | {
        "indexes": sorted(
            row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
        )
    }


def old_database(path):
    """A database as camshaft 0.1.0 left it: a run queued, one that ended, one that a person started."""
    path.parent.mkdir(exist_ok=True)
    with sqlite3.connect(path) as connection:
        connection.executescript(Path(__file__).with_name("store_0001.sql").read_text())
    connection.close()
    return path


async def test_the_database_of_an_earlier_program_is_migrated_after_a_backup_and_its_runs_go_on(tmp_path):
    path = old_database(tmp_path / "camshaft.db")

    async with open_store(path, token="daemon-2") as store:
        due = await store.reconcile(now=1795000100.0)
        queued = await store.claim("run_01m0000000000000000000000a")
        by_hand = await store.claim("run_01m0000000000000000000000c")
        ended = await store.run("run_01m0000000000000000000000b")
        kept = await store.definition("f" * 64)
        finished = asyncio.get_running_loop().create_future()
        store.finish(replace(queued, status="completed", finished_at=1795000101.0), [], finished.set_result)
        await finished

    assert [found.run[-1] for found in due] == ["a", "c"]
    assert (queued.chain, queued.depth) == (queued.event, 0)
    assert (by_hand.chain, by_hand.depth) == (by_hand.id, 0)
    assert (ended.output, [attempt.status for attempt in ended.attempts]) == (1, ["success"])
    assert (queued.not_before, queued.start_by, queued.finish_by, queued.retry_of, queued.cancel_asked) == (None,) * 5
    assert (kept.key, kept.subflows) == ("deal-process", None)
    assert finished.result() is None
    with sqlite3.connect(tmp_path / "camshaft.db.0001.backup") as backup:
        assert backup.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]
        assert backup.execute("SELECT count(*) FROM runs WHERE status = 'queued'").fetchall() == [(2,)]
    backup.close()
    assert (tmp_path / "camshaft.db.0001.backup").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("version", ["0002", "0003", "0004"])
async def test_a_database_of_each_version_between_is_migrated_and_its_runs_go_on(tmp_path, version):
    path = old_database(tmp_path / "camshaft.db")
    connection = connect(path, synchronous="full")
    upgrade(engine_over(connection), BEGIN, version)
    connection.close()

    async with open_store(path, token="daemon-2") as store:
        due = await store.reconcile(now=1795000100.0)
        asked = await store.ask_cancel([due[0].run], 1795000100.0, "enough")
        queued = await store.claim(due[0].run)

    assert asked == [queued.id]
    assert (queued.cancel_asked, queued.cancel_reason) == (1795000100.0, "enough")
    assert (tmp_path / f"camshaft.db.{version}.backup").exists()


async def test_several_processes_that_open_an_earlier_database_at_once_migrate_it_once(tmp_path):
    path = old_database(tmp_path / "camshaft.db")

    def opened(_):
        connection = connect(path, synchronous="full")
        prepare(connection, path)
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(opened, range(4)))

    with sqlite3.connect(tmp_path / "camshaft.db.0001.backup") as backup:
        assert backup.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]
    backup.close()
    assert not list(tmp_path.glob("*.unfinished"))


async def test_a_migration_that_cannot_make_its_backup_changes_nothing_and_says_so(tmp_path):
    path = old_database(tmp_path / "camshaft.db")
    (tmp_path / "camshaft.db.0001.backup").mkdir()  # in the way

    with pytest.raises(StoreUnusable, match="could not be brought from version 0001") as caught:
        async with open_store(path, token="t"):
            pass

    assert "nothing of it was changed" in caught.value.hint
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]
    connection.close()


async def test_a_new_database_is_for_its_owner_alone_and_can_shrink(tmp_path):
    path = tmp_path / "state" / "camshaft.db"
    async with open_store(path, token="t"):
        pass
    connection = sqlite3.connect(path)
    vacuum = connection.execute("PRAGMA auto_vacuum").fetchone()
    connection.close()

    assert path.stat().st_mode & 0o777 == 0o600
    assert vacuum == (2,)


def test_a_home_is_held_by_one_daemon(tmp_path):
    lock = tmp_path / "state" / "lock"
    with hold_home(lock), pytest.raises(HomeInUse, match="process id"), hold_home(lock):
        pass
    with hold_home(lock):
        pass


def test_the_compiled_statements_are_those_that_sqlalchemy_makes():
    made = Path(statements.__file__).with_name("compiled.py").read_text()

    assert made == statements.source_of_compiled()  # `python -m daemon.store.statements` writes it anew
