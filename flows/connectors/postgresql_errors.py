"""What PostgreSQL refuses, as the failure of a step: a stable code, and words that quote no address and no row."""

from __future__ import annotations

from flows.connectors.addresses import PostgresqlServer
from flows.errors import StepError

SHOWN_CHARACTERS = 300
# By the first two characters of SQLSTATE, or all five: code, and whether the same may come out well later.
_CODES = {
    "57014": ("TIMEOUT", True),
    "55P03": ("DATABASE_BUSY", True),  # a lock was not to be had
    "40": ("DATABASE_BUSY", True),  # serialization, deadlock
    "53": ("DATABASE_UNREACHABLE", True),  # too many connections, no memory, a full disk
    "57": ("DATABASE_LOST", True),  # the operator ended it
    "58": ("DATABASE_LOST", True),  # its system failed
    "XX": ("DATABASE_LOST", True),
    "08": ("DATABASE_LOST", True),
    "28": ("DATABASE_UNREACHABLE", False),  # who asks is not let in
    "3D": ("DATABASE_UNREACHABLE", False),  # no such database
    "22": ("DATABASE_VALUE", False),
    "23": ("DATABASE_CONSTRAINT", False),
}


def failure(address: PostgresqlServer, error: Exception, timeout_s: float, *, connected: bool) -> StepError:
    """`connected`: whether there was a connection, which is then lost where the server says nothing."""
    import psycopg  # 0.3 s: only a home that reads PostgreSQL pays for it

    if not isinstance(error, psycopg.Error):
        return StepError(f"{address}: a value cannot be bound: {type(error).__name__}", code="DATABASE_VALUE", retryable=False)
    state = error.sqlstate
    if state is None:
        return _without_state(address, error, connected=connected)
    code, retryable = _CODES.get(state) or _CODES.get(state[:2]) or ("DATABASE_REFUSED", False)
    said = " ".join((error.diag.message_primary or type(error).__name__).split())[:SHOWN_CHARACTERS]
    if code == "TIMEOUT":
        said = f"no end within {timeout_s:g} s (ETIMEDOUT)"
    if code == "DATABASE_CONSTRAINT":  # the detail would quote the row
        names = (error.diag.table_name, error.diag.column_name, error.diag.constraint_name)
        said = f"{type(error).__name__} ({', '.join(name for name in names if name)})"
    return StepError(f"{address}: {said} (SQLSTATE {state})", code=code, retryable=retryable)


def _without_state(address: PostgresqlServer, error: Exception, *, connected: bool) -> StepError:
    """What libpq says of itself: its words for an address it cannot read quote the password, so they are not told."""
    import psycopg  # see failure()

    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        if connected:
            return StepError(f"{address}: the connection was lost before the end (ECONNRESET)", code="DATABASE_LOST")
        return StepError(f"{address}: no connection ({_reason(error)})", code="DATABASE_UNREACHABLE")
    if isinstance(error, psycopg.DataError):
        said = " ".join(str(error).split())[:SHOWN_CHARACTERS]
        return StepError(f"{address}: {said}", code="DATABASE_VALUE", retryable=False)
    said = " ".join(str(error).split())[:SHOWN_CHARACTERS]
    return StepError(f"{address}: {said}", code="DATABASE_REFUSED", retryable=False)


def _reason(error: Exception) -> str:
    """Why, in one of a few words: the whole text may name users and hosts that are nobody's business."""
    said = str(error).lower()
    known = {
        "refused": "ECONNREFUSED",
        "timeout": "ETIMEDOUT",
        "timed out": "ETIMEDOUT",
        "resolve": "ENOTFOUND",
        "translate host": "ENOTFOUND",
        "password": "the password was refused",
        "does not exist": "there is no such database or user",
        "too many": "it has too many clients",
        "starting up": "it is starting up",
        "shutting down": "it is shutting down",
        "ssl": "no secure connection",
        "certificate": "no secure connection",
    }
    return next((words for part, words in known.items() if part in said), "it does not answer")
