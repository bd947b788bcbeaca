"""Databases of earlier programs are brought to today's schema with all that they hold, or stay as they are. On both databases."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from daemon.location import PostgresqlUrl
from daemon.store import open_store
from daemon.store.compiled import HEAD
from daemon.store.errors import StoreUnusable
from daemon.store.migrate import upgrade
from daemon.store.postgresql.migration import BEGIN as BEGIN_POSTGRESQL
from daemon.store.postgresql.migration import engine_over as engine_over_postgresql
from daemon.store.sqlite.connection import connect
from daemon.store.sqlite.migration import BEGIN, engine_over
from daemon.store.sqlite.schema import prepare
from tests.daemon.old_stores import BY_HAND, ENDED, QUEUED, RELEASED, SCHEMAS, in_order, make_old, opened, schema_of, stored

ON_POSTGRESQL = [schema for schema, made in SCHEMAS.items() if made["postgresql"]]
LATER = 1_795_000_100.0


async def brought_to_today(location, fresh, schema):
    """Everything that an upgrade has to hold to; `fresh` is a new database of the same kind, to compare with."""
    rows = make_old(location, schema)
    async with open_store(fresh, token="t"):
        pass

    async with open_store(location, token="daemon-2") as store:
        after = stored(location, rows)
        due = await store.reconcile(now=LATER)
        queued = await store.claim(QUEUED)
        ended = await store.run(ENDED)
        finished = asyncio.get_running_loop().create_future()
        store.finish(replace(queued, status="completed", finished_at=LATER), [], finished.set_result)
        await finished

    assert after == in_order(rows)
    assert schema_of(location) == schema_of(fresh)
    assert [found.run for found in due] == [QUEUED, BY_HAND]
    assert (ended.output, [attempt.path for attempt in ended.attempts]) == ({"big": 12345678901234567890}, ["a", "b[0].c"])
    assert finished.result() is None


@pytest.mark.parametrize("schema", SCHEMAS)
async def test_a_file_of_every_earlier_program_is_brought_to_today_s_schema_with_all_its_rows(tmp_path, schema):
    path = tmp_path / "camshaft.db"

    await brought_to_today(path, tmp_path / "fresh.db", schema)

    version = SCHEMAS[schema]["version"]
    backup = tmp_path / f"camshaft.db.{version}.backup"
    assert stored(backup, ["alembic_version"]) == {"alembic_version": [{"version_num": version}]}
    assert {row["status"] for row in stored(backup, ["runs"])["runs"]} == {"queued", "completed", "running"}
    assert backup.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("schema", ON_POSTGRESQL)
async def test_a_postgresql_schema_of_every_earlier_program_is_brought_to_today_s_with_all_its_rows(
    postgresql, users_postgresql, schema
):
    await brought_to_today(PostgresqlUrl(postgresql), PostgresqlUrl(users_postgresql), schema)


def test_the_migrations_alone_make_the_schema_that_a_new_file_gets(tmp_path):
    with closing(connect(tmp_path / "fresh.db", synchronous="full")) as fresh:
        prepare(fresh, tmp_path / "fresh.db")
    with closing(connect(tmp_path / "migrated.db", synchronous="full")) as migrated:
        upgrade(engine_over(migrated), BEGIN)
        vacuum = migrated.execute("PRAGMA auto_vacuum").fetchone()

    assert schema_of(tmp_path / "migrated.db") == schema_of(tmp_path / "fresh.db")
    assert vacuum == (2,)


async def test_the_migrations_alone_make_the_schema_that_a_new_one_in_postgresql_gets(postgresql, users_postgresql):
    fresh, migrated = PostgresqlUrl(postgresql), PostgresqlUrl(users_postgresql)
    async with open_store(fresh, token="t"):
        pass
    engine = engine_over_postgresql(migrated)
    upgrade(engine, BEGIN_POSTGRESQL)
    engine.dispose()

    assert schema_of(migrated) == schema_of(fresh)


def test_several_processes_that_open_an_earlier_file_at_once_migrate_it_once(tmp_path):
    path = tmp_path / "camshaft.db"
    make_old(path, RELEASED)

    def prepared(_):
        with closing(connect(path, synchronous="full")) as connection:
            prepare(connection, path)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(prepared, range(4)))

    backup = tmp_path / "camshaft.db.0001.backup"
    assert stored(backup, ["alembic_version"]) == {"alembic_version": [{"version_num": "0001"}]}
    assert not list(tmp_path.glob("*.unfinished"))


async def test_a_migration_that_cannot_make_its_backup_changes_nothing_and_says_so(tmp_path):
    path = tmp_path / "camshaft.db"
    rows = make_old(path, RELEASED)
    (tmp_path / "camshaft.db.0001.backup").mkdir()  # in the way

    with pytest.raises(StoreUnusable, match="could not be brought from version 0001") as caught:
        async with open_store(path, token="t"):
            pass

    assert "nothing of it was changed" in caught.value.hint
    assert stored(path, rows) == in_order(rows)
    assert stored(path, ["alembic_version"]) == {"alembic_version": [{"version_num": "0001"}]}


# ---- killed in the midst of it

KILLED_AT_EACH_STATEMENT = """
import os, shutil, signal, sqlite3, sys
from pathlib import Path
import daemon.store.migrate, daemon.store.tables, sqlalchemy.dialects.sqlite
from daemon.store.sqlite.connection import connect
from daemon.store.sqlite.schema import prepare

