"""Connecting to PostgreSQL: what every session of ours has set, and errors without what must not be told."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.numeric import Int8Dumper

from daemon.location import PostgresqlUrl
from daemon.store.errors import StoreUnusable

OLDEST = 13_00_00  # pg_current_xact_id() and pg_xact_status(): whether a commit that got no answer was one
PREPARED_AFTER = 3  # uses, then the server keeps a statement's plan
# Where the address does not say otherwise. A peer that is gone without a word is noticed within half a minute.
DEFAULTS = {
    "connect_timeout": "5",
    "application_name": "camshaft",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
DATA_AND_CONSTRAINTS = ("22", "23")


def conninfo(location: PostgresqlUrl) -> str:
    """For libpq. Raises StoreUnusable where it does not take the address; what it says may quote the password, and is not told."""
    try:
        return make_conninfo("", **{**DEFAULTS, **conninfo_to_dict(location.url), "client_encoding": "UTF8"})
    except psycopg.Error:
        raise StoreUnusable(
            f"{location}: [store] url is no address that libpq takes", "see «Connection URIs» in PostgreSQL's manual"
        ) from None


def connect(location: PostgresqlUrl) -> psycopg.Connection[tuple[Any, ...]]:
    """A session, outside of any transaction. Raises psycopg.Error, or StoreUnusable for an address that is none."""
    connection = psycopg.connect(conninfo(location), autocommit=True, prepare_threshold=PREPARED_AFTER)
    connection.adapters.register_dumper(int, Int8Dumper)  # one type for all: else each size is a statement of its own
    return connection


def cut(connection: psycopg.Connection[Any]) -> None:
    """Make what waits for an answer on it fail now. For another thread: closing a socket does not wake who reads from it."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


def describe(error: BaseException) -> str:
    """The error in one line. A refused row is not told: it holds what senders sent."""
    if not isinstance(error, psycopg.Error) or error.sqlstate is None:
        return " ".join(str(error).split()) or type(error).__name__
    if error.sqlstate[:2] in DATA_AND_CONSTRAINTS:
        place = ", ".join(name for name in (error.diag.table_name, error.diag.constraint_name) if name)
        return f"{type(error).__name__} ({place or error.sqlstate})"
    return error.diag.message_primary or type(error).__name__


def hint_for(error: psycopg.Error) -> str:
    """The way out of what PostgreSQL says."""
    state = error.sqlstate or ""
    if state.startswith("28"):
        return "check the user and the password in [store] url, or PGPASSWORD, or ~/.pgpass, and the server's pg_hba.conf"
    if state.startswith("3D"):
        return "make the database: createdb NAME"
    if state == "42501":
        return 'give the user a schema of its own: CREATE SCHEMA camshaft AUTHORIZATION …; [store] url = "…?options=-csearch_path%3Dcamshaft"'
    return "check that the server runs, and host, port and database in [store] url"
