"""Opening a store: a new database, somebody else's, a damaged one, one of another version."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from daemon.store import open_store, statements
from daemon.store.errors import HomeInUse, StoreUnusable
from daemon.store.home_lock import hold_home


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