old, path = map(Path, sys.argv[1:])
for last in range(1, 1000):
    for left in path.parent.glob(f"{path.name}*"):
        left.unlink()
    shutil.copy(old, path)
    child = os.fork()
    if child == 0:
        seen = 0
        def count(_):
            global seen
            seen += 1
            if seen == last:
                os.kill(os.getpid(), signal.SIGKILL)
        connection = connect(path, synchronous="full")
        connection.set_trace_callback(count)
        prepare(connection, path)
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
    found = sqlite3.connect(path)
    version = found.execute("SELECT version_num FROM alembic_version").fetchone()[0]
    whole = found.execute("PRAGMA integrity_check").fetchone()[0]
    columns = len(found.execute("PRAGMA table_info(runs)").fetchall())
    runs = found.execute("SELECT count(*) FROM runs").fetchone()[0]
    found.close()
    print(version, whole, columns, runs)
    connection = connect(path, synchronous="full")
    prepare(connection, path)
    print(connection.execute("SELECT version_num, (SELECT count(*) FROM runs) FROM alembic_version").fetchone())
    connection.close()
"""


@pytest.mark.slow
def test_a_migration_that_is_killed_at_any_of_its_statements_leaves_the_file_as_it_was_and_the_next_one_does_it(tmp_path):
    make_old(tmp_path / "old.db", RELEASED)

    command = [sys.executable, "-c", KILLED_AT_EACH_STATEMENT, tmp_path / "old.db", tmp_path / "camshaft.db"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    assert done.returncode == 0, done.stderr
    killed, again = done.stdout.splitlines()[::2], done.stdout.splitlines()[1::2]
    assert len(killed) > 40
    assert set(killed) == {"0001 ok 18 3"}
    assert set(again) == {f"('{HEAD}', 3)"}


async def test_a_migration_of_postgresql_that_is_killed_in_its_midst_leaves_the_schema_as_it_was(tmp_path, postgresql):
    location = PostgresqlUrl(postgresql)
    rows = make_old(location, "0002-cac8b1e")
    before = schema_of(location)
    (tmp_path / "camshaft.toml").touch()
    command = [Path(sys.executable).parent / "camshaft", "run", "list", "--home", tmp_path]
    waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'events'::regclass"
    with psycopg.connect(postgresql) as stranger:
        stranger.execute("LOCK TABLE events IN SHARE MODE")  # its last migration wants it for itself
        with subprocess.Popen(command, env={**os.environ, "CAMSHAFT_STORE__URL": postgresql}) as migrating:
            async with asyncio.timeout(60):
                while not ask(location, waiting):
                    await asyncio.sleep(0.02)
            migrating.kill()
        stranger.rollback()

    left = schema_of(location), stored(location, rows)
    async with open_store(location, token="daemon-2") as store:
        due = await store.reconcile(now=LATER)

    assert left == (before, in_order(rows))
    assert [found.run for found in due] == [QUEUED, BY_HAND]
    assert stored(location, ["alembic_version"]) == {"alembic_version": [{"version_num": HEAD}]}


async def test_a_migration_that_a_stranger_s_lock_holds_up_is_given_up_and_changes_nothing(postgresql, monkeypatch):
    monkeypatch.setattr("daemon.store.postgresql.migration.BEGIN", (*BEGIN_POSTGRESQL[:2], "SET LOCAL lock_timeout = '100ms'"))
    location = PostgresqlUrl(postgresql)
    rows = make_old(location, "0002-cac8b1e")
    with psycopg.connect(postgresql) as stranger:
        stranger.execute("SELECT count(*) FROM events")  # and its transaction stays open
        with pytest.raises(StoreUnusable, match="lock timeout") as caught:
            async with open_store(location, token="t"):
                pass

    assert "nothing of it was changed" in caught.value.hint
    assert stored(location, rows) == in_order(rows)
    assert stored(location, ["alembic_version"]) == {"alembic_version": [{"version_num": "0002"}]}


def ask(location, query):
    with opened(location) as connection:
        return connection.execute(query).fetchall()
